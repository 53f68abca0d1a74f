"""How a step, and a run, ended: in words, and what could not be undone."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tonnage.errors import InterruptedRunError, ReserveCrossedError
from tonnage.escapes import visible_in_line
from tonnage.model.deploy.renewal import RemoveNetworks
from tonnage.model.deploy.run import Outcome
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.errors import TonnageError
    from tonnage.model.deploy.plan import Step
    from tonnage.model.deploy.run import StepOutcome
    from tonnage.runtime.deploy.sampler import ReserveGuard


def done_before(outcomes: Sequence[StepOutcome]) -> str:
    """Return what was done, and undone, of a run that ends early."""
    done = [each.name for each in outcomes if each.outcome is Outcome.DONE and not each.undo]
    undone = [each.name for each in outcomes if each.undo]
    text = f"done before: {', '.join(done)}" if done else "nothing was changed before"
    return f"{text}; undone: {', '.join(undone)}" if undone else text


def undone_before(step: Step) -> tuple[Step, ...]:
    """Return what is undone where a run is stopped right before a step.

    Services that belong together are not left half new, nor stopped for a network that is recreated.
    """
    whole = any(isinstance(each.action, RemoveNetworks) for each in step.on_failure)
    mine = tuple(each for each in step.on_failure if whole or each.service != step.service)
    return mine if step.service else ()


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


def crossed(
    step: Step, guard: ReserveGuard, lines: Mapping[str, int], others: str, error: TonnageError | None
) -> ReserveCrossedError:
    """Return the failure of a step that the guard stopped.

    Args:
        lines: The reserve of each filesystem, by mount.
        others: Who else was at work, as a sentence.
        error: What the step itself failed with.
    """
    mount, available = guard.crossed or ("", 0)
    log = error.log if error else ""
    if guard.of_inodes:
        return ReserveCrossedError(
            f"{step.name} was stopped: {mount} has few inodes left",
            why=f"{step.why_there}{available} were available. Every file takes one, whatever its size.{others}",
            todo=f"Find where the files are:\n  du --inodes -x --max-depth=3 {shlex.quote(mount)} | sort -n | tail",
            log=log,
        )
    return ReserveCrossedError(
        f"{step.name} was stopped below the reserve of {mount}",
        why=f"{step.why_there}{format_bytes(available)} were available and"
        f" {format_bytes(lines[mount])} must remain.{others}",
        todo="See what can be freed, or lower the reserve:\n  tonnage reclaim\n  tonnage deploy --keep-free SIZE",
        log=log,
    )
