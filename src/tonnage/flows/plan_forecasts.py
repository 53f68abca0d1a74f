"""What builds and pulls of a plan are expected to do, by forecasts of now, and what is told where they cannot fit.

A plan without any asks nobody. The planner counts the bytes of the engine's filesystem, step by step. On the others a
plan is refused where what one service alone writes at least has no room, and no step before it gives bytes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.expectations import WAIT, claimed_bytes
from tonnage.decide.deploy.planning import services_to_get
from tonnage.decide.deploy.service_steps import is_pushed_packed
from tonnage.decide.deploy.verdict import judged
from tonnage.model.deploy.plan import Build, CleanCache, Pull, Purpose, Reclaim, Refusal, RemoveImage
from tonnage.model.forecast.estimate import EngineKind, Grade
from tonnage.model.forecast.fit import FitVerdict
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tonnage.adapters.interface import EngineFacts
    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.stack import DesiredState
    from tonnage.model.deploy.expected_build import ExpectedBuild
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.deploy.policy import Policy
    from tonnage.model.deploy.run import History
    from tonnage.model.deploy.sharing import Sharing
    from tonnage.model.forecast.estimate import ServiceForecast
    from tonnage.model.forecast.fit import FilesystemFit, Room
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Service, Stack


_IMAGES = frozenset({"data-root", "containerd"})
"""On these filesystems a run is stopped at the reserve, and what is removed gives bytes back."""
_FORECAST = "See what would make it fit, and what can be freed:\n  tonnage forecast\n  tonnage reclaim"
_WIDTH = 76
_RECLAIM = "See what can be freed:\n  tonnage reclaim"


class Expected(Struct, frozen=True, kw_only=True):
    """What builds and pulls of a plan were forecast to do.

    Args:
        kind: What builds, and keeps images.
        forecasts: Of the services that are built or pulled, before anything is shared; none where nothing is forecast.
        sharing: What they share; None where that was not looked at.
        builds: What each will do, by the order of the services in a stack and by a policy.
        again: Forecasts them with Dockerfiles (by context and name) and build arguments (by service) in place of what
            is written, within so many seconds.
    """

    kind: EngineKind = EngineKind.CLASSIC
    forecasts: tuple[ServiceForecast, ...] = ()
    notes: tuple[str, ...] = ()
    sharing: Sharing | None = None
    builds: Callable[[Stack, Policy], dict[str, ExpectedBuild]] = lambda _stack, _policy: {}
    again: Callable[[Mapping[tuple[str, str], str], Mapping[str, Mapping[str, str]]], Sequence[ServiceForecast]] = (
        lambda _dockerfiles, _args: ()
    )


def expected_of(
    ports: DeployPorts,
    facts: EngineFacts,
    purpose: Purpose,
    wanted: DesiredState,
    inventory: Inventory,
    history: History,
    *,
    explains_sharing: bool = False,
) -> Expected:
    """Forecast what a plan would build and pull, and return it. What services share comes last.

    Args:
        explains_sharing: Find out what services could share also where that is off.
    """
    images = services_to_get(purpose, wanted.stack, inventory, wanted.services)
    offers = {each.image: inventory.offer(each.image) for each, change in images if change.pull}
    # Of a registry that did not say which image it has nothing more is asked.
    services = tuple(each for each, _ in images if (offer := offers.get(each.image)) is None or offer.known)
    pulled = frozenset(each.name for each, change in images if change.pull)
    if not services or not wanted.policy.forecast:
        return Expected()
    from tonnage.flows.forecast import (  # noqa: PLC0415 - only for builds
        PLAN_WITHIN_S,
        REMEDY_WITHIN_S,
        gather,
    )
    from tonnage.flows.requests import ForecastRequest  # noqa: PLC0415 - as above
    from tonnage.flows.sharing import shared  # noqa: PLC0415
    from tonnage.flows.torch.no_effect import without_effect  # noqa: PLC0415
    from tonnage.flows.verdict import as_planned, builds_of  # noqa: PLC0415

    # An image of the stack that this plan does not build is taken from the engine.
    asked = ForecastRequest(
        assume_bytes=wanted.policy.assume_unknown_bytes,
        within_s=PLAN_WITHIN_S,
        stack=wanted.stack.name,
        directory=wanted.stack.directory,
        builders=tuple(each for each in services if each.name not in pulled),
        untrusted=wanted.untrusted,
        ask_hosts=wanted.ask_hosts,
        packed=frozenset(
            each.name
            for each in services
            if purpose is Purpose.BUILD and is_pushed_packed(wanted.stack, each, inventory, wanted.policy)
        ),
        from_registries=tuple(each.reference for each in inventory.offers if each.known),
    )
    kind = ports.engines.kind(inventory.engine)
    services = tuple(replace(each, build=None) if each.name in pulled else each for each in services)

    def gathered(services: Sequence[Service], asked: ForecastRequest) -> tuple[ServiceForecast, ...]:
        return gather(ports, services, kind, asked, facts=facts, inventory=inventory, history=history)

    found = gathered(services, asked)
    notes = [f"{each.service}: unknown: {failure}" for each in found for failure in each.failures]
    notes += [f"{each.service}: {finding.place}: {finding.text}" for each in found for finding in each.findings]
    notes += without_effect(ports, services, found, untrusted=wanted.untrusted)

    def with_versions(service: Service, pins: Mapping[str, str]) -> ServiceForecast:
        return gathered((service,), replace(asked, pins=pins))[0]

    explained = with_versions if explains_sharing else None
    together = shared(ports, wanted, kind, found, inventory, history, with_versions=explained, packed=asked.packed)
    notes += together.notes

    def builds(stack: Stack, policy: Policy) -> dict[str, ExpectedBuild]:
        forecasts = as_planned(together.forecasts, stack)
        return together.builds(builds_of(forecasts, inventory, policy, purpose, pulled, together.stays))

    def again(
        dockerfiles: Mapping[tuple[str, str], str], args: Mapping[str, Mapping[str, str]]
    ) -> tuple[ServiceForecast, ...]:
        from tonnage.flows.remedies import with_args  # noqa: PLC0415 - only for what does not fit

        changed = replace(
            asked, dockerfiles=dockerfiles, builders=with_args(asked.builders, args), within_s=REMEDY_WITHIN_S
        )
        return gathered(with_args(services, args), changed)

    return Expected(
        kind=kind, forecasts=found, notes=tuple(notes), sharing=together.sharing, builds=builds, again=again
    )


def assumed_too_large(plan: Plan, forecasts: Sequence[ServiceForecast]) -> tuple[str, ...]:
    """Tell of a plan that may begin, and by what is likely would not fit, which instruction that is assumed of."""
    lowest = [step.available_lowest.likely_bytes for step in plan.steps if step.available_lowest.known]
    if plan.refusal is not None or not lowest or min(lowest) >= plan.reserve_bytes:
        return ()
    unknown = [(each, step) for each in forecasts for step in each.steps if step.disk.grade is Grade.UNKNOWN]
    if not unknown:
        return ()
    forecast, step = max(unknown, key=lambda each: each[1].disk.likely_bytes)
    assumed = format_bytes(step.disk.likely_bytes)
    where = f"{forecast.service}, line {step.line}: {step.text[:_WIDTH]}"
    return (f"may not fit: {assumed} are assumed for {where}. If it writes less, set x-tonnage.assume-unknown",)


def with_whole_refusal(
    ports: DeployPorts,
    facts: EngineFacts,
    wanted: DesiredState,
    plan: Plan,
    inventory: Inventory,
    history: History,
    expected: Expected,
) -> Plan:
    """Return a plan that is refused also for what other filesystems lack, and whose refusal says what would help.

    Args:
        expected: What its builds and pulls were forecast to do.
    """
    if not expected.forecasts:
        return plan
    from tonnage.flows.verdict import rooms_of  # noqa: PLC0415 - only where something is built or pulled
    from tonnage.forecast.costs.totals import fit_into, forecast_stack  # noqa: PLC0415

    rooms = rooms_of(inventory, wanted.policy)
    refusal = plan.refusal or _refused_elsewhere(plan, rooms, expected)
    if refusal is None:
        return plan
    plan = replace(plan, refusal=refusal)
    known = [each for each in expected.forecasts if each.found_out]
    fits = fit_into(forecast_stack(plan.stack, expected.kind, known), rooms)
    never = _why_never(plan, rooms)
    why = "\n".join((refusal.why, *never, *_others(fits, plan.filesystem)))
    todo = refusal.todo
    # What is not forecast now follows from earlier runs: nothing else would be planned of it again.
    if known == [*expected.forecasts]:
        helps = _todo(ports, facts, wanted, plan, inventory, history, expected, fits)
        waits = WAIT if claimed_bytes(inventory.others) else ""
        todo = "\n".join(line for line in (waits, helps, _RECLAIM if helps and not never else "") if line) or todo
    return replace(plan, refusal=replace(refusal, why=why, todo=todo))


def _why_never(plan: Plan, rooms: Sequence[Room]) -> tuple[str, ...]:
    """Say that a plan would not fit either with nothing else on the engine's filesystem; nothing where it might."""
    room = next((each for each in rooms if each.mount == plan.filesystem), None)
    if room is None or plan.need is None or plan.need.peak.low_bytes <= room.size_bytes - room.reserve_bytes:
        return ()
    size = format_bytes(room.size_bytes)
    return (
        f"All of {room.mount} is {size}: with nothing else on it this would not fit either. Removing makes no room.",
    )


