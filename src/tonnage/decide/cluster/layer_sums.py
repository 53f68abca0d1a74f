"""The layers of all images of a stack as bits, so that what a node lacks is a number and its bytes are summed once.

All bytes here are high figures: what is only probably small enough does not fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.model.cluster.placement import Delivery
from tonnage.model.inventory import CLASSIC, CONTAINERD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tonnage.model.cluster.service import ClusterLayer, ClusterService
    from tonnage.model.forecast.estimate import Estimate


class BitSums(Struct):
    """Numbers by bit, and sums of them that were made before."""

    values: tuple[int, ...]
    known: dict[int, int] = field(default_factory=dict)

    def of(self, mask: int) -> int:
        """Return the sum over the bits of a mask."""
        found = self.known.get(mask)
        if found is None:
            found, values, rest = 0, self.values, mask
            while rest:
                lowest = rest & -rest
                found += values[lowest.bit_length() - 1]
                rest ^= lowest
            self.known[mask] = found
        return found


class DeliveryBytes(Struct, frozen=True):
    """What layers cost on nodes of one kind: by how images come there, and by their store.

    Args:
        kept: What stays on the disk.
        temporary: What is needed on top until an image is there.
        moved: What goes over the network.
        unknown: The layers of which a figure that matters here is not known.
    """

    delivery: Delivery
    kept: BitSums
    temporary: BitSums
    moved: BitSums
    unknown: int


class LayerBits(Struct, frozen=True):
    """All layers of a stack.

    Args:
        layers: By bit; of a layer that several services tell of, each figure is the higher one.
        numbers: The bit of each chain id.
        unpacked: Their bytes where they lie unpacked.
    """

    layers: tuple[ClusterLayer, ...]
    numbers: dict[str, int]
    unpacked: BitSums
    kinds: dict[tuple[Delivery, str], DeliveryBytes] = field(default_factory=dict)

    def mask(self, chain_ids: Iterable[str]) -> int:
        """Return the bits of those of some chain ids that the stack has."""
        found = 0
        for chain_id in chain_ids:
            number = self.numbers.get(chain_id)
            if number is not None:
                found |= 1 << number
        return found

    def delivered(self, delivery: Delivery, store: str) -> DeliveryBytes:
        """Return what layers cost on a node of that kind."""
        key = (delivery, store if store in {CLASSIC, CONTAINERD} else "")
        found = self.kinds.get(key)
        if found is None:
            found = self.kinds[key] = _delivered(self.layers, *key)
        return found


def bits(mask: int) -> Iterable[int]:
    """Yield the numbers of the bits of a mask, lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def layer_bits(services: Iterable[ClusterService]) -> LayerBits:
    """Number the layers of all services."""
    found: dict[str, ClusterLayer] = {}
    for service in services:
        for layer in service.image.layers:
            known = found.get(layer.chain_id)
            found[layer.chain_id] = layer if known is None or known == layer else _higher(known, layer)
    layers = tuple(found.values())
    numbers = {layer.chain_id: number for number, layer in enumerate(layers)}
    return LayerBits(layers, numbers, BitSums(tuple(high_bytes(layer.unpacked) for layer in layers)))


def high_bytes(estimate: Estimate) -> int:
    """Return the figure that is counted; that of what is not known is 0, and must have been refused."""
    return max(0, estimate.high_bytes)


def _higher(one: ClusterLayer, other: ClusterLayer) -> ClusterLayer:
    def pick(figure: Callable[[ClusterLayer], Estimate]) -> Estimate:
        return max(figure(one), figure(other), key=lambda each: (not each.known, each.high_bytes))

    return type(one)(
        chain_id=one.chain_id,
        unpacked=pick(lambda each: each.unpacked),
        compressed=pick(lambda each: each.compressed),
        loaded=pick(lambda each: each.sent),
    )


def _delivered(layers: tuple[ClusterLayer, ...], delivery: Delivery, store: str) -> DeliveryBytes:
    """Count: a load needs a copy of what is sent in the data root, a pull one of what is downloaded.

    In containerd that copy stays, as what images are unpacked from. A store that is neither may do both.
    """
    sent = [layer.compressed if delivery is Delivery.PULL else layer.sent for layer in layers]
    sent_bytes = tuple(map(high_bytes, sent))
    unpacked_bytes = tuple(high_bytes(layer.unpacked) for layer in layers)
    both = tuple(map(sum, zip(sent_bytes, unpacked_bytes, strict=True)))
    unknown = sum(
        1 << number for number, layer in enumerate(layers) if not (layer.unpacked.known and sent[number].known)
    )
    return DeliveryBytes(
        delivery,
        kept=BitSums(unpacked_bytes if store == CLASSIC else both),
        temporary=BitSums(tuple(0 for _ in layers) if store == CONTAINERD else sent_bytes),
        moved=BitSums(sent_bytes),
        unknown=unknown,
    )
