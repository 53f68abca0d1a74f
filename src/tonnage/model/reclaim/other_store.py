"""What lies in the store of images that an engine does not use, since it was switched to another one."""

from __future__ import annotations

from msgspec import Struct


class OtherStore(Struct, frozen=True, kw_only=True):
    """Images, build cache and containers that the engine sees no more. Measured.

    Args:
        store: Which store it is, as ``Engine.image_store`` names it.
        place: The directory that it lies in.
        size_bytes: Its bytes; at least so many where not all was counted.
        counted: Whether all was counted.
        images: Names of images in it.
        containers: Names of containers that were made in it and are there still, with what they have written.
        obstacle: What else keeps it from going, as a sentence without its end.
        paths: Its files and directories, in the order in which they go.
    """

    store: str
    place: str
    size_bytes: int
    counted: bool = True
    images: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    obstacle: str = ""
    paths: tuple[str, ...] = ()
