"""``tonnage doctor``: what this machine and engine can do, and where each setting comes from. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tonnage.cli.group import verb
from tonnage.cli.options import policy_options, stack_options
from tonnage.errors import EngineLacksError, EngineUnreachableError

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags


@verb(
    "doctor",
    examples=(
        ("tonnage doctor", "Everything that a deploy from here needs"),
        ("tonnage doctor --settings", "Each setting with its value and where it comes from"),
    ),
    failures=(EngineUnreachableError, EngineLacksError),
    about="Ends with the exit code of the first check that failed. The checklist of the stack changes no exit code.",
)
@stack_options
@click.option("--settings", "show_settings", is_flag=True, help="Show the settings only. Asks no engine.")
@policy_options
def command(session: Session, *, flags: StackFlags, show_settings: bool) -> None:
    """Check."""
    from tonnage.flows.doctor import check_all, verified_checklist  # noqa: PLC0415 - help needs none of these
    from tonnage.flows.stack import read_if_there  # noqa: PLC0415
    from tonnage.views.text.checks import checks_form, checks_text, items_text, settings_form, settings_text  # noqa: PLC0415

    if show_settings:
        settings = read_if_there(session.ports, flags).settings
        width = session.width
        session.answer("settings", lambda: settings_form(settings), lambda: settings_text(settings, width=width))
        return
    checks, failure = check_all(session.ports, flags)
    stack, items = verified_checklist(session.ports, flags)
    listed = f"\n\nchecklist of {stack}:\n{items_text(items)}" if items else ""
    session.answer("checks", lambda: checks_form(checks, items), lambda: checks_text(checks) + listed)
    if failure is not None:
        raise failure
