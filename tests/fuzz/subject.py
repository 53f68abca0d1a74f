"""What is fuzzed: a subject is a reader of something that a stranger wrote, with texts that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import TonnageError

if TYPE_CHECKING:
    from collections.abc import Callable


LONG_TIMES = 100


class Subject(Struct, frozen=True, kw_only=True):
    """One reader.

    Args:
        name: What a report calls it.
        read: Reads one text, and raises ``AssertionError`` where what came of it is wrong.
        seeds: Texts that it takes.
        words: What means something in them.
        inputs: How many the short form makes; the long one makes ``LONG_TIMES`` as many. Slow ones have few.
        long_inputs: How many the long form makes at least.
        refuses: What it may raise.
        reads: Files that it may read.
        found: Texts that were read wrongly once.
    """

    name: str
    read: Callable[[str], object]
    seeds: tuple[str, ...]
    words: tuple[str, ...] = ()
    inputs: int = 300
    long_inputs: int = 0
    refuses: tuple[type[BaseException], ...] = (TonnageError,)
    reads: tuple[str, ...] = ()
    found: tuple[str, ...] = ()


def as_bytes(text: str) -> bytes:
    """Return the bytes of a text in which some characters stand for bytes that are no text."""
    return text.encode("utf-8", "surrogateescape" if all(not 0xD800 <= ord(c) < 0xDC80 for c in text) else "replace")


def as_text(content: bytes) -> str:
    """Return bytes as a text that can be bent."""
    return content.decode("utf-8", "surrogateescape")


def whole_text(text: str) -> str:
    """Return what a file that was read as text would hold: nothing in it stands for a byte."""
    return text.encode("utf-8", "replace").decode()
