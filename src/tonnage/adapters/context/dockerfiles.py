"""What a Dockerfile asks for from outside: build arguments that it declares, and images that it is built from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.small_files import DOCKERFILE
from tonnage.sources.compose.files import HERE
from tonnage.sources.dockerfile.base_images import images_in, instructions

if TYPE_CHECKING:
    from tonnage.model.stack import BuildSpec, Service
    from tonnage.sources.compose.files import Files


def declared_arguments(spec: BuildSpec) -> dict[str, str | None]:
    """Return what a build's Dockerfile declares with ``ARG``.

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


def images_needed(service: Service, where: Files = HERE) -> tuple[str, ...]:
    """Return the images that a service needs from outside.

    Args:
        service: The service. Without a build it needs its own image.
        where: The machine that its Dockerfile is on.

    Returns:
        References in the order of their first use, as they are written; nothing for what cannot be read here.
    """
    spec = service.build
    if spec is None:
        return (service.image,)
    text = spec.dockerfile_inline
    if not text:
        try:
            text = where.read(spec.dockerfile, DOCKERFILE).decode(errors="replace")
        except OSError:
            return ()
    return images_in(text, dict(spec.args), dict(spec.additional_contexts))
