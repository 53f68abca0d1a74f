"""Pieces of the syntax tree of a shell script: statements, redirections, and words with what is known put in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.forecast.shell.braces import ManyWordsError, alternatives, expands, has_braces
from tonnage.lazily import regex
from tonnage.model.forecast.shell_script import Redirection, Word, has_pattern
from tonnage.sources.substitution import SubstitutionError
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tree_sitter import Node

    from tonnage.sources.substitution import Lexer

_EACH_ARGUMENT = frozenset({'"$@"', '"${@}"'})
_MOST_NUMBERED = 10
_OPAQUE = frozenset({"process_substitution", "array", "subscript"})
_SET_DEFAULT = regex(r"\$\{(?P<name>\w+):?=")
_ESCAPED = regex(r'\\([$`"\\\n])')
_HOME_OF = regex(r"~(?P<user>[a-z_][\w-]*)(?P<rest>(?:/.*)?)", re.DOTALL)
_ANY_ESCAPED = regex(r"\\(.)", re.DOTALL)
_ANSI = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
LEAVES = frozenset({
    "word", "string", "raw_string", "ansi_c_string", "translated_string", "concatenation", "simple_expansion",
    "expansion", "command_substitution", "number", "extglob_pattern", "regex", "arithmetic_expansion",
    "process_substitution", "brace_expression", "test_operator",
})  # fmt: skip
_ASKING = frozenset({
    "[", "test", "which", "type", "grep", "egrep", "fgrep", "hash", "id", "getent", "dpkg-query", "cmp", "diff",
    "pgrep", "mountpoint", "lspci", "ldconfig", "dpkg",
})  # fmt: skip
_KEPT = regex(r"1?>>?\s*(?!/dev/|&)\S.*", re.DOTALL)
_TABS = regex(r"^\t+", re.MULTILINE)
REDIRECTS = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect"})


class Variables(Struct):
    """What is known about the variables of a shell while a script is read.

    Args:
        values: Known values; None where there is one that is not known.
        exported: Names that commands are given.
        complete: A name that is not here has no value; else it may have one.
        unset: Names that have no value in any case, until they are given one.
        braces: Whether the shell makes several words of ``{a,b}``; None where that is not known.
        of_sh: Whether ``sh`` does.
    """

    values: dict[str, str | None] = field(default_factory=dict)
    exported: set[str] = field(default_factory=set)
    complete: bool = True
    unset: frozenset[str] = frozenset()
    braces: bool | None = False
    of_sh: bool | None = False

    def read_by(self, shell: str) -> None:
        """Go on in another shell, by the name of its program; empty for the same one."""
        self.braces = expands(shell, self.of_sh) if shell else self.braces

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
        return Variables(dict(self.values), set(self.exported), self.complete, self.unset, self.braces, self.of_sh)

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
        run: Is given each command substitution.
        lexer: Puts variables in, and counts how long all words become.
    """

    variables: Variables
    answers: Mapping[str, str]
    run: Callable[[Node], None]
    lexer: Lexer

    def words(self, node: Node) -> tuple[Word, ...]:
        """Return what one written word becomes: none, one or several words."""
        if text_of(node) in _EACH_ARGUMENT:
            count = told_count(self.variables.value("#") or "")
            if count is not None and count < _MOST_NUMBERED:
                given = [self.variables.value(str(number)) for number in range(1, count + 1)]
                return tuple(Word(each or "", each is not None, quoted=True) for each in given)
        fields = self._fields(node)
        if self.variables.braces is False or "{" not in text_of(node):
            return _cut(fields)
        signs = [sign for each in fields for sign in _signs(each)]
        if not has_braces(signs):
            return _cut(fields)
        try:
            found = alternatives(signs) if self.variables.braces else None
        except ManyWordsError:
            found = None
        if found is None:
            return (Word(text_of(node), known=False),)
        return tuple(word for each in found for word in _cut([_field_of(sign) for sign in each]))

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
        text = text_of(node)
        if not expands:
            return text
        fields = self._inside(node)
        return "".join(each.text for each in fields) if all(each.known for each in fields) else None

    def _fields(self, node: Node) -> list[_Field]:
        kind = node.type
        text = text_of(node)
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
        return [self._unquoted(text)]

    def _unquoted(self, text: str) -> _Field:
        """Read a word without quotes; the homes of users are where they usually are."""
        unescaped = _ANY_ESCAPED.sub(lambda match: "" if match[1] == "\n" else match[1], text)
        if unescaped == "~" or unescaped.startswith("~/"):
            home = self.variables.value("HOME")
            return _Field(f"{home}{unescaped[1:]}" if home else unescaped, known=bool(home))
        if match := _HOME_OF.fullmatch(text):
            # As HOME is taken to be of who runs it.
            home = "/root" if match["user"] == "root" else f"/home/{match['user']}"
            return _Field(f"{home}{_ANY_ESCAPED.sub(lambda each: each[1], match['rest'])}")
        return _Field(unescaped, quoted=unescaped != text)

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
        names = [text_of(each) for each in inner if each.type in {"variable_name", "special_variable_name"}]
        if not names or any(self.variables.value(name) is None for name in names):
            return _Field(text, known=False, cuts=True)
        default = _SET_DEFAULT.match(text)
        try:
            if default is not None:
                value = self.lexer.expand(f"${{{default['name']}:-{text[default.end() :]}", self.variables.known())
                self.variables.values[default["name"]] = value
            else:
                value = self.lexer.expand(text, self.variables.known())
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


