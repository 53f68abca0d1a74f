"""How many bytes a script of ``sed`` may make of each byte that it reads, told from the script alone.

What only puts as many characters in place of others leaves the size as it is. Every byte that is read is part of at
most one match of each substitution, so that the longest replacement of the shortest match is a bound.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Sequence

_SAME = (100, 100)
ANYTHING = (0, 1_000)
"""For what is not understood: lines that are put before or after each, files that are read."""
_MOST = 10_000
_ADDRESS = r"(?:(?:\d+|\$|/(?:[^/\\]|\\.)*/)(?:,(?:\d+|\$|/(?:[^/\\]|\\.)*/))?\s*!?\s*)?"
_DELETES = regex(rf"{_ADDRESS}d")
_SUBSTITUTES = regex(rf"{_ADDRESS}s(?P<mark>[^\w\s\\])(?P<rest>.*)", re.DOTALL)
_FLAGS = regex(r"[gIi0-9]*")
_SPECIAL = frozenset("\\.*[]^$+?(){}|")


def percent_of(scripts: Sequence[str]) -> tuple[int, int]:
    """Return the least and the most bytes that scripts, one after the other, make of a hundred."""
    least, most = _SAME
    for script in scripts:
        for low, high in _of_script(script):
            least, most = least * low // 100, min(_MOST, -(-most * high // 100))
    return least, most


def _of_script(script: str) -> list[tuple[int, int]]:
    whole = script.strip()
    if _DELETES.fullmatch(whole):
        return [(0, 100)]
    one = _substitution(whole)
    if one is not None:
        return [one]
    # A pattern may hold what parts commands.
    parts = [each.strip() for each in whole.replace("\n", ";").split(";") if each.strip()]
    found = [(0, 100) if _DELETES.fullmatch(each) else _substitution(each) for each in parts]
    return [ANYTHING if each is None else each for each in found]


def _substitution(command: str) -> tuple[int, int] | None:
    """Return what one substitution makes of a hundred bytes; None for any other command."""
    match = _SUBSTITUTES.fullmatch(command)
    parts = _parted(match["rest"], match["mark"]) if match is not None else None
    if parts is None or not _FLAGS.fullmatch(parts[2]):
        return None
    old, new, _ = parts
    references = new.count("&") + sum(new.count(f"\\{digit}") for digit in "123456789")
    if not _SPECIAL & set(old) and not references and "\\" not in new:
        size, made = len(old.encode(errors="replace")), len(new.encode(errors="replace"))
        return _SAME if size == made or not size else (min(100, made * 100 // size), max(100, -(-made * 100 // size)))
    # At least one byte is matched; what matches none stands at a line's end or beginning, which is one byte as well.
    return 0, min(_MOST, 100 * (1 + len(new.encode(errors="replace")) + references))


def _parted(text: str, mark: str) -> tuple[str, str, str] | None:
    """Take a substitution apart at its marks, but for those that are escaped."""
    parts, part, at = list[str](), "", 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            part += text[at + 1] if text[at + 1] == mark else text[at : at + 2]
            at += 2
        elif text[at] == mark and len(parts) < 2:  # noqa: PLR2004 - the pattern and what stands in its place
            parts.append(part)
            part = ""
            at += 1
        else:
            part += text[at]
            at += 1
    return (parts[0], parts[1], part) if len(parts) == 2 else None  # noqa: PLR2004 - as above
