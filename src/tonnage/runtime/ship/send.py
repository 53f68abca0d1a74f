"""Sending one image: its missing layers in archives of bounded size, then the proof, then its names.

Until it is proven the image has a name of ours alone, so no failure leaves a name that leads to a broken image, and
what runs there keeps its own. Archives before the last one bring the lowest layers as images of their own (carriers):
they hold what has arrived when the wire breaks, and go as soon as the image is whole.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from tonnage.decide.ship import names as naming
from tonnage.decide.ship.missing import parcel_bytes, parcels
from tonnage.decide.ship.packing import Pace
from tonnage.errors import ReserveCrossedError, TonnageError
from tonnage.model.ship import Shipped
from tonnage.runtime.ship import archive
from tonnage.runtime.ship.wire import Meter, sent
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tonnage.adapters.ship.interface import ShipSource, ShipTarget
    from tonnage.model.ship import ImageToShip, StoredBlob
    from tonnage.runtime.ship.wire import Watch


def send(
    source: ShipSource,
    target: ShipTarget,
    ship: ImageToShip,
    *,
    owner: str,
    watch: Watch,
    reserve_bytes: int,
    tell: Callable[[str], None],
) -> Shipped:
    """Send an image, see that it is whole there, and give it its names.

    Args:
        owner: The stack that it belongs to.
        watch: Looks at the disk there.
        reserve_bytes: What must remain available on it.
        tell: Is told how it goes on.

    Raises:
        StepFailedError: It was stopped, could not be sent, or did not arrive whole. No name leads to what came of it.
        ReserveCrossedError: The disk there is at its reserve.
        EngineUnreachableError: An engine stops answering.
    """
    began_s = time.monotonic()
    if ship.present:
        target.prove(ship, ship.names[0], ship.expected_id, len(ship.layers))
        return Shipped(
            reference=ship.image.reference, image_id=ship.expected_id, names=ship.names, wire_bytes=0, layers_sent=0,
            layers_there=len(ship.layers), seconds=time.monotonic() - began_s,
        )  # fmt: skip
    digest = ship.image.config.blob.digest
    incoming = naming.incoming(owner, digest)
    meter = Meter(ship.image.reference, ship.wire_bytes, tell)
    pace = Pace()
    packs = not target.endpoint.startswith("unix://")

    def read(blob: StoredBlob) -> Iterator[bytes]:
        return source.content(ship.image, blob)

    first = 0
    name = incoming
    brought: list[str] = []
    try:
        for count in parcels(ship):
            _refuse_full(ship, first, count, watch, reserve_bytes)
            last = count == len(ship.layers)
            name = incoming if last else naming.carrier(owner, digest, count)
            made = archive.parcel(ship, name, first=first, count=count)
            body = sent(archive.pieces(made, read), meter, watch, packs=packs, pace=pace)
            target.load(body, packed="gzip" if packs else "")
            target.prove(ship, name, made.expected_id, count)
            brought.append(name)
            first = count
        for wanted in ship.names:
            target.tag(made.expected_id, wanted)
    except BaseException:
        with contextlib.suppress(TonnageError):
            target.forget(name)
        raise
    for each in brought:
        target.forget(each)
    return Shipped(
        reference=ship.image.reference,
        image_id=made.expected_id,
        names=ship.names,
        wire_bytes=meter.wire_bytes,
        layers_sent=len(ship.sent),
        layers_there=len(ship.layers) - len(ship.sent),
        seconds=time.monotonic() - began_s,
        compressed=meter.packed,
    )


def _refuse_full(ship: ImageToShip, first: int, count: int, watch: Watch, reserve_bytes: int) -> None:
    """Refuse an archive that would bring the disk there below its reserve."""
    available_bytes = watch.available()
    needs_bytes = parcel_bytes(ship, first, count)
    if available_bytes is not None and available_bytes - needs_bytes < reserve_bytes:
        raise ReserveCrossedError(
            f"the next layers of {ship.image.reference} do not fit there any more",
            why=f"{format_bytes(available_bytes)} are available, they need {format_bytes(needs_bytes)}, and"
            f" {format_bytes(reserve_bytes)} must remain.",
            todo="Free some of that disk, then send again: what has arrived is not sent again.",
        )
