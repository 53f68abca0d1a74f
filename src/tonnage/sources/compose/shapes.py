"""Groups of a compose file: commands, lists and mappings, each with its one long form.

Short syntax and lists that stand for mappings end here; whatever works on the result sees one form only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.errors import UsageError
from tonnage.sources.compose.command_words import split_words
from tonnage.sources.compose.nodes import ComposeNode, MergeRule, PairList, PairMapping, UniqueList, nearest, wrong
from tonnage.sources.compose.scalars import PathText, Text, as_text, clean, with_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.sources.compose.scalars import PathBase, Shape


class CommandShape(Struct, frozen=True):
    """A command: text is split into words, or is one for the shell ``in_shell``. A later file replaces it."""

    in_shell: bool = False

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the list; raises UsageError when the value does not fit."""
        value = written.value
        if isinstance(value, str):
            words = ["CMD-SHELL", value] if self.in_shell else split_words(value)
            if words is None:
                raise UsageError(
                    f"{name} cannot be split into words",
                    why="A quote, a backtick or a bracket is not closed, or a bracket opens nothing.",
                    todo='Write a list of words, such as [sh, -c, "echo $$(date)"].',
                    place=str(written.place),
                )
            value = [ComposeNode(word, written.place) for word in words]
        elif isinstance(value, list):
            value = [Text().read(entry, name, ground) for entry in _given(value, name)]
        elif value is not None:
            raise wrong(written, name, "text or a list of words")
        return ComposeNode(value, written.place, MergeRule.REPLACE if written.rule is MergeRule.MERGE else written.rule)


class Listed(Struct, frozen=True):
    """A list; a scalar stands for a list of one when ``single``. A later file appends to it.

    Args:
        gaps: Entries that are nothing are left out, and not refused.
    """

    each: Shape
    single: bool = False
    gaps: bool = False

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the list."""
        value = written.value
        if value is None:
            return with_value(written, [])
        if self.single and not isinstance(value, list):
            value = [_entry(written, value)]
        if not isinstance(value, list):
            raise wrong(written, name, "a list")
        if self.gaps:
            value = [entry for entry in value if entry.value is not None]
        return with_value(
            written,
            [self.each.read(entry, f"{name}[{index}]", ground) for index, entry in enumerate(_given(value, name))],
        )


class Distinct(Struct, frozen=True):
    """A list whose entries have a key: a later entry with the same key replaces the earlier one.

    Args:
        key: The key of an entry in long form.
        single: A scalar stands for a list of one.
        short: Turns one entry of any syntax into one or more entries for ``each``.
        pairs: A mapping is written as a list of ``name=value``, with the sign that stands between.
    """

    each: Shape
    key: Callable[[ComposeNode], str] = field(default=lambda written: str(written.value))
    single: bool = False
    short: Callable[[ComposeNode, str], list[ComposeNode]] = field(default=lambda written, _name: [written])
    pairs: str = ""

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the entries by key."""
        value = written.value
        if self.pairs and isinstance(value, dict):
            value = _paired(value, self.pairs, name)
        if self.single and value is not None and not isinstance(value, list):
            value = [_entry(written, value)]
        if not isinstance(value, list | None):
            raise wrong(written, name, "a list")
        entries = UniqueList()
        for index, entry in enumerate(_given(value or [], name)):
            for part in self.short(entry, f"{name}[{index}]"):
                read = self.each.read(part, f"{name}[{index}]", ground)
                entries[self.key(read)] = ComposeNode(read.value, read.place, MergeRule.REPLACE)
        return with_value(written, entries)


def _given(entries: list[ComposeNode], name: str) -> list[ComposeNode]:
    """Return the entries of a list without those that are reset; one that is nothing is refused, as by Compose."""
    for index, entry in enumerate(entries):
        if entry.value is None and entry.rule is not MergeRule.RESET:
            raise wrong(entry, f"{name}[{index}]", "a value")
    return [entry for entry in entries if entry.rule is not MergeRule.RESET]


def _entry(written: ComposeNode, value: object) -> ComposeNode:
    return ComposeNode(value, written.place, text=written.text)


def _paired(mapping: Mapping[str, ComposeNode], sign: str, name: str) -> list[ComposeNode]:
    result = []
    for key, entry in mapping.items():
        for value in entry.value if isinstance(entry.value, list) else [entry]:
            if isinstance(value.value, dict | list):
                raise wrong(value, f"{name}.{key}", "text")
            text = key if value.value is None else f"{key}{sign}{as_text(value.value)}"
            result.append(ComposeNode(text, entry.place))
    return result


