"""TOML text to data, in time that grows with the text alone, and one failure for whatever is no TOML."""

from __future__ import annotations

import tomllib
from typing import Any

from tonnage.lazily import regex

# tomllib copies all parts of a key for each further one. Source: ``parse_key`` of Python 3.11.
_MOST_PARTS = 100
_QUOTED = regex(r"\"[^\"]*\"|'[^']*'")
_BETWEEN = regex(r"[=,{}]")


def read_toml(text: str) -> dict[str, Any]:
    """Read a document.

    Raises:
        ValueError: It is no TOML, or is nested deeper than anybody writes.
    """
    if any(_parts(line) > _MOST_PARTS for line in text.split("\n") if line.count(".") >= _MOST_PARTS):
        raise ValueError(f"a key has more than {_MOST_PARTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _parts(line: str) -> int:
    """Return of how many names with dots between them the longest key of a line may be."""
    return max(
        sum(bool(name.strip()) for name in key.split(".")) for key in _BETWEEN.split(_QUOTED.sub("quoted", line))
    )
