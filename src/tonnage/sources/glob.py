"""Patterns of ``${NAME#PATTERN}`` and its like: ``*``, ``?`` and escapes, in time that grows with the value.

A pattern is cut at its stars into pieces of fixed length. Each piece is looked for once, the leftmost first: where that
leads nowhere, no other place does.

Source: ``frontend/dockerfile/shell/lex.go`` of BuildKit 0.26, which has regular expressions without backtracking.
"""

from __future__ import annotations

import re
from typing import Self

from msgspec import Struct


class GlobError(ValueError):
    """A pattern that the builder refuses; its text says why."""


class Glob(Struct, frozen=True):
    """A pattern: pieces with a star between each two; ``None`` in a piece stands for any character."""

    pieces: tuple[tuple[str | None, ...], ...]

    @classmethod
    def read(cls, pattern: str) -> Self:
        """Read a pattern.

        Raises:
            GlobError: It has an escape that builders do not have.
        """
        pieces: list[list[str | None]] = [[]]
        characters = iter(pattern)
        for character in characters:
            if character == "*":
                pieces.append([])
            elif character == "?":
                pieces[-1].append(None)
            elif character == "\\":
                following = next(characters, "")
                if not following or following not in r"*?\}/":
                    raise GlobError(f"\\{following} is an escape that builders do not have")
                pieces[-1].append(following)
            else:
                pieces[-1].append(character)
        return cls(tuple(map(tuple, pieces)))

    def without_front(self, value: str, *, longest: bool) -> str:
        """Return a value without what matches at its front."""
        first, *rest = map(_compiled, self.pieces)
        found = first.match(value)
        end = -1 if found is None else found.end() if not rest else _end(rest, value, found.end(), longest=longest)
        return value if end < 0 else value[end:]

    def without_end(self, value: str, *, longest: bool) -> str:
        """Return a value without what matches at its end: seen in a mirror, that is its front."""
        mirrored = Glob(tuple(piece[::-1] for piece in self.pieces[::-1]))
        return mirrored.without_front(value[::-1], longest=longest)[::-1]

    def replaced(self, value: str, by: str, *, everywhere: bool, most: int) -> str:
        """Return a value with the first match, or every one, replaced; nothing that would be longer than ``most``."""
        first, *rest = map(_compiled, self.pieces)
        parts: list[str] = []
        at = done = 0
        length = 0
        while found := first.search(value, at):
            end = found.end() if not rest else _end(rest, value, found.end(), longest=True)
            # What does not follow on this place follows on no later one either.
            if end < 0 or length > most:
                break
            parts += [value[done : found.start()], by]
            length += len(parts[-1]) + len(parts[-2])
            done, at = end, end + (end == found.start())
            if not everywhere or at > len(value):
                break
        return "".join((*parts, value[done:]))


def _end(pieces: list[re.Pattern[str]], value: str, at: int, *, longest: bool) -> int:
    """Return where a match ends whose first piece ends at a place; -1 where there is none."""
    *middle, last = pieces
    for piece in middle:
        found = piece.search(value, at)
        if found is None:
            return -1
        at = found.end()
    found = last.search(value, at)
    if found is None:
        return -1
    if longest:
        # From the right: the piece has a fixed length, so its last place is found from the end.
        width = found.end() - found.start()
        start = next(start for start in range(len(value) - width, at - 1, -1) if last.match(value, start))
        return start + width
    return found.end()


def _compiled(piece: tuple[str | None, ...]) -> re.Pattern[str]:
    return re.compile("".join("." if each is None else re.escape(each) for each in piece), re.DOTALL)
