"""Inputs for readers: texts that were right once, bent. The same seed and number make the same input everywhere."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONGEST = 40_000
"""Characters of the longest input; what is quadratic takes long with as many, and what is linear does not."""

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")

# What ends a line somewhere, controls a terminal, turns the direction of writing, or stands for a byte that is no text.
_CHARACTERS = (
    *map(chr, range(32)), "\x7f", "\x80", "\x85", "\x9b", "\xa0", "\xad", "\u200b", "\u202e", "\u2028", "\u2029",
    "\u2066", "\ufeff", "\ufffd", "\u0130", "\u00b2", "\u0661", "\U0001f4a9", "\U000e0041", "e\u0301",
    "\udc80", "\udcff",
)  # fmt: skip
_NUMBERS = (
    "0", "-0", "-1", "1", "00", "07", "0x10", "1e9", "1e400", "-1e400", "1__2", "1_000", "NaN", "Infinity", ".5", "5.",
    "2147483648", "4294967296", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
    "18446744073709551616", "1" * 40, "9" * 400, "9" * 5000, "\u0661\u0662", "\u00b2",
)  # fmt: skip
_WORDS = (
    "${A}", "$A", "${A:-${B:-c}}", "${A:?x}", "${", "$$", "$(a)", "`a`", "%s", "%(a)s", "{}", "{0}", "../", "/", "//",
    "\\", "\\\n", "'", '"', '"""', "#", ";", "&&", "|", ">", "<", "<<E\n", "*", "**", "**/", "?", "[", "]", "[!", "(",
    ")", "{", "}", ",", ":", "::", "##[", "::error::", "=", "==", "@", "!", "~", "-", "--", "--x=", "null", "true",
    "[]", "{}", '""', "\n", "\r\n", "\n\n", "\t", " ", "/dev/zero", "/proc/self/environ", "file:///etc/passwd",
    "http://[", "http://a:99999/", "https://u:p@host.example.org/", "\\u0000", "\\ud800", "\\x", "a" * 300,
)  # fmt: skip
_OPENING = ("(", "[", "{", "<", '"', "'", "$(", "${A:-", "((", "if a; then ", "{a,", "[[", "- ", "  ", "!(", "`")
_NODES: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 1e308, 0.5, "", "a", "null",
    "\x1b]0;x\x07", "\ud800", "\u202e", "-1", "9" * 30, "1e5", [], {}, [None], [[]], [{}], {"": None}, {"a": []},
)  # fmt: skip


def number_of(seed: int, subject: str, index: int) -> random.Random:
    """Return the randomness of one input."""
    return random.Random(f"{seed} {subject} {index}")


class Bender:
    """Bends seeds.

    Args:
        seeds: Texts that are right.
        words: What means something in them, to be put in anywhere.
    """

    def __init__(self, seeds: Sequence[str], words: Sequence[str] = ()) -> None:
        self._seeds = seeds
        self._own = words or _WORDS
        self._is_json = all(seed[:1] in {"{", "["} and _parsed(seed) is not None for seed in seeds)

    def bent(self, chosen: random.Random) -> str:
        """Return one input."""
        text = chosen.choice(self._seeds)
        # Most have one fault or a few: what has many is refused at the first.
        for _ in range(1 + min(int(chosen.expovariate(0.6)), 12)):
            if self._is_json and chosen.random() < 0.6:
                text = _bent_document(text, chosen)
            else:
                text = chosen.choice(_WAYS)(text, chosen, self)
            text = text[:LONGEST]
        return text

    def word(self, chosen: random.Random) -> str:
        """Return something to put in."""
        kind = chosen.random()
        if kind < 0.45:
            return chosen.choice(self._own)
        if kind < 0.65:
            return chosen.choice(_WORDS)
        if kind < 0.8:
            return chosen.choice(_CHARACTERS)
        if kind < 0.9:
            return chosen.choice(_NUMBERS)
        return chr(chosen.choice((chosen.randrange(128), chosen.randrange(0x2500), chosen.randrange(0xD800))))

    def other(self, chosen: random.Random) -> str:
        """Return another text that is right."""
        return chosen.choice(self._seeds)


def _span(text: str, chosen: random.Random) -> tuple[int, int]:
    """Return a short piece of a text, mostly one that begins and ends between words."""
    if not text:
        return 0, 0
    begin = chosen.randrange(len(text))
    if chosen.random() < 0.6:
        found = _TOKEN.search(text, begin)
        if found:
            return found.span()
    return begin, min(len(text), begin + chosen.choice((1, 1, 2, 4, 9, 40, 400)))


def _lines(text: str, chosen: random.Random) -> tuple[list[str], int]:
    lines = text.split("\n")
    return lines, chosen.randrange(len(lines))


