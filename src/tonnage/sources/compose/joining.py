"""What one file includes, beside what it defines itself: no two things of one name.

Source: compose-go, package loader, ``importResources``.
"""

from __future__ import annotations

from tonnage.errors import UsageError
from tonnage.sources.compose.nodes import ComposeNode, PairList, PairMapping, mapping_at, plain

_SECTIONS = ("services", "networks", "volumes", "secrets", "configs")


def joined(included: ComposeNode, tree: ComposeNode, raw: ComposeNode | None = None) -> ComposeNode:
    """Return a tree with the resources of included ones; the same name with another content is refused.

    Args:
        raw: The tree as it is written, where it is that of the file that includes.

    Raises:
        UsageError: Both have a resource of one name, and not the same.
    """
    sections = dict(tree.value)
    for section in _SECTIONS:
        new, own = mapping_at(included, section), mapping_at(tree, section)
        written = {} if raw is None else mapping_at(raw, section)
        for name in new:
            if name in own and own[name] is not new[name] and not _alike(own[name], new[name], written.get(name)):
                raise UsageError(
                    f"{section}.{name} is in this file and in an included one ({new[name].place})",
                    todo="Rename one of them, or change the included one in an override file.",
                    place=str(own[name].place),
                )
        if new:
            place = sections[section].place if section in sections else included.value[section].place
            sections[section] = ComposeNode({**new, **own}, place)
    return ComposeNode(sections, tree.place)


def _alike(own: ComposeNode, new: ComposeNode, raw: ComposeNode | None) -> bool:
    """Return whether two resources are the same to Compose, which compares a file as it is written with long forms."""
    if plain(own) != plain(new):
        return False
    written = raw.value if raw is not None and isinstance(raw.value, dict) else {}
    for key, entry in written.items():
        long = new.value.get(key)
        if key == "extends" or long is None:
            continue
        if isinstance(long.value, PairList | PairMapping):
            if isinstance(entry.value, list) != isinstance(long.value, PairList):
                return False
        elif isinstance(entry.value, dict | list) or isinstance(long.value, dict | list):
            if plain(entry) != plain(long):
                return False
        elif key in {"file", "context"} and entry.value != long.value:
            return False
    return True
