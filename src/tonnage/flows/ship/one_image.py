"""One image from one engine to another: only its missing layers, and proven afterwards.

Public: ``ship_image(engines, source, target, reference, ...) -> Shipped``; ``look`` and ``send_all`` for several images
through the same connections.
"""

from __future__ import annotations

import contextlib
import threading
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.expectations import reserve_bytes as reserve_of
from tonnage.decide.ship.missing import image_to_ship, parcels, to_count, unreadable, with_image
from tonnage.decide.ship.names import carrier, incoming, is_ours
from tonnage.errors import CannotFitError, StepFailedError
from tonnage.model.ship import ShipLook
from tonnage.runtime.ship.archive import parcel
from tonnage.runtime.ship.send import send
from tonnage.runtime.ship.wire import Watch
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tonnage.adapters.interface import Cancel
    from tonnage.adapters.ship.interface import ShipSource, ShipTarget
    from tonnage.flows.ship.ports import ShipEngines
    from tonnage.model.ship import ImageToShip, LayersThere, ShippableImage, Shipped


def ship_image(
    engines: ShipEngines,
    source: str,
    target: str,
    reference: str,
    *,
    names: Sequence[str] = (),
    owner: str = "images",
    keep_free_bytes: int | None = None,
    tell: Callable[[str], None] = lambda _: None,
    cancel: Cancel | None = None,
) -> Shipped:
    """Send the layers of one image that another engine lacks, prove that it is whole there, and name it.

    It opens both engines by itself; whoever sends several images uses :func:`look` and :func:`send_all`.

    Args:
        engines: ``Ports.ship_engines``.
        source: The engine that has the image, as :class:`~tonnage.flows.ship.ports.ShipEngines` says.
        target: The engine that is to have it.
        reference: What it is called on the first one: a name or an id.
        names: What it is to be called on the second one; none for ``reference``.
        owner: The stack that it belongs to: what is on its way has a name with it.
        keep_free_bytes: What must remain available on the disk there; None for the default reserve.
        tell: Is told how it goes on, with rate and time left.
        cancel: Ends it.

    Returns:
        What was sent, as measured, and the id of the image there.

    Raises:
        CannotFitError: It does not fit there. Nothing was sent.
        StepFailedError: There is no such image, or it did not arrive whole. No name leads to what came of it.
        EngineUnreachableError: An engine does not answer.
        EngineLacksError: The disk there cannot be measured, or an engine is not Docker Engine.
    """
    with engines.source(source) as here, engines.target(target) as there:
        looked = look(
            here, there, {reference: tuple(names) or (reference,)}, keep_free_bytes=keep_free_bytes, owner=owner
        )
        return send_all(engines, here, there, looked, owner=owner, tell=tell, cancel=cancel)[0]


def look(
    source: ShipSource,
    target: ShipTarget,
    wanted: Mapping[str, Sequence[str]],
    *,
    keep_free_bytes: int | None,
    owner: str,
) -> ShipLook:
    """Return what of some images is to be sent, and what that takes.

    Args:
        wanted: What each is called here, and what it is to be called there.
        keep_free_bytes: The reserve of the disk there as the user set it; None for the default.
        owner: The stack that they belong to.

    Returns:
        The images in the same order, each with what is sent of it, and the disk.

    Raises:
        StepFailedError: There is no such image, or it is for another platform.
        EngineUnreachableError: An engine does not answer.
        EngineLacksError: The disk there cannot be measured, or an engine is not Docker Engine.
    """
    images, there = images_to_ship(source, target, wanted)
    ships = []
    for image in images:
        counted = source.counted(image, to_count(image, there))
        ship = image_to_ship(image, counted, there, tuple(wanted[image.reference]))
        if unreadable(ship, there):
            raise StepFailedError(
                f"layers of {image.reference} are compressed with zstd, which Docker {there.version} does not read",
                todo="Build or pull it with layers compressed with gzip, or upgrade Docker there to 23 or later.",
            )
        expected_id = parcel(ship, incoming(owner, image.config.blob.digest)).expected_id
        present = all(there.images.get(name) == expected_id for name in ship.names)
        wire_bytes = 0 if present else sum(_archive_bytes(ship, owner))
        ship = replace(ship, expected_id=expected_id, present=present, wire_bytes=wire_bytes)
        ships.append(ship)
        there = with_image(there, ship)
    leftovers = tuple(name for name in there.carriers if is_ours(name, owner))
    disk = target.filesystems()[0]
    return ShipLook(
        ships=tuple(ships),
        engine=target.engine(),
        disk=disk,
        reserve_bytes=reserve_of(disk, keep_free_bytes),
        leftovers=leftovers,
    )


