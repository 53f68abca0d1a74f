"""``tonnage status``: disk, line, what the engine keeps, services. Changes nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tonnage.cli.group import verb
from tonnage.cli.options import keep_free_option, stack_options
from tonnage.errors import EngineLacksError, EngineUnreachableError

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags


@verb(
    "status",
    examples=(
        ("tonnage status", "The engine, and the stack of this directory if there is one"),
        ("tonnage status --json", "The same for programs"),
    ),
    failures=(EngineUnreachableError, EngineLacksError),
)
@stack_options
@keep_free_option
def command(session: Session, *, flags: StackFlags) -> None:
    """Show what is there."""
    from tonnage.flows.looks import look_once  # noqa: PLC0415 - help needs none of these
    from tonnage.views.text.status import status_form, status_text  # noqa: PLC0415

    wanted, seen = look_once(session.ports, flags)
    form = partial(status_form, seen.inventory, reserves=seen.reserves, stack=wanted.stack, services=wanted.services)
    text = partial(status_text, seen.inventory, reserves=seen.reserves, stack=wanted.stack, services=wanted.services)
    session.answer("status", form, lambda: text(width=session.width, ascii_only=session.ascii_only))
