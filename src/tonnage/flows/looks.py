"""Looks that change nothing: status and watch, verify, report."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.adapters.interface import Unwatched
from tonnage.decide.deploy.expectations import reserves_of
from tonnage.decide.deploy.health import prove_action
from tonnage.errors import UsageError
from tonnage.flows.stack import read_if_there, read_wanted
from tonnage.flows.state import opened_journal
from tonnage.flows.status.activity import runs_at_work, since_last_run
from tonnage.model.replacement import of_service
from tonnage.model.reports.activity import Activity
from tonnage.model.reports.run_report import RunReport
from tonnage.runtime.deploy.observe import observe
from tonnage.runtime.deploy.wait_healthy import prove_together
from tonnage.units import format_seconds
from tonnage.views.text.checks import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tonnage.adapters.interface import EngineFacts
    from tonnage.flows.ports import EnginePorts, StackPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.flows.status.activity import RecentLooks
    from tonnage.model.deploy.run import InstructionOutcome, Run
    from tonnage.model.inventory import Container, Inventory
    from tonnage.model.stack import Service, Stack
    from tonnage.runtime.clock import Clock

TIMEOUT_S = 10.0
STABILITY_S = 1.0
# How long ago a container that nothing checks may have been restarted last: one that dies after some seconds runs most
# of the time, and is waited for longer each time.
_JUST_RESTARTED_S = 60.0
_MOST_INSTRUCTIONS = 5000
_RUNS_OF_HISTORY = 60
_MOST_NAMED = 200


class Snapshot(Struct, frozen=True, kw_only=True):
    """What was seen: the inventory, the reserve of each filesystem in bytes, by mount, and what goes on."""

    inventory: Inventory
    reserves: dict[str, int]
    activity: Activity = Activity()


def look_once(
    ports: EnginePorts, flags: StackFlags, wanted: DesiredState | None = None
) -> tuple[DesiredState, Snapshot]:
    """Read the stack if there is one here, and look at the engine once, with the bytes of volumes and containers.

    Args:
        wanted: What was read already; None to read it.

    Returns:
        The stack, without a name when there is none; and what was seen.

    Raises:
        UsageError: What the user wrote cannot be used.
        EngineUnreachableError: The engine does not answer.
        EngineLacksError: The disk of this engine cannot be read from here.
    """
    wanted = wanted or read_if_there(ports, flags)
    with ports.engines.facts(flags.host, sizes=True) as facts:
        seen = look(facts, wanted)
    engine, disks = seen.inventory.engine, seen.inventory.filesystems
    activity = Activity(runs=runs_at_work(ports, engine), trends=since_last_run(ports, engine, disks))
    return wanted, replace(seen, activity=activity)


def look_again(ports: EnginePorts, facts: EngineFacts, wanted: DesiredState, recent: RecentLooks) -> Snapshot:
    """Look once more while somebody watches.

    Args:
        recent: What was seen at the looks before.

    Returns:
        What was seen, and how it changed.

    Raises:
        UsageError: The reserve leaves nothing of the data root's filesystem.
        EngineUnreachableError: The engine does not answer.
        EngineLacksError: The disk of this engine cannot be read from here.
    """
    seen = look(facts, wanted)
    available = {disk.mount: disk.available_bytes for disk in seen.inventory.filesystems}
    engine = seen.inventory.engine
    # Another machine is not asked for its locks every two seconds.
    runs = runs_at_work(ports, engine) if engine.endpoint.startswith("unix://") else ()
    return replace(seen, activity=Activity(runs=runs, trends=recent.take(ports.clock.monotonic(), available)))


def look(facts: EngineFacts, wanted: DesiredState) -> Snapshot:
    """Look once.

    Raises:
        UsageError: The reserve leaves nothing of the data root's filesystem.
        EngineUnreachableError: The engine does not answer.
        EngineLacksError: The disk of this engine cannot be read from here.
    """
    inventory = observe(facts)
    return Snapshot(inventory=inventory, reserves=reserves_of(inventory.filesystems, wanted.policy.keep_free_bytes))


def verify(ports: EnginePorts, wanted: DesiredState) -> tuple[str, list[Verdict]]:
    """Ask every service that is meant.

    Raises:
        EngineUnreachableError: The engine does not answer.
    """
    services = [each for each in wanted.stack.services if not wanted.services or each.name in wanted.services]
    with ports.engines.facts(wanted.host) as facts:
        return wanted.stack.name, _ask(ports.clock, facts, wanted.stack, services)


def _ask(clock: Clock, facts: EngineFacts, stack: Stack, services: Sequence[Service]) -> list[Verdict]:
    there = facts.containers(stack.name)
    # Nothing will come by waiting: verify starts nothing.
    missing = {each.name for each in services if each.replicas and not of_service(there, each.name)}
    actions = {
        each.name: replace(prove_action(each), timeout_s=TIMEOUT_S, stability_s=STABILITY_S, start_period_s=0.0)
        for each in services
        if each.name not in missing
    }
    found = prove_together(
        facts, project=stack.name, actions=actions, progress=Unwatched(), cancel=Event(), clock=clock
    )
    now_s = clock.time()
    there = facts.containers(stack.name)
    verdicts = []
    for service in services:
        error = found.get(service.name)
        falling = _just_restarted(of_service(there, service.name), now_s) if service.settings.probe is None else ""
        if service.name in missing:
            verdicts.append(Verdict(service=service.name, healthy=False, reason="It has no container."))
        elif error is not None:
            verdicts.append(Verdict(service=service.name, healthy=False, reason=error.why or error.what, log=error.log))
        elif falling:
            verdicts.append(Verdict(service=service.name, healthy=False, reason=falling))
        else:
            verdicts.append(Verdict(service=service.name, healthy=True))
    return verdicts


def _just_restarted(containers: Iterable[Container], now_s: float) -> str:
    """Return which container without a check does not stay up; empty for none. Who starts one by hand is no restart."""
    for each in containers:
        since_s = now_s - each.started_s
        if each.restart_count and each.alive and each.health == "none" and 0 <= since_s < _JUST_RESTARTED_S:
            times = "once" if each.restart_count == 1 else f"{each.restart_count:,} times"
            last = f"{format_seconds(since_s)} ago the last time"
            return f"{each.name} does not stay up: it was restarted {times}, {last}"
    return ""


def _refuse_unknown(services: Sequence[str], runs: Sequence[Run], more: Callable[[], Sequence[Run]]) -> None:
    """Refuse services that are in no run: what is shown of them would be empty."""
    unknown = set(services) - {step.service for run in runs for step in run.steps}
    if unknown:
        unknown -= {step.service for run in more() for step in run.steps}
    for name in sorted(unknown):
        todo = f"To see run {name}:\n  tonnage report --run {name}" if name.isdecimal() else "See:\n  tonnage report"
        raise UsageError(f"the service {name} is in no run", todo=todo)


def stacks_with_runs(ports: StackPorts) -> list[str]:
    """Return the names of the stacks that the last runs were of."""
    with opened_journal(ports.environment) as journal:
        return sorted({run.stack for run in journal.runs(_MOST_NAMED)}) if journal is not None else []


def one_run(ports: StackPorts, run_id: int) -> Run:
    """Return one run of the journal.

    Raises:
        UsageError: There is no run of that number.
    """
    with opened_journal(ports.environment) as journal:
        found = journal.run(run_id) if journal is not None else None
        newest = journal.runs(1) if journal is not None else ()
    if found is None:
        known = f"The last one is run {newest[0].run_id}." if newest else "There are no runs yet."
        raise UsageError(f"there is no run {run_id}", why=known, todo="See which there are:\n  tonnage report")
    return found


def last_runs(ports: StackPorts, flags: StackFlags, last: int) -> tuple[list[Run], list[InstructionOutcome]]:
    """Return runs, the latest last, and what their builds did instruction by instruction.

    Args:
        flags: The stack and the services that are meant; every stack where none is named.

    Raises:
        UsageError: The stack that was named cannot be read, or a service is in none of its runs.
    """
    stack = _stack_meant(ports, flags)
    with opened_journal(ports.environment) as journal:
        if journal is None:
            return [], []
        runs = list(reversed(journal.runs(last, stack)))
        if not runs:
            return [], []
        _refuse_unknown(flags.services, runs, lambda: journal.runs(_MOST_NAMED, stack))
        instructions = journal.instructions(_MOST_INSTRUCTIONS, stack)
    if flags.services:
        runs = [replace(run, steps=tuple(each for each in run.steps if each.service in flags.services)) for run in runs]
    shown = {run.run_id for run in runs}
    services = {step.service for run in runs for step in run.steps}
    return runs, [each for each in reversed(instructions) if each.run_id in shown and each.service in services]


def run_report(ports: StackPorts, flags: StackFlags, last: int, run_id: int | None = None) -> RunReport:
    """Return what a page about runs is made of.

    Args:
        flags: The stack and the services that are meant; every stack where none is named.
        last: How many runs are shown step by step; earlier ones are there as history.
        run_id: The only run that is shown step by step; None for the last ones.

    Raises:
        UsageError: The stack that was named cannot be read, or there is no such run.
    """
    history, instructions = last_runs(ports, flags, max(last, _RUNS_OF_HISTORY))
    runs = history[-last:]
    if run_id is not None:
        # Its page is as it was after that run.
        runs = [one_run(ports, run_id)]
        history = [run for run in history if run.stack == runs[0].stack and run.run_id <= run_id]
        known = {run.run_id for run in history}
        instructions = [each for each in instructions if each.run_id in known]
    with opened_journal(ports.environment) as journal:
        disk_histories = {} if journal is None else journal.disk_histories([run.run_id for run in runs])
    return RunReport(
        runs=tuple(runs),
        history=tuple(history),
        disk_histories=disk_histories,
        instructions=tuple(reversed(instructions)),
        made_s=ports.clock.time(),
    )


def _stack_meant(ports: StackPorts, flags: StackFlags) -> str:
    """Return the name of the stack that flags name; empty where they name none."""
    if flags.project_name or not (flags.files or flags.project_directory):
        return flags.project_name
    return read_wanted(ports, flags, builds=False, forecasts=False).stack.name
