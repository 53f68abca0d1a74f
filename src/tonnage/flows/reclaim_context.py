"""What a reclaim works on: the filesystem, what on it may go, and what has to stay.

An engine that does not answer is no reason to stop: what else can go is found all the same.
"""

from __future__ import annotations

import contextlib
from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.expectations import claimed_bytes
from tonnage.decide.reclaim.choice import freed_bytes, narrowed, still_staying, telling_unmatched
from tonnage.errors import CannotReclaimError, EngineUnreachableError, StalePlanError, UsageError
from tonnage.model.deploy.run import RECLAIM
from tonnage.model.offer import with_registries
from tonnage.model.reclaim.candidate import CandidateKind, Findings, NamedKind, PlaceKind
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tonnage.adapters.interface import EngineFacts
    from tonnage.errors import TonnageError
    from tonnage.flows.ports import EngineAccess, ReclaimPorts
    from tonnage.flows.requests import ReclaimRequest, StackFlags
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.deploy.run import OtherRun
    from tonnage.model.inventory import Container, Engine, Inventory
    from tonnage.model.reclaim.candidate import Protected, Root, Roots
    from tonnage.model.reclaim.duplicate_blocks import DuplicateBlocks
    from tonnage.model.stack import Stack

OTHER_STORE_S = 1.0
"""Seconds for which the other image store is counted where that only makes a note."""


class ReclaimContext(Struct, frozen=True, kw_only=True):
    """What a reclaim works on.

    Args:
        read_only: Whether nothing on it can be changed.
        available: Reads its available bytes.
        inventory: What the engine told; None when it did not.
        access: The engine; None when it does not answer.
        trouble: Why the engine does not answer.
        claimed_bytes: What other runs on the engine may still write.
        duplicates: Files of layers whose blocks can be shared; None where that was not asked for.
    """

    mount: str
    size_bytes: int
    read_only: bool
    available: Callable[[], int]
    findings: Findings
    inventory: Inventory | None = None
    access: EngineAccess | None = None
    trouble: TonnageError | None = None
    claimed_bytes: int = 0
    duplicates: DuplicateBlocks | None = None


@contextlib.contextmanager
def reclaim_context(
    ports: ReclaimPorts,
    flags: StackFlags,
    request: ReclaimRequest,
    plan: Plan | None,
    earlier: Sequence[Protected] = (),
    *,
    meanwhile: Callable[[], None],
) -> Iterator[ReclaimContext]:
    """Look at everything; the engine stays open while the context is used.

    Args:
        earlier: What stayed in the looks before this one.

    Yields:
        The context.

    Raises:
        CannotReclaimError: What has to stay cannot be told.
        StalePlanError: The plan is for another engine.
        UsageError: A volume, a directory or a mount is not there.
    """
    with contextlib.ExitStack() as opened:
        if request.root:
            yield _without_engine(ports, flags, request, request.root, None, earlier, meanwhile)
            return
        try:
            facts = opened.enter_context(ports.engines.facts(flags.host, sizes=True))
            engine = facts.engine()
            _check_engine(engine, request, plan)
            others = tuple(ports.engines.ledger(engine, RECLAIM).others())
            claims_bytes = claimed_bytes(others)
            if (enough := _enough(ports, facts, request, plan, claims_bytes)) is not None:
                yield enough
                return
            from tonnage.runtime.deploy.observe import observe  # noqa: PLC0415 - not where no engine answers

            inventory = observe(facts, engine=engine)
            inventory = replace(inventory, others=others)
            access = opened.enter_context(ports.engines.open(flags.host))
        except EngineUnreachableError as error:
            data_root = ports.engines.usual_data_root(flags.host)
            if not data_root:
                # Another machine was meant: nothing of this one is to go for it.
                raise
            yield _without_engine(ports, flags, request, data_root, error, earlier, meanwhile)
            return
        _check_volumes(inventory, request)
        inventory = _asked_for(ports, facts, request, inventory)
        told = inventory.filesystems[0]
        disk = ports.machine.space(request.mount) if request.mount else told
        from tonnage.flows.roots import read_needs  # noqa: PLC0415 - not where no engine is asked

        needs = read_needs(ports, facts, inventory, _stack_here(ports, flags), plan)
        found = _of_engine(inventory, needs, request) if disk.mount == told.mount else Findings()
        found += _of_other_store(ports, inventory.engine, request, disk.mount)
        duplicates = _duplicates(ports, inventory.engine, request, disk.mount)
        if duplicates is not None:
            from tonnage.decide.reclaim.duplicate_blocks import duplicate_findings  # noqa: PLC0415 - only by name

            found += duplicate_findings(duplicates)
        found = still_staying(narrowed(found, keep=request.keep, only=request.only), earlier)
        available = _gauge(ports, request, access, disk.mount, opened)
        if not inventory.engine.endpoint.startswith("ssh://"):
            kept = _kept(needs.paths) | _mounted(inventory.containers)
            missing_bytes = missing_bytes_of(request, plan, available(), claims_bytes)
            found += _places(ports, request, disk.mount, kept, missing_bytes, earlier, meanwhile)
        yield ReclaimContext(
            mount=disk.mount,
            size_bytes=disk.size_bytes,
            read_only=bool(request.mount) and ports.machine.space(request.mount).read_only,
            available=available,
            findings=telling_unmatched(found + Findings(notes=_at_work(inventory.others)), request.keep),
            inventory=inventory,
            access=access,
            claimed_bytes=claims_bytes,
            duplicates=duplicates,
        )


