"""What went wrong in a log, with the figures of this machine: whatever of engine, stack and journal is there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.expectations import reserve_bytes
from tonnage.decide.reports.diagnosis import Machine, explain
from tonnage.decide.reports.log_patterns import find_symptoms
from tonnage.errors import TonnageError
from tonnage.flows.forecast import forecast_now
from tonnage.flows.stack import build_environment_of, read_if_there
from tonnage.flows.state import runs_if_readable
from tonnage.flows.verdict import room_of
from tonnage.forecast.costs.totals import fit_into
from tonnage.model.reports.symptom import SymptomKind
from tonnage.runtime.deploy.observe import observe

if TYPE_CHECKING:
    from tonnage.adapters.interface import EngineFacts
    from tonnage.flows.ports import ForecastPorts, LocalMachine
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.model.deploy.run import Run
    from tonnage.model.forecast.estimate import StackForecast
    from tonnage.model.inventory import Inventory
    from tonnage.model.reports.symptom import Explanation


def diagnose(ports: ForecastPorts, machine: LocalMachine, flags: StackFlags, log: str) -> tuple[Explanation, ...]:
    """Explain a log.

    Raises:
        UsageError: A compose file was named and cannot be read.
    """
    symptoms = find_symptoms(log)
    return explain(symptoms, _machine_now(ports, machine, flags)) if symptoms else ()


def full_disk(facts: EngineFacts, run: Run, error: TonnageError) -> tuple[Explanation, ...]:
    """Explain what the log of a failed step shows, when that is a full disk: other failures speak for themselves."""
    told = "\n".join((error.what, error.why, error.log, *(step.log for step in run.steps)))
    symptoms = find_symptoms(told)
    if not symptoms:
        return ()
    machine = Machine(filesystems=facts.filesystems(), reserves=((run.filesystem, run.reserve_bytes),), run=run)
    return tuple(each for each in explain(symptoms, machine) if each.kind is SymptomKind.DISK_FULL)


def _machine_now(ports: ForecastPorts, machine: LocalMachine, flags: StackFlags) -> Machine:
    """Look at what is there; what is not there is left out, whatever the reason."""
    wanted: DesiredState | None = None
    try:
        wanted = read_if_there(ports, flags, forecasts=True)
    except TonnageError:
        if flags.files or flags.project_directory:
            raise
    with contextlib.ExitStack() as opened:
        facts: EngineFacts | None = None
        inventory: Inventory | None = None
        with contextlib.suppress(TonnageError):
            facts = opened.enter_context(ports.engines.facts(flags.host))
            inventory = observe(facts)
        disks = inventory.filesystems if inventory is not None else ()
        if not flags.host.startswith("ssh://"):
            disks += tuple(each for each in machine.filesystems() if each.mount not in {disk.mount for disk in disks})
        keep_free_bytes = wanted.policy.keep_free_bytes if wanted is not None else None
        forecast: StackForecast | None = None
        if wanted is not None:
            with contextlib.suppress(TonnageError):
                wanted = replace(wanted, stack=build_environment_of(ports, wanted.stack, ports.environment))
                forecast = forecast_now(ports, wanted, facts=facts, inventory=inventory)
    known = forecast if forecast is not None and forecast.services else None
    rooms = []
    for disk in disks:
        with contextlib.suppress(TonnageError):
            rooms.append(room_of(disk, reserve_bytes(disk, keep_free_bytes)))
    return Machine(
        filesystems=disks,
        reserves=tuple((room.mount, room.reserve_bytes) for room in rooms),
        run=next(iter(runs_if_readable(ports, 1, wanted.stack.name if wanted is not None else "")), None),
        forecast=known,
        fits=fit_into(known, rooms) if known is not None else (),
    )
