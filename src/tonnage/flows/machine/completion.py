"""What a shell can complete besides commands and options. Starts no program and asks no engine and no server.

A shell waits for it with every press of a key: what cannot be read at once is not completed.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tonnage.errors import TonnageError
from tonnage.flows.stack import stack_request
from tonnage.flows.state import runs_if_readable
from tonnage.runtime.load_stack import load_stack
from tonnage.units import format_moment

if TYPE_CHECKING:
    from tonnage.flows.ports import Process, StackPorts
    from tonnage.flows.requests import StackFlags

_RUNS = 20


def services(ports: StackPorts, flags: StackFlags) -> list[tuple[str, str]]:
    """Return the services of the stack that is meant.

    Args:
        flags: Which stack, as far as it was typed.

    Returns:
        Names, each with the image that it runs; none where there is no stack or it cannot be read.
    """
    with contextlib.suppress(TonnageError, OSError):
        stack = load_stack(stack_request(ports, flags), environment=ports.environment, compose=None, builds=False)
        return [(each.name, each.image) for each in stack.services]
    return []


def runs(ports: Process, flags: StackFlags) -> list[tuple[str, str]]:
    """Return the last runs.

    Args:
        flags: Of which project, by its name; of every one where none was typed.

    Returns:
        Numbers of runs, the newest first, each with what it was; none where there is no journal.
    """
    found = runs_if_readable(ports, _RUNS, flags.project_name)
    return [
        (str(run.run_id), f"{run.purpose} {run.stack}, {format_moment(run.started_s)}, {run.outcome}") for run in found
    ]
