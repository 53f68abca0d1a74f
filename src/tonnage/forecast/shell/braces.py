"""What shells make of ``{a,b}`` and ``{1..3}`` in a word before anything is put in: several words, or none of it.

The shells of POSIX leave braces as they are written; bash, zsh and ksh do not, also where they are called ``sh``.
Source: the manual of bash 5.2, "Brace Expansion".
"""

from __future__ import annotations

from itertools import pairwise, product
from typing import TYPE_CHECKING

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.base_image import Distribution

MOST_WORDS = 512
_DEEPEST, _LONGEST_RANGE = 20, 40
_EXPANDING, _PLAIN = frozenset({"bash", "zsh", "ksh"}), frozenset({"dash", "ash"})
# Systems by what their ``sh`` is.
_SH_IS_PLAIN = frozenset({"debian", "ubuntu", "alpine", "wolfi", "distroless", "linuxmint", "raspbian", "kali"})
_SH_IS_BASH = frozenset({
    "fedora", "centos", "rhel", "rocky", "almalinux", "ol", "amzn", "opensuse-leap", "sles", "arch", "photon",
})  # fmt: skip
_NUMBERS = regex(r"(?P<first>[+-]?\d{1,9})\.\.(?P<last>[+-]?\d{1,9})(?:\.\.(?P<step>[+-]?\d{1,9}))?")
_LETTERS = regex(r"(?P<first>[A-Za-z])\.\.(?P<last>[A-Za-z])(?:\.\.(?P<step>[+-]?\d{1,3}))?")


class ManyWordsError(Exception):
    """A word becomes more words than are followed."""


def sh_expands(system: Distribution | None) -> bool | None:
    """Return whether the ``sh`` of a system expands braces; None where that is not known."""
    name = system.name if system is not None else ""
    return True if name in _SH_IS_BASH else False if name in _SH_IS_PLAIN else None


def expands(shell: str, of_sh: bool | None) -> bool | None:  # noqa: FBT001 - what is known of ``sh``
    """Return whether a shell expands braces.

    Args:
        shell: The name of its program.
        of_sh: Whether ``sh`` does.
    """
    return True if shell in _EXPANDING else False if shell in _PLAIN else of_sh


def has_braces(signs: Sequence[object]) -> bool:
    """Return whether a word may become several: it has an opening brace, a closing one, and what parts it."""
    return "{" in signs and "}" in signs and ("," in signs or _has_range(signs))


def alternatives(signs: Sequence[object]) -> list[list[object]]:
    """Return the words that one word becomes.

    Args:
        signs: Each sign of the word; what is quoted or put in is no text of one sign, and is left as it is.

    Raises:
        ManyWordsError: They are too many.
    """
    return _between(signs, 0, len(signs), _pairs(signs), 0)


def _pairs(signs: Sequence[object]) -> dict[int, list[int]]:
    """Return for each opening brace that is closed the commas that part it, and at last where it is closed."""
    found: dict[int, list[int]] = {}
    opened: list[tuple[int, list[int]]] = []
    for at, sign in enumerate(signs):
        if sign == "{":
            opened.append((at, []))
        elif opened and sign == ",":
            opened[-1][1].append(at)
        elif opened and sign == "}":
            begin, commas = opened.pop()
            found[begin] = [*commas, at]
    return found


def _between(
    signs: Sequence[object], begin: int, end: int, pairs: dict[int, list[int]], depth: int
) -> list[list[object]]:
    if depth > _DEEPEST:
        raise ManyWordsError
    parts: list[list[list[object]]] = [[[]]]
    at, count = begin, 1
    while at < end:
        cuts = pairs.get(at, []) if signs[at] == "{" else []
        choice: list[list[object]] | None = None
        if len(cuts) > 1:
            edges = pairwise([at, *cuts])
            choice = [word for start, stop in edges for word in _between(signs, start + 1, stop, pairs, depth + 1)]
        elif cuts:
            choice = _range(signs[at + 1 : min(cuts[0], at + _LONGEST_RANGE)])
        if choice is None:
            parts[-1][0].append(signs[at])
            at += 1
            continue
        parts += [choice, [[]]]
        count *= len(choice)
        if count > MOST_WORDS:
            raise ManyWordsError
        at = cuts[-1] + 1
    return [[sign for piece in each for sign in piece] for each in product(*parts)]


def _has_range(signs: Sequence[object]) -> bool:
    return any(signs[at] == signs[at + 1] == "." for at in range(len(signs) - 1))


def _range(signs: Sequence[object]) -> list[list[object]] | None:
    if not all(isinstance(each, str) for each in signs):
        return None
    text = "".join(map(str, signs))
    counted = _NUMBERS.fullmatch(text)
    match, numbers = counted or _LETTERS.fullmatch(text), counted is not None
    if match is None:
        return None
    first, last = (int(each) if numbers else ord(each) for each in (match["first"], match["last"]))
    step = abs(int(match["step"] or 1)) or 1
    if abs(last - first) // step >= MOST_WORDS:
        raise ManyWordsError
    found = range(first, last + 1, step) if first <= last else range(first, last - 1, -step)
    if not numbers:
        return [[chr(each)] for each in found]
    wide = any(each.lstrip("+-")[:1] == "0" and len(each.lstrip("+-")) > 1 for each in (match["first"], match["last"]))
    width = max(len(match["first"]), len(match["last"])) if wide else 0
    return [list(str(each).zfill(width)) for each in found]
