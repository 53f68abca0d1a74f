"""``tonnage guard``: watches the engine's disks, reclaims before the reserve is reached, and warns. Needs no run."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonnage.cli.group import verb
from tonnage.cli.options import keep_free_option, stack_options
from tonnage.errors import (
    CannotReclaimError,
    EngineLacksError,
    EngineUnreachableError,
    InterruptedRunError,
    StaleFilesError,
    TonnageError,
)
from tonnage.flows.requests import typed_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.cli.session import Session
    from tonnage.flows.guard.watching import GuardLook
    from tonnage.flows.requests import StackFlags


@verb(
    "guard",
    examples=(
        ("tonnage guard", "Watch the disk of the engine until Ctrl-C, and tell what would be removed"),
        ("tonnage guard --yes", "The same, and remove it where the reserve comes near"),
        ("tonnage guard --once --yes", "Check once, for a timer; exit code 4 if a disk is still below its reserve"),
        ("tonnage guard --install", "Show the systemd unit that does so all the time"),
        ("tonnage guard --install --yes", "Write it"),
        ("tonnage guard --uninstall --yes", "Remove the unit and the ballast"),
    ),
    failures=(CannotReclaimError, EngineUnreachableError, EngineLacksError, StaleFilesError, InterruptedRunError),
    about="Where less than 1.1 times the reserve is available, things are removed as 'tonnage reclaim --until' does, "
    "cheapest to recreate first; what a container, a stack or a rollback needs stays. With --yes a file in the "
    "engine's data root holds 1 % of the disk, 256 MB at most, and is removed when the disk is full. What "
    "x-tonnage.on-failure or TONNAGE_ON_FAILURE names is notified when a disk stays below its reserve.",
)
@stack_options
@keep_free_option
@click.option("--interval", default="10s", show_default=True, metavar="TIME", help="Time between checks.")
@click.option("--until", metavar="SIZE", help="Free space to reach with a reclaim (default: 1.5 times the reserve).")
@click.option("--once", is_flag=True, help="Check once, then exit.")
@click.option("--yes", is_flag=True, help="Remove what is not needed; with --install and --uninstall: write.")
@click.option("--no-ballast", is_flag=True, help="Keep no file that is removed when the disk is full.")
@click.option("--install", is_flag=True, help="Show the systemd unit that runs the guard; with --yes write it.")
@click.option("--uninstall", is_flag=True, help="Remove that unit, and the ballast.")
def command(
    session: Session,
    *,
    flags: StackFlags,
    interval: str,
    until: str | None,
    once: bool,
    yes: bool,
    no_ballast: bool,
    install: bool,
    uninstall: bool,
) -> None:
    """Guard.

    Raises:
        UsageError: Flags contradict each other.
    """
    from tonnage.units import parse_bytes, parse_seconds  # noqa: PLC0415 - help needs none of these

    if once + install + uninstall > 1:
        raise click.UsageError("--once, --install and --uninstall exclude each other")
    if flags.services:
        raise click.UsageError("guard watches whole filesystems, not services")
    pause_s = typed_value("--interval", interval, parse_seconds)
    until_bytes = None if until is None else typed_value("--until", until, parse_bytes)
    if install:
        _install(session, flags, interval=interval, until=until, no_ballast=no_ballast, yes=yes)
        return
    if uninstall:
        _uninstall(session, flags, yes=yes)
        return
    from tonnage.flows.guard.watching import Guard, GuardSettings  # noqa: PLC0415

    guard = Guard(
        session.ports,
        flags,
        GuardSettings(until_bytes=until_bytes, yes=yes, ballast=not no_ballast),
        tell=session.say,
        warn=lambda look: _warn(session, flags, look),
    )
    if once:
        look = guard.look()
        _show(session, look)
        if look.failure is not None:
            raise look.failure
        return
    _go_on(session, guard.look, pause_s)


def _go_on(session: Session, look: Callable[[], GuardLook], pause_s: float) -> None:
    """Look again and again. What goes wrong in one look is told, and the next one comes all the same."""
    from tonnage.runtime.signals import CancelOnSignal, write_at_once  # noqa: PLC0415

    session.streams = True
    shown: tuple[str, ...] = ()
    last = ""
    with CancelOnSignal(lambda: write_at_once("guard stopped\n")) as signals:
        while not signals.cancel.is_set():
            try:
                found = look()
                last = ""
                now = tuple(disk.mount for disk in found.disks if disk.is_near or disk.lacks_inodes)
                # A log has a line where something changed, and JSON one for each look.
                if session.json or now != shown:
                    _show(session, found)
                shown = now
            except InterruptedRunError:
                break
            except TonnageError as error:
                if str(error) != last:
                    session.say(f"error: {error}")
                last = str(error)
            session.ports.clock.wait(signals.cancel, pause_s)
    raise click.exceptions.Exit(128 + (signals.number or signal.SIGINT))


def _show(session: Session, look: GuardLook) -> None:
    from tonnage.views.text.guard import guard_form, guard_lines  # noqa: PLC0415
    from tonnage.views.text.layout import joined  # noqa: PLC0415

    failure = look.failure.what if look.failure is not None else ""
    session.answer(
        "guard",
        lambda: guard_form(look.disks, look.reclaimed, look.ballast_bytes, failure),
        lambda: joined(guard_lines(look.disks, look.ballast_bytes)),
    )


def _warn(session: Session, flags: StackFlags, look: GuardLook) -> None:
    """Say what is wrong, and tell whom the user named."""
    from tonnage.flows.stack import read_if_there  # noqa: PLC0415
    from tonnage.views.json.forms import document, json_text  # noqa: PLC0415
    from tonnage.views.text.guard import guard_form  # noqa: PLC0415

    failure = look.failure
    if failure is None:
        return
    session.say(f"warning: {failure.what}" + (f": {failure.why}" if failure.why else ""))
    wanted = read_if_there(session.ports, flags).on_failure
    if wanted is None:
        return
    form = guard_form(look.disks, look.reclaimed, look.ballast_bytes, failure.what)
    trouble = session.ports.call_on_failure(wanted, json_text(document("guard", form)))
    session.say(f"on-failure: {wanted.name} was not told: {trouble}" if trouble else f"on-failure: told {wanted.name}")


def _install(
    session: Session, flags: StackFlags, *, interval: str, until: str | None, no_ballast: bool, yes: bool
) -> None:
    from tonnage.flows.guard.unit import DIRECTORY, ENABLE, NAME, unit_text, write_unit  # noqa: PLC0415

    words = [_own_program(), "guard", "--yes", "--interval", interval]
    words += [*(["--until", until] if until else []), *(["--no-ballast"] if no_ballast else [])]
    words += ["--host", flags.host] if flags.host else []
    words += ["--keep-free", flags.settings["keep-free"]] if "keep-free" in flags.settings else []
    here = session.ports.working_directory
    for file in flags.files:
        words += ["--file", str(Path(here, file))]
    text = unit_text(words)
    session.show(f"{DIRECTORY / NAME}:\n\n{text}")
    if not yes:
        session.show("nothing was written; add --yes to write what is shown")
        return
    path = write_unit(text)
    session.show(f"written: {path}\nStart it:\n  {ENABLE}")


def _uninstall(session: Session, flags: StackFlags, *, yes: bool) -> None:
    from tonnage.flows.guard.unit import DIRECTORY, DISABLE, NAME, remove_unit  # noqa: PLC0415
    from tonnage.units import format_bytes  # noqa: PLC0415

    root = session.ports.engines.data_root(flags.host) or session.ports.engines.usual_data_root(flags.host)
    if not yes:
        session.show(f"this would remove {DIRECTORY / NAME} and the ballast of {root or 'the engine'}; add --yes")
        return
    session.show(f"Stop it first where it runs:\n  {DISABLE}" if remove_unit() else "there was no unit")
    given_bytes = session.ports.machine.drop_ballast(root) if root else 0
    session.show(f"{format_bytes(given_bytes)} of ballast were given back" if given_bytes else "there was no ballast")


def _own_program() -> str:
    beside = Path(sys.executable).with_name("tonnage")
    return str(beside if beside.is_file() else Path(sys.argv[0]).absolute())
