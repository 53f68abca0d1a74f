"""Which bytes belong to which layer, and which image alone has them. Pure: engine data in, numbers out.

The engine tells the layers of an image by the digests of their contents, and apart from that a history of steps with
the bytes that each added. Which step made which layer it does not say, so only what follows for certain is concluded.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.model.inventory import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.adapters.images.content_store import ImageContent
    from tonnage.model.inventory import Image

EMPTY_DIFF_ID = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
_NO_LAYER = frozenset(
    {
        *("ARG", "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "SHELL"),
        *("STOPSIGNAL", "USER", "VOLUME"),
    }
)
_NOP = "#(nop)"


class HistoryEntry(Struct, frozen=True):
    """One step of an image's history: the instruction as the engine shows it, and the bytes that it added."""

    created_by: str
    size_bytes: int

    @property
    def surely_layer(self) -> bool:
        """Whether it must have made a layer: only a layer has bytes."""
        return self.size_bytes > 0

    @property
    def perhaps_layer(self) -> bool:
        """Whether it can have made a layer: instructions that only set metadata never do."""
        text = self.created_by.partition(_NOP)[2] if _NOP in self.created_by else self.created_by
        return self.surely_layer or text.strip().partition(" ")[0].upper() not in _NO_LAYER


def chain_ids(diff_ids: Sequence[str]) -> tuple[str, ...]:
    """Return the identity of each layer on top of all those below it.

    Args:
        diff_ids: ``sha256:...`` of each layer's contents, lowest first.

    Source: OCI image specification 1.1, "Layer ChainID".
    """
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(_sha256(f"{chain[-1]} {diff_id}") if chain else diff_id)
    return tuple(chain)


def layers(diff_ids: Sequence[str], history: Sequence[HistoryEntry], total_bytes: int) -> tuple[Layer, ...]:
    """Return the layers of an image with the bytes of each that are certain.

    Args:
        diff_ids: Of each layer, lowest first.
        history: The steps, oldest first.
        total_bytes: The size of the image: when the layers sum up to more, nothing is certain.
    """
    made = _made_by(len(diff_ids), [entry for entry in history if entry.perhaps_layer])
    sizes = [_agreed_size(entries) for entries in made]
    sizes = [0 if diff_id == EMPTY_DIFF_ID else size for diff_id, size in zip(diff_ids, sizes, strict=True)]
    if sum(size or 0 for size in sizes) > total_bytes:
        sizes = [None] * len(diff_ids)
    return tuple(
        Layer(
            chain_id=chain_id,
            diff_id=diff_id,
            size_bytes=size,
            made_by=entries[0].created_by if len(entries) == 1 else "",
        )
        for chain_id, diff_id, size, entries in zip(chain_ids(diff_ids), diff_ids, sizes, made, strict=True)
    )


def _made_by(count: int, entries: Sequence[HistoryEntry]) -> list[list[HistoryEntry]]:
    """Return the steps that can have made each of ``count`` layers."""
    surely = [0, *accumulate(entry.surely_layer for entry in entries)]
    return [
        [
            entry
            for index, entry in enumerate(entries)
            if surely[index] <= position <= index
            and surely[-1] - surely[index + 1] <= count - 1 - position <= len(entries) - 1 - index
        ]
        for position in range(count)
    ]


def _agreed_size(entries: Sequence[HistoryEntry]) -> int | None:
    """Return the bytes of a layer: None where the steps that can have made it differ in bytes."""
    sizes = {entry.size_bytes for entry in entries}
    return sizes.pop() if len(sizes) == 1 else None


def agreed(images: Sequence[Image]) -> tuple[Image, ...]:
    """Let images teach each other: a layer whose bytes one image tells has the same bytes in every other."""
    told = {
        layer.chain_id: layer.size_bytes for image in images for layer in image.layers if layer.size_bytes is not None
    }
    return tuple(
        replace(
            image,
            layers=tuple(
                replace(layer, size_bytes=told.get(layer.chain_id)) if layer.size_bytes is None else layer
                for layer in image.layers
            ),
        )
        for image in images
    )


def with_unique(images: Sequence[Image]) -> tuple[Image, ...]:
    """Fill in shared and unique bytes, by the chains, for every image of which they follow.

    Args:
        images: All images of the engine.

    Returns:
        The images in the same order.
    """
    holders, blob_holders = _holders(images), _blob_holders(images)
    return tuple(
        image if size is None else _split(image, size)
        for image, size in ((image, _shared_bytes(image, holders, blob_holders)) for image in images)
    )


