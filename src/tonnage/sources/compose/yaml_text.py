"""YAML text to a tree with places. Nothing here knows what a compose file is.

Plain scalars mean what they mean to Compose (``yes`` is text, ``0444`` is octal); a key that stands twice is refused.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.stack import Place
from tonnage.sources.compose.nodes import ComposeNode, Date, Documents, MergeRule, describe
from tonnage.sources.compose.yaml_scanner import parser_of

if TYPE_CHECKING:
    from ruamel.yaml.events import SequenceStartEvent
    from ruamel.yaml.parser import Parser

    _Event = AliasEvent | ScalarEvent | MappingStartEvent | SequenceStartEvent

_NULLS = {"", "~", "null", "Null", "NULL"}
_INFINITE = {
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = regex(r"[-+]?(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[oO]?(?P<octal>[0-7]+)|0[bB](?P<binary>[01]+)|0|[1-9][0-9]*)")
_FLOAT = regex(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BEGINS_NUMBER = regex(r"[-+.0-9]")
_POINT = regex(r"\.[0-9](?:_?[0-9])*(?:[eE][-+]?[0-9](?:_?[0-9])*)?")
_TIME = r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?"
_DATE = regex(rf"([0-9]{{4}})-([0-9]{{1,2}})-([0-9]{{1,2}})(?:[Tt]{_TIME}(?:Z|[-+][0-9]{{2}}:[0-9]{{2}})| {_TIME})?")
_TAGS = "tag:yaml.org,2002:"
_KINDS = {"int": int, "float": float, "bool": bool, "null": type(None), "timestamp": Date}
_BASES = {"hex": 16, "octal": 8, "binary": 2}
_WHOLE_NUMBERS = range(-(2**63), 2**64)
_MOST_DIGITS = 80
"""More than the widest number of 64 bits has, also as ones and zeros with a sign and a mark of its base."""
_MOST_VALUES, _MOST_WRITTEN = 1_000_000, 120_000
"""With aliases written out, and as they stand in a file: a megabyte of services has 100,000."""
_MOST_DOCUMENTS, _MOST_MARKS = 1_000, 20_000
_DEEPEST = 100
"""Deeper than any compose file; whatever works on a tree may go into it level by level."""
_MOST_OPEN = 300
_BRACKET = regex(r"[\[\]{}]")
_RULES = {"!reset": MergeRule.RESET, "!override": MergeRule.REPLACE}
_OPENED = regex(r"(?:[\[{]\s*){101}")


def read_yaml(text: str, file: str) -> ComposeNode:
    """Read one YAML document.

    Returns:
        The tree; its value is None when the document is empty.

    Raises:
        UsageError: A syntax error, a key that stands twice, a key that is no text, or more than one document.
    """
    written = read_documents(text, file)
    if isinstance(written.value, Documents) and len(written.value) > 1:
        second = written.value[1].place
        raise _syntax(f"A second document begins in line {second.line}", second)
    return written if not isinstance(written.value, Documents) else ComposeNode(None, written.place)


def read_documents(text: str, file: str) -> ComposeNode:
    """Read all YAML documents of a text.

    Returns:
        The document, or several :class:`Documents`: none for a text that is empty or has only comments.

    Raises:
        UsageError: A syntax error, a key that stands twice, or a key that is no text.
    """
    if _OPENED.search(text):  # The parser takes long to find that out.
        raise UsageError("this YAML is nested too deeply", place=file)
    try:
        _refuse_deep(text, file)
        found = _Builder(parser_of(text), file).documents()
        return found[0] if len(found) == 1 else ComposeNode(Documents(found), Place(file, 1))
    except MarkedYAMLError as error:
        raise _invalid(error, file) from error
    except YAMLError as error:
        raise UsageError("this is not valid YAML", why=f"{error}.", place=file) from error


def _refuse_deep(text: str, file: str) -> None:
    """Refuse brackets within brackets before they are read: the reader goes through all open ones at each of them.

    Quotes are not looked at, so that as many brackets are let through as text can hold without being closed.
    """
    depth = 0
    for bracket in _BRACKET.finditer(text):
        depth = depth + 1 if bracket[0] in "[{" else max(0, depth - 1)
        if depth > _MOST_OPEN:
            line = text.count("\n", 0, bracket.start()) + 1
            raise UsageError("this YAML is nested too deeply", place=str(Place(file, line)))


def _invalid(error: MarkedYAMLError, file: str) -> UsageError:
    mark, begin = error.problem_mark or error.context_mark, error.context_mark
    why = (error.problem or error.context or "").strip()
    if error.context and error.problem and begin is not None:
        why = f"{why} {error.context.strip()} that begins in line {begin.line + 1}"
    line = mark.line + 1 if mark is not None else None
    what = "this is not valid YAML"
    return UsageError(what, why=f"{why}.", place=str(Place(file, line)), expected=what)


def read_scalar(text: str) -> str | int | float | bool | Date | None:
    """Return what a plain scalar means to Compose.

    Source: ``resolve.go`` of go-yaml v3, which Compose v2 reads with.
    """
    if text in _NULLS:
        return None
    if text in _TRUTHS:
        return _TRUTHS[text]
    if text in _INFINITE:
        return _INFINITE[text]
    if not _BEGINS_NUMBER.match(text):
        return text
    if _is_date(text):
        return Date(text)
    # What stands behind a sign or a digit may have underscores anywhere, what stands behind a point between digits.
    bare = text.replace("_", "") if text[0] != "." or _POINT.fullmatch(text) else text
    whole = _WHOLE.fullmatch(bare) if len(bare) <= _MOST_DIGITS else None
    if whole is not None:
        base = whole.lastgroup or ""
        number = int(whole[base], _BASES[base]) if base else abs(int(bare))
        number = -number if bare.startswith("-") else number
        if number in _WHOLE_NUMBERS:
            return number
    # A number that no float holds is text.
    if _FLOAT.fullmatch(bare) and math.isfinite(float(bare)):
        return float(bare)
    return text


def _is_date(text: str) -> bool:
    """Return whether YAML takes a text for a date; there has to be such a day."""
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    year, month, day, *clock = (int(part) for part in match.groups() if part)
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = 28 + is_leap if month == 2 else 30 + (month + month // 8) % 2  # noqa: PLR2004 - February
    hour, minute, second = clock or (0, 0, 0)
    return 1 <= month <= 12 and 1 <= day <= days and hour < 24 and minute < 60 and second < 60  # noqa: PLR2004 - of clocks


class _Builder:
    """Turns what a parser finds into written values; what an alias stands for is built once."""

    def __init__(self, parser: Parser, file: str) -> None:
        self._parser = parser
        self._file = file
        self._anchors: dict[str, tuple[ComposeNode, int] | None] = {}
        self._written = self._marked = 0

    def documents(self) -> list[ComposeNode]:
        parser = self._parser
        parser.get_event()
        found: list[ComposeNode] = []
        while not parser.check_event(StreamEndEvent):
            begin = parser.get_event()
            if len(found) == _MOST_DOCUMENTS:
                raise UsageError(
                    f"this YAML has more than {_MOST_DOCUMENTS:,} documents",
                    todo="Write one document for each file.",
                    place=str(Place(self._file, begin.start_mark.line + 1)),
                )
            node, _ = self._build(parser.get_event(), 0)
            if node.rule is MergeRule.RESET:
                raise UsageError("the whole document is marked !reset", place=str(node.place))
            found.append(ComposeNode(node.value, node.place, text=node.text))
            parser.get_event()
        return found

    def _build(self, event: _Event, depth: int, *, override: bool = False) -> tuple[ComposeNode, int]:
        """Return a value, and how many values it has with its aliases written out.

        Args:
            override: It stands in what is marked !override, where Compose looks for no marks.
        """
        place = Place(self._file, event.start_mark.line + 1)
        self._count(event, place)
        if isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                raise _syntax(f"found undefined alias {event.anchor!r}", place)
            known = self._anchors[event.anchor]
            if known is None:
                raise UsageError(
                    "an alias stands inside its own anchor", todo="Write out what it stands for.", place=str(place)
                )
            return known
        if depth > _DEEPEST:
            raise UsageError("this YAML is nested too deeply", place=str(place))
        tag = event.tag or ""
        rule = MergeRule.MERGE if override else _RULES.get(tag, MergeRule.MERGE)
        if event.anchor:
            self._anchors[event.anchor] = None
        within = override or rule is MergeRule.REPLACE
        if isinstance(event, ScalarEvent):
            values, text = 1, event.value
            built = ComposeNode(_scalar(text, tag, event.style, place), place, rule, text=text)
        else:
            is_mapping = isinstance(event, MappingStartEvent)
            value, values = self._mapping(depth, within) if is_mapping else self._sequence(depth, within)
            built = ComposeNode(value, place, rule)
        if values > _MOST_VALUES:
            raise UsageError(
                "this YAML stands for too many values",
                why=f"With its aliases written out it has more than {_MOST_VALUES:,}.",
                place=str(place),
            )
        if event.anchor:
            self._anchors[event.anchor] = (built, values)
        return built, values

    def _count(self, event: _Event, place: Place) -> None:
        """Count one value that is written, and refuse the first that is too many."""
        self._written += 1
        if self._written > _MOST_WRITTEN:
            raise UsageError(
                "this YAML has too many values",
                why=f"More than {_MOST_WRITTEN:,} are written in it.",
                todo="Divide it into several files.",
                place=str(place),
            )
        if not isinstance(event, AliasEvent) and (event.anchor or event.ctag is not None):
            self._marked += 1
            if self._marked > _MOST_MARKS:
                raise UsageError(
                    f"this YAML has more than {_MOST_MARKS:,} tags and anchors",
                    todo="Write out what they stand for.",
                    place=str(place),
                )

    def _sequence(self, depth: int, override: bool) -> tuple[list[ComposeNode], int]:  # noqa: FBT001 - as _build has it
        entries, values = [], 1
        while not isinstance(event := self._parser.get_event(), SequenceEndEvent):
            entry, inside = self._build(event, depth + 1, override=override)
            values += inside
            if entry.rule is not MergeRule.RESET:
                entries.append(entry)
        return entries, values

    def _mapping(self, depth: int, override: bool) -> tuple[dict[str, ComposeNode], int]:  # noqa: FBT001 - as _build has it
        own: dict[str, ComposeNode] = {}
        merged: dict[str, ComposeNode] = {}
        begun: Place | None = None
        values = 1
        while not isinstance(event := self._parser.get_event(), MappingEndEvent):
            place = Place(self._file, event.start_mark.line + 1)
            is_merge = isinstance(event, ScalarEvent) and event.value == "<<" and not event.style
            node, _ = self._build(event, depth + 1, override=True)
            key = node.value
            first = begun if is_merge else own[key].place if isinstance(key, str) and key in own else None
            if not isinstance(key, str):
                raise _wrong_key(node, place)
            if first is not None:
                raise UsageError(
                    f"the key {key!r} stands twice in one mapping",
                    why=f"The first stands in line {first.line}.",
                    todo="Remove one of them.",
                    place=str(place),
                )
            value, inside = self._build(self._parser.get_event(), depth + 1, override=override)
            values += 1 + inside
            if is_merge:
                begun, merged = place, _merged(value)
            else:
                own[key] = ComposeNode(value.value, place, value.rule, value.text)
        return {**{name: value for name, value in merged.items() if name not in own}, **own} if merged else own, values


def _scalar(text: str, tag: str, style: str | None, place: Place) -> object:
    """Return the value of a scalar."""
    if tag in {"", "!"}:
        return text if style is not None else read_scalar(text)
    kind = tag.removeprefix(_TAGS)
    if kind == "binary":
        try:
            return base64.b64decode("".join(text.splitlines()), validate=True).decode("utf-8", "replace")
        except ValueError:
            raise _syntax("a !!binary value is no base64", place) from None
    if kind not in _KINDS:
        return text
    value = read_scalar(text)
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not _KINDS[kind]:
        raise _syntax(f"{text!r} is no !!{kind}", place)
    return value


def _wrong_key(node: ComposeNode, place: Place) -> UsageError:
    if isinstance(node.value, dict | list) or node.value is None:
        return UsageError("a key must be text", todo="Write a name in quotes.", place=str(place))
    return UsageError(
        f"a key must be text, not {describe(node.value)}", todo=f'Write it in quotes: "{node.text}"', place=str(place)
    )


def _merged(written: ComposeNode) -> dict[str, ComposeNode]:
    result: dict[str, ComposeNode] = {}
    for entry in written.value if isinstance(written.value, list) else [written]:
        if not isinstance(entry.value, dict):
            raise UsageError("'<<' merges mappings only", todo="Write a mapping behind it.", place=str(entry.place))
        for name, value in entry.value.items():
            result.setdefault(name, value)
    return result


def _syntax(why: str, place: Place) -> UsageError:
    what = "this is not valid YAML"
    return UsageError(what, why=f"{why}.", place=str(place), expected=what)
