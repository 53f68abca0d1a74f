"""Regular expressions that are compiled when they are first used.

A command imports more than a hundred and uses a few; compiling all was a fifth of what it computes. They behave like
Python's own, for which type checkers take them. Knows nothing of anything else here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from re import compile as regex

__all__ = ["regex"]


class _Regex:
    """A regular expression that is compiled when something is first asked of it."""

    def __init__(self, text: str, flags: int = 0) -> None:
        self._wanted = (text, flags)

    def __getattr__(self, name: str) -> object:
        found = getattr(re.compile(*self._wanted), name)
        # Found here from now on, without coming by again.
        self.__dict__[name] = found
        return found


if not TYPE_CHECKING:
    regex = _Regex
