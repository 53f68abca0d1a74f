"""Which images from outside a build needs: those that its stages stand on, and those that it copies files from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters.build_inputs import base_reference
from tonnage.adapters.dockerfile_text import instructions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.stack import Service

_COPIED_FROM = re.compile(r"(?:^|\s)--from=(?P<copy>\S+)|--mount=\S*\bfrom=(?P<mount>[^,\s]+)")


def images_needed(service: Service) -> tuple[str, ...]:
    """Return the images that a service needs from outside.

    Args:
        service: The service. Without a build it needs its own image.

    Returns:
        References in the order of their first use, as they are written; nothing for what cannot be read here.
    """
    spec = service.build
    if spec is None:
        return (service.image,)
    text = spec.dockerfile_inline
    if not text:
        try:
            text = Path(spec.dockerfile).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ()
    return images_in(text, dict(spec.args), dict(spec.additional_contexts))


def images_in(dockerfile: str, arguments: Mapping[str, str], contexts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the images from outside that a Dockerfile names, in the order of their first use.

    Args:
        dockerfile: Its text.
        arguments: Build arguments.
        contexts: Named contexts, which go before images of that name.
    """
    found: dict[str, None] = {}
    stages = 0
    aliases: set[str] = set()
    for instruction in instructions(dockerfile):
        if instruction.keyword == "FROM":
            found[base_reference(dockerfile, arguments, str(stages), contexts)] = None
            stages += 1
            aliases.add(instruction.text.split()[-1].lower())
            continue
        for match in _COPIED_FROM.finditer(instruction.text):
            origin = match["copy"] or match["mount"]
            if not (origin.isdecimal() or origin.lower() in aliases or origin in contexts or "$" in origin):
                found[origin] = None
    return tuple(reference for reference in found if reference)
