"""Versions of Debian packages, compared as dpkg does.

Source: deb-version(7) of dpkg 1.21.
"""

from __future__ import annotations

from functools import cmp_to_key
from itertools import zip_longest
from typing import TYPE_CHECKING

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import SupportsRichComparison

_PARTS = regex(r"(\D*)(\d*)")


def compare(one: str, other: str) -> int:
    """Return which of two versions is newer."""
    for mine, yours in zip(_split(one), _split(other), strict=True):
        order = _compare_part(mine, yours)
        if order:
            return order
    return 0


def satisfies(version: str, operator: str, wanted: str) -> bool:
    """Return whether a version is what is asked for.

    Args:
        operator: ``<<``, ``<=``, ``=``, ``>=`` or ``>>``; empty for any version.
    """
    if not operator:
        return True
    order = compare(version, wanted)
    return (
        order == 0
        if operator == "="
        else (order < 0 and operator[0] == "<")
        or (order > 0 and operator[0] == ">")
        or (order == 0 and operator[1] == "=")
    )


def newest_first(version: str) -> SupportsRichComparison:
    """Return what sorts versions with the newest first."""
    return _KEY(version)


_KEY: Callable[[str], SupportsRichComparison] = cmp_to_key(lambda one, other: compare(other, one))


def _split(version: str) -> tuple[str, str, str]:
    """Return epoch, upstream version and revision."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return epoch, upstream, revision


def _compare_part(one: str, other: str) -> int:
    mine, yours = _PARTS.findall(one), _PARTS.findall(other)
    for (text, number), (text_there, number_there) in zip_longest(mine, yours, fillvalue=("", "")):
        if text != text_there:
            order = _compare_text(text, text_there)
            if order:
                return order
        difference = int(number or 0) - int(number_there or 0)
        if difference:
            return difference
    return 0


def _compare_text(one: str, other: str) -> int:
    """Compare what is no digit: a tilde before the end, the end before letters, letters before the rest."""
    for mine, yours in zip_longest(map(_weight, one), map(_weight, other), fillvalue=0):
        if mine != yours:
            return mine - yours
    return 0


def _weight(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
