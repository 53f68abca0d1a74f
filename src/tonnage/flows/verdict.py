"""What ``tonnage deploy`` would need, told by the very plan that it would make from the forecasts at hand.

Where another engine or disk is asked for, or none answers, the plan is for what would be there.
"""

from __future__ import annotations

import contextlib
import platform as machine
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.changes import in_order, with_recorded
from tonnage.decide.deploy.expectations import reserves_of
from tonnage.decide.deploy.planning import plan_build, plan_deploy
from tonnage.decide.deploy.reclaim_steps import needs_reclaim, with_reclaim_steps
from tonnage.decide.deploy.service_context import cleans_cache
from tonnage.decide.deploy.verdict import judged
from tonnage.decide.deploy.versions import records_on
from tonnage.decide.schedule.services import with_cache_cleaned
from tonnage.errors import CannotReclaimError, TonnageError
from tonnage.flows.roots import roots_for_plan
from tonnage.flows.sharing import shared
from tonnage.flows.stack import read_inputs
from tonnage.flows.state import opened_journal
from tonnage.forecast.costs.totals import cached_bytes, expected_builds
from tonnage.model.builder import BuilderBeside
from tonnage.model.deploy.plan import Purpose
from tonnage.model.forecast.estimate import DATA_ROOT, EXPORTED, EngineKind
from tonnage.model.forecast.fit import Room
from tonnage.model.inventory import CONTAINERD, Engine, Filesystem, Inventory

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tonnage.adapters.interface import EngineFacts
    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.stack import DesiredState
    from tonnage.model.deploy.expected_build import ExpectedBuild
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.deploy.policy import Policy
    from tonnage.model.deploy.run import History
    from tonnage.model.forecast.estimate import ServiceForecast
    from tonnage.model.forecast.fit import DeployNeed, FilesystemFit
    from tonnage.model.stack import Stack

_CLASSIC = "classic"
_WRITTEN = frozenset({"data-root", "containerd", "temporary", EXPORTED})
_BOUNDLESS_BYTES = 10**15
"""Of a disk that is not known: nothing is judged by it."""


class Planned(Struct, frozen=True, kw_only=True):
    """What a plan is made of, besides forecasts.

    Args:
        kind: What builds, and keeps images.
        purpose: What is planned: a deploy, or a build, after which nothing is deployed.
    """

    wanted: DesiredState
    kind: EngineKind
    inventory: Inventory
    history: History
    purpose: Purpose = Purpose.DEPLOY


def inventory_for(seen: Inventory | None, kind: EngineKind, rooms: Sequence[Room]) -> Inventory:
    """Return what is on the engine that is meant: what was seen, or nothing yet, with its kind and its disk.

    Args:
        rooms: Its filesystems; none where they are not known.
    """
    first = rooms[0] if rooms else None
    if seen is None:
        size_bytes = first.available_bytes if first is not None else _BOUNDLESS_BYTES
        mount = first.mount if first is not None else ""
        disk = Filesystem(mount=mount, roles=(DATA_ROOT,), size_bytes=size_bytes, available_bytes=size_bytes)
        # One like this machine, as for the forecasts.
        seen = Inventory(engine=replace(_NONE_YET, architecture=machine.machine()), filesystems=(disk,))
    elif first is not None and first.mount not in {each.mount for each in seen.filesystems}:
        disk = Filesystem(
            mount=first.mount, roles=first.roles, size_bytes=first.size_bytes, available_bytes=first.available_bytes
        )
        seen = replace(seen, filesystems=(disk,))
    engine = seen.engine
    store = CONTAINERD if kind.keeps is EngineKind.CONTAINERD else _CLASSIC
    if (engine.image_store == CONTAINERD) != (store == CONTAINERD):
        engine = replace(engine, image_store=store)
    if kind.is_beside != (engine.builder is not None):
        engine = replace(engine, builder=_BESIDE if kind.is_beside else None)
    return seen if engine is seen.engine else replace(seen, engine=engine)


def room_of(disk: Filesystem, reserve: int) -> Room:
    """Return a filesystem as a room to fit into, with its reserve in bytes."""
    return Room(
        mount=disk.mount,
        roles=disk.roles,
        available_bytes=disk.available_bytes,
        reserve_bytes=reserve,
        size_bytes=disk.size_bytes,
    )


