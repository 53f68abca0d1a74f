"""``tonnage report``: the last runs, from the journal alone. No engine is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.group import verb
from tonnage.cli.options import html_option, stack_options

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags

_LISTED = 10


@verb(
    "report",
    examples=(
        ("tonnage report", "The last ten runs, one line each"),
        ("tonnage report --run 12", "One run, step by step"),
        ("tonnage report --last 3", "The last three, step by step"),
        ("tonnage report -p hello web", "The last run of one stack, the steps of one service"),
        ("tonnage report --html report.html", "As a page: disk over time, steps, images, services over runs"),
        ("tonnage report --accuracy --last 20", "Forecast vs. measured, instruction by instruction"),
        ("tonnage report --prune", "Take out of the journal what is too old to be kept"),
    ),
    failures=(),
    about="Runs of every stack are shown; -p NAME, or -f FILE, shows those of one. Needs no engine.",
)
@stack_options
@click.option(
    "--last",
    type=click.IntRange(min=1),
    metavar="N",
    help="The last N runs step by step (with --json and --accuracy the last one where no N is given).",
)
@click.option("--run", "run_id", type=click.IntRange(min=1), metavar="N", help="Run N alone, step by step.")
@click.option("--accuracy", is_flag=True, help="Show how far forecasts of builds were from what was measured.")
@click.option("--prune", is_flag=True, help="Take the oldest runs of all stacks out of the journal.")
@html_option
def command(
    session: Session,
    *,
    flags: StackFlags,
    last: int | None,
    run_id: int | None,
    accuracy: bool,
    prune: bool,
    html_file: str | None,
) -> None:
    """Show the last runs."""
    if prune:
        _prune(session)
        return
    if html_file is not None:
        if run_id is not None and last:
            raise click.UsageError("--run shows one whole run: leave --last out")
        _save_page(session, flags, last or 1, run_id, html_file, accuracy=accuracy)
        if not session.json:
            return
    from tonnage.flows.looks import last_runs, one_run, stacks_with_runs  # noqa: PLC0415 - help needs none of these
    from tonnage.views.json.forms import run_form  # noqa: PLC0415
    from tonnage.views.text.runs import (  # noqa: PLC0415
        accuracy_form,
        accuracy_text,
        comparisons,
        run_lines_text,
        runs_text,
    )

    width = session.width
    if run_id is not None:
        if last is not None or accuracy or flags.services:
            raise click.UsageError("--run shows one whole run: leave --last, --accuracy and services out")
        found = one_run(session.ports, run_id)
        session.answer("runs", lambda: {"runs": [run_form(found)]}, lambda: runs_text([found], width=width))
        return
    listed = last is None and not accuracy and not flags.services and not session.json
    runs, instructions = last_runs(session.ports, flags, _LISTED if listed else last or 1)
    if not runs and not session.json:
        others = stacks_with_runs(session.ports)
        session.show(f"no runs of this stack yet; there are runs of {', '.join(others)}" if others else "no runs yet")
    elif accuracy:
        compared = comparisons(runs, instructions)
        session.answer("accuracy", lambda: accuracy_form(compared), lambda: accuracy_text(compared, width=width))
    else:
        form = {"runs": [run_form(run) for run in runs]}
        session.answer("runs", lambda: form, lambda: (run_lines_text if listed else runs_text)(runs, width=width))


def _save_page(
    session: Session, flags: StackFlags, last: int, run_id: int | None, html_file: str, *, accuracy: bool
) -> None:
    from tonnage.flows.looks import run_report  # noqa: PLC0415 - help needs none of these
    from tonnage.views.html.run_page import run_page  # noqa: PLC0415

    if accuracy:
        raise click.UsageError("--html shows forecast vs. measured already: leave --accuracy out")
    session.save_page(html_file, run_page(run_report(session.ports, flags, last, run_id)))


def _prune(session: Session) -> None:
    from tonnage.flows.state import pruned_journal  # noqa: PLC0415 - help needs none of these
    from tonnage.views.text.runs import pruned_form, pruned_text  # noqa: PLC0415

    path, done = pruned_journal(session.ports)
    session.answer("pruned", lambda: pruned_form(path, done), lambda: pruned_text(path, done))
