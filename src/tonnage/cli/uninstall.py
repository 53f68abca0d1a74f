"""``tonnage uninstall``: show what Tonnage made on the engine and on this machine; remove it with ``--yes``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.group import verb
from tonnage.cli.options import which_stack_options
from tonnage.errors import EngineLacksError, EngineUnreachableError, LockHeldError, StepFailedError

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags


@verb(
    "uninstall",
    examples=(
        ("tonnage uninstall", "What would be removed, and what is kept. Removes nothing"),
        ("tonnage uninstall --yes", "The same, done"),
        ("tonnage uninstall --yes --journal", "Also what runs measured, and the versions for rollback"),
        ("tonnage uninstall -H ssh://user@vm.example.org", "On another machine's engine"),
    ),
    failures=(EngineUnreachableError, EngineLacksError, LockHeldError, StepFailedError),
    about="Removes names and images that only Tonnage keeps, of every stack, and its cache. Never removes an image that"
    " a container uses or that has another name; running services stay. Afterwards there is nothing to roll back to.",
)
@which_stack_options
@click.option("--yes", is_flag=True, help="Remove what is shown.")
@click.option("--journal", is_flag=True, help="The journal goes too: what runs did and measured.")
def command(session: Session, *, flags: StackFlags, yes: bool, journal: bool) -> None:
    """Leave.

    Raises:
        StepFailedError: Something could not be removed.
    """
    from tonnage.flows.machine.uninstall import uninstall  # noqa: PLC0415 - help needs none of these
    from tonnage.views.text.uninstall import outcome_text, traces_text, uninstall_form, what_now_text  # noqa: PLC0415

    report = uninstall(
        session.ports,
        flags.host,
        yes=yes,
        journal=journal,
        tell=lambda outcome: session.show(outcome_text(outcome)),
    )
    if not yes:
        session.show(traces_text(report, width=session.width))
    if session.json:
        session.print_document("uninstall", uninstall_form(report))
    if report.failed:
        raise StepFailedError(
            f"{len(report.failed)} of {len(report.removable)} things could not be removed",
            why=report.failed[0].error,
            todo="See what is left:\n  tonnage uninstall",
        )
    session.show(what_now_text(report))
