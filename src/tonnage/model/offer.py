"""What a registry has under the name of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.model.references import tagged

if TYPE_CHECKING:
    from collections.abc import Collection

    from tonnage.model.inventory import Image, Inventory


class OfferedImage(Struct, frozen=True, kw_only=True):
    """What the registry of an image was found to have under its name.

    Args:
        digests: Of what the name stands for, of its manifest and its configuration for this platform; none where that
            is not known.
        chain: Its layers, by their chain ids, lowest first.
        trouble: Why it is not known.
        absent: The registry says that it has no such image.
        withheld: It was not asked, because the name holds what is not to be sent.
    """

    reference: str
    digests: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    trouble: str = ""
    absent: bool = False
    withheld: bool = False

    @property
    def known(self) -> bool:
        """Whether the registry said what it has."""
        return bool(self.digests)

    def is_of(self, image: Image) -> bool:
        """Return whether it is this image of the engine."""
        return not {image.image_id, *image.manifest_digests, *_digests(image)}.isdisjoint(self.digests)


def names_by_digest(image: Image, reference: str) -> tuple[str, ...]:
    """Return the names by digest that an image has in the repository of this name of it.

    In containerd an image tells a digest for one of its names only.
    """
    first, slash, last = tagged(reference).partition("@")[0].rpartition("/")
    repository = f"{first}{slash}{last.partition(':')[0]}"
    return tuple(dict.fromkeys(f"{repository}@{digest}" for digest in _digests(image)))


def _digests(image: Image) -> list[str]:
    return [name.partition("@")[2] for name in image.digests]


def with_registries(inventory: Inventory, names: Collection[str]) -> Inventory:
    """Return an inventory in which registries are known to have images with these names by digest."""
    known = {name.partition("@")[2] for name in names}
    images = (replace(each, only_here=each.only_here and known.isdisjoint(_digests(each))) for each in inventory.images)
    return replace(inventory, images=tuple(images)) if known else inventory
