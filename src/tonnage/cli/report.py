"""``tonnage report``: the last runs, from the journal alone. No engine is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.group import Verb
from tonnage.cli.options import stack_options

if TYPE_CHECKING:
    from tonnage.cli.options import StackFlags
    from tonnage.cli.session import Session


@click.command(
    "report",
    cls=Verb,
    examples=(
        ("tonnage report", "The last run, step by step"),
        ("tonnage report --last 5", "The last five"),
        ("tonnage report -p hello web", "Of one stack, one service's steps"),
    ),
    failures=(),
    about="Runs of every stack are shown; -p NAME, or -f FILE, shows those of one. Needs no engine.",
)
@stack_options
@click.option("--last", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="How many runs.")
@click.pass_obj
def command(session: Session, *, flags: StackFlags, last: int) -> None:
    """Show the last runs."""
    from dataclasses import replace  # noqa: PLC0415 - help needs none of these

    from tonnage.cli.places import journal_path  # noqa: PLC0415
    from tonnage.cli.stacks import read_wanted  # noqa: PLC0415
    from tonnage.runtime.journal import Journal  # noqa: PLC0415
    from tonnage.views.json_forms import run_form  # noqa: PLC0415
    from tonnage.views.report import runs_text  # noqa: PLC0415

    stack = flags.project_name
    if not stack and (flags.files or flags.project_directory):
        stack = read_wanted(session.outside, flags, builds=False).stack.name
    journal = Journal.open_existing(journal_path(session.outside.environment))
    if journal is None:
        runs = []
    else:
        with journal:
            runs = list(reversed(journal.runs(last, stack)))
    if flags.services:
        wanted = set(flags.services)
        runs = [replace(run, steps=tuple(step for step in run.steps if step.service in wanted)) for run in runs]
    if session.json:
        session.print_document("runs", {"runs": [run_form(run) for run in runs]})
    else:
        session.say(runs_text(runs, width=session.width))
