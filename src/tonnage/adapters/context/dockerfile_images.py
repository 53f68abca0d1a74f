"""Which images from outside a build needs: those that its stages stand on, and those that it copies files from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.sources.compose.files import HERE
from tonnage.sources.dockerfile.base_images import images_in

if TYPE_CHECKING:
    from tonnage.model.stack import Service
    from tonnage.sources.compose.files import Files

_MOST_BYTES = 16_000_000


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
            text = where.read(spec.dockerfile, _MOST_BYTES).decode(errors="replace")
        except OSError:
            return ()
    return images_in(text, dict(spec.args), dict(spec.additional_contexts))
