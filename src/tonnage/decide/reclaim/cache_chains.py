"""Which layers of images stand behind which records of the build cache.

The engine tells for each record only its parent, its bytes, and whether an image shares its layer. A record and the
layer that it shares have the same bytes, and so have those below them, so the chains are laid side by side. Where more
than one image fits, all are taken: a layer that is wrongly thought to be held is promised to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.inventory import CacheRecord, Image


def descendants(records: Sequence[CacheRecord]) -> dict[str, frozenset[str]]:
    """Return the records that stand on each record, directly or not."""
    children: dict[str, list[str]] = {record.record_id: [] for record in records}
    for record in records:
        for parent in record.parents:
            children.setdefault(parent, []).append(record.record_id)
    found: dict[str, frozenset[str]] = {}
    for record in records:
        seen: set[str] = set()
        waiting = list(children[record.record_id])
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                waiting += children.get(one, [])
        found[record.record_id] = frozenset(seen)
    return found


def holders_by_layer(images: Sequence[Image], records: Sequence[CacheRecord]) -> dict[str, frozenset[str]]:
    """Return the records that have to be removed by themselves before a layer can come free.

    Records that share a layer go with the last image that has it. What stands on them and is no image's goes first.
    """
    by_id = {record.record_id: record for record in records}
    above = descendants(records)
    held: dict[str, set[str]] = {}
    starts: dict[str, set[str]] = {}
    for record in records:
        if not record.shared:
            continue
        # What is in use itself cannot go either.
        pins = {one for one in above[record.record_id] if not by_id[one].shared or by_id[one].in_use}
        pins |= {record.record_id} if record.in_use else set()
        path = _path(record, by_id)
        for image in images:
            for start in _places(path[1:], image):
                starts.setdefault(path[0].record_id, set()).add(_below(image, start))
                if pins and len(path) > 1:
                    held.setdefault(image.layers[start + len(path) - 2].chain_id, set()).update(pins)
    for record in records:
        if record.shared and not any(parent in by_id for parent in record.parents):
            pins = {one for one in above[record.record_id] if not by_id[one].shared or by_id[one].in_use}
            pins |= {record.record_id} if record.in_use else set()
            if pins:
                _hold_base(images, starts.get(record.record_id, set()), pins, held)
    return {chain_id: frozenset(pins) for chain_id, pins in held.items()}


def _path(record: CacheRecord, by_id: Mapping[str, CacheRecord]) -> list[CacheRecord]:
    """Return the records from the lowest one up to this one."""
    path = [record]
    while path[0].parents and path[0].parents[0] in by_id and len(path) <= len(by_id):
        path.insert(0, by_id[path[0].parents[0]])
    return path


def _places(above_base: Sequence[CacheRecord], image: Image) -> list[int]:
    """Return where in an image's chain layers of the same bytes follow each other as these records do."""
    sizes = [record.size_bytes for record in above_base]
    if not sizes:
        return []
    found = [layer.size_bytes for layer in image.layers]
    return [
        start
        for start in range(len(found) - len(sizes) + 1)
        if all(there is None or there == size for there, size in zip(found[start:], sizes, strict=False))
    ]


def _below(image: Image, start: int) -> str:
    return image.layers[start - 1].chain_id if start else ""


def _hold_base(images: Sequence[Image], tops: set[str], pins: set[str], held: dict[str, set[str]]) -> None:
    """Let records hold the layers of the base they stand on; of any image where it is not known which one that is."""
    for image in images:
        chain = image.chain
        below = next((chain[: chain.index(top) + 1] for top in tops if top in chain), ())
        covered = below if tops else chain
        for chain_id in covered:
            held.setdefault(chain_id, set()).update(pins)
