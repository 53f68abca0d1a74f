"""Patterns of paths, as builders read them in ``.dockerignore`` and in ``COPY``; matching never goes back.

A gap (``*``, ``**/``) takes as little as lets the next fixed part match, and is not tried again: that is right where
parts do not overlap gaps of another kind. The few patterns of which it is not are followed by all their states at once.
Either way time grows with the length of a path times that of a pattern, whatever stands in them.

Source: ``patternmatcher`` of moby, read in version 0.6; Go's ``path/filepath.Match``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_PATH = 4096
"""What has more fixed characters matches no path. Source: limits.h of Linux (PATH_MAX)."""
_SLASH = "/"
_SPECIAL = regex(r"[*?\[\]\\]")


class Matcher(Protocol):
    """What a pattern matches."""

    def fullmatch(self, path: str, /) -> object | None:
        """Return something where a path matches, else None."""


class _One(Struct, frozen=True):
    """One character: a fixed one, or one of a class as a regular expression."""

    expression: str
    slash: bool = False
    may_be_slash: bool = False


class _Gap(Struct, frozen=True):
    """Characters that a wildcard stands for.

    Args:
        deep: Slashes may be among them; they end with one, or there are none.
        to_end: They go to the end of the path.
    """

    deep: bool = False
    to_end: bool = False


_Token = _One | _Gap
_STAR, _DEEP, _REST = _Gap(), _Gap(deep=True), _Gap(deep=True, to_end=True)
_ANY = _One("[^/]")


def ignore_pattern(pattern: str) -> Matcher:
    """Return what a tidy pattern of ``.dockerignore`` matches."""
    if pattern.startswith("**") and not _SPECIAL.search(pattern, 2):
        # Without a wildcard behind them, two stars in front are any beginning, also within a name.
        end = pattern[2:]
        return re.compile(f"(?:.*/)?{re.escape(end[1:])}" if end[:1] == _SLASH else f".*{re.escape(end)}", re.DOTALL)
    tokens = list(_tokens(pattern, deep=True))
    if _length(tokens) > _LONGEST_PATH:
        return re.compile(r"(?!)")
    return StateMatcher(tokens) if _overlap(tokens) else re.compile(_deep_expression(tokens), re.DOTALL)


def name_pattern(pattern: str) -> Matcher:
    """Return what one name of a source of ``COPY`` matches."""
    tokens = list(_tokens(pattern, deep=False))
    return re.compile(r"(?!)" if _length(tokens) > _LONGEST_PATH else _name_expression(tokens), re.DOTALL)


def _length(tokens: Sequence[_Token]) -> int:
    return sum(isinstance(token, _One) for token in tokens)


def _tokens(pattern: str, *, deep: bool) -> list[_Token]:
    found: list[_Token] = []
    at, ones = 0, 0
    has_class = True
    while at < len(pattern) and ones <= _LONGEST_PATH:
        character = pattern[at]
        at += 1
        token: _Token
        if character == "*":
            token, at = _gap(pattern, at) if deep else (_STAR, at)
            if found and found[-1] == token:
                continue
        elif character == "?":
            token = _ANY
        elif character == "\\" and at < len(pattern):
            token = _fixed(pattern[at])
            at += 1
        elif character == "[" and has_class and (end := _class_end(pattern, at)) > 0:
            token = _class(pattern[at:end], may_be_slash=deep)
            at = end + 1
        else:
            # Where one bracket has no end, none behind it has.
            has_class = has_class and character != "["
            token = _fixed(character)
        ones += isinstance(token, _One)
        found.append(token)
    return found


def _fixed(character: str) -> _One:
    return _One(re.escape(character), slash=character == _SLASH)


def _gap(pattern: str, at: int) -> tuple[_Gap, int]:
    """Return the gap of a star, and where it ends."""
    if pattern[at : at + 1] != "*":
        return _STAR, at
    at += 1 + (pattern[at + 1 : at + 2] == _SLASH)
    return (_REST if at >= len(pattern) else _DEEP), at


def _class_end(pattern: str, at: int) -> int:
    """Return where the class ends that begins here; the bracket that ends it is not the one that comes first in it."""
    at += pattern[at : at + 1] == "^"
    first = at
    while at < len(pattern):
        if pattern[at] == "]" and at > first:
            return at
        at += 1 + (pattern[at] == "\\")
    return -1


def _class(inside: str, *, may_be_slash: bool) -> _One:
    none_of = inside.startswith("^")
    characters: list[str] = []
    escaped: set[int] = set()
    rest = iter(inside.removeprefix("^"))
    for character in rest:
        if character == "\\":
            escaped.add(len(characters))
        characters.append(next(rest, "\\") if character == "\\" else character)
    parts: list[str] = []
    at = 0
    while at < len(characters):
        low = characters[at]
        ranges = characters[at + 1 : at + 2] == ["-"] and at + 1 not in escaped and at + 2 < len(characters)
        high = characters[at + 2] if ranges else low
        at += 3 if ranges else 1
        if low <= high:
            parts.append(re.escape(low) if low == high else f"{re.escape(low)}-{re.escape(high)}")
    text = "".join(parts)
    if not text:
        return _One("(?s:.)", may_be_slash=may_be_slash) if none_of else _One("(?!)")
    return _One(f"[{'^' if none_of else ''}{text}]", may_be_slash=may_be_slash and re.match(f"[{text}]", "/") is None
                if none_of else may_be_slash and re.match(f"[{text}]", "/") is not None)  # fmt: skip


def _overlap(tokens: Sequence[_Token]) -> bool:
    """Return whether gaps may overlap: one over directories begins within a name, or a class has a slash in it."""
    return any(
        (isinstance(token, _One) and token.may_be_slash)
        or (token == _DEEP and at > 0 and not _ends_name(tokens[at - 1]))
        for at, token in enumerate(tokens)
    )


def _ends_name(token: _Token) -> bool:
    return token.slash if isinstance(token, _One) else token.deep


def _deep_expression(tokens: Sequence[_Token]) -> str:
    """Return the expression of a pattern whose gaps over directories begin where a name does."""
    parts: list[list[_Token]] = [[]]
    for token in tokens:
        if isinstance(token, _Gap) and token.deep:
            parts.append([])
        else:
            parts[-1].append(token)
    open_end = bool(tokens) and tokens[-1] == _REST
    if open_end:
        parts.pop()
    made = [_names_expression(part) for part in parts]
    first, *others = made
    if not others:
        return first + (".*" if open_end else "")
    if open_end:
        return first + "".join(f"(?>(?:[^/]*/)*?{each})" for each in others) + ".*"
    between = "".join(f"(?>(?:[^/]*/)*?{each})" for each in others[:-1])
    return f"{first}{between}(?:[^/]*/)*?{others[-1]}"


def _names_expression(tokens: Sequence[_Token]) -> str:
    names: list[list[_Token]] = [[]]
    for token in tokens:
        if isinstance(token, _One) and token.slash:
            names.append([])
        else:
            names[-1].append(token)
    return "/".join(map(_name_expression, names))


def _name_expression(tokens: Sequence[_Token]) -> str:
    chunks = [""]
    for token in tokens:
        if isinstance(token, _Gap):
            chunks.append("")
        else:
            chunks[-1] += token.expression
    first, *others = chunks
    if not others:
        return first
    return first + "".join(f"(?>[^/]*?{each})" for each in others[:-1]) + f"[^/]*{others[-1]}"


class StateMatcher:
    """Follows a path through all the states that it may be in at once, as bits of a number."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._ones = [(at, re.compile(t.expression, re.DOTALL)) for at, t in enumerate(tokens) if isinstance(t, _One)]
        self._stars = sum(1 << at for at, token in enumerate(tokens) if token == _STAR)
        self._deep = sum(1 << at for at, token in enumerate(tokens) if token == _DEEP)
        self._rest = sum(1 << at for at, token in enumerate(tokens) if token == _REST)
        self._end = 1 << len(tokens)
        self._known: dict[str, int] = {}

    def fullmatch(self, path: str, /) -> object | None:
        """Return something where a path matches, else None."""
        before, inside = self._skipping(1), 0
        for character in path:
            if before & self._rest:
                return self
            inside |= before & self._deep
            after = (before & self._taking(character)) << 1
            if character == _SLASH:
                after |= inside << 1
            else:
                after |= before & self._stars
            before = self._skipping(after)
            if not before | inside:
                return None
        return self if before & (self._end | self._rest) else None

    def _skipping(self, states: int) -> int:
        """Add the states behind gaps that stand for nothing."""
        gaps = self._stars | self._deep
        while (more := states | ((states & gaps) << 1)) != states:
            states = more
        return states

    def _taking(self, character: str) -> int:
        known = self._known.get(character)
        if known is None:
            known = sum(1 << at for at, one in self._ones if one.fullmatch(character))
            self._known[character] = known
        return known
