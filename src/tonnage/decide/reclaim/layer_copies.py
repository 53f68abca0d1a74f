"""Layers of which several copies lie on the disk: where images lie in containerd.

A layer is unpacked for the images that have it, and compressed as a blob; where it was built here and the build cache
has its record, the builder keeps one more unpacked. The engine tells the bytes of the last two together, as those of
the record, and only the builder's copy comes free with it: images need the blob. Which layer a record is follows from
the instruction and the bytes, to the byte where blobs can be seen. Of other layers the blob is what an image takes
beyond all that is known.

Source: measured with Docker 26.1 and 28.5.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.reclaim.layer_holders import holders_by_layer
from tonnage.model.inventory import CONTAINERD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.inventory import CacheRecord, Image, Inventory, Layer

_RUN = "mount / from exec "
_BY_BUILDKIT = " # buildkit"
# What gzip and zstd add to what does not compress, and what directories take.
_MOST_BLOB, _AROUND_BYTES = 1.02, 100_000
_BLOCK_BYTES = 512
# Directories that held more keep their blocks, and the builder has some alone: two of 531 of an install by pip.
_MORE_BYTES, _MORE_OF_LAYER = 16 * 4096, 200


class Copy(Struct, frozen=True):
    """A record that is a second copy.

    Args:
        image: What people call an image that has the layer.
        chain_id: The layer.
        size_bytes: What comes free with the record.
        blob_bytes: What comes free when the last image that has the layer goes as well.
    """

    image: str
    chain_id: str
    size_bytes: int
    blob_bytes: int


class _Match(Struct, frozen=True):
    """A layer that a record may be a copy of, and the layer that it lies on."""

    copy: Copy
    below: str


def copies(inventory: Inventory) -> dict[str, Copy]:
    """Return the records of the build cache that are second copies of layers of images, by their ids."""
    if inventory.engine.image_store != CONTAINERD:
        return {}
    matches = _matches(inventory)
    standing = _standing(inventory.cache, matches)
    found: dict[tuple[str, tuple[str, ...]], tuple[CacheRecord, Copy]] = {}
    for record in inventory.cache:
        is_run = record.description.startswith(_RUN)
        match = standing.get(record.record_id) or (
            None if is_run else next(iter(matches.get(record.record_id, ())), None)
        )
        if match is None:
            continue
        # What a command writes has the time in it, so its blob is no other one's. Files that were copied are the same
        # ones on another layer; on the same one the builder would have taken the record that it had. The image that is
        # there is more often of the last build.
        key = match.copy.chain_id, () if is_run else tuple(sorted(record.parents))
        if key not in found or _made_s(found[key][0]) < _made_s(record):
            found[key] = record, match.copy
    return {record.record_id: copy for record, copy in found.values()}


def _made_s(record: CacheRecord) -> tuple[float, float]:
    return record.created_s, record.last_used_s or 0.0


def _matches(inventory: Inventory) -> dict[str, list[_Match]]:
    """Return the layers that records may be copies of, by their instruction and their bytes."""
    by_instruction: dict[tuple[str, str], list[tuple[Layer, str, Image]]] = defaultdict(list)
    seen: set[tuple[str, Layer, bool]] = set()
    for image in inventory.images:
        for below, layer in zip(("", *image.chain), image.layers, strict=False):
            # Of a layer that many images have the first one tells all.
            if layer.size_bytes is not None and layer.made_by and (below, layer, bool(image.blobs)) not in seen:
                seen.add((below, layer, bool(image.blobs)))
                by_instruction[_key(layer.made_by.removesuffix(_BY_BUILDKIT))].append((layer, below, image))
    found: dict[str, list[_Match]] = {}
    # What a builder beside the engine keeps is its own throughout.
    for record in (each for each in inventory.cache if not each.builder):
        for layer, below, image in by_instruction.get(_key_of_record(record), ()):
            blob_bytes = _blob_in(record.size_bytes, layer, seen=bool(image.blobs))
            if blob_bytes and _is_of(record, layer.made_by):
                name = next(iter(image.references), image.image_id.removeprefix("sha256:")[:12])
                copy = Copy(name, layer.chain_id, record.size_bytes - blob_bytes, blob_bytes)
                found.setdefault(record.record_id, []).append(_Match(copy, below))
    return found


def _standing(records: Sequence[CacheRecord], matches: Mapping[str, Sequence[_Match]]) -> dict[str, _Match]:
    """Return the records that stand on one another as the layers do that they match."""
    copied = {match.copy.chain_id for each in matches.values() for match in each}
    found: dict[str, _Match] = {}
    waiting = [record for record in records if record.record_id in matches]
    while True:
        for record in waiting:
            chains = {found[parent].copy.chain_id for parent in record.parents if parent in found}
            fit = (each for each in matches[record.record_id] if each.below in chains or each.below not in copied)
            match = next(fit, None)
            if match is not None:
                found[record.record_id] = match
        left = [record for record in waiting if record.record_id not in found]
        if len(left) == len(waiting):
            return found
        waiting = left


def layer_holders(inventory: Inventory, copied: Mapping[str, Copy]) -> dict[str, frozenset[str]]:
    """Return the records that have to be removed before a layer can come free, by its chain id.

    Args:
        copied: The records that are second copies.
    """
    return holders_by_layer(inventory.images, inventory.cache, frozenset(copy.chain_id for copy in copied.values()))


def blobs(images: Sequence[Image], copied: Mapping[str, Copy]) -> dict[str, int]:
    """Return the bytes of each layer's blob, by chain id; of layers without one, or of which nothing follows, nothing.

    Args:
        copied: The records that are second copies.
    """
    unpacked = {layer.chain_id: layer.size_bytes for image in images for layer in image.layers if layer.size_bytes}
    found = {copy.chain_id: copy.blob_bytes for copy in copied.values()}
    # Blobs that could be seen are known to the byte.
    seen = [layer for image in images if image.blobs for layer in image.layers]
    found |= {layer.chain_id: layer.blob_bytes for layer in seen if layer.blob_bytes}
    for image in sorted(images, key=lambda each: len(each.layers)):
        if any(layer.size_bytes is None for layer in image.layers):
            continue
        rest = image.size_bytes - sum(unpacked.get(one, 0) + found.get(one, 0) for one in image.chain)
        without = [one for one in image.chain if one in unpacked and one not in found]
        whole = sum(unpacked[one] for one in without)
        found |= {one: max(0, rest) * unpacked[one] // whole for one in without}
    return {chain_id: size_bytes for chain_id, size_bytes in found.items() if size_bytes}


def _blob_in(record_bytes: int, layer: Layer, *, seen: bool) -> int:
    """Return the bytes of the blob in those of a record that can be a layer with its blob; 0 where it can not.

    The builder writes whole blocks, perhaps a few more than images have. So the last digits are the blob's, and
    records of the same instruction that wrote something else are told from it.

    Args:
        seen: The bytes of the layer's blob are known, and not only about how many they are.
    """
    layer_bytes = layer.size_bytes or 0
    rest = record_bytes - layer_bytes
    if seen:
        beyond = rest - layer.blob_bytes
        most_bytes = max(_MORE_BYTES, layer_bytes // _MORE_OF_LAYER)
        return layer.blob_bytes if 0 <= beyond <= most_bytes and beyond % _BLOCK_BYTES == 0 else 0
    return rest if 0 < rest <= layer_bytes * _MOST_BLOB + _AROUND_BYTES else 0


def _key(instruction: str) -> tuple[str, str]:
    """Return the keyword and the last word of an instruction: few have both alike, however many there are."""
    words = instruction.split()
    return (words[0].upper(), words[-1]) if words else ("", "")


def _key_of_record(record: CacheRecord) -> tuple[str, str]:
    if record.kind != "regular":
        return ("", "")
    if record.description.startswith(_RUN):
        return _key(f"RUN {record.description.removeprefix(_RUN)}")
    return _key(_instruction(record))


def _instruction(record: CacheRecord) -> str:
    """Return the instruction in a description such as ``[stage-1 2/6] COPY --from=one /s /s``."""
    return record.description.partition("] ")[2] if record.description.startswith("[") else record.description


def _is_of(record: CacheRecord, made_by: str) -> bool:
    """Whether a record comes from the instruction that made a layer."""
    written = made_by.removesuffix(_BY_BUILDKIT)
    if record.description.startswith(_RUN):
        # The arguments of the build stand before the command.
        return written.endswith(record.description.removeprefix(_RUN).strip())
    return _without_flags(_instruction(record)) == _without_flags(written)


def _without_flags(instruction: str) -> list[str]:
    return [word for word in instruction.split() if not word.startswith("--")]
