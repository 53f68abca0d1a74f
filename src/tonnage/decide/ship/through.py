"""What of an image crosses to a registry and from there to another engine, and what that takes. Pure.

Counted are layers; configurations and manifests are some kilobytes.

What the engines do follows from what they know: one pushes a layer unless it knows a digest of it that the registry
has; the other one pulls from the first layer on that it lacks. The classic store lacks a layer as well when it does
not know that the digest is that of a layer it has.

Source: moby 20.10 to 28.5, ``distribution/push_v2.go`` (``Upload``), ``distribution/xfer/download.go``
(``makeDownloadFunc``); containerd 1.7 and 2.1, ``pkg/unpack/unpacker.go``; both tried with Debian's docker-registry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tonnage.decide.ship.missing import counted_bytes, taken
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, exactly
from tonnage.model.inventory import CONTAINERD
from tonnage.model.ship import GZIP, ImageToShip, PackedLayer, ShippedLayer, StoredBlob

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.ship import (
        LayersThere,
        Moved,
        PushedManifest,
        RegistryRoute,
        ShippableImage,
        ShippableLayer,
    )

_USUALLY, _OF = 10, 28
"""What gzip leaves of a layer. Source: ``adapters/registry/sizes.py``."""
_STORED_BYTES = 1000
"""What gzip adds to what it cannot pack is less than a thousandth of it and this."""


class RegistryKnows(Struct, frozen=True, kw_only=True):
    """What was found out before anything is pushed.

    Args:
        packed: Digests under which the engine here knows each layer, by what the layer holds.
        blobs: Bytes of the blobs that the registry has, by repository and digest.
        understood: Digests whose layers the engine there knows to be those that it has.
    """

    packed: Mapping[str, tuple[PackedLayer, ...]] = field(default_factory=dict)
    blobs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    understood: frozenset[str] = frozenset()


def image_through(
    image: ShippableImage,
    counted: Sequence[ShippableLayer],
    there: LayersThere,
    names: Sequence[str],
    route: RegistryRoute,
    knows: RegistryKnows,
) -> ImageToShip:
    """Return what crosses of an image that is not pushed yet.

    Args:
        counted: Its layers that are not unpacked there, or not known in the registry, with their bytes.
        names: What it is to be called there.
        route: Where it goes through; its figures are filled in.
    """
    known = {layer.chain_id: layer for layer in counted}
    layers = [known.get(layer.chain_id, layer) for layer in image.layers]
    pushed = []
    blobs: list[StoredBlob | None] = []
    for layer in layers:
        blob, estimate = _push(layer, route.repository, knows, packed_here=bool(image.root))
        blobs.append(blob)
        pushed.append(estimate)
    route = replace(route, pushed=sum(pushed, NOTHING))
    return _pulled(image, layers, blobs, there, names, route, knows.understood)


def image_pulled(
    ship: ImageToShip, digest: str, manifest: PushedManifest, there: LayersThere, understood: frozenset[str]
) -> ImageToShip:
    """Return what crosses of an image that was pushed, whose blobs are known now.

    Args:
        digest: The manifest by which it is pulled.
        understood: As in :class:`RegistryKnows`.
    """
    assert ship.route is not None  # noqa: S101 - only images that go through a registry come here
    route = replace(ship.route, digest=digest)
    layers = [each.layer for each in ship.layers]
    pulled = _pulled(ship.image, layers, list(manifest.layers), there, ship.names, route, understood)
    expected = digest if there.store == CONTAINERD else ship.image.config.blob.digest
    return replace(pulled, expected_id=expected)


def to_count_through(image: ShippableImage, there: LayersThere, knows: RegistryKnows) -> tuple[ShippableLayer, ...]:
    """Return the layers whose bytes have to be known: those that are unpacked there, or packed for a push."""
    known = {
        diff_id
        for diff_id, packed in knows.packed.items()
        if any((each.repository, each.digest) in knows.blobs for each in packed)
    }
    return tuple(
        layer
        for layer in image.layers
        if layer.chain_id not in there.chains or (layer.blob is None and layer.diff_id not in known)
    )


def with_pushed(knows: RegistryKnows, ship: ImageToShip) -> RegistryKnows:
    """Return what is known once an image has gone through: the images after it need not bring its layers again.

    A layer whose packed digest nobody knows yet stands for itself.
    """
    assert ship.route is not None  # noqa: S101 - only images that go through a registry come here
    repository = ship.route.repository
    packed, blobs, digests = dict(knows.packed), dict(knows.blobs), set(knows.understood)
    for each in ship.layers:
        if each.sent is not None:
            layer = PackedLayer(each.sent.digest, repository)
            packed[each.layer.diff_id] = (*packed.get(each.layer.diff_id, ()), layer)
            blobs[repository, each.sent.digest] = each.sent.size_bytes
            digests.add(each.sent.digest)
    return RegistryKnows(packed=packed, blobs=blobs, understood=frozenset(digests))


def moved_bytes(image: ShippableImage, manifest: PushedManifest, moved: Moved) -> int:
    """Return the bytes of the blobs that an engine said it moved; each counts once."""
    found = {
        blob.digest: blob.size_bytes
        for layer, blob in zip(image.layers, manifest.layers, strict=True)
        if moved.has(blob.digest, layer.diff_id)
    }
    return sum(found.values())


def _push(
    layer: ShippableLayer, repository: str, knows: RegistryKnows, *, packed_here: bool
) -> tuple[StoredBlob | None, Estimate]:
    """Return the blob of a layer in the registry, None where nobody knows it yet, and what crosses of it."""
    packed = knows.packed.get(layer.diff_id, ())
    for each in packed:
        size = knows.blobs.get((repository, each.digest))
        if size is not None:
            return StoredBlob(each.digest, size, GZIP), NOTHING
    for each in packed:
        size = knows.blobs.get((each.repository, each.digest))
        if size is not None:
            # Another repository of the registry has it: that gives it away without a byte, where it allows that.
            return StoredBlob(each.digest, size, GZIP), Estimate(0, 0, size, Grade.DECLARED)
    if layer.blob is None:
        return None, NOTHING
    if packed_here:
        return layer.blob, exactly(layer.blob.size_bytes)
    return None, _compressed(layer.blob.size_bytes)


def _compressed(size_bytes: int) -> Estimate:
    """Return what an engine makes of a layer when it packs it for a push: nobody can tell before."""
    most = size_bytes + size_bytes // 1000 + _STORED_BYTES
    return Estimate(0, size_bytes * _USUALLY // _OF, most, Grade.DECLARED)


def _pulled(
    image: ShippableImage,
    layers: Sequence[ShippableLayer],
    blobs: Sequence[StoredBlob | None],
    there: LayersThere,
    names: Sequence[str],
    route: RegistryRoute,
    understood: frozenset[str],
) -> ImageToShip:
    contained = there.store == CONTAINERD
    crossing: list[ShippedLayer] = []
    pulled = NOTHING
    seen: set[str] = set()
    lacks = False
    for layer, blob in zip(layers, blobs, strict=True):
        known = contained or (blob is not None and blob.digest in understood)
        lacks = lacks or layer.chain_id not in there.chains or not known
        present = blob is not None and (blob.digest in seen or (contained and blob.digest in there.digests))
        sent = (blob or layer.blob) if lacks and not present else None
        crossing.append(ShippedLayer(layer=layer, sent=sent, there=blob if contained and present else None))
        if sent is not None:
            pulled += exactly(sent.size_bytes) if blob is not None else _compressed(sent.size_bytes)
        if blob is not None:
            seen.add(blob.digest)
    new = [layer for layer in layers if layer.chain_id not in there.chains]
    kept = taken(sum(counted_bytes(ShippedLayer(layer=layer)) for layer in new), 0, len(new))
    highest = kept + pulled
    return ImageToShip(
        image=image,
        names=tuple(names),
        layers=tuple(crossing),
        store=there.store,
        wire_bytes=(route.pushed + pulled).likely_bytes,
        # What is pulled stays in containerd; the classic store keeps only what it unpacks of it.
        kept=highest if contained else kept,
        highest=highest,
        route=replace(route, pulled=pulled),
    )
