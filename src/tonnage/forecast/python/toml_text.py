"""TOML that a stranger wrote: a table, or a failure that says what is wrong, in time that grows with the text alone."""

from __future__ import annotations

import tomllib
from typing import Any

from tonnage.errors import CannotResolveError
from tonnage.lazily import regex

# tomllib copies all parts of a key for each further one. Source: ``parse_key`` of Python 3.11.
_MOST_PARTS = 100
_QUOTED = regex(r"\"[^\"]*\"|'[^']*'")
_BETWEEN = regex(r"[=,{}]")


def read_toml(text: str, what: str) -> dict[str, Any]:
    """Read the text of a file.

    Args:
        what: The file, for the message.

    Raises:
        CannotResolveError: It is no TOML, or is nested deeper than anybody writes.
    """
    if any(_parts(line) > _MOST_PARTS for line in text.split("\n") if line.count(".") >= _MOST_PARTS):
        raise _failure(what, f"A key has more than {_MOST_PARTS} parts.")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _failure(what, "It is nested too deeply.") from None
    # Numbers and dates that Python cannot hold raise no failure of their own.
    except (ValueError, OverflowError) as error:
        raise _failure(what, str(error)) from error


def _failure(what: str, why: str) -> CannotResolveError:
    return CannotResolveError(f"{what} cannot be read", "invalid", why=why)


def _parts(line: str) -> int:
    """Return of how many names with dots between them the longest key of a line may be."""
    return max(
        sum(bool(name.strip()) for name in key.split(".")) for key in _BETWEEN.split(_QUOTED.sub("quoted", line))
    )
