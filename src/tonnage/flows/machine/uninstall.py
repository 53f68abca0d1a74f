"""Leaving: what is ours on an engine and on this machine is shown, and removed where that is asked for.

What a further part of Tonnage leaves on a machine gets a function in ``_PLACES``, and a kind in ``TraceKind``.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.uninstall.engine_traces import engine_traces, freeable_bytes
from tonnage.errors import EngineLacksError, EngineUnreachableError, LockHeldError, TonnageError
from tonnage.flows.guard import unit as guard_unit
from tonnage.flows.state import cache_directory, journal_path
from tonnage.model.deploy.run import RECLAIM
from tonnage.model.reclaim.candidate import Candidate, CandidateId, CandidateKind
from tonnage.model.reports.traces import Trace, TraceKind, TraceOutcome, TraceReport
from tonnage.runtime.deploy.observe import observe
from tonnage.runtime.engine_traces import remove_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tonnage.flows.ports import RehearsalPorts

_BLOCK_BYTES = 512
_OF_THE_ENGINE = frozenset({TraceKind.CONTAINER, TraceKind.NAME, TraceKind.IMAGE})
_NO_ENGINE = "no engine answers on this machine: what Tonnage made on one is not shown, and is kept"
_WHERE = "Written workflows, deploy.sh, settings in compose files and the engine's build cache are kept."


def uninstall(
    ports: RehearsalPorts, host: str, *, yes: bool, journal: bool, tell: Callable[[TraceOutcome], None]
) -> TraceReport:
    """Find what is ours, and remove it.

    Args:
        host: The engine's address; empty for the usual one, which need not answer.
        yes: Remove it; else it is only found.
        journal: The journal goes too.
        tell: Is told what came of each removal.

    Returns:
        What was found and done; what could not be removed is in it.

    Raises:
        EngineUnreachableError: The engine that was named does not answer, or stops answering.
        EngineLacksError: The disk of this engine cannot be read from here.
        LockHeldError: A run works on the engine.
        UsageError: A directory of ours belongs to another user.
    """
    report = _find(ports, host, journal=journal)
    if not yes:
        return report
    outcomes = list(_remove_from_engine(ports, host, report, tell)) if report.endpoint else []
    for trace in report.removable:
        if trace.kind not in _OF_THE_ENGINE:
            outcomes.append(_tried(trace, lambda each: _remove_path(ports, each)))
            tell(outcomes[-1])
    return replace(report, outcomes=tuple(outcomes))


def _find(ports: RehearsalPorts, host: str, *, journal: bool) -> TraceReport:
    local = tuple(trace for place in _PLACES for trace in place(ports, journal))
    notes = [_WHERE]
    rehearsals = Path(ports.rehearsals.root())
    if _has_entries(rehearsals):
        notes.append(f"Rehearsals that were kept are in {rehearsals}: tonnage rehearse --remove NAME removes one.")
    try:
        with ports.engines.facts(host) as facts:
            inventory = observe(facts)
    except (EngineUnreachableError, EngineLacksError):
        if host:
            raise
        return TraceReport(endpoint="", traces=local, notes=(_NO_ENGINE, *notes))
    traces = engine_traces(inventory)
    return TraceReport(
        endpoint=inventory.engine.endpoint,
        traces=(*traces, *local),
        freeable_bytes=freeable_bytes(inventory, traces),
        notes=tuple(notes),
    )


def _remove_from_engine(
    ports: RehearsalPorts, host: str, report: TraceReport, tell: Callable[[TraceOutcome], None]
) -> Iterator[TraceOutcome]:
    with ports.engines.open(host) as access:
        engine = access.facts.engine()
        with ports.engines.lock(engine, RECLAIM) as lock:
            for run in lock.others():
                raise LockHeldError(
                    "a run works on this engine, and needs what would be removed",
                    why=f"It is {run.shown}.",
                    todo="Wait until it has ended, then try again.",
                )
            acts = access.acts({}, None, ())
            for trace in report.removable:
                if trace.kind in _OF_THE_ENGINE:
                    outcome = _tried(trace, lambda each: remove_trace(access.facts, acts, each))
                    tell(outcome)
                    yield outcome


def _tried(trace: Trace, remove: Callable[[Trace], None]) -> TraceOutcome:
    try:
        remove(trace)
    except EngineUnreachableError:
        raise
    except TonnageError as error:
        return TraceOutcome(trace=trace, error=error.what)
    return TraceOutcome(trace=trace)


def _remove_path(ports: RehearsalPorts, trace: Trace) -> None:
    place = Candidate(
        candidate_id=CandidateId(CandidateKind.PATH, trace.name),
        kind=str(trace.kind),
        name=trace.name,
        unique_bytes=trace.size_bytes or 0,
        cost_s=0.0,
        removal_s=0.0,
        reason=trace.about,
        paths=(trace.name,),
    )
    ports.machine.remove_place(place, Event())


def _cache(ports: RehearsalPorts, journal: bool) -> Iterator[Trace]:  # noqa: FBT001 - each place is asked alike
    del journal
    directory = cache_directory(ports.environment).absolute()
    if directory.is_dir():
        yield Trace(
            kind=TraceKind.CACHE,
            name=str(directory),
            about="what forecasts looked up; it is looked up again",
            size_bytes=_size(directory),
        )


def _journal(ports: RehearsalPorts, journal: bool) -> Iterator[Trace]:  # noqa: FBT001 - each place is asked alike
    directory = journal_path(ports.environment).parent.absolute()
    if directory.is_dir():
        yield Trace(
            kind=TraceKind.JOURNAL,
            name=str(directory),
            about="what runs did and measured, and versions for rollback",
            size_bytes=_size(directory),
            stays="" if journal else "removed only with --journal",
        )


def _guard(ports: RehearsalPorts, journal: bool) -> Iterator[Trace]:  # noqa: FBT001 - each place is asked alike
    del ports, journal
    unit = Path(guard_unit.DIRECTORY, guard_unit.NAME)
    if unit.exists():
        yield Trace(
            kind=TraceKind.GUARD,
            name=str(unit),
            about="the guard of the disk, and its ballast",
            stays="tonnage guard --uninstall --yes removes it, with the ballast",
        )


# What lies on this machine. Each is given the ports and whether the journal goes, and yields what is there.
_PLACES: tuple[Callable[[RehearsalPorts, bool], Iterator[Trace]], ...] = (_cache, _journal, _guard)


def _size(directory: Path) -> int:
    """Return the bytes of the files below a directory of ours, without following a link."""
    total = 0
    for root, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_blocks * _BLOCK_BYTES  # noqa: PTH118 - often
    return total


def _has_entries(directory: Path) -> bool:
    with contextlib.suppress(OSError):
        return any(directory.iterdir())
    return False
