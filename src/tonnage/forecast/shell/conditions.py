"""``[ ... ]``, ``[[ ... ]]`` and ``test ...``: true, false, or not to be told.

Only comparisons of known words are decided. Where files are asked for, or parentheses stand, both ways are read.
"""

from __future__ import annotations

import operator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.shell_script import Word

_NUMBERS = {
    "-eq": operator.eq, "-ne": operator.ne, "-lt": operator.lt, "-le": operator.le, "-gt": operator.gt,
    "-ge": operator.ge,
}  # fmt: skip


def decide(words: Sequence[Word], *, patterns: bool = False) -> bool | None:
    """Return what a test says.

    Returns:
        True or False; None where it depends on files or on what is not known.
    """
    for joints, decisive in (({"-o", "||"}, True), ({"-a", "&&"}, False)):
        at = next((at for at, word in enumerate(words) if word.text in joints and not word.quoted), None)
        if at:
            sides = {decide(words[:at], patterns=patterns), decide(words[at + 1 :], patterns=patterns)}
            return decisive if decisive in sides else None if None in sides else not decisive
    match [word.text for word in words]:
        case []:
            return False
        case ["!", _, *_]:
            said = decide(words[1:], patterns=patterns)
            return None if said is None else not said
        case _ if not all(word.known for word in words):
            return None
        case [text]:
            return bool(text)
        case ["-z" | "-n" as asked, text]:
            return (asked == "-n") == bool(text)
        case [left, "=" | "==" | "!=" as compared, right]:
            pattern = patterns and not words[2].quoted
            return (fnmatchcase(left, right) if pattern else left == right) == (compared != "!=")
        case [left, compared, right] if compared in _NUMBERS and left.isdecimal() and right.isdecimal():
            return bool(_NUMBERS[compared](int(left), int(right)))
    return None
