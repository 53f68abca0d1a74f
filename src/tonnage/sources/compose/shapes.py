"""Groups of a compose file: commands, lists and mappings, each with its one long form.

Short syntax and lists that stand for mappings end here; whatever works on the result sees one form only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.sources.compose.command_words import split_words
from tonnage.sources.compose.kinds import Kind, not_of
from tonnage.sources.compose.nodes import (
    ComposeNode,
    MergeRule,
    PairList,
    PairMapping,
    UniqueList,
    describe,
    nearest,
    plain,
    wrong,
)
from tonnage.sources.compose.scalars import PathBase, PathText, Text, clean, with_value
from tonnage.sources.compose.since import NOT_DONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tonnage.sources.compose.scalars import Shape

_NOWHERE = PathBase("/")
_PLAIN = regex(r"[A-Za-z0-9._-]+")


class CommandShape(Struct, frozen=True):
    """A command: text is split into words, or is one for the shell ``in_shell``. A later file replaces it."""

    in_shell: bool = False
    optional: bool = True

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
            word = Kind(Text(), ("text",))
            value = [word.read(each, f"{name}[{index}]", ground) for index, each in enumerate(_given(value, name))]
        elif value is not None:
            raise wrong(written, name, "text or a list of words")
        return ComposeNode(value, written.place, MergeRule.REPLACE if written.rule is MergeRule.MERGE else written.rule)


class Listed(Struct, frozen=True):
    """A list; a scalar stands for a list of one when ``single``. A later file appends to it.

    Args:
        gaps: Entries that are nothing are left out, and not refused.
        unique: No entry may stand twice, in whatever files.
    """

    each: Shape
    single: bool = False
    gaps: bool = False
    unique: bool = False

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the list."""
        value = written.value
        if value is None:
            return written
        if self.single and not isinstance(value, list | dict):
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
        of_pair: What ``short`` is to such an entry.
        unique: The same text may not stand twice in one list.
        takes: The kinds of values that such a mapping may have.
        blanks: An empty text is an entry, and not left out.
    """

    each: Shape
    key: Callable[[ComposeNode], str] = field(default=lambda written: str(written.value))
    single: bool = False
    short: Callable[[ComposeNode, str], list[ComposeNode]] = field(default=lambda written, _name: [written])
    pairs: str = ""
    of_pair: Callable[[ComposeNode, str], list[ComposeNode]] = field(default=lambda written, _name: [written])
    unique: bool = False
    takes: tuple[str, ...] = ("text", "number", "truth")
    blanks: bool = True

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the entries by key."""
        value = written.value
        if value is None:
            return written
        paired = bool(self.pairs) and isinstance(value, dict)
        if paired:
            value = self._paired(value, name)
        if self.single and not isinstance(value, list | dict):
            value = [_entry(written, value)]
        if not isinstance(value, list):
            raise wrong(written, name, "a list")
        entries = UniqueList()
        given = [each for each in _given(value, name) if self.blanks or each.value != ""]
        if self.unique and not paired:
            refuse_twice(given, name)
        for index, entry in enumerate(given):
            for part in (self.of_pair if paired else self.short)(entry, f"{name}[{index}]"):
                read = self.each.read(part, f"{name}[{index}]", ground)
                entries[self.key(read)] = ComposeNode(read.value, read.place, MergeRule.REPLACE)
        return with_value(written, entries)

    def _paired(self, mapping: Mapping[str, ComposeNode], name: str) -> list[ComposeNode]:
        result = []
        for key, entry in mapping.items():
            if entry.rule is MergeRule.RESET:
                continue
            if self.pairs in key:
                raise UsageError(
                    f"{key!r} cannot be a name in {name}",
                    todo=f"Write it without {self.pairs!r}.",
                    place=str(entry.place),
                    expected=f"a name without {self.pairs!r} has to stand here",
                )
            for value in entry.value if isinstance(entry.value, list) else [entry]:
                read = Kind(Text(), self.takes).read(value, f"{name}.{key}", _NOWHERE).value
                result.append(ComposeNode(key if read is None else f"{key}{self.pairs}{read}", entry.place))
        return result


def _given(entries: list[ComposeNode], name: str) -> list[ComposeNode]:
    """Return the entries of a list without those that are reset; one that is nothing is refused, as by Compose."""
    for index, entry in enumerate(entries):
        if entry.value is None and entry.rule is not MergeRule.RESET:
            raise wrong(entry, f"{name}[{index}]", "a value")
    return [entry for entry in entries if entry.rule is not MergeRule.RESET]


def refuse_twice(entries: Iterable[ComposeNode], name: str) -> None:
    """Refuse a list in which an entry stands twice.

    Raises:
        UsageError: One does.
    """
    seen: dict[str, ComposeNode] = {}
    for entry in entries:
        text = repr(plain(entry))
        if text in seen:
            raise UsageError(
                f"{name} holds {describe(entry.value)} twice",
                why=f"The first stands in line {seen[text].place.line}.",
                todo="Remove one of them.",
                place=str(entry.place),
                expected="what stands here has to be another entry than those before it",
            )
        seen[text] = entry


def _entry(written: ComposeNode, value: object) -> ComposeNode:
    return ComposeNode(value, written.place, text=written.text)


