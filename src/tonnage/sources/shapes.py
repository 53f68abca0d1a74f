"""Shapes: what may stand at a key of a compose file, and its one long form.

A shape reads a written value, refuses what does not fit with its place, and returns the long form. Short syntax, quoted
numbers and lists that stand for mappings end here; whatever works on the result sees one form only.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from tonnage.errors import UsageError
from tonnage.sources.written import Rule, Unique, Written, nearest, wrong
from tonnage.units import parse_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Ground:
    """What relative paths stand on.

    Args:
        directory: Absolute directory.
        home: What ``~`` stands for; empty when it is not known.
        lenient: Let unknown keys pass, because Compose itself has judged the files.
    """

    directory: str
    home: str = ""
    lenient: bool = False

    def path(self, text: str) -> str:
        """Return the text as an absolute, tidy path."""
        if self.home and (text == "~" or text.startswith("~/")):
            text = self.home + text[1:]
        return _tidy(str(PurePosixPath(self.directory) / text))


class Shape(Protocol):
    """What may stand at a key."""

    def read(self, written: Written, name: str, ground: Ground) -> Written:
        """Return the long form of ``written``, which stands at ``name``.

        Raises:
            UsageError: The value does not fit.
        """


def _tidy(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts[-1:] = []
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts)


def _with(written: Written, value: object) -> Written:
    return Written(value, written.place, written.rule, written.text)


def as_text(value: object) -> str:
    """Return a scalar as Compose writes it as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value == int(value) and abs(value) < 1e21:  # noqa: PLR2004 - where Go changes to exponents
        return str(int(value))
    return str(value)


@dataclass(frozen=True, slots=True)
class Anything:
    """Any value, as it is."""

    def read(self, written: Written, name: str, ground: Ground) -> Written:  # noqa: ARG002 - a Shape
        """Return the value."""
        return written


@dataclass(frozen=True, slots=True)
class Text:
    """Text; numbers and booleans become text. ``choices`` limits it when there are any."""

    choices: tuple[str, ...] = ()

    def read(self, written: Written, name: str, ground: Ground) -> Written:  # noqa: ARG002 - a Shape
        """Return the text."""
        if written.value is None:
            return written
        if not isinstance(written.value, str | int | float):
            raise wrong(written, name, "text")
        text = as_text(written.value)
        if self.choices and text not in self.choices:
            raise UsageError(
                f"{name} cannot be {text!r}", todo=nearest(text, self.choices, kind="values"), place=str(written.place)
            )
        return _with(written, text)


@dataclass(frozen=True, slots=True)
class PathText:
    """A path, made absolute; what ``keep`` says yes to (a URL, a service) stays as it is."""

    keep: Callable[[str], bool] = field(default=lambda _text: False)

    def read(self, written: Written, name: str, ground: Ground) -> Written:
        """Return the absolute path."""
        text = Text().read(written, name, ground)
        return text if text.value is None or self.keep(text.value) else _with(text, ground.path(text.value))


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number; text that is one becomes one. ``words`` stand for numbers."""

    words: tuple[tuple[str, int], ...] = ()

    def read(self, written: Written, name: str, ground: Ground) -> Written:  # noqa: ARG002 - a Shape
        """Return the number."""
        value = written.value
        if value is None:
            return written
        if isinstance(value, str) and value in dict(self.words):
            return _with(written, dict(self.words)[value])
        if isinstance(value, str) and re.fullmatch(r"[-+]?\d+", value):
            return _with(written, int(value))
        if isinstance(value, float) and value == int(value):
            return _with(written, int(value))
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong(written, name, "a whole number")
        return written


@dataclass(frozen=True, slots=True)
class Number:
    """A number; text that is one becomes one."""

    def read(self, written: Written, name: str, ground: Ground) -> Written:  # noqa: ARG002 - a Shape
        """Return the number."""
        value = written.value
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise wrong(written, name, "a number") from None
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise wrong(written, name, "a number")
        return _with(written, int(value) if isinstance(value, float) and value == int(value) else value)


_TRUE = {"true", "1", "t", "y", "yes", "on"}
_FALSE = {"false", "0", "f", "n", "no", "off"}


@dataclass(frozen=True, slots=True)
class Truth:
    """True or false; the words for them become booleans. ``words`` are further texts that may stand here."""

    words: tuple[str, ...] = ()

    def read(self, written: Written, name: str, ground: Ground) -> Written:  # noqa: ARG002 - a Shape
        """Return the boolean."""
        if written.value is None or isinstance(written.value, bool):
            return written
        if isinstance(written.value, str):
            lower = written.value.lower()
            if written.value in self.words:
                return written
            if lower in _TRUE | _FALSE:
                return _with(written, lower in _TRUE)
        raise wrong(written, name, "true or false")


@dataclass(frozen=True, slots=True)
class Span:
    """A duration, written the one way: ``90s`` becomes ``1m30s``."""

    def read(self, written: Written, name: str, ground: Ground) -> Written:  # noqa: ARG002 - a Shape
        """Return the duration as text."""
        if written.value is None:
            return written
        text = as_text(written.value) if isinstance(written.value, str | int | float) else ""
        if text == "0":
            return _with(written, "0s")
        try:
            return _with(written, _span(parse_seconds(text)))
        except UsageError as error:
            raise UsageError(f"{name}: {error.what}", todo=error.todo, place=str(written.place)) from None


def _span(seconds: float) -> str:
    left = round(seconds * 1e6)
    parts = []
    for unit, size in (("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000), ("us", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)i?b?", re.IGNORECASE)


def engine_bytes(text: str) -> int | None:
    """Return bytes from a size as Docker reads it (``512m`` is 512 * 2^20); None when it is no size.

    Source: RAMInBytes of docker/go-units, which Compose reads sizes with.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    return int(float(match[1]) * 1024 ** " kmgtp".index(match[2].lower() or " "))


