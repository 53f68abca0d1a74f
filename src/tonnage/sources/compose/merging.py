"""How a later file changes what an earlier one says. Both trees are in long form already.

Mappings merge key by key, lists are appended, entries with a key replace each other, scalars are replaced. A value
marked REPLACE takes the place of everything before it, one marked RESET removes it.

Source: the Compose specification, chapter Merge.
"""

from __future__ import annotations

from tonnage.sources.compose.nodes import ComposeNode, MergeRule, UniqueList


def merge(earlier: ComposeNode, later: ComposeNode, path: tuple[str, ...] = ()) -> ComposeNode:
    """Merge two trees."""
    if later.rule is not MergeRule.MERGE or earlier.rule is MergeRule.RESET:
        return later
    if later.value is None and isinstance(earlier.value, dict | list):
        return earlier
    if isinstance(earlier.value, dict) and isinstance(later.value, dict):
        if _is_other_driver(path, earlier.value, later.value):
            return later
        entries = dict(earlier.value)
        for key, entry in later.value.items():
            entries[key] = merge(entries[key], entry, (*path, key)) if key in entries else entry
        kept = UniqueList(entries) if isinstance(later.value, UniqueList) else entries
        return ComposeNode(kept, earlier.place, earlier.rule)
    if isinstance(earlier.value, list) and isinstance(later.value, list):
        return ComposeNode([*earlier.value, *later.value], earlier.place, earlier.rule)
    return later


def without_resets(written: ComposeNode) -> ComposeNode:
    """Return the tree without what is marked RESET: nothing is left that it could remove."""
    value = written.value
    if isinstance(value, dict):
        entries = {key: without_resets(entry) for key, entry in value.items() if entry.rule is not MergeRule.RESET}
        return ComposeNode(
            UniqueList(entries) if isinstance(value, UniqueList) else entries, written.place, written.rule
        )
    if isinstance(value, list):
        return ComposeNode(
            [without_resets(entry) for entry in value if entry.rule is not MergeRule.RESET], written.place
        )
    return written


def _is_other_driver(path: tuple[str, ...], earlier: dict[str, ComposeNode], later: dict[str, ComposeNode]) -> bool:
    """Return whether this is ``logging`` with another driver, whose options would mean nothing to it."""
    if len(path) != 3 or path[0] != "services" or path[2] != "logging":  # noqa: PLR2004 - services, NAME, logging
        return False
    return "driver" in earlier and "driver" in later and earlier["driver"].value != later["driver"].value
