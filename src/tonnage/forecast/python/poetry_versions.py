"""Versions as Poetry writes them, told as the standard does. Text in, text out.

Public:
    ``versions(text) -> str``: the specifiers of PEP 440; empty where they leave every version.
    ``python_marker(text) -> str``: the marker of the versions of Python; empty where they leave every one.

Alternatives (``^1 || ^2``) have no form in PEP 440: they leave every version.

Source: Poetry 2.2, "Dependency specification".
"""

from __future__ import annotations

import re

from tonnage.lazily import regex

_PART = regex(
    r"\s*(\^|~=|~|===|==|>=|<=|!=|>|<|=)?\s*v?([0-9](?:[0-9A-Za-z.+_-]{0,200}[0-9A-Za-z])?|\*)(\.\*)?\s*,?", re.ASCII
)
_NUMBERS = regex(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,8}")
_EITHER = regex(r"\s*\|\|?\s*")
_LONGEST = 2_000


def versions(text: str) -> str:
    """Return specifiers for a text such as ``^1.2``, ``~1.2``, ``1.2.*`` or ``>=1,<3``."""
    ways = _ways(text)
    return ",".join(f"{operator}{version}" for operator, version in ways[0]) if len(ways) == 1 else ""


def python_marker(text: str) -> str:
    """Return the marker for versions of Python in the same form."""
    ways = _ways(text)
    if not ways or not all(ways):
        return ""
    told = [" and ".join(f'python_full_version {operator} "{version}"' for operator, version in way) for way in ways]
    return told[0] if len(told) == 1 else " or ".join(f"({each})" for each in told)


def _ways(text: str) -> list[list[tuple[str, str]]]:
    """Return what each alternative asks for; nothing where one cannot be read."""
    if len(text) > _LONGEST:
        return []
    found = [_parts(each) for each in _EITHER.split(text.strip())]
    return [each for each in found if each is not None] if None not in found else []


def _parts(text: str) -> list[tuple[str, str]] | None:
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None:
            return None
        at = match.end()
        operator, version, star = match[1] or "", match[2], bool(match[3])
        if version == "*":
            continue
        found += _bounds(operator, version, star=star)
    return found


def _bounds(operator: str, version: str, *, star: bool) -> list[tuple[str, str]]:
    if operator in {"^", "~"}:
        numbers = _NUMBERS.match(version)
        over = _after(numbers[0], caret=operator == "^") if numbers else ""
        return [(">=", version), ("<", over)] if over else [(">=", version)]
    if operator in {"", "=", "=="}:
        return [("==", f"{version}.*" if star else version)]
    return [(operator, f"{version}.*" if star and operator == "!=" else version)]


def _after(version: str, *, caret: bool) -> str:
    """Return the first version that is too new for ``^`` or ``~``."""
    numbers = [int(each) for each in version.split(".")]
    # A caret holds the first number that is not 0, a tilde the second one where there is one.
    held = (
        next((at for at, each in enumerate(numbers) if each), len(numbers) - 1) if caret else min(1, len(numbers) - 1)
    )
    return ".".join(str(each) for each in (*numbers[:held], numbers[held] + 1))
