"""Which bytes of an engine come free with which of its things: layers, blobs, records, containers and volumes.

A layer comes free only when every image and every record of the build cache that holds it goes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from tonnage.decide.reclaim.layer_copies import blobs
from tonnage.decide.reclaim.protection import why_container_stays
from tonnage.model.inventory import CONTAINERD
from tonnage.model.reclaim.candidate import CandidateId, CandidateKind, SharedBytes

if TYPE_CHECKING:
    from collections.abc import Collection

    from tonnage.decide.reclaim.layer_copies import Copy
    from tonnage.model.inventory import Inventory

LEAST_LOG_BYTES = 1_000_000
"""Smaller logs are not worth their loss."""

OVERHEAD_BYTES = {"overlay2": 40_960, "overlayfs": 20_480, "overlay": 40_960}
"""What a layer takes besides its contents, by storage driver. Source: measured on ext4, Docker 20.10, and 26.1 and 28.5
with containerd, Podman 4.3 and 5.4 (overlay): its directories and the engine's files about it."""
CONTAINER_OVERHEAD_BYTES = {"overlay2": 135_168, "overlayfs": 90_112}
"""What a container takes besides what it has written and its log, by storage driver, measured likewise."""
SENT_OVERHEAD_BYTES = {"overlay2": 16_384, "overlayfs": 8_192}
"""What a record of the build cache that is no layer takes besides its contents, by storage driver."""

id_of_image = partial(CandidateId, CandidateKind.IMAGE)
id_of_container = partial(CandidateId, CandidateKind.CONTAINER)
id_of_log = partial(CandidateId, CandidateKind.CONTAINER_LOG)
id_of_cache = partial(CandidateId, CandidateKind.CACHE)
id_of_volume = partial(CandidateId, CandidateKind.VOLUME)

Above = Mapping[str, frozenset[str]]
"""By the id of a record those that stand on it; by the id of a layer those that have to go before it."""


def engine_pieces(
    inventory: Inventory, above: Above, copied: Mapping[str, Copy], pins: Above
) -> tuple[SharedBytes, ...]:
    """Return which bytes come free with what.

    Args:
        above: The records that stand on each record.
        copied: The records that are second copies of layers.
        pins: The records that have to go before each layer.
    """
    pieces = [*_layer_pieces(inventory, pins), *_record_pieces(inventory, above, copied)]
    if inventory.engine.image_store == CONTAINERD:
        pieces += _blob_pieces(inventory, above, copied, pins)
    overhead_bytes = CONTAINER_OVERHEAD_BYTES.get(inventory.engine.storage_driver, 0)
    for container in inventory.containers:
        stays, log_bytes = bool(why_container_stays(container)), container.log_bytes or 0
        own_bytes = (container.writable_bytes or 0) + overhead_bytes + (0 if stays else log_bytes)
        pieces.append(SharedBytes(own_bytes, frozenset({id_of_container(container.container_id)})))
        if stays and log_bytes >= LEAST_LOG_BYTES:
            pieces.append(SharedBytes(log_bytes, frozenset({id_of_log(container.container_id)})))
    pieces += [
        SharedBytes(volume.size_bytes, frozenset({id_of_volume(volume.name)}))
        for volume in inventory.volumes
        if volume.size_bytes
    ]
    return tuple(pieces)


def _layer_pieces(inventory: Inventory, pins: Above) -> list[SharedBytes]:
    holders: dict[str, set[CandidateId]] = defaultdict(set)
    sizes: dict[str, int | None] = {}
    for image in inventory.images:
        for layer in image.layers:
            holders[layer.chain_id].add(id_of_image(image.image_id))
            sizes[layer.chain_id] = layer.size_bytes
    images = Counter(chain_id for image in inventory.images for chain_id in set(image.chain))
    for chain_id, records in pins.items():
        holders[chain_id] |= {id_of_cache(record) for record in records}
    overhead_bytes = OVERHEAD_BYTES.get(inventory.engine.storage_driver, 0)
    # A layer of an instruction that wrote nothing has its directories all the same.
    pieces = [
        SharedBytes(size + overhead_bytes, frozenset(holders[chain_id]))
        for chain_id, size in sizes.items()
        if size is not None and size + overhead_bytes
    ]
    for image in inventory.images:
        own = [layer for layer in image.layers if images[layer.chain_id] == 1]
        if any(layer.size_bytes is None for layer in own):
            # Of which layer these bytes are is not known, only that no other image has them.
            rest = image.unique_bytes - sum(layer.size_bytes or 0 for layer in own)
            every = frozenset().union(*(holders[layer.chain_id] for layer in own))
            pieces.append(SharedBytes(max(0, rest), every))
    return pieces


def _record_pieces(inventory: Inventory, above: Above, copied: Mapping[str, Copy]) -> list[SharedBytes]:
    driver = inventory.engine.storage_driver
    overhead_bytes, sent_overhead_bytes = OVERHEAD_BYTES.get(driver, 0), SENT_OVERHEAD_BYTES.get(driver, 0)
    # A record of an instruction that wrote nothing has its directories all the same.
    sizes = {
        record.record_id: (copied[record.record_id].size_bytes if record.record_id in copied else record.size_bytes)
        + (overhead_bytes if record.kind == "regular" else sent_overhead_bytes)
        for record in inventory.cache
        if not record.shared
    }
    holders = {
        record_id: frozenset({id_of_cache(record_id), *(id_of_cache(one) for one in above[record_id])})
        for record_id in sizes
    }
    return [SharedBytes(size_bytes, holders[record_id]) for record_id, size_bytes in sizes.items() if size_bytes]


def _blob_pieces(inventory: Inventory, above: Above, copied: Mapping[str, Copy], pins: Above) -> list[SharedBytes]:
    """Return the compressed layers, which images have together with the records that are copies of them."""
    holders: dict[str, set[CandidateId]] = defaultdict(set)
    for image in inventory.images:
        for chain_id in image.chain:
            holders[chain_id].add(id_of_image(image.image_id))
    for chain_id, records in pins.items():
        holders[chain_id] |= {id_of_cache(record) for record in records}
    for record_id, copy in copied.items():
        holders[copy.chain_id] |= {id_of_cache(record_id), *(id_of_cache(one) for one in above[record_id])}
    return [
        SharedBytes(size_bytes, frozenset(holders[chain_id]))
        for chain_id, size_bytes in blobs(inventory.images, copied).items()
    ]


def own_bytes(pieces: Collection[SharedBytes]) -> dict[CandidateId, int]:
    """Return what comes free with each candidate alone."""
    found: dict[CandidateId, int] = defaultdict(int)
    for piece in pieces:
        if len(piece.holders) == 1:
            found[next(iter(piece.holders))] += piece.size_bytes
    return found
