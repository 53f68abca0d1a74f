"""``tonnage reclaim``: free what is needed, cheapest to recreate first, and stop. Only shows what it would do."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from tonnage.cli.group import verb
from tonnage.cli.options import stack_options, swarm_option
from tonnage.errors import (
    CannotReclaimError,
    EngineLacksError,
    EngineUnreachableError,
    LockHeldError,
    StalePlanError,
    TonnageError,
    UsageError,
)
from tonnage.escapes import visible_in_line
from tonnage.flows.requests import ReclaimRequest, typed_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags
    from tonnage.model.reclaim.outcome import ReclaimReport


@verb(
    "reclaim",
    examples=(
        ("tonnage reclaim", "What can be removed, what it costs to recreate, and what is kept. Removes nothing"),
        ("tonnage reclaim --until 14GB", "What would be removed to have 14 GB available"),
        ("tonnage reclaim --until 14GB --yes", "The same, done"),
        ("tonnage reclaim --for plan.json --yes", "As much as a saved plan needs"),
        ("tonnage reclaim --until 14GB --yes --background", "Begin, and go on with something else"),
        ("tonnage reclaim --swarm", "What deploys on a Swarm left on its nodes, and nothing needs any more"),
        ("tonnage reclaim --wait 14GB", "Wait for what was begun, just before the space is needed"),
    ),
    failures=(CannotReclaimError, EngineUnreachableError, EngineLacksError, StalePlanError, LockHeldError),
    about="Removes what is cheapest to recreate, and no more than needed. Images that a container or a stack uses, "
    "what rollback goes to, and volumes that are not named are never removed. Package lists and caches of this machine "
    "(apt, pip, uv) are among what can go; --only image --only cache leaves them. A target that cannot be reached ends "
    "with exit code 4, after everything removable was removed.",
)
@stack_options
@click.option("--until", metavar="SIZE", help="Stop when this much is available.")
@click.option("--free", metavar="SIZE", help="Free this much, on top of what is available now.")
@click.option("--for", "plan_file", default="", metavar="PLAN", help="As much as this saved plan needs.")
@click.option("--everything", is_flag=True, help="Remove everything removable; asks you to type the stack's name.")
@click.option(
    "--keep", multiple=True, metavar="PATTERN", help="Keep anything whose name matches PATTERN; may be repeated."
)
@click.option("--only", multiple=True, metavar="KIND", help="Only this kind, such as image or cache; may be repeated.")
@click.option("--volume", "volumes", multiple=True, metavar="NAME", help="Also remove this volume; may be repeated.")
@click.option("--mount", default="", metavar="PATH", help="The filesystem under PATH, instead of the engine's.")
@click.option("--root", default="", metavar="DIR", help="Look for directories below DIR, instead of in this machine.")
@click.option(
    "--this-machine-is-disposable",
    "disposable",
    is_flag=True,
    help="Also remove installed toolchains, as on a hosted runner.",
)
@swarm_option
@click.option("--yes", is_flag=True, help="Remove what is shown.")
@click.option("--background", is_flag=True, help="Run in the background and return immediately.")
@click.option("--wait", metavar="SIZE", help="Wait until this much is available, or the background one has ended.")
def command(
    session: Session,
    /,
    *,
    flags: StackFlags,
    until: str | None,
    free: str | None,
    root: str,
    background: bool,
    wait: str | None,
    **typed: Any,  # noqa: ANN401 - the other fields of ReclaimRequest
) -> None:
    """Reclaim.

    Raises:
        CannotReclaimError: It is not enough.
    """
    from tonnage.cli.cluster import reclaimed_there  # noqa: PLC0415 - help needs none of these
    from tonnage.units import format_bytes, parse_bytes  # noqa: PLC0415

    aimed = (until, free, wait, background or None, typed["plan_file"] or None, typed["everything"] or None)
    # What has a target is about the engine that was named, on a Swarm as well.
    untargeted = all(each is None for each in aimed) or "cluster" in flags.settings
    if untargeted and reclaimed_there(session, flags, yes=typed["yes"]):
        return
    request = ReclaimRequest(
        until_bytes=None if until is None else typed_value("--until", until, parse_bytes),
        free_bytes=None if free is None else typed_value("--free", free, parse_bytes),
        # The tree of this machine is this machine, with its engine.
        root="" if root and os.path.realpath(root) == "/" else root,
        **typed,
    )
    wait_bytes = None if wait is None else typed_value("--wait", wait, parse_bytes)
    _check(flags, request, background=background, waits=wait_bytes is not None)
    wanted_bytes = request.until_bytes if wait_bytes is None else wait_bytes
    if wanted_bytes is not None:
        from tonnage.flows.reclaim_wait import enough_already, wait_for_space  # noqa: PLC0415

        directory = request.mount or request.root or session.ports.engines.data_root(flags.host)
        report = enough_already(session.ports, directory, wanted_bytes)
        if report is not None:
            begin, end = "nothing to do: ", f", and {format_bytes(wanted_bytes)} were asked for"
        elif wait_bytes is not None:
            report, begin, end = wait_for_space(session.ports, flags.host, request.mount, wait_bytes), "", ""
        if report is not None:
            available = format_bytes(report.choice.available_bytes)
            session.show(f"{begin}{visible_in_line(report.mount)} has {available} available{end}")
            _print_form(session, report)
            return
    if background:
        from tonnage.runtime.reclaim.background import Background  # noqa: PLC0415

        if not Background().begin():
            session.say("reclaiming in the background; before the space is needed, wait for it with --wait SIZE")
            return
    from tonnage.flows.reclaim import reclaim  # noqa: PLC0415

    with _shown_as_long_as_it_is_read(session) as tell:
        report = reclaim(
            session.ports,
            flags,
            request,
            tell=tell,
            note=session.say,
            confirm=lambda name: _confirm(session, name),
            width=session.width,
        )
    _print_form(session, report)
    if report.failure is not None:
        raise report.failure
    if report.done is None and report.choice.chosen:
        session.show("nothing was removed; add --yes to remove what is shown")


@contextlib.contextmanager
def _shown_as_long_as_it_is_read(session: Session) -> Iterator[Callable[[str], None]]:
    """Show texts; what was begun is ended and journalled, also when nobody reads any more what came of it."""
    unread: list[Exception] = []

    def tell(text: str) -> None:
        try:
            session.show(text)
        except (BrokenPipeError, TonnageError) as error:
            unread.append(error)

    yield tell
    if unread:
        raise unread[0]


def _print_form(session: Session, report: ReclaimReport) -> None:
    if session.json:
        from tonnage.views.text.reclaim import reclaim_form  # noqa: PLC0415

        form = reclaim_form(report.choice, mount=report.mount, done=report.done, reasons=report.reasons)
        session.print_document("reclaim", form)


def _confirm(session: Session, name: str) -> bool:
    session.warn(f"This removes everything that is shown above. To continue, type the name of the stack: {name}")
    return sys.stdin.readline().strip() == name


def _check(flags: StackFlags, request: ReclaimRequest, *, background: bool, waits: bool) -> None:
    """Refuse what contradicts itself, before anything is looked at."""
    if flags.services:
        raise UsageError(
            "reclaim works on a whole filesystem, not on services",
            todo="Name what to keep with --keep, or the kinds to remove with --only.",
        )
    sized = (request.until_bytes, request.free_bytes)
    targets = (*(each is not None for each in sized), bool(request.plan_file), request.everything)
    if sum(targets) > 1:
        raise UsageError("--until, --free, --for and --everything exclude each other", todo="Give one of them.")
    if waits and (any(targets) or request.yes or background):
        raise UsageError(
            "--wait only waits",
            todo="Begin with --background first:\n  tonnage reclaim --until 14GB --yes --background",
        )
    if (request.yes or background) and not any(targets):
        raise UsageError("no target given", todo="Give a target, such as\n  tonnage reclaim --until 14GB --yes")
    if background and not request.yes:
        raise UsageError(
            "--background removes things, so it needs --yes",
            todo="Look first at what would go, then add --yes and --background.",
        )
    if background and request.everything:
        raise UsageError(
            "--everything asks for a name, so it cannot go on in the background",
            todo="Give a target instead, such as\n  tonnage reclaim --until 14GB --yes --background",
        )
