"""``tonnage explain``: what went wrong in a log, with the figures of this machine. Changes nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonnage.cli.group import verb
from tonnage.cli.options import which_stack_options
from tonnage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags
    from tonnage.runtime.clock import Clock


@verb(
    "explain",
    examples=(
        ("tonnage explain", "Why the last run that failed did so"),
        ("tonnage explain build.log", "What went wrong in this log"),
        ("tonnage explain -", "A log from a pipe"),
        ("tonnage explain logs_4711.zip", "The logs of a run of GitHub's, as they are downloaded"),
    ),
    failures=(),
    about="Uses the engine, the stack and the journal where they are there; needs none of them. A log may be packed"
    " (gzip, xz, bzip2, or a zip as GitHub gives it), or written by Windows in UTF-16. A log from another machine is"
    " told from the names, times and paths in it; the figures of this one are left out then.",
)
@click.argument("log", metavar="[LOGFILE]", default="")
@which_stack_options
def command(session: Session, *, flags: StackFlags, log: str) -> None:
    """Explain."""
    from tonnage.flows.diagnose import diagnose, diagnose_last_run  # noqa: PLC0415 - help needs none of these
    from tonnage.views.text.explanations import diagnosis_form, diagnosis_text  # noqa: PLC0415

    ports, width = session.ports, session.width
    if log:
        written_s = _written_s(log, ports.clock)
        found = diagnose(ports, ports.machine, flags, _read(log), source=log, written_s=written_s)
    else:
        found = diagnose_last_run(ports, ports.machine, flags)
    session.answer("explanations", lambda: diagnosis_form(found), lambda: diagnosis_text(found, width=width))


def _written_s(log: str, clock: Clock) -> float | None:
    """Return when a log was written: a pipe brings one of now."""
    if log == "-":
        return clock.time()
    try:
        return Path(log).stat().st_mtime
    except OSError:
        return None


def _read(log: str) -> Iterable[str]:
    """Return the lines of a log."""
    from tonnage.runtime.log_file import lines_of  # noqa: PLC0415 - help needs no archives

    try:
        if log == "-":
            return lines_of(sys.stdin.buffer, "on standard input")
        with Path(log).open("rb") as stream:
            return lines_of(stream, log)
    except OSError as error:
        raise UsageError(
            f"the log {log} cannot be read", why=f"{error.strerror}.", todo="Name a file, or - for standard input."
        ) from error
