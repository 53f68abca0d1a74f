"""What was written, with the place of every value: the tree that all reading works on until it is plain data.

A value keeps its place through substitution, long forms and merging, so that every complaint can name file and line.

How a later file changes what an earlier one says, both in long form: mappings merge key by key, lists are appended,
entries with a key replace each other, scalars are replaced. A value marked REPLACE takes the place of everything before
it, one marked RESET removes it. Source: the Compose specification, chapter Merge.
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


_COMMANDS = frozenset({"command", "entrypoint", "test"})


class MergeRule(StrEnum):
    """What happens to a value of an earlier file when a later file writes the same key."""

    MERGE = "merge"
    REPLACE = "replace"
    RESET = "reset"


class Date(Struct, frozen=True):
    """A day, or a moment of one, that YAML takes out of text without quotes; no key of a compose file wants one."""

    text: str


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


class Documents(tuple[ComposeNode, ...]):
    """The documents of one file: each is merged over the one before it, as a later file is."""

    __slots__ = ()


def documents(written: ComposeNode) -> tuple[ComposeNode, ...]:
    """Return the documents that a file consists of: mostly one."""
    return written.value if isinstance(written.value, Documents) else (written,)


class PairList(dict[str, ComposeNode]):
    """Names with values that were a list, or were merged into one: none of them is reset by its name."""


class PairMapping(dict[str, ComposeNode]):
    """Names with values that were a mapping; merged with others they become a list, as in Compose."""


def plain(written: ComposeNode) -> Any:  # noqa: ANN401 - the shape of the data is what the user wrote
    """Return the value without places: dicts, lists and scalars. What is reset is left out."""
    value = written.value
    if isinstance(value, UniqueList):
        return [plain(entry) for entry in value.values() if entry.rule is not MergeRule.RESET]
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items() if entry.rule is not MergeRule.RESET}
    if isinstance(value, list):
        return [plain(entry) for entry in value if entry.rule is not MergeRule.RESET]
    return value.text if isinstance(value, Date) else value


def with_entries(written: ComposeNode, entries: dict[str, ComposeNode]) -> ComposeNode:
    """Return a mapping, or a list of unique entries, with other entries in its place."""
    return ComposeNode(_like(written.value, entries), written.place, written.rule)


def _like(value: dict[str, ComposeNode], entries: dict[str, ComposeNode]) -> dict[str, ComposeNode]:
    return next((kind(entries) for kind in (UniqueList, PairList, PairMapping) if isinstance(value, kind)), entries)


def count(written: ComposeNode) -> int:
    """Return how many values there are, each key's among them."""
    value = written.value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(count, parts))


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
    if isinstance(value, Date):
        return f"the date {value.text}, which is text only in quotes"
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
    return UsageError(
        f"{name} must be {expected}, not {describe(written.value)}",
        place=str(written.place),
        expected=f"the value has to be {expected}",
    )


def merge(earlier: ComposeNode, later: ComposeNode, path: tuple[str, ...] = ()) -> ComposeNode:
    """Merge two trees."""
    if later.rule is not MergeRule.MERGE or earlier.rule is MergeRule.RESET:
        return later
    if later.value is None and path[-1:] != ("logging",):  # Compose takes no logging without a value there.
        return earlier
    if isinstance(earlier.value, dict) and isinstance(later.value, dict):
        if _is_other_driver(path, earlier.value, later.value):
            return later
        if isinstance(earlier.value, PairList | PairMapping):
            return ComposeNode(_paired(earlier.value, later.value), earlier.place, earlier.rule)
        entries = dict(earlier.value)
        for key, entry in later.value.items():
            entries[key] = merge(entries[key], entry, (*path, key)) if key in entries else entry
        return ComposeNode(_like(later.value, entries), earlier.place, earlier.rule)
    if isinstance(earlier.value, list) and isinstance(later.value, list):
        return ComposeNode([*earlier.value, *later.value], earlier.place, earlier.rule)
    return later


def _paired(earlier: dict[str, ComposeNode], later: dict[str, ComposeNode]) -> PairList:
    """Return names with values of two files.

    Source: compose-go, package override: what is merged is two lists, and what a name resets is looked for in mappings.
    """
    reset = {key for key, entry in later.items() if entry.rule is MergeRule.RESET}
    kept = {key: entry for key, entry in earlier.items() if key not in reset or isinstance(earlier, PairList)}
    return PairList({**kept, **{key: entry for key, entry in later.items() if key not in reset}})


def settled(written: ComposeNode, *, replaces: bool = False) -> ComposeNode:
    """Return a tree without tags: what is reset is gone, and what took the place of something merges with others again.

    Args:
        replaces: It always takes the place of others: a command, or an entry that has a key.
    """
    value, rule = written.value, written.rule if replaces else MergeRule.MERGE
    if isinstance(value, dict):
        keyed = isinstance(value, UniqueList | PairList)
        entries = {
            key: settled(entry, replaces=keyed or key in _COMMANDS)
            for key, entry in value.items()
            if entry.rule is not MergeRule.RESET
        }
        return ComposeNode(_like(value, entries), written.place, rule)
    if isinstance(value, list):
        return ComposeNode(
            [settled(entry) for entry in value if entry.rule is not MergeRule.RESET], written.place, rule
        )
    return ComposeNode(value, written.place, rule, written.text)


def _is_other_driver(path: tuple[str, ...], earlier: dict[str, ComposeNode], later: dict[str, ComposeNode]) -> bool:
    """Return whether this is ``logging`` with another driver, whose options would mean nothing to it."""
    if len(path) != 3 or path[0] != "services" or path[2] != "logging":  # noqa: PLR2004 - services, NAME, logging
        return False
    return "driver" in earlier and "driver" in later and earlier["driver"].value != later["driver"].value
