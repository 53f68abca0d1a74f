"""YAML text to a tree with places. Nothing here knows what a compose file is.

Plain scalars mean what they mean to Compose (``yes`` is text, ``0444`` is octal); a key that stands twice is refused.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.model.stack import Place
from tonnage.sources.compose.nodes import ComposeNode, MergeRule

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

_NULLS = {"", "~", "null", "Null", "NULL"}
_INFINITE = {
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = regex(r"[-+]?(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[oO]?(?P<octal>[0-7]+)|0[bB](?P<binary>[01]+)|0|[1-9][0-9]*)")
_FLOAT = regex(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASES = {"hex": 16, "octal": 8, "binary": 2}
_WHOLE_NUMBERS = range(-(2**63), 2**64)
_MOST_DIGITS = 80
"""More than the widest number of 64 bits has, also as ones and zeros with a sign and a mark of its base."""
_MOST_VALUES = 1_000_000
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
    if _OPENED.search(text):  # The parser takes long to find that out.
        raise UsageError("this YAML is nested too deeply", place=file)
    try:
        _refuse_deep(text, file)
        reader = YAML(typ="safe", pure=True)
        # An anchor may be given anew; the warning of it quotes the file.
        reader.composer.warn_double_anchors = False
        node = reader.compose(text)
        return ComposeNode(None, Place(file, 1)) if node is None else _Builder(file).build(node)
    except MarkedYAMLError as error:
        raise _invalid(error, file) from error
    except YAMLError as error:
        raise UsageError("this is not valid YAML", why=f"{error}.", place=file) from error
    except RecursionError:
        raise UsageError("this YAML is nested too deeply", place=file) from None


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


def read_scalar(text: str) -> str | int | float | bool | None:
    """Return what a plain scalar means to Compose.

    Source: ``resolve.go`` of go-yaml v3, which Compose v2 reads with.
    """
    if text in _NULLS:
        return None
    if text in _TRUTHS:
        return _TRUTHS[text]
    if text in _INFINITE:
        return _INFINITE[text]
    # What stands behind a sign or a digit may have underscores anywhere.
    bare = text if text[:1] in {".", "_"} else text.replace("_", "")
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


class _Builder:
    """Turns the nodes of one document into written values; an anchor's node is built once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._built: dict[int, ComposeNode] = {}
        self._values: dict[int, int] = {}
        self._open: set[int] = set()

    def build(self, node: Node) -> ComposeNode:
        known = self._built.get(id(node))
        if known is not None:
            return known
        if id(node) in self._open:
            raise UsageError("an alias stands inside its own anchor", place=str(self._place(node)))
        if len(self._open) > _DEEPEST:
            raise UsageError("this YAML is nested too deeply", place=str(self._place(node)))
        self._open.add(id(node))
        built = self._build(node)
        self._open.discard(id(node))
        self._count(node)
        self._built[id(node)] = built
        return built

    def _count(self, node: Node) -> None:
        """Refuse a document that is short but stands for more values than any stack has: a few aliases of aliases."""
        parts = node.value if isinstance(node, MappingNode | SequenceNode) else ()
        inner = [part for pair in parts for part in pair] if isinstance(node, MappingNode) else parts
        values = 1 + sum(self._values.get(id(part), 1) for part in inner)
        if values > _MOST_VALUES:
            raise UsageError(
                "this YAML stands for too many values",
                why=f"With its aliases written out it has more than {_MOST_VALUES:,}.",
                place=str(self._place(node)),
            )
        self._values[id(node)] = values

    def _place(self, node: Node) -> Place:
        return Place(self._file, node.start_mark.line + 1)

    def _build(self, node: Node) -> ComposeNode:
        place = self._place(node)
        tag = str(node.tag or "")
        rule = _RULES.get(tag, MergeRule.MERGE)
        if tag.startswith("!") and rule is MergeRule.MERGE and tag != "!":
            raise UsageError(
                f"the tag {tag} is not known", todo="Compose files know !reset and !override.", place=str(place)
            )
        if isinstance(node, MappingNode):
            return ComposeNode(self._mapping(node), place, rule)
        if isinstance(node, SequenceNode):
            return ComposeNode([self.build(entry) for entry in node.value], place, rule)
        if not isinstance(node, ScalarNode):
            raise UsageError("this YAML cannot be read", place=str(place))
        is_text = node.style is not None or tag == "tag:yaml.org,2002:str"
        value = node.value if is_text else read_scalar(node.value)
        return ComposeNode(value, place, rule, text=node.value)

    def _mapping(self, node: MappingNode) -> dict[str, ComposeNode]:
        own: dict[str, ComposeNode] = {}
        merged: dict[str, ComposeNode] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key == "<<" and key_node.style is None:
                for name, value in self._merged(value_node).items():
                    merged.setdefault(name, value)
                continue
            if key in own:
                raise UsageError(
                    f"the key {key!r} stands twice in one mapping",
                    why=f"The first stands in line {own[key].place.line}.",
                    todo="Remove one of them.",
                    place=str(self._place(key_node)),
                )
            value = self.build(value_node)
            own[key] = ComposeNode(value.value, self._place(key_node), value.rule, value.text)
        return {**{name: value for name, value in merged.items() if name not in own}, **own} if merged else own

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise UsageError("a key must be text", place=str(self._place(node)))
        return str(node.value)

    def _merged(self, node: Node) -> dict[str, ComposeNode]:
        nodes = node.value if isinstance(node, SequenceNode) else [node]
        result: dict[str, ComposeNode] = {}
        for entry in nodes:
            built = self.build(entry)
            if not isinstance(built.value, dict):
                raise UsageError("'<<' merges mappings only", place=str(self._place(entry)))
            for name, value in built.value.items():
                result.setdefault(name, value)
        return result
