"""What was written, with the place of every value: the tree that all reading works on until it is plain data.

A value keeps its place through substitution, long forms and merging, so that every complaint can name file and line.
"""

from __future__ import annotations

from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tonnage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.model.stack import Place


class MergeRule(StrEnum):
    """What happens to a value of an earlier file when a later file writes the same key."""

    MERGE = "merge"
    REPLACE = "replace"
    RESET = "reset"


class ComposeNode(Struct, frozen=True):
    """One value.

    Args:
        value: A scalar, a dict of written values, a :class:`UniqueList`, or a list of written values.
        place: Where it is written; of a value in a mapping, the line of its key.
        rule: How it meets what an earlier file says.
        text: The characters of a scalar as they stand in the file; empty for anything else.
    """

    value: Any
    place: Place
    rule: MergeRule = MergeRule.MERGE
    text: str = ""


class UniqueList(dict[str, ComposeNode]):
    """A list in which an entry replaces an earlier one with the same key."""


def plain(written: ComposeNode) -> Any:  # noqa: ANN401 - the shape of the data is what the user wrote
    """Return the value without places: dicts, lists and scalars. What is reset is left out."""
    value = written.value
    if isinstance(value, UniqueList):
        return [plain(entry) for entry in value.values() if entry.rule is not MergeRule.RESET]
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items() if entry.rule is not MergeRule.RESET}
    if isinstance(value, list):
        return [plain(entry) for entry in value if entry.rule is not MergeRule.RESET]
    return value


def place_of(written: ComposeNode, *path: str) -> Place:
    """Return where a path of keys is written; where it ends early, the place of the nearest key above it."""
    for key in path:
        if not isinstance(written.value, dict) or key not in written.value:
            break
        written = written.value[key]
    return written.place


def mapping_at(written: ComposeNode, key: str) -> dict[str, ComposeNode]:
    """Return the mapping at a key; empty when there is none."""
    found = written.value.get(key) if isinstance(written.value, dict) else None
    return found.value if found is not None and isinstance(found.value, dict) else {}


def describe(value: object) -> str:
    """Return what kind of YAML value this is, in words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {value!r}"
    return "a list" if isinstance(value, list | UniqueList) else "a mapping"


def nearest(word: str, known: Iterable[str], *, kind: str = "keys") -> str:
    """Return a sentence that names the nearest known word, or all of them where none is near."""
    words = sorted(known)
    near = get_close_matches(word, words, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known {kind}: {', '.join(words)}." if words else f"No {kind} are known here."


def wrong(written: ComposeNode, name: str, expected: str) -> UsageError:
    """Return the complaint about a value of the wrong kind."""
    return UsageError(f"{name} must be {expected}, not {describe(written.value)}", place=str(written.place))