def _put_in(text: str, chosen: random.Random, bender: Bender) -> str:
    at = _span(text, chosen)[0]
    return text[:at] + bender.word(chosen) + text[at:]


def _put_in_place_of(text: str, chosen: random.Random, bender: Bender) -> str:
    begin, end = _span(text, chosen)
    return text[:begin] + bender.word(chosen) + text[end:]


def _left_out(text: str, chosen: random.Random, _bender: Bender) -> str:
    begin, end = _span(text, chosen)
    return text[:begin] + text[end:]


def _cut_off(text: str, chosen: random.Random, _bender: Bender) -> str:
    return text[: _span(text, chosen)[0]]


def _again(text: str, chosen: random.Random, _bender: Bender) -> str:
    begin, end = _span(text, chosen)
    return text[:begin] + text[begin:end] * chosen.choice((2, 2, 3, 17)) + text[end:]


def _very_often(text: str, chosen: random.Random, bender: Bender) -> str:
    if chosen.random() > 0.06:
        return _again(text, chosen, bender)
    begin, end = _span(text, chosen)
    piece = chosen.choice((text[begin:end], bender.word(chosen), bender.word(chosen) + bender.word(chosen)))[:60]
    return text[:begin] + piece * chosen.choice((100, 1000, LONGEST // (len(piece) or 1))) + text[end:]


def _nested(text: str, chosen: random.Random, bender: Bender) -> str:
    begin, end = _span(text, chosen)
    often = chosen.choice((1, 2, 5)) if chosen.random() > 0.03 else chosen.choice((90, 400, 5000))
    opening = chosen.choice((*_OPENING, bender.word(chosen)))[:20]
    closing = opening.translate(str.maketrans("([{<", ")]}>"))[::-1] if chosen.random() < 0.7 else ""
    return text[:begin] + opening * often + text[begin:end] + closing * often + text[end:]


def _other_number(text: str, chosen: random.Random, bender: Bender) -> str:
    found = list(_NUMBER.finditer(text[:4000]))
    if not found:
        return _put_in(text, chosen, bender)
    begin, end = chosen.choice(found).span()
    return text[:begin] + chosen.choice(_NUMBERS) + text[end:]


def _line_moved(text: str, chosen: random.Random, bender: Bender) -> str:
    lines, at = _lines(text, chosen)
    way = chosen.randrange(6)
    if way == 0:
        lines.insert(chosen.randrange(len(lines) + 1), lines.pop(at))
    elif way == 1:
        lines.insert(chosen.randrange(len(lines) + 1), lines[at])
    elif way == 2:
        lines[at] = chosen.choice(("  ", " ", "\t", "    ", "- ", "# ")) + lines[at]
    elif way == 3:
        lines[at] = lines[at].strip() + chosen.choice(("", "\r", "\\", " \\", " "))
    elif way == 4:
        lines[at] = chosen.choice(bender.other(chosen).split("\n"))
    else:
        lines[at : at + 2] = [bender.word(chosen).join(lines[at : at + 2])]
    return "\n".join(lines)


def _spliced(text: str, chosen: random.Random, bender: Bender) -> str:
    other = bender.other(chosen)
    return text[: _span(text, chosen)[0]] + other[_span(other, chosen)[0] :]


_WAYS: tuple[Callable[[str, random.Random, Bender], str], ...] = (
    _put_in, _put_in, _put_in_place_of, _put_in_place_of, _left_out, _cut_off, _again, _very_often, _nested,
    _other_number, _line_moved, _line_moved, _spliced,
)  # fmt: skip


def _parsed(text: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _bent_document(text: str, chosen: random.Random) -> str:
    """Return a document with one of its values, or one of its keys, replaced."""
    document = _parsed(text)
    if not isinstance(document, dict | list):
        return text
    below: Any = document
    while below and chosen.random() < 0.75:
        inner = [
            each for each in (below.values() if isinstance(below, dict) else below) if isinstance(each, dict | list)
        ]
        if not inner:
            break
        below = chosen.choice(inner)
    value = chosen.choice(_NODES)
    if not below:
        return json.dumps(value)
    if isinstance(below, list):
        at = chosen.randrange(len(below))
        below[at : at + 1] = chosen.choice(([value], [], [below[at]] * 3, [value, below[at]]))
    else:
        key = chosen.choice(list(below))
        if chosen.random() < 0.3:
            del below[key]
        below[key if chosen.random() < 0.8 else str(value)] = value
    return json.dumps(document)


def smallest(text: str, fails: Callable[[str], bool], tries: int = 300) -> str:
    """Return a shorter text that still fails: pieces are left out, large ones first."""
    piece = len(text) // 2
    while piece and tries:
        at = 0
        while at < len(text) and tries:
            tries -= 1
            shorter = text[:at] + text[at + piece :]
            if fails(shorter):
                text = shorter
            else:
                at += piece
        piece //= 2
    return text