def _at_work(others: Iterable[OtherRun]) -> tuple[str, ...]:
    """Tell of the runs that go on at the engine meanwhile: what is available afterwards is theirs as well."""
    return tuple(
        f"{run.shown} is running on this engine; what it needs is kept"
        + (f", and it may still write {format_bytes(run.claimed_bytes)}" if run.claimed_bytes else "")
        for run in others
    )


def _of_engine(inventory: Inventory, needs: Roots, request: ReclaimRequest) -> Findings:
    from tonnage.decide.reclaim.engine_candidates import engine_findings  # noqa: PLC0415 - not where no engine is asked

    found = engine_findings(inventory, needs, volumes=request.volumes, named=request.only)
    if request.unattended:
        from tonnage.decide.reclaim.irreplaceable import replaceable  # noqa: PLC0415 - as above

        found = replaceable(found, inventory, with_logs=True)
    return found


def _of_other_store(ports: ReclaimPorts, engine: Engine, request: ReclaimRequest, mount: str) -> Findings:
    """Return what lies on a filesystem of the image store that the engine does not use."""
    if not engine.endpoint.startswith("unix://"):
        return Findings()
    named = NamedKind.OTHER_STORE in request.only
    store = ports.machine.other_store(engine, within_s=inf if named else OTHER_STORE_S)
    if store is None or ports.machine.space(store.place).device != ports.machine.space(mount).device:
        return Findings()
    from tonnage.decide.reclaim.other_store import other_store_findings  # noqa: PLC0415 - few machines have one

    return other_store_findings(store, named=named)


def _duplicates(ports: ReclaimPorts, engine: Engine, request: ReclaimRequest, mount: str) -> DuplicateBlocks | None:
    """Return which files of layers have the same content, where that is asked for: it reads all of them."""
    if NamedKind.DUPLICATE_BLOCKS not in request.only:
        return None
    if not engine.endpoint.startswith("unix://"):
        from tonnage.model.reclaim.duplicate_blocks import DuplicateBlocks  # noqa: PLC0415 - only by name

        return DuplicateBlocks(
            place=engine.endpoint, obstacle="the files of another machine's layers are not looked at"
        )
    found = ports.machine.duplicate_blocks(engine)
    return found if ports.machine.space(found.place).device == ports.machine.space(mount).device else None


def _asked_for(ports: ReclaimPorts, facts: EngineFacts, request: ReclaimRequest, inventory: Inventory) -> Inventory:
    """Return the inventory with what registries say of images whose digests say nothing of them."""
    if request.only and CandidateKind.IMAGE not in request.only:
        return inventory
    names = [name for image in inventory.images if image.only_here for name in image.digests]
    return with_registries(inventory, ports.in_registries(facts, names)) if names else inventory


def _gauge(
    ports: ReclaimPorts, request: ReclaimRequest, access: EngineAccess, mount: str, opened: contextlib.ExitStack
) -> Callable[[], int]:
    """Return what reads the available bytes of the filesystem that is meant."""
    if request.mount:
        return lambda: ports.machine.space(request.mount).available_bytes
    gauge = access.gauge([mount])
    opened.callback(gauge.close)
    return lambda: gauge.available()[mount]


def _check_engine(engine: Engine, request: ReclaimRequest, plan: Plan | None) -> None:
    if plan is not None and plan.engine_id != engine.engine_id:
        raise StalePlanError(
            "the plan is for another engine; nothing was removed",
            why=f"It was made for the engine at {plan.endpoint}.",
            todo="Name that engine with -H.",
            place=request.plan_file,
        )


def _enough(
    ports: ReclaimPorts, facts: EngineFacts, request: ReclaimRequest, plan: Plan | None, claims_bytes: int
) -> ReclaimContext | None:
    """Return a context without anything in it when nothing is missing: everything else takes longer to look at."""
    disk = ports.machine.space(request.mount) if request.mount else facts.filesystems()[0]
    missing_bytes = missing_bytes_of(request, plan, disk.available_bytes, claims_bytes)
    if missing_bytes is None or missing_bytes > 0:
        return None
    return ReclaimContext(
        mount=disk.mount,
        size_bytes=disk.size_bytes,
        read_only=False,
        available=lambda: disk.available_bytes,
        findings=Findings(),
    )


