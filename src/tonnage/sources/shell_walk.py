"""One way through the syntax tree of a shell script, from the first statement to the last."""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tonnage.model.shell import Command, Redirection, Word
from tonnage.sources.shell_tests import decide
from tonnage.sources.shell_words import Expander
from tonnage.sources.shell_wrappers import shell_call, unwrap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tree_sitter import Node

    from tonnage.sources.shell_words import Variables

_DEEPEST = 12
_MOST_TURNS = 64
_REDIRECTS = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect"})
_LEAVES = frozenset({
    "word", "string", "raw_string", "ansi_c_string", "translated_string", "concatenation", "simple_expansion",
    "expansion", "command_substitution", "number", "extglob_pattern", "regex", "arithmetic_expansion",
    "process_substitution", "brace_expression", "test_operator",
})  # fmt: skip
_ASKING = frozenset({
    "[", "test", "which", "type", "grep", "egrep", "fgrep", "hash", "id", "getent", "dpkg-query", "cmp", "diff",
    "pgrep", "mountpoint", "lspci", "ldconfig", "dpkg",
})  # fmt: skip
_LOOPS = frozenset({"while_statement", "c_style_for_statement"})


class Walk:
    """Gathers the commands of a script.

    Args:
        parse: Makes a syntax tree of a text.
        variables: What is known about variables.
        directory: The working directory; empty where it is not known.
        answers: What commands print whose output is known.
    """

    def __init__(
        self, parse: Callable[[str], Node], variables: Variables, directory: str, answers: Mapping[str, str]
    ) -> None:
        self.commands: list[Command] = []
        self.broken: list[str] = []
        self.stops_on_error = False
        self._parse = parse
        self._variables = variables
        self._directory = directory
        self._answers = answers
        self._functions: dict[str, Node] = {}
        self._conditional = 0
        self._redirections: tuple[Redirection, ...] = ()
        self._ended = False
        self._depth = 0
        self._base: int | None = None
        self._source = ""

    def script(self, text: str) -> bool | None:
        """Read a whole script; what it says at its end, as far as that is known."""
        outer = self._source
        self._source = text
        root = self._parse(text)
        result: bool | None = None
        if root.has_error:
            self.broken += [_text(node) for node in _errors(root)]
        for child in root.named_children:
            result = self._statement(child)
        self._source = outer
        return result

    def _statement(self, node: Node) -> bool | None:  # noqa: C901, PLR0912 - one arm for each kind of statement
        if self._ended:
            return None
        kind = node.type
        if kind == "command":
            return self._command(node)
        if kind == "list":
            return self._list(node)
        if kind == "redirected_statement":
            return self._redirected(node)
        if kind == "pipeline":
            return self._pipeline(node)
        if kind == "negated_command":
            result = self._statement(node.named_children[-1])
            return None if result is None else not result
        if kind == "test_command":
            return self._test(node)
        if kind == "if_statement":
            return self._if(node)
        if kind == "case_statement":
            return self._case(node)
        if kind == "for_statement":
            return self._for(node)
        if kind in _LOOPS:
            self._perhaps([node])
            return None
        if kind == "subshell":
            return self._apart(lambda: self._body(node))
        if kind == "function_definition":
            name = node.child_by_field_name("name")
            body = node.child_by_field_name("body")
            if name is not None and body is not None:
                self._functions[_text(name)] = body
            return True
        if kind in {"variable_assignment", "variable_assignments"}:
            return self._assign(node)
        if kind == "declaration_command":
            return self._declare(node)
        if kind == "unset_command":
            for child in node.named_children:
                self._variables.values.pop(_text(child), None)
            return True
        if kind == "comment":
            return None
        return self._body(node)

    def _body(self, node: Node) -> bool | None:
        result: bool | None = None
        for child in node.named_children:
            result = self._statement(child)
        return result

    def _list(self, node: Node) -> bool | None:
        left, operator, right = node.children[0], node.children[1].type, node.children[-1]
        if operator not in {"&&", "||"}:
            return self._body(node)
        first = self._statement(left)
        if first is (operator == "||"):
            return first
        if first is not None or (operator == "&&" and not _asks(left)):
            return self._statement(right)
        self._perhaps([right])
        return None

    def _perhaps(self, nodes: Sequence[Node]) -> None:
        """Read what may run or not, or more than once."""
        before = self._variables.copy(), self._directory
        self._conditional += 1
        for node in nodes:
            if node.type in _LOOPS:
                self._body(node)
            else:
                self._statement(node)
        self._conditional -= 1
        self._ended = False
        self._forget(before[0], before[1])

    def _forget(self, variables: Variables, directory: str) -> None:
        """Forget what a branch that may not have run has changed."""
        self._variables.merge([variables, self._variables.copy()])
        if self._directory != directory:
            self._directory = ""

    def _apart(self, read: Callable[[], bool | None]) -> bool | None:
        """Read what runs in a shell of its own: it changes nothing here."""
        before = self._variables.copy(), self._directory, dict(self._functions), self._ended
        result = read()
        variables, self._directory, self._functions, self._ended = before
        self._variables.values, self._variables.exported = variables.values, variables.exported
        return result

    def _if(self, node: Node) -> bool | None:
        clauses: list[tuple[list[Node], list[Node]]] = []
        for part in (node, *(child for child in node.children if child.type in {"elif_clause", "else_clause"})):
            condition: list[Node] = []
            body: list[Node] = []
            now = body if part.type == "else_clause" else condition
            for child in part.children:
                if child.type == "then":
                    now = body
                elif child.is_named and child.type not in {"elif_clause", "else_clause"}:
                    now.append(child)
            clauses.append((condition, body))
        return self._choose(clauses)

    def _choose(self, clauses: Sequence[tuple[list[Node], list[Node]]]) -> bool | None:
        """Take the first branch whose condition holds; all that may hold where that is not known."""
        if not clauses:
            return None
        condition, body = clauses[0]
        said: bool | None = True
        for each in condition:
            said = self._statement(each)
        if said is True:
            result: bool | None = None
            for each in body:
                result = self._statement(each)
            return result
        if said is False:
            return self._choose(clauses[1:])
        self._ways([lambda: self._all(body), lambda: self._choose(clauses[1:])])
        return None

    def _all(self, nodes: Sequence[Node]) -> bool | None:
        result: bool | None = None
        for each in nodes:
            result = self._statement(each)
        return result

    def _ways(self, ways: Sequence[Callable[[], bool | None]]) -> None:
        """Read several ways of which one is gone; what differs after them is not known."""
        start, directory = self._variables.copy(), self._directory
        ends: list[Variables] = []
        directories: set[str] = set()
        self._conditional += 1
        for way in ways:
            copied = start.copy()
            self._variables.values, self._variables.exported = copied.values, copied.exported
            self._directory = directory
            way()
            if not self._ended:
                ends.append(self._variables.copy())
                directories.add(self._directory)
            self._ended = False
        self._conditional -= 1
        self._variables.merge(ends or [start])
        self._directory = directories.pop() if len(directories) == 1 else ""

    def _case(self, node: Node) -> bool | None:
        items = [child for child in node.named_children if child.type == "case_item"]
        word = self._expander().one(node.named_children[0])
        bodies = []
        for item in items:
            end = next((at for at, child in enumerate(item.children) if child.type == ")"), 0)
            patterns = [child for child in item.children[:end] if child.is_named]
            bodies.append((patterns, [child for child in item.children[end + 1 :] if child.is_named]))
        if not word.known:
            self._ways([lambda body=body: self._all(body) for _, body in bodies])  # type: ignore[misc]
            return None
        for patterns, body in bodies:
            if any(fnmatchcase(word.text, self._expander().one(each).text) for each in patterns):
                return self._all(body)
        return True

    def _for(self, node: Node) -> bool | None:
        name = _text(node.named_children[0])
        written = [child for child in node.named_children[1:] if child.type not in {"do_group", "compound_statement"}]
        bodies = [child for child in node.named_children if child.type in {"do_group", "compound_statement"}]
        words = [word for child in written for word in self._expander().words(child)]
        certain = all(word.known and ("*" not in word.text or word.quoted) for word in words)
        if certain and len(words) <= _MOST_TURNS and written:
            for word in words:
                self._variables.values[name] = word.text
                self._all(bodies)
            return None
        self._variables.values[name] = None
        self._perhaps(bodies)
        return None

    def _test(self, node: Node) -> bool | None:
        expander = self._expander()
        words: list[Word] = []
        for leaf in _leaves(node):
            if leaf.type in _LEAVES:
                words += expander.words(leaf) or [Word("", quoted=True)]
            elif leaf.type not in {"[", "]", "[[", "]]"}:
                words.append(Word(_text(leaf)))
        return decide(words, patterns=_text(node).startswith("[["))

    def _assign(self, node: Node) -> bool | None:
        nodes = node.named_children if node.type == "variable_assignments" else [node]
        for each in nodes:
            self._set(each)
        return True

    def _set(self, node: Node) -> None:
        name = node.child_by_field_name("name")
        if name is None:
            return
        value = node.child_by_field_name("value")
        word = Word("") if value is None else self._expander().one(value)
        text = word.text if word.known else None
        if "+=" in {child.type for child in node.children}:
            before = self._variables.value(_text(name))
            text = None if text is None or before is None else before + text
        self._variables.values[_text(name)] = text

    def _declare(self, node: Node) -> bool | None:
        exports = node.children[0].type == "export"
        for child in node.named_children:
            name = child.child_by_field_name("name") if child.type == "variable_assignment" else child
            if child.type == "variable_assignment":
                self._set(child)
            if exports and name is not None:
                self._variables.exported.add(_text(name))
        return True

    def _redirected(self, node: Node) -> bool | None:
        before = self._redirections
        after: list[Node] = []
        operator = "&&"
        found: list[Redirection] = []
        for child in node.children:
            if child.type in _REDIRECTS:
                found += self._redirection(child)
                for inner in child.children if child.type == "heredoc_redirect" else ():
                    if inner.type in {"&&", "||", "|"}:
                        operator = inner.type
                    elif (
                        inner.is_named
                        and not inner.type.startswith(("heredoc", "file_"))
                        and (inner.type not in {"word", "file_descriptor"})
                    ):
                        after.append(inner)
        self._redirections = (*before, *found)
        body = node.child_by_field_name("body")
        result = self._statement(body) if body is not None else None
        if body is None and found:
            self._add((), node, {})
        self._redirections = before
        if operator == "||":
            self._perhaps(after)
            return result
        return self._all(after) if after else result

    def _redirection(self, node: Node) -> list[Redirection]:
        descriptor = next((int(_text(child)) for child in node.children if child.type == "file_descriptor"), None)
        if node.type == "heredoc_redirect":
            start = next((_text(child) for child in node.children if child.type == "heredoc_start"), "")
            body = next((child for child in node.children if child.type == "heredoc_body"), None)
            expands = not any(quote in start for quote in "'\"\\")
            text = "" if body is None else self._expander().document(body, expands=expands)
            inner = [each for child in node.children if child.type in _REDIRECTS for each in self._redirection(child)]
            return [Redirection(operator="<<", text=text, descriptor=descriptor), *inner]
        operator = next((child.type for child in node.children if not child.is_named), ">")
        target = next((child for child in node.named_children if child.type != "file_descriptor"), None)
        word = Word("") if target is None else self._expander().one(target)
        if node.type == "herestring_redirect":
            return [Redirection(operator="<<<", text=word.text if word.known else None)]
        path = self._absolute(word) if not word.text.isdecimal() else word.text
        return [Redirection(operator=operator, path=path, descriptor=descriptor)]

    def _absolute(self, word: Word) -> str:
        """Return a path as an absolute one where the directory is known."""
        if not word.known or word.text.startswith("/") or not self._directory:
            return word.text
        return posixpath.normpath(posixpath.join(self._directory, word.text))

    def _pipeline(self, node: Node) -> bool | None:
        result: bool | None = None
        last: int | None = None
        for child in node.named_children:
            begin = len(self.commands)
            result = self._apart(lambda child=child: self._statement(child))  # type: ignore[misc]
            if last is not None and len(self.commands) > begin:
                self._link(last, begin)
            last = len(self.commands) - 1 if len(self.commands) > begin else None
        return result

    def _link(self, earlier: int, later: int) -> None:
        from dataclasses import replace  # noqa: PLC0415

        self.commands[earlier] = replace(self.commands[earlier], pipe_to=later)
        self.commands[later] = replace(self.commands[later], pipe_from=earlier)

    def _command(self, node: Node) -> bool | None:
        expander = self._expander()
        words: list[Word] = []
        given: dict[str, str] = {}
        found: list[Redirection] = []
        for child in node.children:
            if child.type == "variable_assignment":
                name, value = child.child_by_field_name("name"), child.child_by_field_name("value")
                word = Word("") if value is None else expander.one(value)
                if name is not None and word.known:
                    given[_text(name)] = word.text
            elif child.type in _REDIRECTS:
                found += self._redirection(child)
            else:
                words += expander.words(child)
        before = self._redirections
        self._redirections = (*before, *found)
        result = self._run(words, node, given)
        self._redirections = before
        return result

    def _run(self, words: Sequence[Word], node: Node, given: dict[str, str]) -> bool | None:
        """Carry out what changes the shell itself; everything else is a command."""
        plain = unwrap(words)
        given = {**given, **plain.environment}
        words = plain.words
        name = words[0].text if words and words[0].known else ""
        if name in self._functions and self._depth < _DEEPEST:
            return self._call(self._functions[name], words)
        call = shell_call(words)
        inline = next((each.text for each in reversed(self._redirections) if each.text is not None), None)
        script = None
        if call is not None and self._depth < _DEEPEST:
            if call.script is not None:
                script = call.script.text if call.script.known else None
            elif not call.file or call.file == "-":
                script = inline
        elif name == "eval" and all(word.known for word in words) and self._depth < _DEEPEST:
            return self._nested(" ".join(word.text for word in words[1:]), node, given)
        if script is not None:
            text = script
            return self._apart(lambda: self._nested(text, node, given))
        self._add(words, node, given)
        return self._builtin(name, words)

    def _builtin(self, name: str, words: Sequence[Word]) -> bool | None:
        if name in {"true", ":"}:
            return True
        if name == "false":
            return False
        if name in {"[", "test"}:
            inside = words[1:-1] if name == "[" else words[1:]
            return decide(inside)
        if name in {"cd", "pushd"}:
            self._change(words)
        elif name == "set":
            flags = [word.text for word in words[1:] if word.text.startswith("-")]
            self.stops_on_error |= any("e" in flag for flag in flags if not flag.startswith("--"))
        elif name in {"exit", "return"}:
            self._ended = True
        elif name in {".", "source"} and len(words) > 1 and words[1].text.endswith("/bin/activate"):
            self._activate(self._absolute(words[1]).removesuffix("/bin/activate"))
        elif name == "read":
            for word in words[1:]:
                self._variables.values[word.text] = None
        return None

    def _change(self, words: Sequence[Word]) -> None:
        targets = [word for word in words[1:] if not (word.text.startswith("-") and len(word.text) > 1)]
        target = targets[0] if targets else Word(self._variables.value("HOME") or "/root")
        if not target.known or target.text == "-":
            self._directory = ""
        elif target.text.startswith("/") or self._directory:
            self._directory = posixpath.normpath(posixpath.join(self._directory, target.text))
        self._variables.values["PWD"] = self._directory or None

    def _activate(self, directory: str) -> None:
        """Go into a virtual environment."""
        path = self._variables.value("PATH")
        self._variables.values["VIRTUAL_ENV"] = directory
        self._variables.values["PATH"] = f"{directory}/bin:{path}"
        self._variables.exported |= {"VIRTUAL_ENV", "PATH"}

    def _call(self, body: Node, words: Sequence[Word]) -> bool | None:
        """Call a function."""
        kept = {str(number): self._variables.values.get(str(number)) for number in range(10)}
        for number in range(10):
            word = words[number] if number < len(words) else Word("")
            self._variables.values[str(number)] = word.text if word.known else None
        together = " ".join(word.text for word in words[1:])
        self._variables.values["@"] = self._variables.values["*"] = (
            together if all(word.known for word in words) else None
        )
        self._depth += 1
        result = self._statement(body)
        self._depth -= 1
        self._ended = False
        self._variables.values.update(kept)
        return result

    def _nested(self, text: str, node: Node, given: dict[str, str]) -> bool | None:
        """Read a script inside the script; its commands have the place of the outer command."""
        outer = self._base
        if outer is None:
            self._base = self._offset(node)
        redirections = self._redirections
        self._redirections = tuple(each for each in redirections if each.text is None)
        self._variables.values.update(given)
        self._variables.exported |= set(given)
        self._depth += 1
        result = self.script(text)
        self._depth -= 1
        self._redirections = redirections
        self._base = outer
        return result

    def _add(self, words: Sequence[Word], node: Node, given: dict[str, str]) -> None:
        self.commands.append(
            Command(
                words=tuple(words),
                environment={**self._variables.environment(), **given},
                working_directory=self._directory,
                conditional=self._conditional > 0,
                redirections=self._redirections,
                offset=self._offset(node) if self._base is None else self._base,
                text=_text(node),
            )
        )

    def _offset(self, node: Node) -> int:
        """Return where a node begins, in characters."""
        if self._source.isascii():
            return node.start_byte
        return len(self._source.encode(errors="surrogateescape")[: node.start_byte].decode(errors="replace"))

    def _expander(self) -> Expander:
        return Expander(self._variables, self._answers, self._substitution)

    def _substitution(self, node: Node) -> None:
        """Read the commands whose output is put into a word; what they write themselves counts."""
        before = self._redirections
        self._redirections = (Redirection(operator="$("),)
        self._apart(lambda: self._body(node))
        self._redirections = before


def _asks(node: Node) -> bool:
    """Return whether a statement only asks something, so that its failing is no failure of the script."""
    if node.type in {"test_command", "negated_command"}:
        return True
    if node.type in {"list", "pipeline"}:
        return _asks(node.children[-1])
    if node.type == "redirected_statement":
        body = node.child_by_field_name("body")
        return body is not None and _asks(body)
    words = _text(node).split()
    return node.type == "command" and bool(words) and (words[0] in _ASKING or words[:2] == ["command", "-v"])


def _leaves(node: Node) -> list[Node]:
    """Return the words and operators of a test from left to right."""
    found: list[Node] = []
    for child in node.children:
        if child.type in _LEAVES or not child.children:
            found.append(child)
        else:
            found += _leaves(child)
    return found


def _errors(node: Node) -> list[Node]:
    """Return the pieces that are no shell script."""
    if node.type == "ERROR" or node.is_missing:
        return [node]
    return [each for child in node.children if child.has_error or child.is_missing for each in _errors(child)]


def _text(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")
