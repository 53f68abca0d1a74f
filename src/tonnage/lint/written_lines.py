"""Where what was read of a file stands in it, such as a character of a script that was joined of several lines.

What cannot be found again exactly has no place, so that nothing is changed there.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

_BOM = "\ufeff"


class WrittenLines:
    """The lines of a file.

    Attributes:
        text: All of it, with its line ends as they are.
        newline: How its lines end.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
        self._begins = [len(_BOM) if text.startswith(_BOM) else 0]
        at = text.find("\n")
        while at >= 0:
            self._begins.append(at + 1)
            at = text.find("\n", at + 1)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._begins)

    def begin(self, number: int) -> int:
        """Return where a line begins (1-based); the end of the file for one behind the last."""
        return self._begins[number - 1] if number <= len(self._begins) else len(self.text)

    def line(self, number: int) -> str:
        """Return a line without its end."""
        return self.text[self.begin(number) : self.begin(number + 1)].removesuffix("\n").removesuffix("\r")

    def position(self, at: int) -> tuple[int, int]:
        """Return the line and the column of a character, both counted from 1."""
        number = max(1, bisect_right(self._begins, at))
        return number, at - self._begins[number - 1] + 1

    def whole(self, first: int, last: int) -> tuple[int, int]:
        """Return from where to where some lines stand, with the end of the last."""
        return self.begin(first), self.begin(last + 1)

    def indent(self, number: int) -> str:
        """Return the blanks that a line begins with."""
        line = self.line(number)
        return line[: len(line) - len(line.lstrip())]


class Passage(Struct, frozen=True):
    """A piece of joined text that stands on one line: where in the text it begins and ends, and where in the file."""

    begin: int
    end: int
    at: int


class JoinedText:
    """A text that was joined of lines of a file.

    Args:
        starts: Where in ``text`` each written line begins: offset and line.
    """

    def __init__(self, lines: WrittenLines, text: str, starts: Sequence[tuple[int, int]]) -> None:
        self.text = text
        self._passages: list[Passage] = []
        for index, (begin, number) in enumerate(starts):
            end = starts[index + 1][0] if index + 1 < len(starts) else len(text)
            piece = text[begin:end].removesuffix("\n")
            column = lines.line(number).rfind(piece)
            if column >= 0:
                self._passages.append(Passage(begin, begin + len(piece), lines.begin(number) + column))

    def at(self, offset: int) -> int | None:
        """Return where a character stands in the file; None where that cannot be told."""
        for passage in self._passages:
            if passage.begin <= offset < passage.end:
                return passage.at + offset - passage.begin
        return None

    def behind(self, offset: int) -> int | None:
        """Return the place behind the character before an offset."""
        before = self.at(offset - 1) if offset > 0 else None
        return None if before is None else before + 1

    def pieces(self, begin: int, end: int) -> tuple[tuple[int, int], ...] | None:
        """Return from where to where a stretch stands in the file, line by line; None where a part is not found."""
        found: list[tuple[int, int]] = []
        covered = begin
        for passage in self._passages:
            first, last = max(begin, passage.begin), min(end, passage.end)
            if first >= last:
                continue
            if self.text[covered:first].strip():
                return None
            covered = last
            found.append((passage.at + first - passage.begin, passage.at + last - passage.begin))
        return tuple(found) if found and not self.text[covered:end].strip() else None
