"""``tonnage explain``: what went wrong in a log, with the figures of this machine. Changes nothing."""

from __future__ import annotations

import io
import os
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonnage.cli.group import verb
from tonnage.cli.options import which_stack_options
from tonnage.errors import UsageError

if TYPE_CHECKING:
    from typing import BinaryIO

    from tonnage.cli.session import Session
    from tonnage.flows.requests import StackFlags
    from tonnage.runtime.clock import Clock

_LONGEST_BYTES = 64 * 2**20
_PIECE_BYTES = 2**20


@verb(
    "explain",
    examples=(
        ("tonnage explain", "Why the last run that failed did so"),
        ("tonnage explain build.log", "What went wrong in this log"),
        ("tonnage explain -", "A log from a pipe"),
    ),
    failures=(),
    about="Uses the engine, the stack and the journal where they are there; needs none of them. A log from another "
    "machine is told from the names, times and paths in it; the figures of this one are left out then.",
)
@click.argument("log", metavar="[LOGFILE]", default="")
@which_stack_options
def command(session: Session, *, flags: StackFlags, log: str) -> None:
    """Explain."""
    from tonnage.flows.diagnose import diagnose, diagnose_last_run  # noqa: PLC0415 - help needs none of these
    from tonnage.views.text.explanations import diagnosis_form, diagnosis_text  # noqa: PLC0415

    ports, width = session.ports, session.width
    if log:
        # Decoded line by line: beside its bytes nothing as large as the log is held.
        lines = io.TextIOWrapper(io.BytesIO(_read(log)), encoding="utf-8", errors="replace")
        found = diagnose(ports, ports.machine, flags, lines, source=log, written_s=_written_s(log, ports.clock))
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


def _read(log: str) -> bytes:
    """Return the end of a log: what ended a job stands there."""
    try:
        if log == "-":
            return _end(sys.stdin.buffer)
        with Path(log).open("rb") as stream:
            if not stream.seekable():
                return _end(stream)
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LONGEST_BYTES))
            return stream.read(_LONGEST_BYTES)
    except OSError as error:
        raise UsageError(
            f"the log {log} cannot be read", why=f"{error.strerror}.", todo="Name a file, or - for standard input."
        ) from error


def _end(stream: BinaryIO) -> bytes:
    """Return the end of what a pipe brings, which may be more than fits into memory."""
    pieces: deque[bytes] = deque()
    held_bytes = 0
    while piece := stream.read(_PIECE_BYTES):
        pieces.append(piece)
        held_bytes += len(piece)
        while held_bytes - len(pieces[0]) >= _LONGEST_BYTES:
            held_bytes -= len(pieces.popleft())
    if held_bytes > _LONGEST_BYTES:
        pieces[0] = pieces[0][held_bytes - _LONGEST_BYTES :]
    return b"".join(pieces)
