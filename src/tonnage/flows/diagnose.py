"""What went wrong in a log, with the figures of this machine: whatever of engine, stack and journal is there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tonnage.decide.deploy.reserve import line_bytes
from tonnage.decide.reports.diagnosis import Machine, explain
from tonnage.decide.reports.log_patterns import find_symptoms
from tonnage.errors import TonnageError
from tonnage.flows.directories import journal_path
from tonnage.flows.forecast import needs_now
from tonnage.flows.stack import build_environment_of, read_if_there
from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from tonnage.decide.reports.diagnosis import BuildNeed
    from tonnage.flows.ports import ForecastPorts, LocalMachine, Process
    from tonnage.flows.requests import StackFlags
    from tonnage.model.deploy.run import Run
    from tonnage.model.inventory import Filesystem
    from tonnage.model.reports.symptom import Explanation


def diagnose(ports: ForecastPorts, machine: LocalMachine, flags: StackFlags, log: str) -> tuple[Explanation, ...]:
    """Explain a log.

    Args:
        ports: Where stack, engine and journal are.
        machine: This machine.
        flags: Which stack and engine, as typed.
        log: Its text.

    Returns:
        What it shows.

    Raises:
        UsageError: A compose file was named and cannot be read.
    """
    symptoms = find_symptoms(log)
    return explain(symptoms, _machine_now(ports, machine, flags)) if symptoms else ()


def _machine_now(ports: ForecastPorts, machine: LocalMachine, flags: StackFlags) -> Machine:
    """Look at what is there; what is not there is left out, whatever the reason."""
    stack, keep_free_bytes = "", None
    needs: tuple[BuildNeed, ...] = ()
    try:
        wanted = read_if_there(ports, flags, {})
        stack, keep_free_bytes = wanted.stack.name, wanted.policy.keep_free_bytes
        needs = needs_now(
            ports, build_environment_of(ports, wanted.stack), wanted.policy.assume_unknown_bytes, offline=False
        )
    except TonnageError:
        if flags.files or flags.project_directory:
            raise
    disks: tuple[Filesystem, ...] = ()
    with contextlib.suppress(TonnageError), ports.engines.facts(flags.host) as facts:
        disks = facts.filesystems()
    if not flags.host.startswith("ssh://"):
        disks += tuple(each for each in machine.filesystems() if each.mount not in {disk.mount for disk in disks})
    return Machine(filesystems=disks, lines=_lines(disks, keep_free_bytes), run=_last_run(ports, stack), needs=needs)


def _lines(disks: tuple[Filesystem, ...], keep_free_bytes: int | None) -> tuple[tuple[str, int], ...]:
    lines = []
    for disk in disks:
        with contextlib.suppress(TonnageError):
            lines.append((disk.mount, line_bytes(disk, keep_free_bytes)))
    return tuple(lines)


def _last_run(ports: Process, stack: str) -> Run | None:
    with contextlib.suppress(TonnageError):
        journal = Journal.open_existing(journal_path(ports.environment))
        if journal is not None:
            with journal:
                return next(iter(journal.runs(1, stack)), None)
    return None