@dataclass(frozen=True, slots=True)
class Size:
    """A size as Docker reads it, written as bytes in text."""

    def read(self, written: Written, name: str, ground: Ground) -> Written:  # noqa: ARG002 - a Shape
        """Return the bytes as text."""
        value = written.value
        if value is None or (isinstance(value, str | int) and str(value) == "-1"):
            return written if value is None else _with(written, "-1")
        size = engine_bytes(as_text(value)) if isinstance(value, str | int | float) else None
        if size is None:
            raise wrong(written, name, "a size such as 512m or 2g")
        return _with(written, str(size))


@dataclass(frozen=True, slots=True)
class Mode:
    """File permissions; an octal number is written as octal text."""

    def read(self, written: Written, name: str, ground: Ground) -> Written:  # noqa: ARG002 - a Shape
        """Return the mode as octal text."""
        if isinstance(written.value, int) and not isinstance(written.value, bool):
            return _with(written, f"0{written.value:o}")
        if isinstance(written.value, str) or written.value is None:
            return written
        raise wrong(written, name, "an octal mode such as 0440")


@dataclass(frozen=True, slots=True)
class Command:
    """A command: text is split as a shell splits it. A later file replaces it."""

    in_shell: bool = False

    def read(self, written: Written, name: str, ground: Ground) -> Written:
        """Return the list; with ``in_shell``, text becomes a shell command of a healthcheck."""
        value = written.value
        if isinstance(value, str):
            try:
                value = ["CMD-SHELL", value] if self.in_shell else shlex.split(value)
            except ValueError as error:
                raise UsageError(f"{name} cannot be split: {error}", place=str(written.place)) from None
            value = [Written(word, written.place) for word in value]
        elif isinstance(value, list):
            value = [Text().read(entry, name, ground) for entry in value]
        elif value is not None:
            raise wrong(written, name, "text or a list of words")
        return Written(value, written.place, Rule.REPLACE if written.rule is Rule.MERGE else written.rule)


@dataclass(frozen=True, slots=True)
class Listed:
    """A list; a scalar stands for a list of one when ``single``. A later file appends to it."""

    each: Shape
    single: bool = False

    def read(self, written: Written, name: str, ground: Ground) -> Written:
        """Return the list."""
        value = written.value
        if value is None:
            return _with(written, [])
        if self.single and not isinstance(value, list):
            value = [_entry(written, value)]
        if not isinstance(value, list):
            raise wrong(written, name, "a list")
        return _with(written, [self.each.read(entry, f"{name}[{index}]", ground) for index, entry in enumerate(value)])


@dataclass(frozen=True, slots=True)
class Distinct:
    """A list whose entries have a key: a later entry with the same key replaces the earlier one.

    Args:
        each: The shape of one entry.
        key: The key of an entry in long form.
        single: A scalar stands for a list of one.
        short: Turns one entry of any syntax into one or more entries for ``each``.
        pairs: A mapping is written as a list of ``name=value``, with the sign that stands between.
    """

    each: Shape
    key: Callable[[Written], str] = field(default=lambda written: str(written.value))
    single: bool = False
    short: Callable[[Written, str], list[Written]] = field(default=lambda written, _name: [written])
    pairs: str = ""

    def read(self, written: Written, name: str, ground: Ground) -> Written:
        """Return the entries by key."""
        value = written.value
        if self.pairs and isinstance(value, dict):
            value = _paired(value, self.pairs, name)
        if self.single and value is not None and not isinstance(value, list):
            value = [_entry(written, value)]
        if not isinstance(value, list | None):
            raise wrong(written, name, "a list")
        entries = Unique()
        for index, entry in enumerate(value or []):
            for part in self.short(entry, f"{name}[{index}]"):
                read = self.each.read(part, f"{name}[{index}]", ground)
                entries[self.key(read)] = Written(read.value, read.place, Rule.REPLACE)
        return _with(written, entries)


def _entry(written: Written, value: object) -> Written:
    return Written(value, written.place, text=written.text)


