"""The patterns of ``.dockerignore``: what is meant by a line, and a regular expression for it.

Source: docs.docker.com/build/concepts/context; ``docker.utils`` of docker-py 7.2, which reads them the same way, and
with which the tests compare this. It is not used for it because importing it takes longer than a cached build.
"""

from __future__ import annotations

import re


def names_of(pattern: str) -> list[str]:
    """Return the names that a pattern is made of, ``.`` and ``..`` resolved; none when nothing is meant."""
    names: list[str] = []
    for name in pattern.strip().split("/"):
        if name == "..":
            del names[-1:]
        elif name not in {"", "."}:
            names.append(name)
    return names


def expression(pattern: str) -> str:
    """Return the regular expression for a pattern with ``*``, ``**``, ``?`` and ``[...]``."""
    found = ["^"]
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        at += 1
        if letter == "*":
            if pattern[at : at + 1] != "*":
                found.append("[^/]*")
                continue
            at += 1
            if pattern[at : at + 1] == "/":
                at += 1
            found.append(".*" if at >= len(pattern) else "(.*/)?")
        elif letter == "?":
            found.append("[^/]")
        elif letter == "[":
            text, at = _letters(pattern, at)
            found.append(text)
        else:
            found.append(re.escape(letter))
    return "".join((*found, "$"))


def _letters(pattern: str, at: int) -> tuple[str, int]:
    """Return the expression for what begins after ``[``, and where it ends."""
    # The bracket that ends it is not the one that comes first in it.
    first = at + (pattern[at : at + 1] == "!")
    end = pattern.find("]", first + (pattern[first : first + 1] == "]"))
    if end < 0:
        return r"\[", at
    inside = pattern[at:end].replace("\\", "\\\\")
    if inside.startswith("!"):
        inside = f"^{inside[1:]}"
    elif inside.startswith("^"):
        inside = f"\\{inside}"
    return f"[{inside}]", end + 1
