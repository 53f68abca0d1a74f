"""What went wrong in a log, with the figures of this machine: whatever of engine, stack and journal is there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.expectations import reserve_bytes
from tonnage.decide.reports.diagnosis import explain, run_as_told
from tonnage.decide.reports.log_patterns import read_log
from tonnage.decide.reports.log_place import machine_elsewhere, run_of_log
from tonnage.decide.reports.machine_figures import Machine, service_of
from tonnage.errors import TonnageError
from tonnage.flows.forecast import forecast_now
from tonnage.flows.stack import build_environment_of, read_if_there
from tonnage.flows.state import runs_if_readable
from tonnage.flows.verdict import room_of
from tonnage.forecast.costs.totals import fit_into
from tonnage.model.deploy.run import Outcome
from tonnage.model.reports.symptom import Diagnosis, Here, LogOrigin, ReadLog, SymptomKind
from tonnage.runtime.deploy.observe import observe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.adapters.interface import EngineFacts
    from tonnage.flows.ports import ForecastPorts, LocalMachine
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.model.deploy.run import Run
    from tonnage.model.forecast.stack_forecast import StackForecast
    from tonnage.model.inventory import Inventory
    from tonnage.model.reports.symptom import Explanation

_RUNS = 50
"""How many of the last runs a log is compared with."""


def diagnose(
    ports: ForecastPorts,
    machine: LocalMachine,
    flags: StackFlags,
    lines: Iterable[str],
    *,
    source: str = "-",
    written_s: float | None = None,
) -> Diagnosis:
    """Explain a log.

    Args:
        lines: What it holds, each line with its end or without.
        source: Where it comes from, for people.
        written_s: When it was written, where it has no times of its own; None where nobody knows.

    Returns:
        What went wrong, most telling first; nothing where the log has no known sign.

    Raises:
        UsageError: A compose file was named and cannot be read.
    """
    read = read_log(lines)
    if not read.symptoms:
        return Diagnosis(source=source)
    paths = [each.path for each in read.symptoms if each.path and not each.in_build]
    here = machine.here(paths) if not flags.host.startswith("ssh://") else Here()
    now = _machine_now(ports, machine, flags, read, here, written_s)
    return Diagnosis(source=source, explanations=explain(read.symptoms, now, read.origin))


def diagnose_last_run(ports: ForecastPorts, machine: LocalMachine, flags: StackFlags) -> Diagnosis:
    """Explain the last run that failed: of this stack, or of any where there is none in this directory.

    Raises:
        UsageError: A compose file was named and cannot be read.
    """
    wanted = _stack_if_there(ports, flags)
    name = wanted.stack.name if wanted is not None else flags.project_name
    runs = runs_if_readable(ports, _RUNS, name)
    run = next((each for each in runs if each.outcome is Outcome.FAILED), None)
    if run is None:
        return Diagnosis(source="the last failed run", found_run=False)
    failed = [each for each in run.steps if each.outcome is Outcome.FAILED]
    told = "\n".join(filter(None, (run.message, *(text for each in failed for text in (each.log, each.message)))))
    symptoms = read_log(told.splitlines()).symptoms
    now = replace(_machine_now(ports, machine, flags, ReadLog(), Here(), None), run=run)
    origin = LogOrigin(services=frozenset(each.service for each in failed[:1] if each.service))
    explained = explain(symptoms, now, origin) or (run_as_told(run),)
    later = next((each for each in runs if each.stack == run.stack and each.run_id > run.run_id), None)
    if later is not None and later.outcome is Outcome.DONE:
        since = f"This is over: run {later.run_id} of {run.stack} ended well afterwards."
        explained = (replace(explained[0], why=(since, *explained[0].why)), *explained[1:])
    return Diagnosis(source=f"run {run.run_id} of {run.stack}", explanations=explained)


def full_disk(facts: EngineFacts, run: Run, error: TonnageError) -> tuple[Explanation, ...]:
    """Explain what the log of a failed step shows, when that is a full disk: other failures speak for themselves."""
    told = "\n".join((error.what, error.why, error.log, *(step.log for step in run.steps)))
    symptoms = read_log(told.splitlines()).symptoms
    if not symptoms:
        return ()
    machine = Machine(filesystems=facts.filesystems(), reserves=((run.filesystem, run.reserve_bytes),), run=run)
    return tuple(each for each in explain(symptoms, machine) if each.kind is SymptomKind.DISK_FULL)


def _stack_if_there(ports: ForecastPorts, flags: StackFlags) -> DesiredState | None:
    try:
        return read_if_there(ports, flags, forecasts=True)
    except TonnageError:
        if flags.files or flags.project_directory:
            raise
    return None


def _machine_now(
    ports: ForecastPorts,
    machine: LocalMachine,
    flags: StackFlags,
    read: ReadLog,
    here: Here,
    written_s: float | None,
) -> Machine:
    """Look at what is there; what is not there is left out, whatever the reason."""
    wanted = _stack_if_there(ports, flags)
    elsewhere = machine_elsewhere(read, here)
    with contextlib.ExitStack() as opened:
        facts: EngineFacts | None = None
        inventory: Inventory | None = None
        with contextlib.suppress(TonnageError):
            facts = opened.enter_context(ports.engines.facts(flags.host))
            inventory = observe(facts)
        disks = inventory.filesystems if inventory is not None else ()
        if not flags.host.startswith("ssh://"):
            for each in (*machine.filesystems(), *here.filesystems):
                disks += (each,) if each.mount not in {disk.mount for disk in disks} else ()
        keep_free_bytes = wanted.policy.keep_free_bytes if wanted is not None else None
        forecast: StackForecast | None = None
        if wanted is not None:
            with contextlib.suppress(TonnageError):
                wanted = replace(wanted, stack=build_environment_of(ports, wanted.stack, ports.environment))
                forecast = forecast_now(ports, wanted, facts=facts, inventory=inventory)
    known = forecast if forecast is not None and forecast.services else None
    services = tuple(each.name for each in wanted.stack.services) if wanted is not None else ()
    if elsewhere:
        # What this machine has, and what ran here, says nothing of another one.
        return Machine(forecast=known, elsewhere=elsewhere, services=services)
    rooms = []
    for disk in disks:
        with contextlib.suppress(TonnageError):
            rooms.append(room_of(disk, reserve_bytes(disk, keep_free_bytes)))
    runs = runs_if_readable(ports, _RUNS, wanted.stack.name if wanted is not None else "")
    without = Machine(services=services)
    named = frozenset(filter(None, (service_of(each, without, read.origin) for each in read.symptoms)))
    return Machine(
        filesystems=disks,
        reserves=tuple((room.mount, room.reserve_bytes) for room in rooms),
        run=run_of_log(runs, read.origin, written_s, named),
        forecast=known,
        fits=fit_into(known, rooms) if known is not None else (),
        services=services,
        absent=here.absent,
    )