def _paired(mapping: Mapping[str, Written], sign: str, name: str) -> list[Written]:
    result = []
    for key, entry in mapping.items():
        for value in entry.value if isinstance(entry.value, list) else [entry]:
            if isinstance(value.value, dict | list):
                raise wrong(value, f"{name}.{key}", "text")
            text = key if value.value is None else f"{key}{sign}{as_text(value.value)}"
            result.append(Written(text, entry.place))
    return result


@dataclass(frozen=True, slots=True)
class Pairs:
    """Names with values, as a mapping or as a list of ``NAME=value``; without a value it is ``missing``."""

    missing: str | None = None
    each: Shape = field(default_factory=Text)

    def read(self, written: Written, name: str, ground: Ground) -> Written:
        """Return the mapping."""
        value = written.value
        result: dict[str, Written] = {}
        if isinstance(value, list):
            for entry in value:
                if not isinstance(entry.value, str | int | float):
                    raise wrong(entry, f"an entry of {name}", "text such as NAME=value")
                key, sign, rest = as_text(entry.value).partition("=")
                item = Written(rest if sign else self.missing, entry.place, Rule.REPLACE)
                result[key.strip()] = self.each.read(item, f"{name}.{key}", ground)
        elif isinstance(value, dict):
            for key, entry in value.items():
                item = Written(self.missing, entry.place, entry.rule) if entry.value is None else entry
                result[key] = self.each.read(item, f"{name}.{key}", ground)
        elif value is not None:
            raise wrong(written, name, "a mapping, or a list of NAME=value")
        return _with(written, result)


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping with names of the user's choice; a list of names stands for names with ``default`` when ``listed``."""

    each: Shape
    listed: bool = False
    default: tuple[tuple[str, object], ...] | None = None

    def read(self, written: Written, name: str, ground: Ground) -> Written:
        """Return the mapping."""
        value = written.value
        if self.listed and isinstance(value, list):
            value = {
                Text().read(entry, name, ground).value: Written(self._default(entry), entry.place) for entry in value
            }
        if value is None:
            return _with(written, {})
        if not isinstance(value, dict):
            raise wrong(written, name, "a mapping, or a list of names" if self.listed else "a mapping")
        return _with(written, {key: self._read(entry, f"{name}.{key}", ground) for key, entry in value.items()})

    def _read(self, entry: Written, name: str, ground: Ground) -> Written:
        return entry if entry.rule is Rule.RESET else self.each.read(entry, name, ground)

    def _default(self, entry: Written) -> dict[str, Written] | None:
        if self.default is None:
            return None
        return {key: Written(value, entry.place) for key, value in self.default}


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping with known keys and ``x-`` keys. An unknown key is refused with the nearest known one.

    Args:
        keys: The known keys.
        short: Turns another syntax into the mapping; None returned means that it does not apply.
        unsupported: Keys of the specification that this reader cannot honour.
    """

    keys: Mapping[str, Shape]
    short: Callable[[Written, str], dict[str, Written] | None] = field(default=lambda _written, _name: None)
    unsupported: frozenset[str] = frozenset()

    def read(self, written: Written, name: str, ground: Ground) -> Written:
        """Return the mapping in long form; nothing stays nothing."""
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
            if key.startswith("x-") or entry.rule is Rule.RESET:
                result[key] = entry
            elif key in self.keys:
                result[key] = self.keys[key].read(entry, path, ground)
            elif ground.lenient:
                result[key] = entry
            else:
                self._refuse(key, entry, name)
        return _with(written, result)

    def _refuse(self, key: str, entry: Written, name: str) -> None:
        where = f"in {name}" if name else "at the top of a compose file"
        if key in self.unsupported:
            raise UsageError(
                f"the key {key!r} {where} needs Docker Compose v2",
                why="The built-in reader, which is used where Compose v2 is not installed, does not know what it does.",
                todo="Install the Docker Compose plugin, version 2.",
                place=str(entry.place),
            )
        raise UsageError(f"the key {key!r} is not known {where}", todo=nearest(key, self.keys), place=str(entry.place))


@dataclass(frozen=True, slots=True)
class Either:
    """A mapping of one shape, or anything else of another."""

    scalar: Shape
    mapping: Shape

    def read(self, written: Written, name: str, ground: Ground) -> Written:
        """Return the long form of whichever it is."""
        shape = self.mapping if isinstance(written.value, dict) else self.scalar
        return shape.read(written, name, ground)


@dataclass(frozen=True, slots=True)
class Mounted:
    """A mount: its source is a path when its type is ``bind``."""

    fields: Fields

    def read(self, written: Written, name: str, ground: Ground) -> Written:
        """Return the mount with an absolute source where it has a path."""
        read = self.fields.read(written, name, ground)
        entries: Mapping[str, Written] = read.value or {}
        for key in ("type", "target"):
            if key not in entries:
                raise UsageError(f"{name} has no {key!r}", place=str(read.place))
        source = entries.get("source")
        if source is None or entries["type"].value != "bind":
            return read
        return _with(read, {**entries, "source": PathText().read(source, f"{name}.source", ground)})