def rooms_of(inventory: Inventory, policy: Policy) -> list[Room]:
    """Return the filesystems that builds write to, each with its reserve."""
    reserves = reserves_of(inventory.filesystems, policy.keep_free_bytes)
    return [room_of(disk, reserves[disk.mount]) for disk in inventory.filesystems if _WRITTEN & set(disk.roles)]


def fitted(
    ports: DeployPorts,
    facts: EngineFacts | None,
    planned: Planned,
    forecasts: Sequence[ServiceForecast],
    fits: Sequence[FilesystemFit],
) -> tuple[tuple[FilesystemFit, ...], DeployNeed | None, str]:
    """Judge by what a plan would need how forecasts fit.

    Args:
        facts: The engine that things may be reclaimed on; None where it is not the one that is meant.

    Returns:
        How they fit, what the plan needs, and why that is not known; None, and as it was, where it is not.
    """
    try:
        plan = _plan(ports, facts, planned, forecasts)
    except TonnageError as error:
        return tuple(fits), None, error.what
    need = plan.need
    if need is None:
        return tuple(fits), None, "too little is known of what it does"
    return tuple(judged(each, need) if each.room.mount == need.mount else each for each in fits), need, ""


def builds_of(
    forecasts: Sequence[ServiceForecast],
    inventory: Inventory,
    policy: Policy,
    purpose: Purpose,
    pulled: Collection[str] = (),
    stays: Collection[str] = (),
) -> dict[str, ExpectedBuild]:
    """Return what the steps of a plan that build or pull will do.

    Args:
        forecasts: Of the services that are built or pulled, in the order of the plan.
        policy: Says what is removed after each build.
        pulled: Those that are pulled.
        stays: Instructions whose layers images of their own have.

    Returns:
        By service, on the filesystem of the data root.
    """
    first, *others = inventory.filesystems
    engine = inventory.engine
    # After a build for others the image goes as well.
    for_others = purpose is Purpose.BUILD
    return expected_builds(
        forecasts,
        roles=first.roles,
        elsewhere={role for disk in others for role in disk.roles} - set(first.roles),
        cached_bytes=cached_bytes(inventory),
        beside=engine.builder is not None,
        pulled=pulled,
        cleans=policy.cleanup_after if for_others else cleans_cache(policy, engine),
        forgets=for_others or engine.forgets_builds,
        stays=stays,
    )


def as_planned(forecasts: Sequence[ServiceForecast], stack: Stack) -> tuple[ServiceForecast, ...]:
    """Return forecasts in the order in which a plan comes to their services, after those of what these share."""
    order = in_order(stack, [each.name for each in stack.services])
    places = {each.name: place for place, each in enumerate(order)}
    return tuple(sorted(forecasts, key=lambda each: places.get(each.service, -1)))


def _plan(
    ports: DeployPorts, facts: EngineFacts | None, planned: Planned, forecasts: Sequence[ServiceForecast]
) -> Plan:
    wanted, history = planned.wanted, planned.history
    stack = wanted.stack
    inventory = planned.inventory
    if inventory.images:
        # Only an image that is there may be what a build would make.
        inventory = replace(inventory, inputs=read_inputs(ports, stack))
        inventory = with_recorded(stack, inventory, (*history.versions, *records_on(inventory, stack)))
    purpose = planned.purpose
    planner = plan_build if purpose is Purpose.BUILD else plan_deploy
    pulled = frozenset(service.name for service in stack.services if service.build is None)

    together = shared(ports, wanted, planned.kind, forecasts, inventory, history)
    # What nobody found out counts with what is assumed for it.
    whole = [replace(each, found_out=True) for each in together.forecasts]

    def plan_of(stack: Stack, policy: Policy) -> Plan:
        builds = builds_of(as_planned(whole, stack), inventory, policy, purpose, pulled, together.stays)
        return planner(stack, inventory, policy, history, wanted.services, together.builds(builds))

    plan = with_cache_cleaned(stack, wanted.policy, inventory, plan_of)
    # Files of other stacks are read for that.
    if facts is None or wanted.untrusted or not needs_reclaim(plan):
        return plan
    with contextlib.suppress(CannotReclaimError), opened_journal(ports.environment) as journal:
        roots = roots_for_plan(ports, facts, inventory, stack, journal)
        return with_reclaim_steps(plan, stack, replace(inventory, needs=roots))
    return plan


_NONE_YET = Engine(
    engine_id="",
    endpoint="",
    version="",
    api_version="",
    storage_driver="overlay2",
    image_store=_CLASSIC,
    data_root="",
)
_BESIDE = BuilderBeside(name="beside", container="", volume="")
