"""Which kinds of YAML values a key takes, before its shape reads one: text is not a number, and a number no text.

Source: the types in compose-go's schema/compose-spec.json, which Compose v2 holds files to when variables are put in.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.sources.compose.nodes import ComposeNode, wrong
from tonnage.sources.compose.scalars import with_value

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeGuard

    from tonnage.errors import UsageError
    from tonnage.sources.compose.scalars import PathBase, Shape


class Kind(Struct, frozen=True):
    """A value that may be written as some kinds of YAML values only; ``shape`` reads what fits.

    Args:
        takes: ``text``, ``whole``, ``number``, ``truth``, as Compose's schema has them, ``digits`` for a whole number
            that is written without a point, ``count`` for one that is not negative.
        missing: What stands for no value, where the key may be without.
    """

    shape: Shape
    takes: tuple[str, ...]
    missing: str | None = None

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the form; raises UsageError when the value does not fit."""
        value = written.value
        if value is None and self.missing is not None:
            return with_value(written, self.missing)
        if value is None or any(_IS[kind](value) for kind in self.takes):
            return self.shape.read(written, name, ground)
        raise not_of(written, name, self.takes)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


_IS: dict[str, Callable[[object], bool]] = {
    "text": lambda value: isinstance(value, str),
    "whole": lambda value: _is_number(value) and math.isfinite(value) and int(value) == value,
    "count": lambda value: _is_number(value) and 0 <= value == int(value),
    "digits": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": _is_number,
    "truth": lambda value: isinstance(value, bool),
}
_CALLED = {
    **dict.fromkeys(("whole", "digits"), "a whole number"),
    "count": "a whole number from 0 on",
    "number": "a number",
    "text": "text",
    "truth": "true or false",
}


def not_of(written: ComposeNode, name: str, takes: tuple[str, ...]) -> UsageError:
    """Return the complaint about a value that is written as a kind that the key does not take."""
    error = wrong(written, name, " or ".join(_CALLED[kind] for kind in takes))
    if "text" in takes and written.text and not isinstance(written.value, str):
        error.todo = f'Write it in quotes: "{written.text}".'
    return error


class Worded(Struct, frozen=True):
    """A list for which a word may stand: a list of one mapping."""

    word: str
    stands_for: tuple[tuple[str, object], ...]
    shape: Shape

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the form of what is written, or of what the word stands for."""
        if not isinstance(written.value, str):
            return self.shape.read(written, name, ground)
        if written.value != self.word:
            raise wrong(written, name, f"a list, or the word {self.word!r}")
        entry = {key: ComposeNode(value, written.place) for key, value in self.stands_for}
        return with_value(written, [ComposeNode(entry, written.place)])