def _cut(fields: Sequence[_Field]) -> tuple[Word, ...]:
    """Return the words that the pieces of one become."""
    words: list[Word] = []
    current: Word | None = None
    for piece in fields:
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
            current = Word(
                before.text + part,
                before.known and piece.known,
                before.quoted or piece.quoted,
                before.literal or (piece.quoted and has_pattern(part)),
            )
        if ends and current is not None:
            words.append(current)
            current = None
    return (*words, current) if current is not None else tuple(words)


def _signs(piece: _Field) -> Sequence[str | _Field]:
    """Return the signs of a piece of a word; what is quoted or put in stays as it is."""
    return piece.text if piece.known and not piece.quoted and not piece.cuts else (piece,)


def _field_of(sign: object) -> _Field:
    return sign if isinstance(sign, _Field) else _Field(str(sign))


def _plain(text: str) -> str:
    """Take away the escapes that count between double quotes."""
    return _ESCAPED.sub(lambda match: "" if match[1] == "\n" else match[1], text)


def _descendants(node: Node) -> list[Node]:
    found: list[Node] = []
    for child in node.children:
        found += [child, *_descendants(child)]
    return found


def text_of(node: Node) -> str:
    """Return what is written."""
    return (node.text or b"").decode(errors="replace")


def asks(node: Node) -> bool:
    """Return whether a statement only asks something, so that its failing is no failure of the script."""
    if node.type in {"test_command", "negated_command"}:
        return True
    if node.type in {"list", "pipeline"}:
        return asks(node.children[-1])
    if node.type == "redirected_statement":
        body = node.child_by_field_name("body")
        # What is written to a file is wanted, and not whether there is any.
        written = any(_KEPT.fullmatch(text_of(child)) for child in node.children if child.type in REDIRECTS)
        return body is not None and asks(body) and not written
    words = text_of(node).split()
    return node.type == "command" and bool(words) and (words[0] in _ASKING or words[:2] == ["command", "-v"])


def leaves(node: Node) -> list[Node]:
    """Return the words and operators of a test from left to right."""
    found: list[Node] = []
    for child in node.children:
        if child.type in LEAVES or not child.children:
            found.append(child)
        else:
            found += leaves(child)
    return found


def errors(node: Node) -> list[Node]:
    """Return the pieces that are no shell script."""
    if node.type == "ERROR" or node.is_missing:
        return [node]
    return [each for child in node.children if child.has_error or child.is_missing for each in errors(child)]


def clauses(node: Node) -> list[tuple[list[Node], list[Node]]]:
    """Return the conditions and bodies of an ``if``; ``else`` has no condition."""
    found: list[tuple[list[Node], list[Node]]] = []
    for part in (node, *(child for child in node.children if child.type in {"elif_clause", "else_clause"})):
        condition: list[Node] = []
        body: list[Node] = []
        now = body if part.type == "else_clause" else condition
        for child in part.children:
            if child.type == "then":
                now = body
            elif child.is_named and child.type not in {"elif_clause", "else_clause"}:
                now.append(child)
        found.append((condition, body))
    return found


def case_items(node: Node) -> list[tuple[list[Node], list[Node]]]:
    """Return the patterns and bodies of a ``case``."""
    found: list[tuple[list[Node], list[Node]]] = []
    for item in node.named_children:
        if item.type == "case_item":
            end = next((at for at, child in enumerate(item.children) if child.type == ")"), 0)
            patterns = [child for child in item.children[:end] if child.is_named]
            found.append((patterns, [child for child in item.children[end + 1 :] if child.is_named]))
    return found


def last_of(node: Node | None) -> Node | None:
    """Return the last statement of a list or a pipeline; of everything else itself."""
    while node is not None and node.type in {"list", "pipeline"}:
        node = node.named_children[-1]
    return node


def redirections(node: Node, expander: Expander, absolute: Callable[[Word], str]) -> list[Redirection]:
    """Read one redirection; that of a here-document may have others behind it."""
    descriptor = next((told_count(text_of(child)) for child in node.children if child.type == "file_descriptor"), None)
    if node.type == "heredoc_redirect":
        start = next((text_of(child) for child in node.children if child.type == "heredoc_start"), "")
        body = next((child for child in node.children if child.type == "heredoc_body"), None)
        expands = not any(quote in start for quote in "'\"\\")
        text = "" if body is None else expander.document(body, expands=expands)
        inner = [
            each
            for child in node.children
            if child.type in REDIRECTS
            for each in redirections(child, expander, absolute)
        ]
        if text is not None and any(child.type == "<<-" for child in node.children):
            text = _TABS.sub("", text)
        return [Redirection(operator="<<", text=text, descriptor=descriptor), *inner]
    operator = next((child.type for child in node.children if not child.is_named), ">")
    target = next((child for child in node.named_children if child.type != "file_descriptor"), None)
    word = Word("") if target is None else expander.one(target)
    if node.type == "herestring_redirect":
        return [Redirection(operator="<<<", text=word.text if word.known else None)]
    path = absolute(word) if not word.text.isdecimal() else word.text
    return [Redirection(operator=operator, path=path, descriptor=descriptor)]


def behind(node: Node) -> tuple[str, list[Node]] | None:
    """Return what stands on the line of a here-document after it, and the operator before that; None for nothing."""
    if node.type != "heredoc_redirect":
        return None
    operator = next((child.type for child in node.children if child.type in {"&&", "||"}), "&&")
    kept = ("heredoc", "file_", "word")
    found = [child for child in node.children if child.is_named and not child.type.startswith(kept)]
    return (operator, found) if found else None
