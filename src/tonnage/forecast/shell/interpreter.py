"""One way through the syntax tree of a shell script, from the first statement to the last."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.shell.assignments import assign, declare
from tonnage.forecast.shell.loops import (
    MOST_TURNS,
    changed_in,
    for_parts,
    is_pattern,
    listed_file,
    may_leave_early,
    of_all,
    read_from,
    read_name,
    tested,
    turns,
)
from tonnage.forecast.shell.script_files import written_script
from tonnage.forecast.shell.state import TooMuchError
from tonnage.forecast.shell.syntax import (
    REDIRECTS,
    Expander,
    asks,
    behind,
    case_items,
    clauses,
    errors,
    last_of,
    redirections,
    text_of,
)
from tonnage.model.forecast.shell_script import Redirection, ShellCommand, Word
from tonnage.model.marks import unmarked
from tonnage.sources.dockerfile.shell_wrappers import program, shell_call, unwrap
from tonnage.sources.substitution import Growth, Lexer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tree_sitter import Node

    from tonnage.forecast.shell.script_files import ScriptFile, ScriptFiles
    from tonnage.forecast.shell.state import ShellState

_JOINTS = frozenset({"&&", "||"})
_MOST_STATEMENTS, _MOST_COMMANDS, _MOST_PIPED = 20_000, 5_000, 50
_DEEPEST, _DEEPEST_STATEMENT = 12, 60


class Walk:
    """Gathers the commands of a script."""

    def __init__(
        self, parse: Callable[[str], Node], now: ShellState, answers: Mapping[str, str], files: ScriptFiles
    ) -> None:
        self.commands: list[ShellCommand] = []
        self.broken: list[str] = []
        self._parse = parse
        self._now = now
        self._answers, self._files = answers, files
        self._conditional = self._repeated = self._forgiven = 0
        self._redirections: tuple[Redirection, ...] = ()
        # A redirection behind a list or a pipeline is that of its last command alone, and read in its directory.
        self._attached: dict[int, list[Node]] = {}
        self._depth = self._statements = self._inside = 0
        self._base: int | None = None
        self._source = ""
        self._lexer = Lexer(growth=Growth())

    @property
    def stops_on_error(self) -> bool:
        """Whether ``set -e`` was given."""
        return self._now.stops_on_error

    def script(self, text: str) -> bool | None:
        """Read a whole script; what it says at its end, as far as that is known."""
        outer = self._source
        self._source = text
        root = self._parse(text)
        result: bool | None = None
        if root.has_error:
            self.broken += [text_of(node) for node in errors(root)]
        for child in root.named_children:
            result = self._statement(child)
        self._source = outer
        return result

    def finish(self) -> None:
        """Run what ``trap`` was told to run at the end."""
        action, self._now.at_exit, self._now.ended, self._base = self._now.at_exit, "", False, 0
        if action:
            self.script(action)

    def _statement(self, node: Node) -> bool | None:
        if self._now.ended:
            return None
        self._statements += 1
        if self._statements > _MOST_STATEMENTS or self._inside > _DEEPEST_STATEMENT:
            raise TooMuchError
        self._inside += 1
        before = self._redirections
        self._redirections = (*before, *self._read(self._attached.pop(node.id, ())))
        arm: Callable[[Node], bool | None] = getattr(self, f"_on_{node.type}", self._body)
        result = arm(node)
        self._redirections = before
        self._inside -= 1
        return result

    def _on_subshell(self, node: Node) -> bool | None:
        return self._apart(lambda: self._body(node))

    def _on_while_statement(self, node: Node) -> bool | None:
        name, fed = read_name(node), read_from(node, self._redirections)
        lines = self._files.lines(fed, self._now, self.commands) if name else None
        for line in lines or ():
            self._now.variables.values[name] = line.strip()
            self._statement(node.named_children[-1])
        return None if lines is not None else self._perhaps(node.named_children, turns=True)

    def _on_c_style_for_statement(self, node: Node) -> None:
        self._now.variables.values |= dict.fromkeys(changed_in(node.named_children))
        self._perhaps(node.named_children[-1:], turns=True)

    def _on_negated_command(self, node: Node) -> bool | None:
        result = self._statement(node.named_children[-1])
        return None if result is None else not result

    def _on_function_definition(self, node: Node) -> bool | None:
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if name is not None and body is not None:
            self._now.functions[text_of(name)] = body
        return True

    def _on_unset_command(self, node: Node) -> bool | None:
        for child in node.named_children:
            self._now.variables.values.pop(text_of(child), None)
        return True

    def _body(self, node: Node) -> bool | None:
        return self._all(node.named_children)

    def _on_list(self, node: Node) -> bool | None:
        if node.children[1].type not in _JOINTS:
            return self._body(node)
        chain: list[tuple[str, Node]] = []  # Each stands inside of the next one: a hundred in a row are no depth.
        while node.type == "list" and node.children[1].type in _JOINTS:
            chain.insert(0, (node.children[1].type, node.children[-1]))
            node = node.children[0]
        forgiving = max((at for at, (operator, _) in enumerate(chain) if operator == "||"), default=-1)
        self._forgiven += forgiving >= 0
        before, result = node, self._statement(node)
        for at, (operator, right) in enumerate(chain):
            self._forgiven -= at == forgiving
            if result is not (operator == "||"):
                runs = result is not None or (operator == "&&" and not asks(before))
                result = self._statement(right) if runs else self._perhaps([right])
            before = right
        return result

    def _perhaps(self, nodes: Sequence[Node], *, turns: bool = False) -> bool | None:
        """Read what may run or not; where it turns in a loop, nobody knows how often."""
        self._now.variables.values |= dict.fromkeys(changed_in(nodes) if turns else ())
        self._repeated += turns
        self._ways([lambda: self._all(nodes), lambda: None])
        self._repeated -= turns
        return None

    def _apart(self, read: Callable[[], bool | None]) -> bool | None:
        """Read what runs in a shell of its own: it changes nothing here."""
        before, self._now = self._now, self._now.copy()
        result = read()
        self._now = before
        return result

    def _on_if_statement(self, node: Node) -> bool | None:
        return self._choose(clauses(node))

    def _choose(self, branches: Sequence[tuple[list[Node], list[Node]]]) -> bool | None:
        """Take the first branch whose condition holds; all that may hold where that is not known."""
        if not branches:
            return None
        said = self._all(branches[0][0]) if branches[0][0] else True
        if said is True:
            return self._all(branches[0][1])
        if said is False:
            return self._choose(branches[1:])
        self._ways([lambda: self._all(branches[0][1]), lambda: self._choose(branches[1:])])
        return None

    def _all(self, nodes: Sequence[Node]) -> bool | None:
        result: bool | None = None
        for each in nodes:
            result = self._statement(each)
        return result

    def _ways(self, ways: Sequence[Callable[[], object]]) -> None:
        """Read several ways of which one is gone; what differs after them is not known."""
        start = self._now
        ends: list[ShellState] = []
        self._conditional += 1
        for way in ways:
            self._now = start.copy()
            way()
            ends.append(self._now)
        self._conditional -= 1
        self._now = start
        self._now.merge(ends)

    def _on_case_statement(self, node: Node) -> bool | None:
        word = self._expander().one(node.named_children[0])
        items = case_items(node)
        if not word.known:
            self._ways([lambda body=body: self._all(body) for _, body in items])  # type: ignore[misc]
            return None
        for patterns, body in items:
            wanted = [unmarked(self._expander().one(each).text) for each in patterns]
            if any(fnmatchcase(unmarked(word.text), each) for each in wanted):
                return self._all(body)
        return True

    def _on_for_statement(self, node: Node) -> None:
        name = text_of(node.named_children[0])
        written, bodies = for_parts(node)
        words = [word for child in written for word in self._expander().words(child)]
        turned = turns(words, self._files.lines(listed_file(words), self._now, self.commands), bodies)
        if turned is None or len(turned) > MOST_TURNS or not written:
            self._now.variables.values[name] = None
            self._perhaps(bodies, turns=True)
            return
        self._conditional += (early := may_leave_early(bodies))
        for word in turned:
            begin, self._now.variables.values[name] = len(self.commands), word.text
            self._all(bodies)
            if is_pattern(word):
                self.commands[begin:] = [of_all(each, word.text) for each in self.commands[begin:]]
        self._conditional -= early

    def _on_test_command(self, node: Node) -> bool | None:
        return tested(node, self._expander())

    def _on_variable_assignment(self, node: Node) -> bool | None:
        assign(node, self._expander(), self._now.variables)
        return True

    def _on_declaration_command(self, node: Node) -> bool | None:
        declare(node, self._expander(), self._now.variables)
        return True

    def _on_redirected_statement(self, node: Node) -> bool | None:
        before, operator = self._redirections, "&&"
        after: list[Node] = []
        found = [child for child in node.children if child.type in REDIRECTS]
        for child in found:
            operator, after = behind(child) or (operator, after)
        body = node.child_by_field_name("body")
        last = last_of(body)
        if last is not None and last is not body:
            self._attached[last.id] = found
        else:
            self._redirections = (*before, *self._read(found))
        self._forgiven += operator == "||"
        result = self._statement(body) if body is not None else None
        self._forgiven -= operator == "||"
        if body is None and found:
            self._add((), node, {})
        self._redirections = before
        if operator == "||":
            self._perhaps(after)
        elif after and after[0].type == "pipeline" and after[0].children[0].type == "|":
            return self._on_pipeline(after[0], len(self.commands) - 1)
        elif after:
            return self._all(after)
        return result

    def _read(self, nodes: Sequence[Node]) -> list[Redirection]:
        return [each for node in nodes for each in redirections(node, self._expander(), self._now.absolute)]

    def _on_pipeline(self, node: Node, last: int | None = None) -> bool | None:
        """Read a pipeline; of one that begins with ``|`` the command before it has a number already."""
        result: bool | None = None
        if len(node.named_children) > _MOST_PIPED:
            raise TooMuchError
        for child in node.named_children:
            begin = len(self.commands)
            result = self._apart(lambda child=child: self._statement(child))  # type: ignore[misc]
            if last is not None and len(self.commands) > begin:
                self._link(last, begin)
            last = len(self.commands) - 1 if len(self.commands) > begin else None
        return result

    def _link(self, earlier: int, later: int) -> None:
        self.commands[earlier] = replace(self.commands[earlier], pipe_to=later)
        self.commands[later] = replace(self.commands[later], pipe_from=earlier)

    def _on_command(self, node: Node) -> bool | None:
        expander = self._expander()
        words: list[Word] = []
        given: dict[str, str] = {}
        found = list[Redirection]()
        for child in node.children:
            if child.type == "variable_assignment":
                name, value = child.child_by_field_name("name"), child.child_by_field_name("value")
                word = Word("") if value is None else expander.one(value)
                if name is not None and word.known:
                    given[text_of(name)] = word.text
            elif child.type in REDIRECTS:
                found += self._read([child])
            else:
                words += expander.words(child)
        before, self._redirections = self._redirections, (*self._redirections, *found)
        result, self._redirections = self._run(words, node, given), before
        return result

    def _run(self, words: Sequence[Word], node: Node, given: dict[str, str]) -> bool | None:
        """Carry out what changes the shell itself; everything else is a command."""
        words, added = unwrap(words)
        given = {**given, **added}
        name = words[0].text if words and words[0].known else ""
        if name in self._now.functions and self._depth < _DEEPEST:
            return self._call(self._now.functions[name], words)
        call = shell_call(words)
        if name == "eval" and all(word.known for word in words) and self._depth < _DEEPEST:
            return self._nested(" ".join(word.text for word in words[1:]), node, given)
        text = written_script(call, self._redirections) if self._depth < _DEEPEST else None
        if text is not None:
            return self._apart(lambda: self._nested(text, node, given, program(words)))
        file = self._files.find(words, call, self._now, self.commands) if self._depth < _DEEPEST else None
        if file is not None:
            return self._file(file, node, given) if file.sourced else self._apart(lambda: self._file(file, node, given))
        self._add(words, node, given)
        return self._now.builtin(name, words)

    def _file(self, file: ScriptFile, node: Node, given: dict[str, str]) -> bool | None:
        """Read a script file that is run or sourced."""
        kept, outer = self._now.call_with(file.words), self._answers
        self._answers = {**outer, **file.answers}
        result = self._nested(file.text, node, given, file.shell)
        self._answers, self._now.ended, self._now.doubts = outer, False, self._now.doubts - {"return"}
        self._now.variables.values.update(kept)
        return result

    def _call(self, body: Node, words: Sequence[Word]) -> bool | None:
        kept = self._now.call_with(words)
        self._depth += 1
        result = self._statement(body)
        self._depth -= 1
        self._now.ended, self._now.doubts = False, self._now.doubts - {"return"}
        self._now.variables.values.update(kept)
        return result

    def _nested(self, text: str, node: Node, given: dict[str, str], shell: str = "") -> bool | None:
        """Read a script inside the script; its commands have the place of the outer command."""
        outer = self._base
        if outer is None:
            self._base = self._offset(node)
        redirections = self._redirections
        self._redirections = tuple(each for each in redirections if each.text is None)
        self._now.variables.values.update(given)
        self._now.variables.exported |= set(given)
        self._now.variables.read_by(shell)
        self._depth += 1
        result = self.script(text)
        self._depth -= 1
        self._redirections = redirections
        self._base = outer
        return result

    def _add(self, words: Sequence[Word], node: Node, given: dict[str, str]) -> None:
        if len(self.commands) >= _MOST_COMMANDS:
            raise TooMuchError
        self.commands.append(
            ShellCommand(
                words=tuple(words), environment={**self._now.variables.environment(), **given},
                working_directory=self._now.directory, conditional=self._conditional > 0 or bool(self._now.doubts),
                repeated=self._repeated > 0, forgiven=self._forgiven > 0, redirections=self._redirections,
                offset=self._offset(node) if self._base is None else self._base, text=text_of(node),
            )
        )  # fmt: skip

    def _offset(self, node: Node) -> int:
        if self._source.isascii():
            return node.start_byte
        return len(self._source.encode(errors="surrogateescape")[: node.start_byte].decode(errors="replace"))

    def _expander(self) -> Expander:
        return Expander(self._now.variables, self._answers, self._substitution, self._lexer)

    def _substitution(self, node: Node) -> None:
        """Read the commands whose output is put into a word; what they write themselves counts."""
        before, self._redirections = self._redirections, (Redirection(operator="$("),)
        self._apart(lambda: self._body(node))
        self._redirections = before
