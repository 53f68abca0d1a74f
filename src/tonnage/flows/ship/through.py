"""Images through a registry: pushed by the engine that has them, pulled by digest by the other one, and health checked.

Public: ``ship_image_through`` for one image; ``look_through`` and ``send_through``, which do what ``look`` and
``send_all`` do without a registry.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.expectations import reserve_bytes as reserve_of
from tonnage.decide.deploy.pulls import is_loopback
from tonnage.decide.ship.missing import with_image
from tonnage.decide.ship.names import repository_in, transit_tag
from tonnage.decide.ship.through import (
    RegistryKnows,
    image_pulled,
    image_through,
    moved_bytes,
    to_count_through,
    with_pushed,
)
from tonnage.errors import ReserveCrossedError, StepFailedError, TonnageError, UsageError
from tonnage.flows.ship.one_image import images_to_ship, refuse_unfit, watched
from tonnage.model.forecast.estimate import NOTHING
from tonnage.model.inventory import CONTAINERD
from tonnage.model.ship import RegistryRoute, ShipLook, Shipped
from tonnage.runtime.settings import FILE_ORIGIN, through_of
from tonnage.runtime.ship.wire import WatchStop
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.adapters.interface import Cancel
    from tonnage.adapters.ship.interface import ShipRegistry, ShipSource, ShipTarget
    from tonnage.flows.ship.ports import ShipEngines
    from tonnage.model.deploy.policy import Setting
    from tonnage.model.ship import ImageToShip, Moved, ShippableImage
    from tonnage.runtime.ship.wire import Watch

_PUSHES = threading.Lock()


def ship_image_through(
    engines: ShipEngines,
    source: str,
    target: str,
    reference: str,
    *,
    names: Sequence[str],
    through: str,
    keep_free_bytes: int | None = None,
    tell: Callable[[str], None] = lambda _: None,
    cancel: Cancel | None = None,
) -> Shipped:
    """Push an image to a registry, have another engine pull it by digest, prove that it is whole there, and name it.

    Args:
        engines: ``Ports.ship_engines``.
        source: The engine that has the image.
        target: The engine that is to have it.
        reference: What it is called on the first one.
        names: What it is to be called on the second one.
        through: The registry, with the beginning of repositories in it.
        keep_free_bytes: What must remain available on the disk there; None for the default reserve.

    Returns:
        What crossed, as measured, and the id of the image there.

    Raises:
        UsageError: The registry is one of this machine, and the other engine is not on it.
        CannotFitError: It does not fit there. Nothing was pushed.
        StepFailedError: It could not be pushed or pulled, or did not arrive whole.
        EngineUnreachableError: An engine does not answer.
    """
    with engines.source(source) as here, engines.target(target) as there:
        refuse_unreachable(through, there.endpoint)
        with engines.registry(here.insecure()) as registry:
            wanted = {reference: tuple(names)}
            looked = look_through(here, there, registry, wanted, through=through, keep_free_bytes=keep_free_bytes)
            return send_through(engines, here, there, registry, looked, tell=tell, cancel=cancel)[0]


def registry_of(settings: Sequence[Setting], logged_in: Callable[[str], bool]) -> str:
    """Return the registry that images go through, as the user or, with their consent, the stack's files say.

    A file of a project may be a stranger's, and images hold what the user built: one that names a registry is
    followed only to where the user has logged in, or on this machine.

    Args:
        logged_in: ``ShipEngines.logged_in``.

    Returns:
        The registry with the beginning of repositories in it; empty for none.

    Raises:
        UsageError: What is set names no registry, or only a file names it and the user has no login there.
    """
    through = through_of(settings)
    host = through.partition("/")[0]
    setting = next((each for each in settings if each.key == "through"), None)
    if setting is None or not setting.origin.startswith(FILE_ORIGIN) or not through or is_loopback(host):
        return through
    if logged_in(host):
        return through
    raise UsageError(
        f"{setting.origin} sends images through {host}, where you are not logged in",
        why="A file of a project says where images go only if you have a login there.",
        todo=f"Log in, or name it yourself:\n  docker login {host}\n  TONNAGE_THROUGH={through}\n"
        "Or send the images without a registry:\n  TONNAGE_THROUGH=none",
    )


def refuse_unreachable(through: str, endpoint: str) -> None:
    """Refuse a registry whose address means another machine on each of those that it is between.

    Raises:
        UsageError: It does.
    """
    host = through.partition("/")[0]
    if not endpoint.startswith("unix://") and is_loopback(host):
        raise UsageError(
            f"through: {host} is a registry of this machine, and {endpoint} does not reach it by that name",
            todo="Write an address that both machines reach it by.",
        )


def look_through(
    source: ShipSource,
    target: ShipTarget,
    registry: ShipRegistry,
    wanted: Mapping[str, Sequence[str]],
    *,
    through: str,
    keep_free_bytes: int | None,
) -> ShipLook:
    """Return what of some images crosses to a registry and from there to another engine, and what that takes.

    Args:
        wanted: What each is called here, and what it is to be called there.
        through: The registry, with the beginning of repositories in it.
        keep_free_bytes: The reserve of the disk there as the user set it; None for the default.

    Returns:
        The images in the same order, and the disk.

    Raises:
        StepFailedError: There is no such image, or it is for another platform.
        CannotFetchError: The registry cannot be asked from here.
        EngineUnreachableError: An engine does not answer.
    """
    images, there = images_to_ship(source, target, wanted)
    routes = {image.reference: _route(through, image, wanted[image.reference][0]) for image in images}
    knows = _found_out(source, target, registry, images, routes)
    ships = []
    for image in images:
        counted = source.counted(image, to_count_through(image, there, knows))
        route = routes[image.reference]
        ship = image_through(image, counted, there, tuple(wanted[image.reference]), route, knows)
        expected_id = image.root if there.store == CONTAINERD else image.config.blob.digest
        present = bool(expected_id) and all(there.images.get(name) == expected_id for name in ship.names)
        ship = replace(ship, expected_id=expected_id, present=present, wire_bytes=0 if present else ship.wire_bytes)
        ships.append(ship)
        there, knows = with_image(there, ship), with_pushed(knows, ship)
    disk = target.filesystems()[0]
    return ShipLook(
        ships=tuple(ships), engine=target.engine(), disk=disk, reserve_bytes=reserve_of(disk, keep_free_bytes)
    )


def send_through(
    engines: ShipEngines,
    source: ShipSource,
    target: ShipTarget,
    registry: ShipRegistry,
    looked: ShipLook,
    *,
    tell: Callable[[str], None],
    cancel: Cancel | None = None,
) -> tuple[Shipped, ...]:
    """Push, pull and name what was looked at, one image after the other.

    Returns:
        What crossed, in the same order: bytes by the registry's manifests, layers as the engines said.

    Raises:
        CannotFitError: It does not fit there. Nothing was pushed.
        StepFailedError: One could not be pushed or pulled, or did not arrive whole; those before it are there.
        EngineUnreachableError: An engine stops answering.
    """
    refuse_unfit(looked, target.endpoint)
    shipped = []
    with watched(engines, target, looked, cancel) as watch:
        for ship in looked.ships:
            one = _one(source, target, registry, ship, watch, looked.reserve_bytes, tell)
            shipped.append(one)
    return tuple(shipped)


def _route(through: str, image: ShippableImage, name: str) -> RegistryRoute:
    repository, own = repository_in(through, name)
    tag = transit_tag(image.config.blob.digest)
    return RegistryRoute(repository=repository, tag=tag, pushed=NOTHING, pulled=NOTHING, own=own)


def _found_out(
    source: ShipSource,
    target: ShipTarget,
    registry: ShipRegistry,
    images: Sequence[ShippableImage],
    routes: Mapping[str, RegistryRoute],
) -> RegistryKnows:
    """Ask the engine here for digests, the registry for blobs, and the engine there for what it knows of them."""
    packed = {diff_id: each for image in images for diff_id, each in source.packed(image).items()}
    asked: list[tuple[str, str]] = []
    for image in images:
        repository = routes[image.reference].repository
        host = repository.partition("/")[0]
        for each in (known for diff_id in image.diff_ids for known in packed.get(diff_id, ())):
            asked.append((repository, each.digest))
            if each.repository.startswith(f"{host}/"):
                asked.append((each.repository, each.digest))
    blobs = registry.blobs(asked)
    understood = target.understood(dict.fromkeys(digest for _, digest in blobs))
    return RegistryKnows(packed=packed, blobs=blobs, understood=understood)


def _one(
    source: ShipSource,
    target: ShipTarget,
    registry: ShipRegistry,
    ship: ImageToShip,
    watch: Watch,
    reserve_bytes: int,
    tell: Callable[[str], None],
) -> Shipped:
    began_s = time.monotonic()
    image, route = ship.image, ship.route
    assert route is not None  # noqa: S101 - only images that go through a registry come here
    if ship.present:
        target.prove(ship, ship.names[0], ship.expected_id, len(ship.layers))
        return Shipped(
            reference=image.reference, image_id=ship.expected_id, names=ship.names, wire_bytes=0, layers_sent=0,
            layers_there=len(ship.layers), seconds=time.monotonic() - began_s, pushed_bytes=0, pulled_bytes=0,
        )  # fmt: skip
    stops = WatchStop(watch)
    # Several nodes may be given the same image at once, which has one name in the registry.
    with _PUSHES, stops.told():
        pushed = source.push(image, route.repository, route.tag, tell=tell, cancel=stops)
    manifest = registry.manifest(route.repository, pushed.digest, image.platform)
    if manifest.config.digest != image.config.blob.digest or len(manifest.layers) != len(image.layers):
        raise StepFailedError(
            f"{route.repository}@{pushed.digest} is another image than {image.reference}",
            why=f"Its configuration is {manifest.config.digest}, and {image.config.blob.digest} was pushed.",
        )
    there, understood = target.layers([image]), target.understood([blob.digest for blob in manifest.layers])
    if there.store == CONTAINERD:
        there = replace(there, digests=there.digests | understood)
    ship = image_pulled(ship, pushed.digest, manifest, there, understood)
    _refuse_full(ship, watch, reserve_bytes)
    pulled = _pull(target, ship, stops, tell)
    pushed_bytes, pulled_bytes = (moved_bytes(image, manifest, moved) for moved in (pushed, pulled))
    return Shipped(
        reference=image.reference, image_id=ship.expected_id, names=ship.names,
        wire_bytes=pushed_bytes + pulled_bytes, layers_sent=len(ship.sent),
        layers_there=len(ship.layers) - len(ship.sent), seconds=time.monotonic() - began_s,
        pushed_bytes=pushed_bytes, pulled_bytes=pulled_bytes, digest=pushed.digest,
    )  # fmt: skip


def _pull(target: ShipTarget, ship: ImageToShip, stops: WatchStop, tell: Callable[[str], None]) -> Moved:
    """Pull an image by its digest, see that it is whole, and give it its names; a failure leaves none of ours."""
    assert ship.route is not None  # noqa: S101 - only images that go through a registry come here
    name = ship.route.by_digest
    before = target.has(name)
    try:
        with stops.told():
            moved = target.pull(name, tell=tell, cancel=stops)
        target.prove(ship, name, ship.expected_id, len(ship.layers))
        for wanted in ship.names:
            target.tag(ship.expected_id, wanted)
    except BaseException:
        if not before:
            with contextlib.suppress(TonnageError):
                target.forget(name)
        raise
    # Where it has its own name in that repository, the digest says where it can be had again.
    if not before and not ship.route.own:
        target.forget(name)
    return moved


def _refuse_full(ship: ImageToShip, watch: Watch, reserve_bytes: int) -> None:
    """Refuse a pull that would bring the disk there below its reserve."""
    available_bytes = watch.available()
    if available_bytes is not None and available_bytes - ship.highest.high_bytes < reserve_bytes:
        raise ReserveCrossedError(
            f"{ship.image.reference} does not fit there any more",
            why=f"{format_bytes(available_bytes)} are available, it needs {format_bytes(ship.highest.high_bytes)}, and"
            f" {format_bytes(reserve_bytes)} must remain.",
            todo="Free some of that disk, then send again: what was pushed is not pushed again.",
        )
