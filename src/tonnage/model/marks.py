"""Marks: characters that say of a text which part of it is a value of the process environment. Pure.

Every character of a value but blanks is moved to a plane of Unicode that no file uses, so the mark stays through
joining, cutting and replacing. What compares texts takes the marks away first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex

if TYPE_CHECKING:
    import re

_PLANE = 0xF0000
_LAST = 0xFFFD
_MARKED = regex("[\U000f0000-\U000ffffd]")
_PART = regex("[\U000f0000-\U000ffffd]+(?:\\s+[\U000f0000-\U000ffffd]+)*")
_ASCII = {code: _PLANE + code for code in range(0x21, 0x7F)}


def marked(value: str) -> str:
    """Return a value with a mark on every character but blanks."""
    if value.isascii() and value.isprintable():
        return value.translate(_ASCII)
    return "".join(each if each.isspace() else chr(_PLANE + min(ord(each), _LAST)) for each in value)


def is_marked(text: str) -> bool:
    """Whether a part of a text has marks."""
    return not text.isascii() and _MARKED.search(text) is not None


def marked_parts(text: str) -> list[str]:
    """Return the parts of a text that have marks; two values side by side are one."""
    return [] if text.isascii() else _PART.findall(text)


def is_marked_throughout(text: str) -> bool:
    """Whether all of a text has marks: nothing was written around the value."""
    return bool(text) and all(_MARKED.match(each) for each in text)


def unmarked(text: str) -> str:
    """Return a text without marks."""
    return text if text.isascii() else _MARKED.sub(_bare, text)


def _bare(match: re.Match[str]) -> str:
    return chr(ord(match[0]) - _PLANE)
