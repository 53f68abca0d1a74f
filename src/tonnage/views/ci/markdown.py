"""Markdown in which nothing from outside is markup, and which is never longer than GitHub takes.

Names and messages come from a repository that may be a stranger's: they mention nobody, link nowhere, and stay in their
cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.escapes import visible_in_line
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COMMENT_CHARACTERS = 65_536
"""Source: GitHub's answer to a longer comment: "Body is too long (maximum is 65536 characters)"."""
SUMMARY_BYTES = 2**20
"""Source: GitHub's reference of workflow commands: a step's summary has 1 MiB at most, else nothing of it is shown."""

_LONGEST_NAME = 200
_FOR_THE_NOTE = 100
_WORDS = regex(r"[A-Za-z]+(?:[ -][A-Za-z]+){0,7}")


class LongTable(Struct, frozen=True, kw_only=True):
    """A table that may have to be cut.

    Args:
        head: Its heads.
        rows: What may be left out, from the end; no more are made than there is room for.
        count: How many of them there are.
        last: What stands below and stays.
        things: What a row is about: ``services``.
    """

    head: Sequence[str]
    rows: Iterable[Sequence[str]]
    count: int
    last: Sequence[Sequence[str]] = ()
    things: str


def document(
    above: Sequence[str], table: LongTable, below: Sequence[str], *, characters: int = 0, octets: int = 0
) -> str:
    """Write paragraphs with a table among them, and leave out what there is no room for.

    Args:
        characters: Characters that it may have, or
        octets: Bytes that it may have.
    """
    heads, last = (
        [_row(table.head), _row(["---", *("---:" for _ in table.head[1:])])],
        [_row(row) for row in table.last],
    )
    room = (characters or octets) - _FOR_THE_NOTE
    room -= sum(_size(part, octets) + 2 for part in (*above, *heads, *last, *below))
    rows: list[str] = []
    for cells in table.rows:
        row = _row(cells)
        room -= _size(row, octets) + 1
        if room < 0:
            break
        rows.append(row)
    more = [f"... and {table.count - len(rows)} more {table.things}"] if len(rows) < table.count else []
    written = ["\n".join((*heads, *rows, *last))] if rows or last else []
    return "\n\n".join((*above, *written, *more, *below)) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _size(text: str, octets: int) -> int:
    return len(text.encode()) if octets else len(text)


def literal(text: str, most: int = _LONGEST_NAME) -> str:
    """Return a text in which nothing is markup, in one line, as it stands in a table."""
    shown = " ".join(visible_in_line(text[: most + 1]).split())
    if len(shown) > most:
        shown = f"{shown[:most]}..."
    return f"<code>{''.join(map(_letter, shown))}</code>"


def _letter(letter: str) -> str:
    if letter.isalnum() or letter in " -":
        return letter
    # An address of a mailbox is found when everything was read; what stands between two comments is not put together.
    return "&#64;<!-- -->" if letter == "@" else f"&#{ord(letter)};"


def word(text: str) -> str:
    """Return a few words, such as an outcome, as they are, and anything else as :func:`literal` does."""
    return text if not text or _WORDS.fullmatch(text) else literal(text)
