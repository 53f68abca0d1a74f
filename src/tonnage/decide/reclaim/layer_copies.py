"""How many bytes of each layer lie on the disk where images lie in containerd: there a layer has up to three copies.

A layer is unpacked for the images that have it, and compressed as a blob; where it was built here and the build cache
has its record, BuildKit keeps one more unpacked. That record's size is its own copy and the blob. Neither the list of
images nor its shared sizes tell a layer's blob, so it follows from the record, else from what an image takes beyond
its unpacked layers and the blobs that are known. Source: measured with Docker 26.1 and 28.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.reclaim.protection import path_up_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.inventory import CacheRecord, Image, Layer

_NOTES_BYTES = 131_072
"""What a record may have besides its files and their blob: directories, and what compressing adds."""
_SNAPSHOT_BYTES = 16_384
"""The directories of an unpacked layer."""


def bytes_on_disk(images: Sequence[Image], records: Sequence[CacheRecord]) -> dict[str, int]:
    """Return what each layer of known size takes in all its copies, by chain id."""
    unpacked = {layer.chain_id: layer.size_bytes for image in images for layer in image.layers if layer.size_bytes}
    cached = _cached(images, records)
    blobs = {chain_id: max(0, size_bytes - unpacked[chain_id]) for chain_id, size_bytes in cached.items()}
    for image in sorted(images, key=lambda each: len(each.layers)):
        if any(layer.size_bytes is None for layer in image.layers):
            continue
        rest = image.size_bytes - sum(unpacked.get(one, 0) + blobs.get(one, 0) for one in image.chain)
        without = [one for one in image.chain if one in unpacked and one not in blobs]
        whole = sum(unpacked[one] for one in without)
        blobs |= {one: max(0, rest) * unpacked[one] // whole for one in without}
    return {
        chain_id: size_bytes + _SNAPSHOT_BYTES + cached.get(chain_id, blobs.get(chain_id, 0))
        for chain_id, size_bytes in unpacked.items()
    }


def _cached(images: Sequence[Image], records: Sequence[CacheRecord]) -> dict[str, int]:
    """Return the sizes of the records that layers were built with, by chain id."""
    by_id = {record.record_id: record for record in records}
    found: dict[str, int] = {}
    for record in records:
        if not record.shared or record.kind != "regular":
            continue
        path = path_up_to(record, by_id)
        # The lowest one is mostly that of the base; of a build from nothing, or when the base's is gone, it is a layer.
        for steps in (path[1:], path):
            for image in images if steps else ():
                for end in range(len(steps), len(image.layers) + 1):
                    layers = image.layers[end - len(steps) : end]
                    if layers[-1].size_bytes and all(map(_may_be, steps, layers)):
                        found.setdefault(layers[-1].chain_id, record.size_bytes)
    return found


def _may_be(record: CacheRecord, layer: Layer) -> bool:
    """Whether a record can be that of a layer: it has its files, and a blob that is hardly larger."""
    size_bytes = layer.size_bytes
    return size_bytes is None or size_bytes <= record.size_bytes <= 2 * size_bytes + size_bytes // 50 + _NOTES_BYTES
