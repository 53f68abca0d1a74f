"""A failure as people and programs read it. Decides only about layout; the sentences come with the failure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tonnage.escapes import visible, visible_in_line

if TYPE_CHECKING:
    from tonnage.errors import TonnageError


def failure_text(error: TonnageError, *, width: int | None = None) -> str:
    """Write a failure as a block: what, why, what to do, and the log at the end.

    Args:
        width: Columns of the terminal, for lines to end between words; None to leave them long. Commands and log lines
            are left as they are: they are to be copied.
    """
    log = ["Last lines of its log:", *map(_quoted, error.log.splitlines())] if error.log else []
    lines = [*_what_and_why("error", error, width), *log, *_todo(error, width)]
    return "\n".join((*lines, f"({error.title}, exit code {error.exit_code})"))


def note_text(error: TonnageError) -> str:
    """Write a failure that ends nothing."""
    return "\n".join((*_what_and_why("note", error, None), *_todo(error, None)))


def failure_form(error: TonnageError) -> dict[str, object]:
    """Return a failure as a JSON-able mapping."""
    return {
        "exit_code": error.exit_code,
        "title": error.title,
        "what": error.what,
        "why": error.why,
        "todo": error.todo,
        "place": error.place,
        "log": error.log,
    }


def _what_and_why(begin: str, error: TonnageError, width: int | None) -> list[str]:
    place = f"{error.place}: " if error.place else ""
    lines = [_wrapped(visible_in_line(f"{begin}: {place}{error.what}"), width)]
    if error.why:
        # Only programs and files say more than one line: what they say must not look like a line of ours.
        first, *others = visible(error.why).split("\n")
        lines += [_wrapped(first, width), *map(_quoted, others)]
    return lines


def _todo(error: TonnageError, width: int | None) -> list[str]:
    return [_wrapped(line, width) for line in visible(error.todo).split("\n")] if error.todo else []


def _quoted(line: str) -> str:
    return f"    | {visible_in_line(line)}"


def _wrapped(line: str, width: int | None) -> str:
    if width is None or line.startswith(" "):
        return line
    return textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
