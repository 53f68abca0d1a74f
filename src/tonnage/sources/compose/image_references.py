"""Which texts are names of images."""

from __future__ import annotations

from tonnage.model.forecast.image_reference import image_name


def is_image_name(text: str) -> bool:
    """Return whether an engine would take a text as the name of an image, with or without tag and digest."""
    return image_name(text) is not None
