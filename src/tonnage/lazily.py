"""What is made when it is first used: regular expressions, and what msgspec has to know of a type.

A command imports more than a hundred regular expressions and uses a few; compiling all was a fifth of what it computes.
They behave like Python's own, for which type checkers take them. Knows nothing of anything else here.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, TypeVar

from msgspec.msgpack import Decoder

if TYPE_CHECKING:
    from re import compile as regex

__all__ = ["learned", "regex"]

T = TypeVar("T")
_learning = threading.RLock()
_learned: set[object] = set()


def learned(form: type[T]) -> type[T]:
    """Return a type to decode, once msgspec has learned it: one thread after the other.

    Where two threads are the first to decode a type, or two that have a type in common, the process ends by a fault in
    memory (seen with msgspec 0.22: each finds what the other has not finished).
    """
    if form not in _learned:
        with _learning:
            Decoder(form)
            _learned.add(form)
    return form


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