class Pairs(Struct, frozen=True):
    """Names with values, as a mapping or as a list of ``NAME=value``; without a value it is ``missing``.

    Args:
        merged: It becomes a mapping before files are merged.
        unique: The same text may not stand twice in one list.
        valued: An entry of a list must have a value.
    """

    missing: str | None = None
    each: Shape = field(default_factory=Text)
    merged: bool = False
    unique: bool = False
    valued: bool = False

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the mapping; raises UsageError when the value does not fit."""
        value = written.value
        if value is None:
            return written
        if isinstance(value, list):
            return with_value(written, self._listed(_given(value, name), name, ground))
        if not isinstance(value, dict):
            raise wrong(written, name, "a mapping, or a list of NAME=value")
        result: dict[str, ComposeNode] = {}
        for key, entry in value.items():
            if not key:
                raise UsageError(f"{name} holds an empty name", todo="Write a name.", place=str(entry.place))
            if self.valued and entry.value is None and entry.rule is not MergeRule.RESET:
                raise wrong(entry, f"{name}.{key}", "text")
            rule = MergeRule.REPLACE if entry.rule is MergeRule.MERGE else entry.rule
            item = ComposeNode(self.missing if entry.value is None else entry.value, entry.place, rule, entry.text)
            result[key] = self.each.read(item, f"{name}.{key}", ground)
        return with_value(written, result if self.merged else PairMapping(result))

    def _listed(self, entries: list[ComposeNode], name: str, ground: PathBase) -> dict[str, ComposeNode]:
        if self.unique:
            refuse_twice(entries, name)
        result: dict[str, ComposeNode] = {}
        for index, entry in enumerate(entries):
            if not isinstance(entry.value, str):
                raise not_of(entry, f"{name}[{index}]", ("text",))
            key, sign, rest = entry.value.partition("=")
            if (self.missing is None and key[-1:].isspace()) or (self.valued and not sign):
                raise wrong(entry, f"{name}[{index}]", "NAME=value")
            item = ComposeNode(rest if sign else self.missing, entry.place, MergeRule.REPLACE)
            result[key] = self.each.read(item, f"{name}.{key}", ground)
        return result if self.merged else PairList(result)


class Named(Struct, frozen=True):
    """A mapping with names of the user's choice; a list of names stands for names with ``default`` when ``listed``.

    Args:
        filled: It must have a value in every file.
        plain: Names are of letters, digits, ``.``, ``_`` and ``-``.
        replaced: What a later file says of a name replaces all that is said before.
    """

    each: Shape
    listed: bool = False
    default: tuple[tuple[str, object], ...] | None = None
    filled: bool = False
    plain: bool = False
    replaced: bool = False

    def read(self, written: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        """Return the mapping."""
        value = written.value
        if value is None and not self.filled:
            return written
        if self.listed and isinstance(value, list):
            given = _given(value, name)
            refuse_twice(given, name)
            words = Kind(Text(), ("text",))
            value = {
                words.read(entry, f"{name}[{index}]", ground).value: ComposeNode(self._default(entry), entry.place)
                for index, entry in enumerate(given)
            }
        if not isinstance(value, dict):
            raise wrong(written, name, "a mapping, or a list of names" if self.listed else "a mapping")
        return with_value(written, {key: self._read(key, entry, name, ground) for key, entry in value.items()})

    def _read(self, key: str, entry: ComposeNode, name: str, ground: PathBase) -> ComposeNode:
        if self.plain and not _PLAIN.fullmatch(key):
            raise UsageError(
                f"{key!r} cannot be a name in {name}",
                todo="Use letters, digits, '.', '_' and '-' only.",
                place=str(entry.place),
                expected="a name of letters, digits, '.', '_' and '-' has to stand here",
            )
        if entry.rule is MergeRule.RESET:
            return entry
        read = self.each.read(entry, f"{name}.{key}", ground)
        if self.replaced and read.rule is MergeRule.MERGE:
            return ComposeNode(read.value, read.place, MergeRule.REPLACE, read.text)
        return read

    def _default(self, entry: ComposeNode) -> dict[str, ComposeNode] | None:
        if self.default is None:
            return None
        return {key: ComposeNode(value, entry.place) for key, value in self.default}


class Fields(Struct, frozen=True):
    """A mapping with known keys and ``x-`` keys. An unknown key is refused with the nearest known one.

    Args:
        short: Turns another syntax into the mapping; None returned means that it does not apply.
        required: Keys that must have a value.
        merged: Keys that must have one when all files are merged.
        optional: The key may stand without a mapping.
        extended: Keys that begin with ``x-`` may stand in it.
        unsupported: Keys of the specification that are not carried out.
        closed: An unknown key is refused; else it means nothing.
    """

    keys: Mapping[str, Shape]
    short: Callable[[ComposeNode, str], dict[str, ComposeNode] | None] = field(default=lambda _written, _name: None)
    required: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()
    optional: bool = False
    extended: bool = True
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
            if (key.startswith("x-") and self.extended) or entry.rule is MergeRule.RESET:
                result[key] = entry
            elif key in self.keys:
                result[key] = self.keys[key].read(entry, path, ground)
            elif ground.lenient or not self.closed:
                result[key] = entry
            else:
                self._refuse(key, entry, name)
        for key in self.required:
            if key not in result or result[key].value is None or result[key].rule is MergeRule.RESET:
                raise without(written, name, key)
        return with_value(written, result)

    def _refuse(self, key: str, entry: ComposeNode, name: str) -> None:
        where = f"in {name}" if name else "at the top of a compose file"
        if key in self.unsupported:
            raise UsageError(f"the key {key!r} {where} is not carried out", why=NOT_DONE[key], place=str(entry.place))
        raise UsageError(
            f"the key {key!r} is not known {where}",
            todo=nearest(key, self.keys),
            place=str(entry.place),
            expected="a key of a compose file has to stand here",
        )


def without(written: ComposeNode, name: str, key: str) -> UsageError:
    """Return the complaint about a mapping without a key that it needs."""
    return UsageError(
        f"{name} has no {key!r}",
        todo=f"Add the key {key!r}.",
        place=str(written.place),
        expected=f"the key {key!r} has to stand here",
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
