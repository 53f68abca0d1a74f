"""Which images from outside a build needs: those that its stages stand on, and those that it copies files from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.sources.dockerfile_bases import images_in

if TYPE_CHECKING:
    from tonnage.model.stack import Service


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