def _refused_elsewhere(plan: Plan, rooms: Sequence[Room], expected: Expected) -> Refusal | None:
    """Return why the first step has no room on another filesystem that has none; None where all have."""
    from tonnage.forecast.costs.totals import fit_into, forecast_stack  # noqa: PLC0415

    forecasts = {each.service: each for each in expected.forecasts if each.found_out}
    given_back = False
    others = [
        room if _IMAGES & set(room.roles) else replace(room, reserve_bytes=0)
        for room in rooms
        if room.mount != plan.filesystem
    ]
    # The first room takes what has no place of its own.
    here = [room for room in rooms if room.mount == plan.filesystem]
    for step in plan.steps:
        given_back = given_back or isinstance(step.action, CleanCache | Reclaim | RemoveImage)
        forecast = forecasts.get(step.service)
        if forecast is None or not isinstance(step.action, Build | Pull):
            continue
        for fit in fit_into(forecast_stack(plan.stack, expected.kind, [forecast]), [*here, *others]):
            images = bool(_IMAGES & set(fit.room.roles))
            if fit.fit is FitVerdict.NOT and fit.room.mount != plan.filesystem and not (images and given_back):
                return _refusal(step.name, fit)
    return None


def _refusal(step: str, fit: FilesystemFit) -> Refusal:
    room, needed = fit.room, fit.one_after_the_other
    reserve = f" above the reserve of {format_bytes(room.reserve_bytes)}" if room.reserve_bytes else ""
    return Refusal(
        what=f"step {step} cannot fit on {room.mount} ({', '.join(room.roles)})",
        why=f"At its worst moment it needs {format_bytes(needed.likely_bytes)} ({needed.grade}) there, and"
        f" {format_bytes(max(0, room.headroom_bytes))} are available{reserve}:"
        f" {format_bytes(fit.missing_bytes)} are missing.",
        todo=_FORECAST,
        missing_bytes=fit.missing_bytes,
    )


