"""Forecasts: of a stack as it was asked for, and of single builds for plans and other use cases."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.changes import in_order, stands_below
from tonnage.decide.deploy.expectations import reserve_bytes
from tonnage.decide.deploy.planning import asked_for
from tonnage.decide.reports.known_engines import engine_named, pushes_packed, version_of
from tonnage.errors import EngineLacksError, EngineUnreachableError, InterruptedRunError, UsageError
from tonnage.flows.looks import look
from tonnage.flows.machine.architecture import platform_of_engine
from tonnage.flows.machine.named_disk import notes_of_disk
from tonnage.flows.requests import ForecastRequest, LookupScope
from tonnage.flows.sharing import shared
from tonnage.flows.stack import for_build, read_wanted
from tonnage.flows.state import cache_places, read_history
from tonnage.flows.verdict import Planned, fitted, inventory_for, room_of, rooms_of
from tonnage.forecast.costs.done_layers import DoneLayers, done_layers
from tonnage.forecast.costs.seen_builds import SeenBuilds, seen_builds
from tonnage.forecast.costs.totals import fit_into, forecast_stack, pulled_beside, without_unpacking
from tonnage.forecast.gather.build import refuse_circles
from tonnage.forecast.gather.changed_dockerfiles import with_dockerfiles
from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.pinned import with_pins
from tonnage.forecast.gather.services import forecast_services
from tonnage.lazily import regex
from tonnage.model.deploy.plan import Purpose
from tonnage.model.deploy.run import History
from tonnage.model.forecast.estimate import EngineKind
from tonnage.model.forecast.fit import ForecastAnswer, worst
from tonnage.model.inventory import CONTAINERD, Filesystem
from tonnage.model.unknowns import few_inodes, unknowns
from tonnage.runtime.signals import CancelOnSignal
from tonnage.sources.outside import project_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tonnage.adapters.interface import Cancel, EngineFacts
    from tonnage.flows.looks import Snapshot
    from tonnage.flows.ports import DeployPorts, EnginePorts, ForecastPorts
    from tonnage.flows.requests import ForecastOptions, StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.forecast.gather.single_flight import SingleFlight
    from tonnage.model.forecast.estimate import ServiceForecast
    from tonnage.model.forecast.fit import Remedy, Room
    from tonnage.model.forecast.known_engine import KnownEngine
    from tonnage.model.forecast.stack_forecast import StackForecast
    from tonnage.model.inventory import Engine, Inventory
    from tonnage.model.stack import Service

    Gathering = Callable[
        [Sequence[Service], Mapping[tuple[str, str], str], Mapping[str, str], Cancel | None],
        tuple[ServiceForecast, ...],
    ]

REMEDY_WITHIN_S = 6.0
"""How long a forecast of a change may take; what is not known by then is told from the first forecast."""
PLAN_WITHIN_S = 12.0
"""How long a plan waits for forecasts; what is not known by then is left at what was learned."""
_TOO_LITTLE = "too little of it is known"
_PYTHON = regex(r"\d+\.\d+(\.\d+)?")


def forecast(
    ports: DeployPorts, flags: StackFlags, options: ForecastOptions, *, answers: SingleFlight | None = None
) -> ForecastAnswer:
    """Forecast a stack, with the engine's images and disk where it answers.

    Args:
        answers: Gets what is found out, for who forecasts the stack again with changes; None to forget it.

    Returns:
        The forecast. Builds that cannot succeed as they are written are marked as broken in it.

    Raises:
        UsageError: What the user wrote cannot be used.
        EngineUnreachableError: The engine that was named does not answer.
        EngineLacksError: The disk of the engine that was named cannot be read from here.
        InterruptedRunError: A signal ended it.
    """
    if options.python and not _PYTHON.fullmatch(options.python):
        raise UsageError(f"--python: {options.python!r} is not a version", todo="Write it like 3.11 or 3.11.9.")
    if options.probe and flags.untrusted:
        raise UsageError("--probe starts base images, and --untrusted starts nothing", todo="Leave one of them out.")
    if options.platform and options.platform.count("/") not in {1, 2}:
        raise UsageError(f"--platform: {options.platform!r} is not a platform", todo="Write it like linux/arm64.")
    named = engine_named(options.engine) if options.engine else None
    wanted = read_wanted(ports, flags, runs=False)
    chosen = asked_for(wanted.stack, (*wanted.services, *((options.explain,) if options.explain else ())))
    places = () if wanted.untrusted else cache_places(wanted.stack, ports.working_directory)
    trouble: list[str] = []
    with engine_if_there(ports, flags.host, places, trouble) as facts, CancelOnSignal(lambda: None) as signals:
        seen = look(facts, wanted) if facts is not None else None
        engine = seen.inventory.engine if seen else None
        kind = named.kind if named is not None else ports.engines.kind(engine)
        fresh = named is not None and named.version is not None
        history = read_history(ports, wanted.stack.name, engine.engine_id if engine else "")
        services = in_order(wanted.stack, chosen)
        asked = ForecastRequest(
            assume_bytes=wanted.policy.assume_unknown_bytes,
            platform=options.platform,
            python=options.python,
            offline=options.offline,
            probe=options.probe,
            stack=wanted.stack.name,
            directory=wanted.stack.directory,
            builders=wanted.stack.built,
            refuses_circles=True,
            untrusted=wanted.untrusted,
            ask_hosts=wanted.ask_hosts,
            fresh=fresh,
            answers=answers,
            packed=_packed(wanted, kind, named, engine) if options.push else frozenset(),
        )

        def gathered(services: Sequence[Service], asked: ForecastRequest) -> tuple[ServiceForecast, ...]:
            inventory = seen.inventory if seen else None
            return gather(
                ports, services, kind, asked, facts=facts, inventory=inventory, history=history, cancel=signals.cancel
            )

        found = gathered(services, asked)
        rooms = _rooms(wanted, seen, options.disk_bytes)
        planned = Planned(
            wanted=for_build(wanted, push=True, cleanup_after=False) if options.push else wanted,
            kind=kind,
            inventory=inventory_for(seen.inventory if seen and not fresh else None, kind, rooms),
            history=history,
            purpose=Purpose.BUILD if options.push else Purpose.DEPLOY,
        )
        together = shared(ports, wanted, kind, found, planned.inventory, history, packed=asked.packed)
        whole = forecast_stack(wanted.stack.name, kind, together.of_services)
        its_own = not options.engine and options.disk_bytes is None
        reclaimed_on = facts if its_own else None
        fits, deploy, unknown = fitted(ports, reclaimed_on, planned, found, fit_into(whole, rooms))
        helping: tuple[Remedy, ...] = ()
        decisive = worst(fits)
        if decisive is not None and not decisive.holds and not signals.number:
            from tonnage.flows.remedies import Asked, remedies, with_args  # noqa: PLC0415 - only for what does not fit

            def again(
                dockerfiles: Mapping[tuple[str, str], str], args: Mapping[str, Mapping[str, str]]
            ) -> tuple[ServiceForecast, ...]:
                builders = with_args(asked.builders, args)
                changed = replace(asked, dockerfiles=dockerfiles, builders=builders, within_s=REMEDY_WITHIN_S)
                return gathered(with_args(services, args), changed)

            helping = remedies(
                ports,
                Asked(
                    facts=reclaimed_on, planned=planned, forecasts=found, rooms=rooms, kind=kind, fits=fits,
                    need=deploy, again=again,
                ),
            )  # fmt: skip
    if signals.number:
        raise InterruptedRunError(signals.number, "stopped; nothing was changed")
    from tonnage.flows.torch.no_effect import without_effect  # noqa: PLC0415 - it needs nothing of a plan

    # What is asked for another engine or another disk does not depend on the one that is here.
    here = seen.inventory if seen and its_own else None
    notes = (*wanted.stack.notes, *trouble, *(() if here is None else (*unknowns(here), *few_inodes(here.filesystems))))
    notes = (*notes, *without_effect(ports, services, found, untrusted=wanted.untrusted))
    if options.disk_bytes is not None:
        notes = (*notes, *notes_of_disk(options.disk_bytes, found))
    if unknown:
        notes = (*notes, f"what {'tonnage build --push' if options.push else 'tonnage deploy'} needs: {unknown}")
    return ForecastAnswer(stack=whole, fits=fits, disk_known=bool(rooms), deploy=deploy, remedies=helping, notes=notes)


def _packed(wanted: DesiredState, kind: EngineKind, named: KnownEngine | None, engine: Engine | None) -> frozenset[str]:
    """Return the services whose images are pushed without being unpacked, by the engine that is meant."""
    version = named.version if named is not None else version_of(engine.version) if engine is not None else None
    if not kind.is_beside and not pushes_packed(kind, version):
        return frozenset()
    return frozenset(each.name for each in wanted.stack.built if not stands_below(wanted.stack, each))


@contextlib.contextmanager
def engine_if_there(
    ports: EnginePorts, host: str, places: Sequence[tuple[str, str]], trouble: list[str] | None = None
) -> Iterator[EngineFacts | None]:
    """Reach the engine; None when there is none, unless one was named.

    Args:
        trouble: Gets why one that is there was not reached.

    Yields:
        The engine, or None.
    """
    with contextlib.ExitStack() as opened:
        facts: EngineFacts | None = None
        try:
            facts = opened.enter_context(ports.engines.facts(host, places=places))
            facts.filesystems()
        except (EngineUnreachableError, EngineLacksError) as error:
            if host:
                raise
            if trouble is not None and "permission" in error.what:
                trouble.append(error.what)
            facts = None
        yield facts


def _rooms(wanted: DesiredState, seen: Snapshot | None, disk_bytes: int | None) -> list[Room]:
    if disk_bytes is not None:
        disk = Filesystem(mount="the disk", roles=("data-root",), size_bytes=disk_bytes, available_bytes=disk_bytes)
        return [room_of(disk, reserve_bytes(disk, wanted.policy.keep_free_bytes))]
    if seen is None:
        return []
    return rooms_of(seen.inventory, wanted.policy)


def gather(
    ports: ForecastPorts,
    services: Sequence[Service],
    kind: EngineKind,
    asked: ForecastRequest,
    *,
    facts: EngineFacts | None = None,
    inventory: Inventory | None = None,
    history: History | None = None,
    cancel: Cancel | None = None,
) -> tuple[ServiceForecast, ...]:
    """Forecast services.

    Args:
        facts: The engine; None without one.

    Returns:
        One forecast for each; none at all where nothing can be forecast from here.

    Raises:
        UsageError: Services are built on each other in a circle, and that was to be refused.
    """
    with gathering(ports, services, kind, asked, facts=facts, inventory=inventory, history=history) as found:
        return found(services, asked.dockerfiles, {}, cancel) if found is not None else ()


@contextlib.contextmanager
def gathering(
    ports: ForecastPorts,
    services: Sequence[Service],
    kind: EngineKind,
    asked: ForecastRequest,
    *,
    facts: EngineFacts | None = None,
    inventory: Inventory | None = None,
    history: History | None = None,
    watch: Callable[[Lookups], Lookups] = lambda looked: looked,
) -> Iterator[Gathering | None]:
    """Open what forecasts several times, with different files, and looks everything else up once; as ``gather``.

    Args:
        watch: Is put around what looks up, each time that something is forecast.

    Returns:
        What forecasts services, with Dockerfiles (by context and name) and text files (by path) in place of what is
        written; None where nothing can be forecast from here.

    Raises:
        UsageError: As for ``gather``.
    """
    images = inventory.images if inventory else ()
    scope = LookupScope(
        offline=asked.offline,
        probe=asked.probe,
        untrusted=asked.untrusted,
        ask_hosts=asked.ask_hosts,
        from_registries=asked.from_registries,
        answers=asked.answers,
    )
    opened = ports.lookups(facts, images, scope)
    if opened is None:
        yield None
        return
    history = history or History()
    around = ForecastContext(
        engine=kind,
        platform=asked.platform or platform_of_engine(inventory),
        platform_forced=bool(asked.platform),
        python=asked.python,
        assume_bytes=asked.assume_bytes,
        layers_there=None if asked.fresh else frozenset(chain for image in images for chain in image.chain),
        beside=pulled_beside(inventory) if inventory and not asked.fresh else frozenset(),
        taught=history.taught,
        seen=_seen(kind, asked, inventory, services),
        stack=asked.stack,
        root=project_root(asked.directory) if asked.directory else "",
        builders=asked.builders,
        ask_hosts=asked.ask_hosts,
    )
    done = done_layers(history.built, inventory) if inventory and not asked.fresh else DoneLayers()
    with opened as looked:
        if asked.refuses_circles:
            refuse_circles(around, with_dockerfiles(looked, asked.dockerfiles))

        def found(
            some: Sequence[Service],
            dockerfiles: Mapping[tuple[str, str], str],
            files: Mapping[str, str],
            cancel: Cancel | None,
        ) -> tuple[ServiceForecast, ...]:
            lookups = watch(with_pins(with_dockerfiles(looked, dockerfiles, files), asked.pins))
            made = forecast_services(some, around, lookups, done=done, cancel=cancel, within_s=asked.within_s)
            return tuple(without_unpacking(each) if each.service in asked.packed else each for each in made)

        yield found


def forecast_now(
    ports: ForecastPorts,
    wanted: DesiredState,
    *,
    facts: EngineFacts | None = None,
    inventory: Inventory | None = None,
    target: KnownEngine | None = None,
) -> StackForecast:
    """Forecast what of a stack can be found out within a few seconds, as ``tonnage forecast`` would.

    Args:
        facts: The engine; None to forecast for an empty disk.
        target: A fresh engine that it is for, in place of that one.

    Returns:
        The forecast; services are left out where theirs failed or took too long.
    """
    engine = inventory.engine if inventory is not None else None
    kind = target.kind if target is not None else ports.engines.kind(engine)
    stack = wanted.stack
    asked = ForecastRequest(
        assume_bytes=wanted.policy.assume_unknown_bytes,
        within_s=PLAN_WITHIN_S,
        stack=stack.name,
        directory=stack.directory,
        builders=stack.built,
        untrusted=wanted.untrusted,
        ask_hosts=wanted.ask_hosts,
        fresh=target is not None,
    )
    history = read_history(ports, stack.name, engine.engine_id if engine is not None else "")
    services = in_order(stack, [each.name for each in stack.services])
    found = gather(ports, services, kind, asked, facts=facts, inventory=inventory, history=history)
    known = [each for each in found if each.found_out and not each.failures and each.peak.known]
    left_out = ((each.service, next(iter(each.failures), _TOO_LITTLE)) for each in found if each not in known)
    return replace(forecast_stack(stack.name, kind, known), left_out=tuple(left_out))


def _seen(
    kind: EngineKind, asked: ForecastRequest, inventory: Inventory | None, services: Sequence[Service]
) -> SeenBuilds:
    """Return what the engine has of earlier builds; nothing where another store is meant than the one that is here."""
    if inventory is None or asked.fresh:
        return SeenBuilds()
    here = inventory.engine.image_store == CONTAINERD
    is_same = here == (kind.keeps is EngineKind.CONTAINERD)
    return seen_builds(inventory, (*services, *asked.builders)) if is_same else SeenBuilds()
