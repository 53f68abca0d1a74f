"""Which records of the build cache have to be removed before a layer of an image can come free.

Records and layers are matched by their bytes, record by record along the chain that each stands on. What matched a
record is kept for those that stand on it, so that each is compared with the layers that can still be meant alone.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import takewhile
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.reclaim.protection import descendants

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tonnage.model.inventory import CacheRecord, Image


class _LayerNode(Struct, eq=False):
    """One layer on those below it, however many images have it.

    Args:
        below: The layer below; None for the lowest one.
        above: The layers that lie on it, by their identity.
    """

    chain_id: str
    size_bytes: int | None
    below: _LayerNode | None
    above: dict[tuple[str, int | None], _LayerNode]


class _MatchedPlace(Struct, frozen=True, eq=False):
    """Where records match layers: what the lowest of these lies on, and the highest of them."""

    base: str
    top: _LayerNode


def holders_by_layer(
    images: Sequence[Image], records: Sequence[CacheRecord], copied: Collection[str] = ()
) -> dict[str, frozenset[str]]:
    """Return the records that have to be removed by themselves before a layer can come free.

    Args:
        copied: Layers of which records are second copies: they, and what is above them, belong to no base.

    Records that share a layer go with the last image that has it. What stands on them and is no image's goes first.
    """
    if not any(record.shared for record in records):
        return {}
    by_id = {record.record_id: record for record in records}
    above = descendants(records)
    nodes = _nodes(images)
    places = _places(records, by_id, nodes)
    held: dict[str, set[str]] = defaultdict(set)
    starts: dict[str, set[str]] = defaultdict(set)
    for record in records:
        root, found = places.get(record.record_id, ("", ()))
        if not record.shared or not root:
            continue
        pins = _pins(record, above, by_id)
        for place in found:
            starts[root].add(place.base)
            if pins:
                held[place.top.chain_id] |= pins
    bases = _Bases(images, nodes, copied)
    for record in records:
        if record.shared and not any(parent in by_id for parent in record.parents):
            pins = _pins(record, above, by_id)
            if pins:
                # Where it is not known which base that is, it may be any image's.
                tops = starts.get(record.record_id)
                for chain_id in bases.below(tops) if tops else bases.every:
                    held[chain_id] |= pins
    return {chain_id: frozenset(pins) for chain_id, pins in held.items()}


def _pins(record: CacheRecord, above: Mapping[str, frozenset[str]], by_id: Mapping[str, CacheRecord]) -> frozenset[str]:
    """Return what has to go before a shared record can. What is in use itself cannot go either."""
    pins = frozenset(one for one in above[record.record_id] if not by_id[one].shared or by_id[one].in_use)
    return pins | {record.record_id} if record.in_use else pins


def _nodes(images: Sequence[Image]) -> list[_LayerNode]:
    """Return every layer once, each after the one below it."""
    lowest: dict[tuple[str, int | None], _LayerNode] = {}
    found: list[_LayerNode] = []
    for image in images:
        below, beside = None, lowest
        for layer in image.layers:
            key = (layer.chain_id, layer.size_bytes)
            node = beside.get(key)
            if node is None:
                node = _LayerNode(layer.chain_id, layer.size_bytes, below, {})
                beside[key] = node
                found.append(node)
            below, beside = node, node.above
    return found


def _places(
    records: Sequence[CacheRecord], by_id: Mapping[str, CacheRecord], nodes: Sequence[_LayerNode]
) -> dict[str, tuple[str, Sequence[_MatchedPlace]]]:
    """Return for each record the lowest one that it stands on, and where layers follow as those above that one do."""
    children: dict[str, list[CacheRecord]] = defaultdict(list)
    lowest: list[CacheRecord] = []
    for record in records:
        parent = record.parents[0] if record.parents else ""
        if parent in by_id:
            children[parent].append(record)
        else:
            lowest.append(record)
    by_size: dict[int | None, list[_MatchedPlace]] = defaultdict(list)
    for node in nodes:
        by_size[node.size_bytes].append(_MatchedPlace(node.below.chain_id if node.below else "", node))
    found: dict[str, tuple[str, Sequence[_MatchedPlace]]] = {each.record_id: (each.record_id, ()) for each in lowest}
    waiting = list(lowest)
    while waiting:
        below = waiting.pop()
        root, places = found[below.record_id]
        for record in children.get(below.record_id, ()):
            if root == below.record_id:
                fit: list[_MatchedPlace] = [*by_size.get(record.size_bytes, ()), *by_size.get(None, ())]
            else:
                fit = [_MatchedPlace(place.base, node) for place in places for node in _following(place.top, record)]
            found[record.record_id] = (root, fit)
            waiting.append(record)
    return found


def _following(below: _LayerNode, record: CacheRecord) -> Iterable[_LayerNode]:
    """Return the layers on one that a record can be; any of which the bytes are not known."""
    return [node for node in below.above.values() if node.size_bytes is None or node.size_bytes == record.size_bytes]


class _Bases:
    """The layers that may be a base's, of all images."""

    def __init__(self, images: Sequence[Image], nodes: Sequence[_LayerNode], copied: Collection[str]) -> None:
        self._copied = copied
        self._by_chain_id: dict[str, list[_LayerNode]] = defaultdict(list)
        for node in nodes:
            self._by_chain_id[node.chain_id].append(node)
        chains = (takewhile(lambda layer: layer.chain_id not in copied, image.layers) for image in images)
        self.every = {layer.chain_id for chain in chains for layer in chain}

    def below(self, tops: Iterable[str]) -> set[str]:
        """Return the layers up to some, where these may be a base's themselves."""
        found: set[str] = set()
        for node in (each for top in tops for each in self._by_chain_id.get(top, ())):
            chain: list[str] = []
            one: _LayerNode | None = node
            while one is not None:
                chain.append(one.chain_id)
                one = one.below
            if not any(chain_id in self._copied for chain_id in chain):
                found.update(chain)
        return found