def images_to_ship(
    source: ShipSource, target: ShipTarget, wanted: Mapping[str, Sequence[str]]
) -> tuple[list[ShippableImage], LayersThere]:
    """Return images as the one engine has them, and what the other one has of them.

    Args:
        wanted: As of :func:`look`.

    Raises:
        StepFailedError: There is no such image, or it is for another platform.
        EngineUnreachableError: An engine does not answer.
    """
    images = [source.image(reference) for reference in wanted]
    there = target.layers(images)
    for image in images:
        if not _runs(image.platform, there.platform):
            raise StepFailedError(
                f"{image.reference} is made for {image.platform}, and {target.endpoint} runs {there.platform}",
                todo="Build it for that platform, such as with platform: in the compose file.",
            )
    return images, there


def refuse_unfit(looked: ShipLook, endpoint: str) -> None:
    """Refuse what would bring the disk there below its reserve.

    Raises:
        CannotFitError: It would.
    """
    if looked.missing_bytes:
        disk = looked.disk
        raise CannotFitError(
            f"it does not fit on {disk.mount} of {endpoint}: {format_bytes(looked.missing_bytes)} short",
            why=f"{format_bytes(disk.available_bytes)} are available there; {format_bytes(looked.lowest_bytes)} would"
            f" remain at the lowest point, and the reserve is {format_bytes(looked.reserve_bytes)}.",
            todo="See what can be freed there:\n  tonnage reclaim --host ENGINE",
        )


def send_all(
    engines: ShipEngines,
    source: ShipSource,
    target: ShipTarget,
    looked: ShipLook,
    *,
    owner: str,
    tell: Callable[[str], None],
    cancel: Cancel | None = None,
    on_shipped: Callable[[Shipped], None] = lambda _: None,
) -> tuple[Shipped, ...]:
    """Send what was looked at, one image after the other.

    Args:
        on_shipped: Is told each image that is there and proven.

    Returns:
        What was sent, as measured, in the same order.

    Raises:
        CannotFitError: It does not fit there. Nothing was sent.
        StepFailedError: One could not be sent, or did not arrive whole; those before it are there.
        EngineUnreachableError: An engine stops answering.
    """
    refuse_unfit(looked, target.endpoint)
    shipped = []
    with watched(engines, target, looked, cancel) as watch:
        for ship in looked.ships:
            one = send(
                source, target, ship, owner=owner, watch=watch, reserve_bytes=looked.reserve_bytes, tell=tell
            )  # fmt: skip
            shipped.append(one)
            on_shipped(one)
    # What earlier attempts left has been of use, or is of an image that is no longer sent.
    for name in looked.leftovers:
        target.forget(name)
    return tuple(shipped)


@contextlib.contextmanager
def watched(engines: ShipEngines, target: ShipTarget, looked: ShipLook, cancel: Cancel | None) -> Iterator[Watch]:
    """Look at the disk there as long as the context lasts."""
    gauge = engines.gauge(target.endpoint, [looked.disk.mount])
    try:
        yield Watch(cancel or threading.Event(), gauge, looked.disk.mount, looked.reserve_bytes)
    finally:
        gauge.close()


def _runs(made_for: str, runs: str) -> bool:
    """Return whether an image for one platform runs on another one, as far as their names say."""
    return not made_for or not runs or made_for.split("/")[:2] == runs.split("/")[:2]


def _archive_bytes(ship: ImageToShip, owner: str) -> Iterator[int]:
    """Give the bytes of each archive that is sent, with all that is in it besides layers."""
    digest = ship.image.config.blob.digest
    for first, count in pairwise((0, *parcels(ship))):
        name = incoming(owner, digest) if count == len(ship.layers) else carrier(owner, digest, count)
        yield parcel(ship, name, first=first, count=count).size_bytes
