"""``tonnage reclaim``: free what is needed, cheapest to get back first, and stop. Only shows what it would do."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import click

from tonnage.cli.group import Verb
from tonnage.cli.options import stack_options, typed_value
from tonnage.errors import (
    CannotReclaimError,
    EngineLacksError,
    EngineUnreachableError,
    LockHeldError,
    StalePlanError,
    UsageError,
)
from tonnage.flows.requests import ReclaimFlags

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags


_LOOK_EVERY_S = 0.1


@click.command(
    "reclaim",
    cls=Verb,
    examples=(
        ("tonnage reclaim", "What may go, what it costs to get it back, and what stays. Removes nothing"),
        ("tonnage reclaim --until 14GB", "What would be removed to have 14 GB available"),
        ("tonnage reclaim --until 14GB --yes", "The same, done"),
        ("tonnage reclaim --for plan.json --yes", "As much as a saved plan needs"),
        ("tonnage reclaim --until 14GB --yes --background", "Begin, and go on with something else"),
        ("tonnage reclaim --wait 14GB", "Wait for what was begun, just before the space is needed"),
    ),
    failures=(CannotReclaimError, EngineUnreachableError, EngineLacksError, StalePlanError, LockHeldError),
    about="Removed is what costs least to get back, and no more than needed. Images that a container or a stack uses, "
    "what rollback goes to, and volumes that are not named are never removed.",
)
@stack_options
@click.option("--until", metavar="SIZE", help="Stop when this much is available.")
@click.option("--free", metavar="SIZE", help="Free this much, on top of what is available now.")
@click.option("--for", "plan_file", default="", metavar="PLAN", help="As much as this saved plan needs.")
@click.option("--everything", is_flag=True, help="All that may go. Asks for the stack's name.")
@click.option("--keep", multiple=True, metavar="PATTERN", help="Leave alone what has such a name; may be repeated.")
@click.option("--only", multiple=True, metavar="KIND", help="Only this kind, such as image or cache; may be repeated.")
@click.option("--volume", "volumes", multiple=True, metavar="NAME", help="This volume may go too; may be repeated.")
@click.option("--mount", default="", metavar="PATH", help="The filesystem under PATH, instead of the engine's.")
@click.option("--root", default="", metavar="DIR", help="Look for directories below DIR, instead of in this machine.")
@click.option(
    "--this-machine-is-disposable",
    "disposable",
    is_flag=True,
    help="Installed toolchains may go too, as on a hosted runner.",
)
@click.option("--yes", is_flag=True, help="Remove what is shown.")
@click.option("--background", is_flag=True, help="Go on in the background, and return at once.")
@click.option("--wait", metavar="SIZE", help="Wait until this much is available, or the background one has ended.")
@click.pass_obj
def command(
    session: Session,
    *,
    flags: StackFlags,
    until: str | None,
    free: str | None,
    plan_file: str,
    everything: bool,
    keep: tuple[str, ...],
    only: tuple[str, ...],
    volumes: tuple[str, ...],
    mount: str,
    root: str,
    disposable: bool,
    yes: bool,
    background: bool,
    wait: str | None,
) -> None:
    """Reclaim."""
    from tonnage.units import parse_bytes  # noqa: PLC0415 - help needs none of these

    typed = ReclaimFlags(
        until_bytes=None if until is None else typed_value("--until", until, parse_bytes),
        free_bytes=None if free is None else typed_value("--free", free, parse_bytes),
        plan_file=plan_file,
        everything=everything,
        keep=keep,
        only=only,
        volumes=volumes,
        mount=mount,
        # The tree of this machine is this machine, with its engine.
        root="" if root and os.path.realpath(root) == "/" else root,
        disposable=disposable,
        yes=yes,
        background=background,
        wait_bytes=None if wait is None else typed_value("--wait", wait, parse_bytes),
    )
    _check(flags, typed)
    if _is_enough(session, flags, typed):
        return
    if typed.wait_bytes is not None:
        _wait(session, flags, typed, typed.wait_bytes)
        return
    if typed.background:
        from tonnage.runtime.reclaim.background import Background  # noqa: PLC0415

        if not Background().begin():
            session.say("reclaiming in the background; before the space is needed, wait for it with --wait SIZE")
            return
    from tonnage.flows.reclaim import reclaim  # noqa: PLC0415

    reclaim(session, flags, typed)


def _wait(session: Session, flags: StackFlags, typed: ReclaimFlags, wanted_bytes: int) -> None:
    """Wait until there is enough, or nothing goes on any more that could free more."""
    from threading import Event  # noqa: PLC0415

    from tonnage.runtime.reclaim.background import Background  # noqa: PLC0415
    from tonnage.units import format_bytes  # noqa: PLC0415

    background, never = Background(), Event()
    with contextlib.ExitStack() as opened:
        look = _gauge(session, flags, typed, opened)
        while True:
            goes_on = background.is_going_on()
            mount, available_bytes = look()
            if available_bytes >= wanted_bytes:
                break
            if not goes_on:
                raise CannotReclaimError(
                    f"{mount} has {format_bytes(available_bytes)} available,"
                    f" and {format_bytes(wanted_bytes)} were waited for",
                    why="No reclaim of this user goes on in the background any more.",
                    todo=f"See what could still go:\n  tonnage reclaim --until {wanted_bytes}B",
                    log=background.said(),
                )
            session.outside.clock.wait(never, _LOOK_EVERY_S)
    session.say(f"{mount} has {format_bytes(available_bytes)} available")
    if session.json:
        from tonnage.views.text.reclaim import enough_form  # noqa: PLC0415

        session.print_document("reclaim", enough_form(mount, available_bytes, wanted_bytes))


def _gauge(
    session: Session, flags: StackFlags, typed: ReclaimFlags, opened: contextlib.ExitStack
) -> Callable[[], tuple[str, int]]:
    """Return what reads mount and available bytes of the filesystem that is meant, here or where the engine is."""
    from tonnage.adapters.host.space import space_under  # noqa: PLC0415

    outside = session.outside
    directory = typed.mount or outside.data_root(flags.host) or outside.machine.usual_data_root(flags.host)
    if directory:

        def here() -> tuple[str, int]:
            space = space_under(directory)
            return space.mount, space.available_bytes

        return here
    door = opened.enter_context(outside.engine(flags.host))
    mount = door.facts.filesystems()[0].mount
    gauge = door.gauge([mount])
    opened.callback(gauge.close)
    return lambda: (mount, gauge.available()[mount])


def _check(flags: StackFlags, typed: ReclaimFlags) -> None:
    """Refuse what contradicts itself, before anything is looked at."""
    if flags.services:
        raise UsageError(
            "reclaim works on a whole filesystem, not on services",
            todo="Name what is to stay with --keep, or the kinds that may go with --only.",
        )
    targets = (typed.until_bytes is not None, typed.free_bytes is not None, bool(typed.plan_file), typed.everything)
    if sum(targets) > 1:
        raise UsageError("--until, --free, --for and --everything exclude each other", todo="Give one of them.")
    waits = typed.wait_bytes is not None
    if waits and (any(targets) or typed.yes or typed.background):
        raise UsageError(
            "--wait only waits",
            todo="Begin with --background first:\n  tonnage reclaim --until 14GB --yes --background",
        )
    if (typed.yes or typed.background) and not any(targets):
        raise UsageError(
            "nothing says how much is to be freed",
            todo="Give a target, such as\n  tonnage reclaim --until 14GB --yes",
        )
    if typed.background and not typed.yes:
        raise UsageError(
            "--background removes things, so it needs --yes",
            todo="Look first at what would go, then add --yes and --background.",
        )
    if typed.background and typed.everything:
        raise UsageError(
            "--everything asks for a name, so it cannot go on in the background",
            todo="Give a target instead, such as\n  tonnage reclaim --until 14GB --yes --background",
        )


def _is_enough(session: Session, flags: StackFlags, typed: ReclaimFlags) -> bool:
    """Say so when there is nothing to do: that is told before an engine is talked to, or anything large is loaded."""
    wanted_bytes = typed.until_bytes if typed.wait_bytes is None else typed.wait_bytes
    if wanted_bytes is None:
        return False
    directory = typed.mount or typed.root or session.outside.data_root(flags.host)
    if not directory:
        return False
    from tonnage.adapters.host.space import space_under  # noqa: PLC0415 - only where it is known which one is meant

    space = space_under(directory)
    if space.available_bytes < wanted_bytes:
        return False
    from tonnage.units import format_bytes  # noqa: PLC0415

    session.say(
        f"nothing to do: {space.mount} has {format_bytes(space.available_bytes)} available,"
        f" and {format_bytes(wanted_bytes)} were asked for"
    )
    if session.json:
        from tonnage.views.text.reclaim import enough_form  # noqa: PLC0415

        session.print_document("reclaim", enough_form(space.mount, space.available_bytes, wanted_bytes))
    return True