def _others(fits: Sequence[FilesystemFit], decisive: str) -> Iterator[str]:
    """Say what is needed on each filesystem besides, and what is there."""
    for fit in fits:
        needed = fit.one_after_the_other
        if fit.room.mount != decisive and needed.known and needed.high_bytes:
            yield (
                f"On {fit.room.mount} ({', '.join(fit.room.roles)}) it needs {format_bytes(needed.likely_bytes)}"
                f" ({needed.grade}), and {format_bytes(fit.room.available_bytes)} are available."
            )


def _todo(
    ports: DeployPorts,
    facts: EngineFacts,
    wanted: DesiredState,
    plan: Plan,
    inventory: Inventory,
    history: History,
    expected: Expected,
    fits: Sequence[FilesystemFit],
) -> str:
    """Return what would make it fit, each planned again; empty where nothing is known that would."""
    from tonnage.flows.remedies import Asked, remedies  # noqa: PLC0415 - only for what does not fit
    from tonnage.flows.verdict import Planned  # noqa: PLC0415
    from tonnage.views.text.remedies import remedy_lines  # noqa: PLC0415

    need = plan.need
    if need is not None:
        fits = [judged(each, need) if each.room.mount == need.mount else each for each in fits]
    helping = remedies(
        ports,
        Asked(
            facts=facts,
            planned=Planned(
                wanted=wanted, kind=expected.kind, inventory=inventory, history=history, purpose=plan.purpose
            ),
            forecasts=expected.forecasts,
            rooms=[each.room for each in fits],
            kind=expected.kind,
            fits=fits,
            need=need,
            again=expected.again,
        ),
    )
    if not helping:
        return ""
    return "\n".join(("What would make it fit, each planned again:", *remedy_lines(helping, _WIDTH)))
