"""What would make a stack fit: each change is forecast and planned again before it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.build_environment import CPU_INDEX, TORCH_INDEX_URL
from tonnage.decide.reports.remedies import with_lines, without_caches, without_cuda
from tonnage.decide.reports.torch import found_torch
from tonnage.errors import TonnageError
from tonnage.flows.verdict import fitted
from tonnage.forecast.costs.totals import fit_into, forecast_stack
from tonnage.model.deploy.plan import Purpose
from tonnage.model.deploy.policy import Cleanup
from tonnage.model.forecast.estimate import Grade
from tonnage.model.forecast.fit import Remedy, worst
from tonnage.model.stack import InstallerChoice, Share
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from tonnage.adapters.interface import EngineFacts
    from tonnage.decide.reports.remedies import ProposedChange
    from tonnage.flows.ports import DeployPorts
    from tonnage.flows.verdict import Planned
    from tonnage.model.forecast.estimate import EngineKind, ServiceForecast
    from tonnage.model.forecast.fit import DeployNeed, FilesystemFit, Room
    from tonnage.model.stack import Service

_TEMPORARY = "temporary"

_TOGETHER = "together"
_WORTH_TELLING = 1_000_000


class Asked(Struct, frozen=True, kw_only=True):
    """What remedies are looked for.

    Args:
        facts: The engine that things may be reclaimed on; None where it is not the one that is meant.
        planned: What the plan is made of.
        forecasts: Of its services, as they are.
        rooms: The filesystems.
        fits: How the services fit into them.
        need: What the plan needs; None where that is not known.
        again: Forecasts with Dockerfiles (by context and name) and build arguments (by service) in place of what is
            written.
    """

    facts: EngineFacts | None
    planned: Planned
    forecasts: Sequence[ServiceForecast]
    rooms: Sequence[Room]
    kind: EngineKind
    fits: Sequence[FilesystemFit]
    need: DeployNeed | None
    again: Callable[[Mapping[tuple[str, str], str], Mapping[str, Mapping[str, str]]], Sequence[ServiceForecast]]


class _OtherPlan(Struct, frozen=True, kw_only=True):
    """Another plan with the same forecasts: what it is for people, and how it is made from the one of now."""

    kind: str
    what: str
    todo: tuple[str, ...]
    made: Callable[[Planned], Planned]


def remedies(ports: DeployPorts, asked: Asked) -> tuple[Remedy, ...]:
    """Return what would make a stack fit that does not, or may not; what saves most stands first."""
    decisive = worst(asked.fits)
    if decisive is None or decisive.holds:
        return ()
    changes, plans = _changes(ports, asked), _plans(asked.planned)
    found: list[Remedy | None] = [_changed(ports, asked, [change], asked.planned) for change in changes]
    found += [
        _told(ports, asked, each.made(asked.planned), asked.forecasts, kind=each.kind, what=each.what, todo=each.todo)
        for each in plans
    ]
    helping = sorted(
        (each for each in found if each is not None and each.saves_bytes >= _WORTH_TELLING),
        key=lambda each: -each.saves_bytes,
    )
    if len(helping) > 1:
        together = _together(ports, asked, changes, plans, {each.kind for each in helping})
        helping += [together] if together is not None else []
    return (*helping, *_reserve(asked, decisive))


def with_args(services: Iterable[Service], args: Mapping[str, Mapping[str, str]]) -> tuple[Service, ...]:
    """Return services with further build arguments, by the name of each."""

    def given(service: Service) -> Service:
        more = args.get(service.name)
        if not more or service.build is None:
            return service
        kept = tuple(pair for pair in service.build.args if pair[0] not in more)
        build = replace(service.build, args=(*kept, *more.items()))
        marked = given(service.marked) if service.marked is not None else None
        return replace(service, build=build, marked=marked)

    return tuple(map(given, services))


def _changes(ports: DeployPorts, asked: Asked) -> list[ProposedChange]:
    stack = asked.planned.wanted.stack
    built = [service for service in stack.built if service.build is not None]
    names = {service.name: _dockerfile_name(service) for service in built}
    found = found_torch(built, asked.forecasts)
    declared = {
        service.name: ports.files.declared_arguments(service.build)
        for service in built
        if service.build is not None and any(each.cuda and each.service == service.name for each in found)
    }
    index = ports.environment.get(TORCH_INDEX_URL) if not asked.planned.wanted.untrusted else ""
    changes = (
        without_cuda(found, declared, names, index_url=index or CPU_INDEX),
        without_caches(asked.forecasts, names),
    )
    return [change for change in changes if change is not None]


def _dockerfile_name(service: Service) -> str:
    """Return the Dockerfile of a service as people name it: its directory and its name."""
    spec = service.build
    assert spec is not None  # noqa: S101 - asked for services that are built only
    if not spec.dockerfile:
        return f"the Dockerfile of {service.name}"
    return "/".join(spec.dockerfile.rsplit("/", 2)[-2:])


def _changed(ports: DeployPorts, asked: Asked, changes: Sequence[ProposedChange], planned: Planned) -> Remedy:
    """Forecast changes together, and return what comes of them."""
    first = changes[0]
    try:
        found = asked.again(_texts(ports, asked, changes), _args(changes))
    except (TonnageError, OSError):
        found = ()
    touched = {name for change in changes for name in (*change.lines, *change.args)}
    before = {each.service: each for each in asked.forecasts}
    known = {each.service for each in found if not each.failures or each.failures == before[each.service].failures}
    if touched <= known:
        told = _told(ports, asked, planned, found, kind=first.kind, what=first.what, todo=first.todo)
        if told is not None and told.saves_bytes > 0:
            return told
    return _unchecked(asked, changes)


def _unchecked(asked: Asked, changes: Sequence[ProposedChange]) -> Remedy:
    """Return what changes save by the first forecast, where it cannot be forecast again."""
    first, saved_bytes = changes[0], sum(change.likely_bytes for change in changes)
    decisive = worst(asked.fits)
    missing_bytes = max(0, decisive.missing_bytes - saved_bytes) if decisive is not None else 0
    return Remedy(
        kind=first.kind,
        what=first.what,
        todo=first.todo,
        saves_bytes=saved_bytes,
        missing_bytes=missing_bytes,
        checked=False,
    )


def _texts(ports: DeployPorts, asked: Asked, changes: Sequence[ProposedChange]) -> dict[tuple[str, str], str]:
    lines: dict[str, dict[int, str]] = {}
    for change in changes:
        for service, its in change.lines.items():
            for number, line in its.items():
                above = lines.setdefault(service, {}).get(number)
                lines[service][number] = f"{above}\n{line}" if above else line
    found = {}
    for each in asked.planned.wanted.stack.built:
        if each.name in lines and each.build is not None:
            text = ports.files.dockerfile(each.build)
            found[each.build.context, each.build.dockerfile] = with_lines(text, lines[each.name])
    return found


def _args(changes: Sequence[ProposedChange]) -> dict[str, Mapping[str, str]]:
    return {service: args for change in changes for service, args in change.args.items()}


def _plans(planned: Planned) -> list[_OtherPlan]:
    """Return other plans for the same stack: with cleanup, fewer versions kept, wheels shared, files elsewhere."""
    policy = planned.wanted.policy
    found = []
    if planned.purpose is Purpose.DEPLOY and (not policy.cleanup_after or policy.cleanup is not Cleanup.ALWAYS):
        found.append(
            _OtherPlan(
                kind="cleaning",
                what="build cache removed after each service",
                todo=("x-tonnage:", "  cleanup: always"),
                made=lambda old: _with_policy(old, cleanup_after=True, cleanup=Cleanup.ALWAYS),
            )
        )
    if planned.purpose is Purpose.DEPLOY and policy.keep_versions:
        found.append(
            _OtherPlan(
                kind="keep-versions",
                what="no earlier version kept, so that a rollback has to build",
                todo=("x-tonnage:", "  keep-versions: 0"),
                made=lambda old: _with_policy(old, keep_versions=0),
            )
        )
    if policy.share is Share.OFF:
        found.append(
            _OtherPlan(
                kind="share",
                what="wheels that services have in common stored once",
                todo=("x-tonnage:", "  share: auto"),
                made=lambda old: _with_policy(old, share=Share.AUTO),
            )
        )
    if policy.installer is InstallerChoice.AS_WRITTEN:
        found.append(
            _OtherPlan(
                kind="installer",
                what="wheels installed by uv, which keeps no archives during the install",
                todo=("x-tonnage:", "  installer: uv"),
                made=lambda old: _with_policy(old, installer=InstallerChoice.UV),
            )
        )
    if {_TEMPORARY} < set(planned.inventory.filesystems[0].roles):
        found.append(
            _OtherPlan(
                kind="temporary",
                what="temporary files on another disk",
                todo=("let TMPDIR of docker, and DOCKER_TMPDIR of the engine, name a directory of another disk",),
                made=_with_temporary_elsewhere,
            )
        )
    return found


def _with_policy(planned: Planned, **changed: object) -> Planned:
    policy = msgspec.structs.replace(planned.wanted.policy, **changed)
    return replace(planned, wanted=replace(planned.wanted, policy=policy))


def _with_temporary_elsewhere(planned: Planned) -> Planned:
    first, *others = planned.inventory.filesystems
    data = replace(first, roles=tuple(role for role in first.roles if role != _TEMPORARY))
    elsewhere = replace(first, mount="", roles=(_TEMPORARY,))
    return replace(planned, inventory=replace(planned.inventory, filesystems=(data, *others, elsewhere)))


def _told(
    ports: DeployPorts,
    asked: Asked,
    planned: Planned,
    forecasts: Sequence[ServiceForecast],
    *,
    kind: str,
    what: str,
    todo: tuple[str, ...],
) -> Remedy | None:
    """Judge other forecasts, or another plan; None where what they need is not known."""
    whole = forecast_stack(planned.wanted.stack.name, asked.kind, forecasts)
    fits, need, _ = fitted(ports, asked.facts, planned, forecasts, fit_into(whole, asked.rooms))
    decisive, before = worst(fits), worst(asked.fits)
    if decisive is None or before is None:
        return None
    return Remedy(
        kind=kind,
        what=what,
        todo=todo,
        saves_bytes=_peak_bytes(before, asked.need) - _peak_bytes(decisive, need),
        missing_bytes=0 if decisive.holds else decisive.missing_bytes,
    )


def _peak_bytes(fit: FilesystemFit, need: DeployNeed | None) -> int:
    if need is not None and need.mount == fit.room.mount:
        return need.peak.likely_bytes
    return fit.one_after_the_other.likely_bytes


def _together(
    ports: DeployPorts,
    asked: Asked,
    changes: Sequence[ProposedChange],
    plans: Sequence[_OtherPlan],
    kinds: Collection[str],
) -> Remedy | None:
    """Return what all that helps saves together."""
    planned = asked.planned
    for other in plans:
        planned = other.made(planned) if other.kind in kinds else planned
    made = [change for change in changes if change.kind in kinds]
    what = "all of these together"
    if not made:
        return _told(ports, asked, planned, asked.forecasts, kind=_TOGETHER, what=what, todo=())
    return replace(_changed(ports, asked, made, planned), kind=_TOGETHER, what=what, todo=())


def _reserve(asked: Asked, decisive: FilesystemFit) -> tuple[Remedy, ...]:
    """Return a lower reserve, where one would do."""
    left_bytes = decisive.room.reserve_bytes - decisive.missing_bytes
    if asked.need is not None and asked.need.mount == decisive.room.mount:
        # What is proposed has to fit by the same rule: with the high figure of the worst moment.
        most_bytes = decisive.room.available_bytes + asked.need.freed_bytes - asked.need.peak.high_bytes
        left_bytes = min(left_bytes, most_bytes)
    if left_bytes <= 0 or (asked.need is not None and asked.need.peak.grade is Grade.UNKNOWN):
        return ()
    # What is told is what is typed, so it is not rounded up.
    step = 10 ** max(0, len(str(left_bytes)) - 3)
    size = format_bytes(left_bytes // step * step)
    return (
        Remedy(
            kind="reserve",
            what=f"a reserve of {size} instead of {format_bytes(decisive.room.reserve_bytes)}",
            todo=(f"  tonnage {asked.planned.purpose} --keep-free {size.replace(' ', '')}",),
            saves_bytes=decisive.room.reserve_bytes - left_bytes,
        ),
    )
