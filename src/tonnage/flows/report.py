"""The last runs, from the journal alone. No engine is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.flows.history import opened_journal
from tonnage.flows.stack import read_wanted

if TYPE_CHECKING:
    from tonnage.flows.ports import StackPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.model.deploy.run import InstructionOutcome, Run

_MOST_INSTRUCTIONS = 5000


def last_runs(ports: StackPorts, flags: StackFlags, last: int) -> tuple[list[Run], list[InstructionOutcome]]:
    """Return runs, and what their builds did instruction by instruction.

    Args:
        flags: The stack and the services that are meant; every stack where none is named.

    Raises:
        UsageError: The stack that was named cannot be read.
    """
    stack = flags.project_name
    if not stack and (flags.files or flags.project_directory):
        stack = read_wanted(ports, flags, builds=False).stack.name
    with opened_journal(ports.environment) as journal:
        if journal is None:
            return [], []
        runs = list(reversed(journal.runs(last, stack)))
        instructions = journal.instructions(_MOST_INSTRUCTIONS, stack)
    if flags.services:
        runs = [replace(run, steps=tuple(each for each in run.steps if each.service in flags.services)) for run in runs]
    shown = {run.run_id for run in runs}
    services = {step.service for run in runs for step in run.steps}
    return runs, [each for each in reversed(instructions) if each.run_id in shown and each.service in services]
