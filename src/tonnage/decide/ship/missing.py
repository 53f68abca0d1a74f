"""Which layers of an image another engine lacks, and what sending them takes there."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.forecast.estimate import Grade
from tonnage.model.forecast.margins import but_for
from tonnage.model.inventory import CONTAINERD
from tonnage.model.ship import ImageToShip, ShippedLayer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.ship import LayersThere, ShippableImage, ShippableLayer, StoredBlob

PARCEL_BYTES = 64_000_000
"""Layers are sent together until they are this large: what was sent before a break is not sent again."""
_READS_ZSTD = 23
_NOTES_BYTES = 40_000
"""What an engine notes of each layer and image besides its files. Source: measured, 20.10 to 28.5, ext4."""
_UNEVEN = 100
"""Directories and small files take up to a hundredth more than their blocks. Source: measured, ext4."""


def to_count(image: ShippableImage, there: LayersThere) -> tuple[ShippableLayer, ...]:
    """Return the layers whose bytes have to be known: those that are sent, and those that are unpacked there."""
    return tuple(
        layer
        for layer in image.layers
        if layer.chain_id not in there.chains or (there.store == CONTAINERD and _there(layer, there) is None)
    )


def image_to_ship(
    image: ShippableImage, counted: Sequence[ShippableLayer], there: LayersThere, names: Sequence[str]
) -> ImageToShip:
    """Return what is sent of an image.

    Args:
        counted: Those of :func:`to_count`, with their bytes.
        names: What it is to be called there.
    """
    known: Mapping[str, ShippableLayer] = {layer.chain_id: layer for layer in counted}
    layers = []
    for each in image.layers:
        layer = known.get(each.chain_id, each)
        found = _there(layer, there)
        lacks = found is None if there.store == CONTAINERD else layer.chain_id not in there.chains
        layers.append(ShippedLayer(layer=layer, sent=layer.blob if lacks else None, there=found))
    ship = ImageToShip(
        image=image,
        names=tuple(names),
        layers=tuple(layers),
        store=there.store,
        wire_bytes=sum(each.sent.size_bytes for each in layers if each.sent is not None),
        kept=taken(0, 0, 0),
        highest=taken(0, 0, 0),
    )
    unpacked = [_unpacked_bytes(each, there) for each in layers]
    blobs = [each.sent.size_bytes if each.sent is not None and there.store == CONTAINERD else 0 for each in layers]
    new = sum(1 for each in layers if each.layer.chain_id not in there.chains)
    kept = taken(sum(unpacked), sum(blobs), new)
    if there.store == CONTAINERD:
        return replace(ship, kept=kept, highest=kept)
    # The classic store unpacks the whole archive below its data root before it looks at a layer of it.
    tops = []
    first = 0
    for count in parcels(ship):
        sent = sum(each.sent.size_bytes for each in layers[first:count] if each.sent is not None)
        tops.append((sum(unpacked[:count]), sent))
        first = count
    top = max(tops, key=sum, default=(0, 0))
    highest = taken(top[0], top[1], new)
    return replace(ship, kept=kept, highest=highest if highest.high_bytes > kept.high_bytes else kept)


def unreadable(ship: ImageToShip, there: LayersThere) -> bool:
    """Return whether a layer is sent in a form that the engine there does not read.

    Source: moby ``pkg/archive``: zstd is read from 23.0 on.
    """
    told = there.version.partition(".")[0]
    old = there.store != CONTAINERD and told.isdecimal() and int(told) < _READS_ZSTD
    return old and any(each.sent is not None and each.sent.media_type.endswith("zstd") for each in ship.layers)


def with_image(there: LayersThere, ship: ImageToShip) -> LayersThere:
    """Return what is there once an image has arrived: the images after it need not bring its layers again."""
    arrived = {each.layer.diff_id: blob for each in ship.layers if (blob := each.sent or each.there) is not None}
    if there.store != CONTAINERD:
        arrived = {}
    return replace(
        there,
        chains=there.chains | {layer.chain_id for layer in ship.image.layers},
        blobs={**arrived, **there.blobs},
        digests=there.digests | {blob.digest for blob in arrived.values()},
    )


def parcels(ship: ImageToShip) -> tuple[int, ...]:
    """Return how many layers, from the lowest, the engine has after each archive that it is sent."""
    sizes = [each.sent.size_bytes if each.sent is not None else 0 for each in ship.layers]
    counts = []
    waiting = 0
    for count, size in enumerate(sizes, 1):
        waiting += size
        if waiting >= PARCEL_BYTES and count < len(sizes) and any(sizes[count:]):
            counts.append(count)
            waiting = 0
    return (*counts, len(sizes))


def parcel_bytes(ship: ImageToShip, first: int, count: int) -> int:
    """Return what the disk there needs at most for one archive, beyond what it had before."""
    layers = ship.layers[first:count]
    sent = sum(each.sent.size_bytes for each in layers if each.sent is not None)
    return sent + sum(counted_bytes(each) for each in layers if each.sent is not None or ship.store == CONTAINERD)


def low_points(ships: Sequence[ImageToShip], available_bytes: int) -> tuple[int, ...]:
    """Return the bytes that remain available there at the lowest point of each image, as forecast at worst."""
    kept = accumulate((ship.kept.high_bytes for ship in ships), initial=0)
    return tuple(available_bytes - before - ship.highest.high_bytes for before, ship in zip(kept, ships, strict=False))


def _there(layer: ShippableLayer, there: LayersThere) -> StoredBlob | None:
    """Return the blob that containerd there has of a layer, the same one as here where it has that."""
    if layer.blob is not None and layer.blob.digest in there.digests:
        return layer.blob
    return there.blobs.get(layer.diff_id)


def _unpacked_bytes(each: ShippedLayer, there: LayersThere) -> int:
    return 0 if each.layer.chain_id in there.chains else counted_bytes(each)


def counted_bytes(each: ShippedLayer) -> int:
    """Return what a layer takes unpacked; of one that nobody could open four times what it is packed to."""
    if each.layer.unpacked_bytes is not None:
        return each.layer.unpacked_bytes
    blob = each.sent or each.layer.blob
    return 4 * blob.size_bytes if blob is not None else 0


def declared_unpacked(size_bytes: int) -> Estimate:
    """Return what a layer takes unpacked, of whose size an engine has told: with the same room as when it is sent."""
    return replace(taken(size_bytes, 0, 1), grade=Grade.DECLARED, parts=())


def taken(unpacked: int, packed: int, layers: int) -> Estimate:
    """Return what layers take on a disk: their files, what is kept as it came, and what an engine notes of them."""
    low = unpacked + packed
    likely = low + layers * _NOTES_BYTES
    return but_for(low, likely, likely + unpacked // _UNEVEN + layers * _NOTES_BYTES)
