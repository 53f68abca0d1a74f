"""Where things are written in files that only Compose understands: as much as their YAML tells, or their lines."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.stack import Place
from tonnage.sources.compose.file_selection import read_text
from tonnage.sources.compose.nodes import ComposeNode, documents, mapping_at, merge
from tonnage.sources.compose.x_tonnage import SETTINGS
from tonnage.sources.compose.yaml_text import read_documents

if TYPE_CHECKING:
    from tonnage.sources.compose.file_selection import Selection

_SECTIONS = ("services", "networks", "volumes", "secrets", "configs")
_LINE = regex(rf"(?m)^[\"']?{SETTINGS}[\"']?[ \t]*:")


def approximate_places(selection: Selection) -> ComposeNode:
    """Return a tree with the names of what the files define, and what they say of settings, and nothing else.

    What is written more than once is where it is written first.
    """
    tree = ComposeNode({}, Place(selection.files[0]))
    for path in dict.fromkeys((*selection.files, *selection.parsed)):
        for each in _of_file(path, selection):
            tree = merge(tree, each)
    return tree


def _of_file(path: str, selection: Selection) -> list[ComposeNode]:
    written = selection.parsed.get(path)
    if written is None:
        text = ""
        with contextlib.suppress(UsageError):
            text = read_text(path, where=selection.where, piped=selection.typed)
            written = read_documents(text, path)
        if written is None:
            line = _LINE.search(text)
            place = Place(path, text.count("\n", 0, line.start()) + 1 if line else None)
            return [ComposeNode({SETTINGS: ComposeNode(None, place)} if line else {}, Place(path))]
    return [_of_document(each, top=path in selection.files) for each in documents(written)]


def _of_document(written: ComposeNode, *, top: bool) -> ComposeNode:
    sections = {
        section: ComposeNode({name: _names(entry) for name, entry in entries.items()}, written.value[section].place)
        for section in _SECTIONS
        if (entries := mapping_at(written, section))
    }
    if top and isinstance(written.value, dict) and SETTINGS in written.value:
        sections[SETTINGS] = written.value[SETTINGS]
    return ComposeNode(sections, Place(written.place.file))


def _names(written: ComposeNode) -> ComposeNode:
    """Return where the keys of something are written, without what stands at them."""
    keys = written.value if isinstance(written.value, dict) else {}
    return ComposeNode(
        {key: entry if key == SETTINGS else ComposeNode(None, entry.place) for key, entry in keys.items()},
        written.place,
    )
