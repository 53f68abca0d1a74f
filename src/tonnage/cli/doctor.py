"""``tonnage doctor``: what this machine and engine can do, and where each setting comes from. Changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonnage.cli.group import verb
from tonnage.cli.options import policy_options, stack_options
from tonnage.errors import EngineLacksError, EngineUnreachableError
from tonnage.escapes import visible_in_line

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags


@verb(
    "doctor",
    examples=(
        ("tonnage doctor", "Everything that a deploy from here needs"),
        ("tonnage doctor --settings", "Each setting with its value and where it comes from"),
        ("tonnage doctor --builder-gc", "Limits of the engine's garbage collection that suit this stack"),
        ("tonnage doctor --builder-gc --write", "Write them into the engine's daemon.json"),
    ),
    failures=(EngineUnreachableError, EngineLacksError),
    about="Ends with the exit code of the first check that failed. The checklist of the stack changes no exit code."
    " With --builder-gc --write one file is changed, and all else in it stays; the engine reads it when it starts.",
)
@stack_options
@click.option("--settings", "show_settings", is_flag=True, help="Show the settings only. Asks no engine.")
@click.option(
    "--builder-gc",
    "suited",
    is_flag=True,
    help="Show limits of the engine's garbage collection that suit this stack, as builder.gc of its daemon.json.",
)
@click.option("--write", is_flag=True, help="With --builder-gc: write them there instead of showing them.")
@click.option(
    "--daemon-json",
    metavar="FILE",
    help="The engine's configuration (default: /etc/docker/daemon.json, or that of a rootless engine).",
)
@policy_options
def command(
    session: Session, *, flags: StackFlags, show_settings: bool, suited: bool, write: bool, daemon_json: str | None
) -> None:
    """Check."""
    from tonnage.flows.doctor import examine  # noqa: PLC0415 - help needs none of these
    from tonnage.flows.stack import read_if_there  # noqa: PLC0415
    from tonnage.flows.state import with_places  # noqa: PLC0415
    from tonnage.views.text.checks import checks_form, checks_text, items_text, settings_form, settings_text  # noqa: PLC0415
    from tonnage.views.text.garbage_collection import collection_form  # noqa: PLC0415
    from tonnage.views.text.status import filesystem_forms  # noqa: PLC0415

    if (write or daemon_json) and not suited:
        raise click.UsageError("--write and --daemon-json need --builder-gc")
    if show_settings:
        settings = with_places(read_if_there(session.ports, flags).settings, session.ports.environment)
        width = session.width
        session.answer("settings", lambda: settings_form(settings), lambda: settings_text(settings, width=width))
        return
    if suited:
        _suit(session, flags, write=write, daemon_json=daemon_json)
        return
    found = examine(session.ports, flags)
    width = session.width
    listed = f"\n\nchecklist of {found.stack}:\n{items_text(found.items, width=width)}" if found.items else ""
    if found.stack and not session.json:
        from tonnage.flows.lint.smaller import smaller  # noqa: PLC0415 - as above
        from tonnage.views.text.lint import smaller_text  # noqa: PLC0415

        less = smaller_text(smaller(session.ports, flags), width=width)
        listed += f"\n\n{less}" if less else ""
    collection = collection_form(found.collection) if found.collection is not None else None
    filesystems = filesystem_forms(found.seen.inventory, found.seen.reserves) if found.seen is not None else ()
    session.answer(
        "checks",
        lambda: checks_form(found.checks, found.items, collection, filesystems),
        lambda: checks_text(found.checks, width=width) + listed,
    )
    if found.failure is not None:
        if not session.json:
            # The check above has it.
            found.failure.todo = ""
        raise found.failure


def _suit(session: Session, flags: StackFlags, *, write: bool, daemon_json: str | None) -> None:
    from tonnage.flows.garbage_collection import suited, write_suited  # noqa: PLC0415 - help needs none of these
    from tonnage.views.text.garbage_collection import block_form, block_text  # noqa: PLC0415

    made = suited(session.ports, flags, Path(daemon_json) if daemon_json else None)
    if write and not made.current:
        write_suited(made)
    state = "current" if made.current else "written" if write else "shown"
    if session.json:
        session.print_document(
            "builder-gc", block_form(made.block, path=None if made.path is None else str(made.path), state=state)
        )
    elif state == "shown":
        session.print_text(block_text(made.block))
    where = visible_in_line(made.path) if made.path is not None else "the engine's daemon.json, on its machine"
    session.say(f"{where}: {state}" + _AFTER[state])


_AFTER = {
    "current": "",
    "written": "\nIt holds once the engine is restarted:\n  systemctl restart docker",
    "shown": "\nTo put it there:\n  tonnage doctor --builder-gc --write",
}