def undecided(images: Sequence[Image]) -> frozenset[str]:
    """Return the ids of the images whose shared bytes do not follow from the layers."""
    holders, blob_holders = _holders(images), _blob_holders(images)
    return frozenset(image.image_id for image in images if _shared_bytes(image, holders, blob_holders) is None)


def told_unique(images: Sequence[Image], shared_bytes: Mapping[str, int]) -> tuple[Image, ...]:
    """Fill in what the engine itself says is shared.

    Args:
        images: Some images.
        shared_bytes: What the engine says, by image id; images that are not in it stay as they are.

    Returns:
        The images in the same order.
    """
    return tuple(
        _split(image, shared_bytes[image.image_id]) if image.image_id in shared_bytes else image for image in images
    )


def least_unique(images: Sequence[Image]) -> tuple[Image, ...]:
    """Fill in, for every image of which unique bytes do not follow, those that surely no other image has."""
    holders, open_ids = _holders(images), undecided(images)

    def own_bytes(image: Image) -> int:
        own = [layer for layer in image.layers if holders[layer.chain_id] == 1]
        return sum((layer.size_bytes or 0) + layer.blob_bytes for layer in own)

    return tuple(
        _split(image, max(0, image.size_bytes - own_bytes(image))) if image.image_id in open_ids else image
        for image in images
    )


def with_blobs(
    images: Sequence[Image], contents: Mapping[str, ImageContent], told_bytes: Mapping[str, int]
) -> tuple[Image, ...]:
    """Fill in what the layers of images in containerd are compressed.

    Args:
        images: All images of the engine, with the unpacked bytes of their layers.
        contents: Their blobs by image id, of those that could be seen.
        told_bytes: The bytes of all blobs of an image by its id, for those that could not. What of them is no layer's
            that is known counts for the others by their unpacked bytes: the same kind of files compresses alike.

    Returns:
        The images in the same order.
    """
    known: dict[str, int] = {}
    for content in contents.values():
        known |= {one: content.blobs[blob] for one, blob in content.layers.items() if blob in content.blobs}
    for image in sorted(images, key=lambda each: len(each.layers)):
        if image.image_id in contents or image.image_id not in told_bytes:
            continue
        others = [layer for layer in image.layers if layer.chain_id not in known and layer.size_bytes]
        rest = told_bytes[image.image_id] - sum(known.get(chain_id, 0) for chain_id in image.chain)
        unpacked = sum(layer.size_bytes or 0 for layer in others)
        known |= {layer.chain_id: max(0, rest) * (layer.size_bytes or 0) // unpacked for layer in others}
    return tuple(
        replace(
            image,
            layers=tuple(replace(layer, blob_bytes=known.get(layer.chain_id, 0)) for layer in image.layers),
            blobs=dict(contents[image.image_id].blobs) if image.image_id in contents else {},
        )
        for image in images
    )


def _holders(images: Sequence[Image]) -> Counter[str]:
    """Count in how many images each layer is."""
    return Counter(chain_id for image in images for chain_id in set(image.chain))


def _blob_holders(images: Sequence[Image]) -> Counter[str]:
    """Count in how many images each blob is."""
    return Counter(digest for image in images for digest in image.blobs)


def _shared_bytes(image: Image, holders: Counter[str], blob_holders: Counter[str]) -> int | None:
    """Return the bytes that other images have too; None when those of a layer are not known."""
    shared = [layer for layer in image.layers if holders[layer.chain_id] > 1]
    known = [layer.size_bytes for layer in shared if layer.size_bytes is not None]
    if len(known) < len(shared):
        return None
    if image.blobs:
        return sum(known) + sum(size for digest, size in image.blobs.items() if blob_holders[digest] > 1)
    return sum(known) + sum(layer.blob_bytes for layer in shared)


def _split(image: Image, shared_bytes: int) -> Image:
    shared = min(image.size_bytes, shared_bytes)
    return replace(image, shared_bytes=shared, unique_bytes=image.size_bytes - shared)


def _sha256(text: str) -> str:
    # JSON may hold half of a pair, which is no text that can be encoded.
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
