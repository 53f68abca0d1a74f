"""What is known of the versions of a service: by names of ours on the engine, and by the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.model.deploy.image_names import is_config

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Version
    from tonnage.model.inventory import Image


class KnownVersion(Struct, frozen=True, kw_only=True):
    """One version of a service.

    Args:
        number: 0 when nobody gave it one.
        config: Beginning of the digest of its configuration; empty where that is not known.
        version: All of it; None where only its image is known.
        image: Its image, or one with the same content; None when the engine has none.
        references: Names of ours that hold it.
        records: Names of what tells of it.
        withdrawn: It was rolled away from.
    """

    number: int
    config: str = ""
    version: Version | None = None
    image: Image | None = None
    references: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    withdrawn: bool = False

    @property
    def name(self) -> str:
        """What people call it."""
        return f"v{self.number}" if self.number else "a version without a number"

    @property
    def usable(self) -> Version | None:
        """The version with the image that the engine has for it; None where either is not known."""
        if self.version is None or self.image is None:
            return None
        return replace(self.version, image_id=self.image.image_id)

    def is_of(self, image: Image | None, config_digest: str) -> bool:
        """Return whether it is this image with this configuration."""
        return (
            self.image is not None
            and image is not None
            and same_image(self.image, image)
            and (is_config(self.config, config_digest))
        )


class ServiceVersions(Struct, frozen=True, kw_only=True):
    """The versions of one service.

    Args:
        known: The oldest first.
        runs: The good one that runs; None when what runs is not known to be good, or nothing runs.
        running: The image that runs; None when none does, or it is gone from the engine.
    """

    service: str
    known: tuple[KnownVersion, ...]
    runs: KnownVersion | None = None
    running: Image | None = None


def same_image(image: Image, other: Image) -> bool:
    """Return whether containers get the same of two images."""
    return image.image_id == other.image_id or image.content_digest == other.content_digest != ""