class Pairs(Struct, frozen=True):
    """Names with values, as a mapping or as a list of ``NAME=value``; without a value it is ``missing``.

    Args:
        merged: It becomes a mapping before files are merged.
    """

    missing: str | None = None
    each: Shape = field(default_factory=Text)
    merged: bool = False

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the mapping."""
        value = written.value
        result: dict[str, ComposeNode] = {}
        if isinstance(value, list):
            for entry in _given(value, name):
                if not isinstance(entry.value, str | int | float):
                    raise wrong(entry, f"an entry of {name}", "text such as NAME=value")
                key, sign, rest = as_text(entry.value).partition("=")
                item = ComposeNode(rest if sign else self.missing, entry.place, MergeRule.REPLACE)
                result[key.strip()] = self.each.read(item, f"{name}.{key}", ground)
        elif isinstance(value, dict):
            for key, entry in value.items():
                item = ComposeNode(self.missing, entry.place, entry.rule) if entry.value is None else entry
                result[key] = self.each.read(item, f"{name}.{key}", ground)
        elif value is not None:
            raise wrong(written, name, "a mapping, or a list of NAME=value")
        if self.merged:
            return with_value(written, result)
        return with_value(written, PairList(result) if isinstance(value, list) else PairMapping(result))


class Named(Struct, frozen=True):
    """A mapping with names of the user's choice; a list of names stands for names with ``default`` when ``listed``."""

    each: Shape
    listed: bool = False
    default: tuple[tuple[str, object], ...] | None = None

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the mapping."""
        value = written.value
        if self.listed and isinstance(value, list):
            value = {
                Text().read(entry, name, ground).value: ComposeNode(self._default(entry), entry.place)
                for entry in _given(value, name)
            }
        if value is None:
            return with_value(written, {})
        if not isinstance(value, dict):
            raise wrong(written, name, "a mapping, or a list of names" if self.listed else "a mapping")
        return with_value(written, {key: self._read(entry, f"{name}.{key}", ground) for key, entry in value.items()})

    def _read(self, entry: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        return entry if entry.rule is MergeRule.RESET else self.each.read(entry, name, ground)

    def _default(self, entry: ComposeNode) -> dict[str, ComposeNode] | None:
        if self.default is None:
            return None
        return {key: ComposeNode(value, entry.place) for key, value in self.default}


class Fields(Struct, frozen=True):
    """A mapping with known keys and ``x-`` keys. An unknown key is refused with the nearest known one.

    Args:
        short: Turns another syntax into the mapping; None returned means that it does not apply.
        required: Keys that must have a value.
        unsupported: Keys of the specification that this reader cannot honour.
        closed: An unknown key is refused; else it means nothing.
    """

    keys: Mapping[str, Shape]
    short: Callable[[ComposeNode, str], dict[str, ComposeNode] | None] = field(default=lambda _written, _name: None)
    required: tuple[str, ...] = ()
    unsupported: frozenset[str] = frozenset()
    closed: bool = True

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the long form, nothing for nothing; raises UsageError when the value does not fit."""
        value = written.value
        if value is None:
            return written
        if not isinstance(value, dict):
            value = self.short(written, name)
        if value is None:
            raise wrong(written, name or "the file", "a mapping")
        result = {}
        for key, entry in value.items():
            path = f"{name}.{key}" if name else key
            if key.startswith("x-") or entry.rule is MergeRule.RESET:
                result[key] = entry
            elif key in self.keys:
                result[key] = self.keys[key].read(entry, path, ground)
            elif ground.lenient or not self.closed:
                result[key] = entry
            else:
                self._refuse(key, entry, name)
        for key in self.required:
            if key not in result or result[key].value is None or result[key].rule is MergeRule.RESET:
                raise UsageError(f"{name} has no {key!r}", place=str(written.place))
        return with_value(written, result)

    def _refuse(self, key: str, entry: ComposeNode, name: str) -> None:
        where = f"in {name}" if name else "at the top of a compose file"
        if key in self.unsupported:
            raise UsageError(
                f"the key {key!r} {where} needs Docker Compose v2",
                why="The built-in reader, which is used where Compose v2 is not installed, does not know what it does.",
                todo="Install the Docker Compose plugin, version 2.",
                place=str(entry.place),
            )
        raise UsageError(
            f"the key {key!r} is not known {where}",
            todo=nearest(key, self.keys),
            place=str(entry.place),
            expected="a key of a compose file has to stand here",
        )


class Either(Struct, frozen=True):
    """A mapping of one shape, or anything else of another."""

    scalar: Shape
    mapping: Shape

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the long form of whichever it is."""
        shape = self.mapping if isinstance(written.value, dict) else self.scalar
        return shape.read(written, name, ground)


class Mounted(Struct, frozen=True):
    """A mount: its source is a path when its type is ``bind``."""

    fields: Fields

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the mount, its path absolute; raises UsageError when the value does not fit."""
        read = self.fields.read(written, name, ground)
        if read.value is None:
            raise wrong(written, name, "a mount")
        target = read.value["target"]
        entries = {**read.value, "target": with_value(target, clean(target.value))}
        if entries["type"].value != "bind":
            return with_value(read, entries)
        source = entries.get("source")
        if source is None or not source.value:
            raise UsageError(f"{name} has no 'source'", why="It is a bind mount.", place=str(read.place))
        return with_value(read, {**entries, "source": PathText(mounted=True).read(source, f"{name}.source", ground)})
