"""``tonnage report``: the last runs, from the journal alone. No engine is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.group import verb
from tonnage.cli.options import html_option, stack_options

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags


@verb(
    "report",
    examples=(
        ("tonnage report", "The last run, step by step"),
        ("tonnage report --last 5", "The last five"),
        ("tonnage report -p hello web", "Of one stack, one service's steps"),
        ("tonnage report --html report.html", "As a page: disk over time, steps, images, services over runs"),
        ("tonnage report --accuracy --last 20", "Forecast beside measured, instruction by instruction"),
        ("tonnage report --prune", "Take out of the journal what is too old to be kept"),
    ),
    failures=(),
    about="Runs of every stack are shown; -p NAME, or -f FILE, shows those of one. Needs no engine.",
)
@stack_options
@click.option("--last", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="How many runs.")
@click.option("--accuracy", is_flag=True, help="Show how far forecasts of builds were from what was measured.")
@click.option("--prune", is_flag=True, help="Take the oldest runs of all stacks out of the journal.")
@html_option
def command(
    session: Session, *, flags: StackFlags, last: int, accuracy: bool, prune: bool, html_file: str | None
) -> None:
    """Show the last runs."""
    if prune:
        _prune(session)
        return
    from tonnage.flows.looks import last_runs, run_report  # noqa: PLC0415 - help needs none of these
    from tonnage.views.json.forms import run_form  # noqa: PLC0415
    from tonnage.views.text.runs import (  # noqa: PLC0415
        accuracy_form,
        accuracy_text,
        comparisons,
        runs_text,
    )

    if html_file is not None:
        from tonnage.views.html.run_page import run_page  # noqa: PLC0415

        if accuracy:
            raise click.UsageError("--html shows forecast beside measured already: leave --accuracy out")
        session.save_page(html_file, run_page(run_report(session.ports, flags, last)))
        if not session.json:
            return
    runs, instructions = last_runs(session.ports, flags, last)
    if accuracy:
        found = comparisons(runs, instructions)
        width = session.width
        session.answer("accuracy", lambda: accuracy_form(found), lambda: accuracy_text(found, width=width))
    else:
        form = {"runs": [run_form(run) for run in runs]}
        session.answer("runs", lambda: form, lambda: runs_text(runs, width=session.width))


def _prune(session: Session) -> None:
    from tonnage.flows.state import pruned_journal  # noqa: PLC0415 - help needs none of these
    from tonnage.views.text.runs import pruned_form, pruned_text  # noqa: PLC0415

    path, done = pruned_journal(session.ports)
    session.answer("pruned", lambda: pruned_form(path, done), lambda: pruned_text(path, done))
