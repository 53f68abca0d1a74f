"""``tonnage lint``: every waste of disk in Dockerfiles and requirement files, with its price in bytes, and its fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage import __version__
from tonnage.cli.group import verb
from tonnage.cli.options import ask_hosts_option, untrusted_option, which_stack_options
from tonnage.errors import LimitPassedError, UsageError

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags
    from tonnage.model.reports.lint import LintReport

_MOST_TOLD = 5
"""Files that an error names, of those that could not be read."""


@verb(
    "lint",
    examples=(
        ("tonnage lint", "The stack of this directory, and every Dockerfile below it"),
        ("tonnage lint --fix", "Fix what is safe, and show the difference"),
        ("tonnage lint --fix=apt-recommends --dry-run", "Show what a fix that needs a decision would change"),
        ("tonnage lint --fail-over 500MB", "End with 11 where more than that could be saved"),
        ("tonnage lint --no-prices Dockerfile", "One file, without a forecast"),
        ("tonnage lint --diff origin/main", "What a pull request adds"),
        ("tonnage lint --output sarif > lint.sarif", "For code scanning of GitHub"),
    ),
    failures=(LimitPassedError,),
    about="Prices are forecasts of the stack without and with each fix, which is made in memory; a file that no service"
    " is built from has none. A comment '# tonnage: ignore=RULE' or '# hadolint ignore=DL3042' above an instruction"
    " leaves it out. docs/lint.md has every rule.",
)
@click.argument("named", nargs=-1, metavar="[PATH|SERVICE]...")
@which_stack_options
@click.option(
    "--fix",
    is_flag=False,
    flag_value="safe",
    multiple=True,
    metavar="[=RULE]",
    help="Fix what is safe, or what a rule finds although it needs a decision. Write paths before it.",
)
@click.option("--dry-run", is_flag=True, help="With --fix: only show the difference.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    help="How findings are told: for people, as JSON, as SARIF, or as annotations of a GitHub job.",
)
@click.option(
    "--diff", "since", default="", metavar="REF", help="Only tell what files have that they had not at a commit."
)
@click.option("--no-prices", is_flag=True, help="Forecast nothing.")
@click.option("--offline", is_flag=True, help="Make no network requests for prices; use cached answers only.")
@click.option("--fail-over", metavar="SIZE", help="End with 11 where more than this could be saved.")
@click.option("--fail-on-findings", is_flag=True, help="End with 11 where a finding remains.")
@untrusted_option
@ask_hosts_option
def command(
    session: Session,
    /,
    *,
    flags: StackFlags,
    named: tuple[str, ...],
    fix: tuple[str, ...],
    dry_run: bool,
    output: str,
    since: str,
    no_prices: bool,
    offline: bool,
    fail_over: str | None,
    fail_on_findings: bool,
) -> None:
    """Lint.

    Raises:
        UsageError: A file could not be read; the others were looked at.
        LimitPassedError: More than allowed could be saved.
    """
    from tonnage.flows.lint.linter import LintRequest, lint  # noqa: PLC0415 - help needs none of these
    from tonnage.flows.requests import typed_value  # noqa: PLC0415
    from tonnage.units import parse_bytes  # noqa: PLC0415
    from tonnage.views.text.lint import change_text, changed_text  # noqa: PLC0415

    limit_bytes = None if fail_over is None else typed_value("--fail-over", fail_over, parse_bytes)
    if limit_bytes is not None and no_prices:
        raise UsageError("--fail-over compares prices, and --no-prices makes none", todo="Leave one of them out.")
    if dry_run and not fix:
        raise UsageError("--dry-run is about --fix", todo="Show what would be fixed:\n  tonnage lint --fix --dry-run")
    request = LintRequest(named=named, fix=fix, writes=not dry_run, prices=not no_prices, offline=offline, since=since)

    # SARIF has standard output for itself, as JSON has.
    tell = session.say if output == "sarif" else session.show

    def show(report: LintReport) -> None:
        for change in report.changes:
            tell(change_text(change))

    report = lint(session.ports, flags, request, show=show)
    _print(session, report, output)
    if fix:
        tell(changed_text(report.changes, written=not dry_run))
    for note in report.notes:
        session.say(f"note: {note}")
    # Said again where the answer and the errors go to different places.
    together = output == "text" and not session.json and session.stdout.isatty() and session.stderr.isatty()
    _judge(report, limit_bytes, told=together)
    left = len(report.findings) - (0 if dry_run else sum(len(each.fixed) for each in report.changes))
    if fail_on_findings and left > 0:
        raise LimitPassedError(f"{left} finding{'s' if left != 1 else ''} left", todo="They are listed above.")


def _print(session: Session, report: LintReport, output: str) -> None:
    from tonnage.views.ci.annotations import annotation_lines  # noqa: PLC0415 - as above
    from tonnage.views.ci.sarif import left_out_of_sarif, sarif_form  # noqa: PLC0415
    from tonnage.views.json.forms import json_text  # noqa: PLC0415
    from tonnage.views.json.lint import lint_form  # noqa: PLC0415
    from tonnage.views.text.lint import lint_text  # noqa: PLC0415

    session.json = session.json or output == "json"
    if session.json:
        session.print_document("lint", lint_form(report))
    elif output == "sarif":
        form = sarif_form(report, version=__version__)
        session.print_text(json_text(form))
        left_out = left_out_of_sarif(report, form)
        if left_out:
            session.say(f"note: {left_out}")
    else:
        if output == "github":
            session.print_commands(annotation_lines(report))
        session.show(lint_text(report, width=session.width))


def _judge(report: LintReport, limit_bytes: int | None, *, told: bool) -> None:
    from tonnage.units import format_bytes  # noqa: PLC0415 - as above

    removable_bytes = report.removable.likely_bytes if report.removable is not None else 0
    if limit_bytes is not None and removable_bytes > limit_bytes:
        raise LimitPassedError(
            f"{format_bytes(removable_bytes)} can be saved, and {format_bytes(limit_bytes)} are allowed",
            todo="To fix what is safe:\n  tonnage lint --fix",
        )
    unread = [each for each in report.files if each.failure]
    if unread:
        why = "" if told else "\n".join(f"{each.shown}: {each.failure}" for each in unread[:_MOST_TOLD])
        files = "1 file" if len(unread) == 1 else f"{len(unread)} files"
        todo = "Correct what is listed as skipped above." if told else "Correct what is named there."
        raise UsageError(f"{files} could not be read", why=why, todo=todo)
