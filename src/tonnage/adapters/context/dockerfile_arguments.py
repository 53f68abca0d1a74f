"""Which build arguments a Dockerfile declares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.sources.dockerfile.base_images import instructions

if TYPE_CHECKING:
    from tonnage.model.stack import BuildSpec


def declared_arguments(spec: BuildSpec) -> dict[str, str | None]:
    """Return what a build's Dockerfile declares with ``ARG``.

    Args:
        spec: A build section.

    Returns:
        Default by name, None where there is none; nothing for a Dockerfile that cannot be read here: whoever needs it
        says so.
    """
    text = spec.dockerfile_inline
    if not text:
        try:
            text = Path(spec.dockerfile).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return {}
    found: dict[str, str | None] = {}
    for instruction in instructions(text):
        if instruction.keyword != "ARG":
            continue
        for word in instruction.text.split():
            name, has_default, default = word.partition("=")
            # A stage that declares a global argument once more takes over its default.
            found[name] = default if has_default else found.get(name)
    return found
