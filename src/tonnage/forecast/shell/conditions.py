"""``[ ... ]``, ``[[ ... ]]`` and ``test ...``: true, false, or not to be told."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.shell_script import Word

_NUMBERS = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_COMPARISONS = frozenset({"=", "==", "!=", "=~", "<", ">", "-nt", "-ot", "-ef"}) | _NUMBERS
_AND = frozenset({"-a", "&&"})
_OR = frozenset({"-o", "||"})


def decide(words: Sequence[Word], *, patterns: bool = False) -> bool | None:
    """Return what a test says.

    Returns:
        True or False; None where it depends on files or on what is not known.
    """
    return _Test(words, patterns=patterns).whole()


class _Test:
    """One test, read from left to right."""

    def __init__(self, words: Sequence[Word], *, patterns: bool) -> None:
        self._words = list(words)
        self._patterns = patterns
        self._at = 0

    def whole(self) -> bool | None:
        if not self._words:
            return False
        result = self._either()
        return result if self._at == len(self._words) else None

    def _peek(self, ahead: int = 0) -> str | None:
        at = self._at + ahead
        return self._words[at].text if at < len(self._words) else None

    def _either(self) -> bool | None:
        result = self._both()
        while self._peek() in _OR:
            self._at += 1
            right = self._both()
            result = True if True in {result, right} else None if None in {result, right} else False
        return result

    def _both(self) -> bool | None:
        result = self._one()
        while self._peek() in _AND:
            self._at += 1
            right = self._one()
            result = False if False in {result, right} else None if None in {result, right} else True
        return result

    def _one(self) -> bool | None:
        first = self._peek()
        if first is None:
            return None
        if first == "!" and self._peek(1) is not None:
            self._at += 1
            result = self._one()
            return None if result is None else not result
        if first == "(":
            self._at += 1
            result = self._either()
            self._at += self._peek() == ")"
            return result
        if self._peek(1) in _COMPARISONS and self._peek(2) is not None:
            left, operator, right = self._words[self._at : self._at + 3]
            self._at += 3
            return self._compare(left, operator.text, right)
        if first.startswith("-") and len(first) == 2 and self._peek(1) not in {None, *_AND, *_OR}:  # noqa: PLR2004 - -z
            word = self._words[self._at + 1]
            self._at += 2
            if first not in {"-z", "-n"} or not word.known:
                return None
            return (first == "-n") == bool(word.text)
        word = self._words[self._at]
        self._at += 1
        return bool(word.text) if word.known else None

    def _compare(self, left: Word, operator: str, right: Word) -> bool | None:
        if not (left.known and right.known):
            return None
        if operator in _NUMBERS:
            try:
                difference = int(left.text) - int(right.text)
            except ValueError:
                return None
            return {
                "-eq": difference == 0,
                "-ne": difference != 0,
                "-lt": difference < 0,
                "-le": difference <= 0,
                "-gt": difference > 0,
                "-ge": difference >= 0,
            }[operator]
        if operator not in {"=", "==", "!="}:
            return None
        same = fnmatchcase(left.text, right.text) if self._patterns and not right.quoted else left.text == right.text
        return same == (operator != "!=")
