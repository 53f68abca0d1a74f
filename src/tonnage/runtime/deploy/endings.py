"""How a step, and a run, ended: in words, and what could not be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import InterruptedRunError
from tonnage.escapes import visible_in_line
from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.errors import TonnageError
    from tonnage.model.deploy.run import StepOutcome


def done_before(outcomes: Sequence[StepOutcome]) -> str:
    """Return what was done, and undone, of a run that ends early."""
    done = [each.name for each in outcomes if each.outcome is Outcome.DONE and not each.undo]
    undone = [each.name for each in outcomes if each.undo]
    text = f"done before: {', '.join(done)}" if done else "nothing was changed before"
    return f"{text}; undone: {', '.join(undone)}" if undone else text


def with_trouble(error: TonnageError, trouble: Sequence[TonnageError]) -> TonnageError:
    """Return a failure that tells as well what could not be undone."""
    if trouble:
        told = (part for each in trouble for part in (*map(visible_in_line, (each.what, each.why)), each.todo))
        error.todo = "\n".join(part for part in (error.todo, "This could not be undone:", *told) if part)
    return error


def outcome_of(error: TonnageError | None) -> Outcome:
    """Return what a failure makes of what it ended."""
    if error is None:
        return Outcome.DONE
    return Outcome.INTERRUPTED if isinstance(error, InterruptedRunError) else Outcome.FAILED
