"""A failure as people and programs read it. Decides only about layout; the sentences come with the failure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonnage.errors import TonnageError


def failure_text(error: TonnageError, *, width: int | None = None) -> str:
    """Write a failure as a block: what, why, what to do, and the log at the end.

    Args:
        width: Columns of the terminal, for lines to end between words; None to leave them long. Commands and log lines
            are left as they are: they are to be copied.
    """
    what = f"{error.place}: {error.what}" if error.place else error.what
    blocks = [_wrapped(f"error: {what}", width)]
    if error.why:
        blocks.append(_wrapped(error.why, width))
    if error.log:
        blocks.append("\n".join(("Last lines of its log:", *(f"    | {line}" for line in error.log.splitlines()))))
    if error.todo:
        blocks.append(_wrapped(error.todo, width))
    blocks.append(f"({error.title}, exit code {error.exit_code})")
    return "\n".join(blocks)


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


def _wrapped(text: str, width: int | None) -> str:
    if width is None:
        return text
    return "\n".join(
        line if line.startswith(" ") else textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
        for line in text.splitlines()
    )