def _places(
    ports: ReclaimPorts,
    request: ReclaimRequest,
    mount: str,
    kept: Mapping[str, str],
    missing_bytes: int | None,
    earlier: Sequence[Protected],
    meanwhile: Callable[[], None],
) -> Findings:
    """Return what of files and directories may go; nothing when only kinds of the engine are asked for."""
    if request.only and not set(request.only) & set(PlaceKind):
        return Findings()

    def look(missing_bytes: int | None) -> Findings:
        found = ports.machine.find_places(
            mount=mount,
            root=request.root,
            disposable=request.disposable,
            only=request.only,
            kept=kept,
            missing_bytes=missing_bytes,
            meanwhile=meanwhile,
        )
        return still_staying(narrowed(found, keep=request.keep, only=request.only), earlier)

    found = look(missing_bytes)
    if missing_bytes is None:
        return found
    whole = freed_bytes(found.pieces, frozenset(each.candidate_id for each in found.candidates))
    # What was enough before some of it turned out to stay, or to be too small, is looked for once more.
    return found if whole >= missing_bytes else look(None)


def _kept(needs: Iterable[Root]) -> dict[str, str]:
    """Return what has to stay, with the reason."""
    return {need.what: need.reason for need in needs}


def _mounted(containers: Iterable[Container]) -> dict[str, str]:
    """Return what containers mount of this machine, with the reason why it stays."""
    return {path: f"the container {each.name} mounts it" for each in containers for path in each.binds}


def _without_engine(
    ports: ReclaimPorts,
    flags: StackFlags,
    request: ReclaimRequest,
    usual: str,
    trouble: TonnageError | None,
    earlier: Sequence[Protected],
    meanwhile: Callable[[], None],
) -> ReclaimContext:
    """Return the context of files and directories alone."""
    directory = request.mount or usual
    space = ports.machine.space(directory)
    missing_bytes = missing_bytes_of(request, None, space.available_bytes)
    kept: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    if trouble is None:
        # A tree elsewhere: nothing of this machine is needed of it but what containers may mount.
        with contextlib.suppress(CannotReclaimError):
            kept = _mounted(ports.machine.containers(flags.host))
    else:
        from tonnage.flows.roots import paths_needed  # noqa: PLC0415 - only where an engine is dead

        containers = ports.machine.containers(flags.host)
        needs, notes = paths_needed(ports, containers, _stack_here(ports, flags))
        kept = _kept(needs) | _mounted(containers)
    found = _places(ports, request, directory, kept, missing_bytes, earlier, meanwhile) + Findings(notes=notes)
    return ReclaimContext(
        mount=space.mount,
        size_bytes=space.size_bytes,
        read_only=space.read_only,
        available=lambda: ports.machine.space(directory).available_bytes,
        findings=telling_unmatched(found, request.keep),
        trouble=trouble,
    )


def _stack_here(ports: ReclaimPorts, flags: StackFlags) -> Stack:
    """Return the stack of this directory. One that is there and cannot be read may need anything."""
    from tonnage.flows.roots import refusing_to_reclaim  # noqa: PLC0415 - not where no engine is asked
    from tonnage.flows.stack import read_if_there  # noqa: PLC0415

    with refusing_to_reclaim():
        return read_if_there(ports, flags).stack


def _check_volumes(inventory: Inventory, request: ReclaimRequest) -> None:
    known = {volume.name: volume for volume in inventory.volumes}
    for name in request.volumes:
        if name not in known:
            raise UsageError(f"--volume: there is no volume {name!r}", todo="See them all:\n  docker volume ls")
        if known[name].in_use:
            raise UsageError(
                f"--volume: a container mounts {name}",
                todo=f"See which one, and remove it first:\n  docker ps --all --filter volume={name}",
            )


def missing_bytes_of(
    request: ReclaimRequest, plan: Plan | None, available_bytes: int, claims_bytes: int = 0
) -> int | None:
    """Return how much more is to be available.

    Args:
        claims_bytes: What other runs may still write, which a plan has to leave them.

    Returns:
        The bytes, negative when there is more than enough; None for everything that may go.
    """
    if request.until_bytes is not None:
        return request.until_bytes - available_bytes
    if plan is not None:
        # What has to be available before it begins: the reserve, what is others', and the most that it may take.
        lowest = (step.available_lowest for step in plan.steps)
        taken = [plan.available_bytes - each.low_bytes for each in lowest if each.known]
        return plan.reserve_bytes + claims_bytes + max([0, *taken]) - available_bytes
    return request.free_bytes


def may_begin(plan: Plan, available_bytes: int, claims_bytes: int = 0) -> bool:
    """Return whether a plan has what it needs by its most favourable figures, as a deploy asks before it begins."""
    lowest = (step.available_lowest for step in plan.steps)
    taken = [plan.available_bytes - each.high_bytes for each in lowest if each.known]
    return available_bytes >= plan.reserve_bytes + claims_bytes + max([0, *taken])
