"""``tonnage report``: the last runs, from the journal alone. No engine is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.group import Verb
from tonnage.cli.options import stack_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags
    from tonnage.model.deploy.run import InstructionOutcome, Run

_MOST_INSTRUCTIONS = 5000


@click.command(
    "report",
    cls=Verb,
    examples=(
        ("tonnage report", "The last run, step by step"),
        ("tonnage report --last 5", "The last five"),
        ("tonnage report -p hello web", "Of one stack, one service's steps"),
        ("tonnage report --accuracy --last 20", "Forecast beside measured, instruction by instruction"),
    ),
    failures=(),
    about="Runs of every stack are shown; -p NAME, or -f FILE, shows those of one. Needs no engine.",
)
@stack_options
@click.option("--last", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="How many runs.")
@click.option("--accuracy", is_flag=True, help="Show how far forecasts of builds were from what was measured.")
@click.pass_obj
def command(session: Session, *, flags: StackFlags, last: int, accuracy: bool) -> None:
    """Show the last runs."""
    from msgspec.structs import replace  # noqa: PLC0415 - help needs none of these

    from tonnage.flows.directories import journal_path  # noqa: PLC0415
    from tonnage.flows.stack import read_wanted  # noqa: PLC0415
    from tonnage.runtime.journal.writer import Journal  # noqa: PLC0415
    from tonnage.views.json.plan_and_run import run_form  # noqa: PLC0415
    from tonnage.views.text.runs import runs_text  # noqa: PLC0415

    stack = flags.project_name
    if not stack and (flags.files or flags.project_directory):
        stack = read_wanted(session.outside, flags, builds=False).stack.name
    journal = Journal.open_existing(journal_path(session.outside.environment))
    runs: list[Run] = []
    instructions: tuple[InstructionOutcome, ...] = ()
    if journal is not None:
        with journal:
            runs = list(reversed(journal.runs(last, stack)))
            instructions = journal.instructions(_MOST_INSTRUCTIONS, stack) if accuracy else ()
    if flags.services:
        wanted = set(flags.services)
        runs = [replace(run, steps=tuple(step for step in run.steps if step.service in wanted)) for run in runs]
    if accuracy:
        _show_accuracy(session, runs, instructions)
    elif session.json:
        session.print_document("runs", {"runs": [run_form(run) for run in runs]})
    else:
        session.say(runs_text(runs, width=session.width))


def _show_accuracy(session: Session, runs: Sequence[Run], instructions: Sequence[InstructionOutcome]) -> None:
    from tonnage.views.text.accuracy import accuracy_form, accuracy_text, comparisons  # noqa: PLC0415 - help needs it not

    shown = {run.run_id for run in runs}
    services = {step.service for run in runs for step in run.steps}
    mine = [each for each in reversed(instructions) if each.run_id in shown and each.service in services]
    found = comparisons(runs, mine)
    if session.json:
        session.print_document("accuracy", accuracy_form(found))
    else:
        session.say(accuracy_text(found, width=session.width))
