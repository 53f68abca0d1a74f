"""The words of a shell command: quotes taken away, variables put in as far as they are known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.lazily import regex
from tonnage.model.forecast.shell_script import Word
from tonnage.sources.substitution import Lexer, SubstitutionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tree_sitter import Node

_OPAQUE = frozenset({"process_substitution", "array", "subscript", "brace_expression"})
_SET_DEFAULT = regex(r"\$\{(?P<name>\w+):?=")
_ESCAPED = regex(r'\\([$`"\\\n])')
_ANY_ESCAPED = regex(r"\\(.)", re.DOTALL)
_ANSI = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
_LEXER = Lexer()


class Variables(Struct):
    """What is known about the variables of a shell while a script is read.

    Args:
        values: Known values; None where there is one that is not known.
        exported: Names that commands are given.
        complete: A name that is not here has no value; else it may have one.
        unset: Names that have no value in any case, until they are given one.
    """

    values: dict[str, str | None] = field(default_factory=dict)
    exported: set[str] = field(default_factory=set)
    complete: bool = True
    unset: frozenset[str] = frozenset()

    def value(self, name: str) -> str | None:
        """Return a value; empty for a name without one; None where it is not known."""
        return self.values.get(name, "" if self.complete or name in self.unset else None)

    def known(self) -> dict[str, str]:
        """Return the values that are known."""
        return {name: value for name, value in self.values.items() if value is not None}

    def environment(self) -> dict[str, str]:
        """Return what a command is given, as far as it is known."""
        return {name: value for name, value in self.known().items() if name in self.exported}

    def copy(self) -> Variables:
        """Return a copy that can be changed."""
        return Variables(dict(self.values), set(self.exported), self.complete, self.unset)

    def merge(self, others: list[Variables]) -> None:
        """Forget what differs between the ways that a script may have gone."""
        names = {name for each in others for name in each.values}
        for name in names:
            found = {each.value(name) for each in others}
            self.values[name] = found.pop() if len(found) == 1 else None
            if any(name in each.exported for each in others):
                self.exported.add(name)


class _Field(Struct):
    """A piece of a word; blanks in it cut only where ``cuts`` is set."""

    text: str
    known: bool = True
    quoted: bool = False
    cuts: bool = False


class Expander(Struct, frozen=True):
    """Puts variables into words.

    Args:
        variables: What is known.
        answers: What commands print whose output is known, by their text.
        run: Is given each command substitution.
    """

    variables: Variables
    answers: Mapping[str, str]
    run: Callable[[Node], None]

    def words(self, node: Node) -> tuple[Word, ...]:
        """Return what one written word becomes: none, one or several words."""
        words: list[Word] = []
        current: Word | None = None
        for piece in self._fields(node):
            parts = piece.text.split() if piece.cuts and piece.known else [piece.text]
            begins = piece.cuts and piece.known and piece.text[:1].isspace()
            ends = piece.cuts and piece.known and piece.text[-1:].isspace()
            if begins and current is not None:
                words.append(current)
                current = None
            for number, part in enumerate(parts):
                if number and current is not None:
                    words.append(current)
                    current = None
                if not part and piece.cuts:
                    continue
                before = current or Word("")
                current = Word(before.text + part, before.known and piece.known, before.quoted or piece.quoted)
            if ends and current is not None:
                words.append(current)
                current = None
        return (*words, current) if current is not None else tuple(words)

    def one(self, node: Node) -> Word:
        """Return what a written word becomes where it is not cut, as in an assignment."""
        fields = self._fields(node)
        return Word(
            "".join(each.text for each in fields),
            all(each.known for each in fields),
            any(each.quoted for each in fields),
        )

    def document(self, node: Node, *, expands: bool) -> str | None:
        """Return the body of a here-document; None where it is not known."""
        text = _text(node)
        if not expands:
            return text
        fields = self._inside(node)
        return "".join(each.text for each in fields) if all(each.known for each in fields) else None

    def _fields(self, node: Node) -> list[_Field]:
        kind = node.type
        text = _text(node)
        if kind in {"concatenation", "command_name"}:
            return [piece for child in node.children for piece in self._fields(child)]
        if kind == "string":
            inside = self._inside(node)
            return inside or [_Field("", quoted=True)]
        if kind == "raw_string":
            return [_Field(text[1:-1], quoted=True)]
        if kind == "ansi_c_string":
            unescaped = _ANY_ESCAPED.sub(lambda match: _ANSI.get(match[1], match[0]), text[2:-1])
            return [_Field(unescaped, quoted=True)]
        if kind == "translated_string":
            return [_Field(text[2:-1], "$" not in text[2:], quoted=True)]
        if kind in {"simple_expansion", "expansion"}:
            return [self._variable(node, text)]
        if kind == "command_substitution":
            return [self._output(node, text)]
        if kind == "arithmetic_expansion" or kind in _OPAQUE:
            return [_Field(text, known=False)]
        unescaped = _ANY_ESCAPED.sub(lambda match: "" if match[1] == "\n" else match[1], text)
        if unescaped == "~" or unescaped.startswith("~/"):
            home = self.variables.value("HOME")
            return [_Field(f"{home}{unescaped[1:]}" if home else unescaped, known=bool(home))]
        return [_Field(unescaped, quoted=unescaped != text)]

    def _inside(self, node: Node) -> list[_Field]:
        """Read what stands between double quotes, or in a here-document; blanks between parts count too."""
        quote = node.type == "string"
        source = node.text or b""
        at = 1 if quote else 0
        end = len(source) - (1 if quote else 0)
        fields: list[_Field] = []
        for child in node.children:
            if child.type not in {"simple_expansion", "expansion", "command_substitution", "arithmetic_expansion"}:
                continue
            begin = child.start_byte - node.start_byte
            fields.append(_Field(_plain(source[at:begin].decode(errors="replace")), quoted=True))
            fields += [_Field(piece.text, piece.known, quoted=True) for piece in self._fields(child)]
            at = child.end_byte - node.start_byte
        fields.append(_Field(_plain(source[at:end].decode(errors="replace")), quoted=True))
        return [each for each in fields if each.text or not each.known] or [_Field("", quoted=True)]

    def _variable(self, node: Node, text: str) -> _Field:
        inner = list(_descendants(node))
        for each in inner:
            if each.type == "command_substitution":
                self.run(each)
        if any(each.type in _OPAQUE | {"command_substitution", "arithmetic_expansion"} for each in inner):
            return _Field(text, known=False, cuts=True)
        names = [_text(each) for each in inner if each.type in {"variable_name", "special_variable_name"}]
        if not names or any(self.variables.value(name) is None for name in names):
            return _Field(text, known=False, cuts=True)
        default = _SET_DEFAULT.match(text)
        try:
            if default is not None:
                value = _LEXER.expand(f"${{{default['name']}:-{text[default.end() :]}", self.variables.known())
                self.variables.values[default["name"]] = value
            else:
                value = _LEXER.expand(text, self.variables.known())
        except SubstitutionError:
            return _Field(text, known=False, cuts=True)
        return _Field(value, cuts=True)

    def _output(self, node: Node, text: str) -> _Field:
        command = text.removeprefix("$(").removesuffix(")").strip("` ")
        answer = self.answers.get(" ".join(command.split()))
        if answer is not None:
            return _Field(answer, cuts=True)
        self.run(node)
        return _Field(text, known=False, cuts=True)


def _plain(text: str) -> str:
    """Take away the escapes that count between double quotes."""
    return _ESCAPED.sub(lambda match: "" if match[1] == "\n" else match[1], text)


def _descendants(node: Node) -> list[Node]:
    found: list[Node] = []
    for child in node.children:
        found += [child, *_descendants(child)]
    return found


def _text(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")
