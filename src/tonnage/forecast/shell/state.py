"""What a shell knows while it runs a script, the builtins that change it, and what ``[`` says.

Only comparisons of known words are decided. Where files are asked for, or parentheses stand, both ways are read.
"""

from __future__ import annotations

import operator
import posixpath
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tonnage.model.forecast.shell_script import Word
from tonnage.model.marks import unmarked
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from tonnage.forecast.shell.syntax import Variables

_NUMBERS = {
    "-eq": operator.eq, "-ne": operator.ne, "-lt": operator.lt, "-le": operator.le, "-gt": operator.gt,
    "-ge": operator.ge,
}  # fmt: skip


class TooMuchError(Exception):
    """A script does more than is followed, or more than its length lets expect."""


class ShellState(Struct):
    """What a shell knows.

    Args:
        at_exit: What ``trap`` was told to run at the end.
        left: By what it ended: ``exit``, ``return``, or ``failed``.
        doubts: By what it may have ended before, so that nothing runs for certain.
    """

    variables: Variables
    directory: str
    functions: dict[str, Node] = field(default_factory=dict)
    ended: bool = False
    stops_on_error: bool = False
    at_exit: str = ""
    left: str = ""
    doubts: frozenset[str] = frozenset()

    def copy(self) -> ShellState:
        """Return a copy that can be changed."""
        return replace(self, variables=self.variables.copy(), functions=dict(self.functions))

    def merge(self, others: Sequence[ShellState]) -> None:
        """Forget what differs between the ways that the script may have gone; one that ended well may have been it."""
        ended = {each.left for each in others if each.ended} - {"failed"}
        self.doubts = self.doubts.union(ended, *(each.doubts for each in others))
        others = [each for each in others if not each.ended] or [self.copy()]
        self.variables.merge([each.variables for each in others])
        directories = {each.directory for each in others}
        self.directory = directories.pop() if len(directories) == 1 else ""
        actions = {each.at_exit for each in others}
        self.at_exit = actions.pop() if len(actions) == 1 else ""

    def call_with(self, words: Sequence[Word]) -> dict[str, str | None]:
        """Set what a function or a script is called with, ``$0`` to ``$9`` and ``$@``, and return what that was."""
        kept = {name: self.variables.values.get(name) for name in (*map(str, range(10)), "@", "*", "#")}
        for number in range(10):
            word = words[number] if number < len(words) else Word("")
            self.variables.values[str(number)] = word.text if word.known else None
        together = " ".join(word.text for word in words[1:])
        self.variables.values["@"] = self.variables.values["*"] = together if all(w.known for w in words) else None
        self.variables.values["#"] = str(max(0, len(words) - 1)) if all(w.known for w in words) else None
        return kept

    def absolute(self, word: Word) -> str:
        """Return a path as an absolute one where the directory is known."""
        if not word.known or word.text.startswith("/") or not self.directory:
            return word.text
        return posixpath.normpath(posixpath.join(self.directory, word.text))

    def builtin(self, name: str, words: Sequence[Word]) -> bool | None:
        """Carry out a builtin; None for a command that is none, or where it cannot be told what it says."""
        if name in {"true", ":", "false"}:
            return name != "false"
        if name in {"[", "test"}:
            return decide(words[1:-1] if name == "[" else words[1:])
        if name in {"cd", "pushd"}:
            self._change(words)
        elif name == "set":
            flags = [word.text for word in words[1:] if word.text.startswith("-")]
            self.stops_on_error |= any("e" in flag for flag in flags if not flag.startswith("--"))
        elif name in {"exit", "return"}:
            fails = len(words) > 1 and words[1].known and words[1].text != "0"
            self.ended, self.left = True, "failed" if fails else name
        elif name == "trap" and {"EXIT", "0"} & {word.text for word in words[2:]}:
            self.at_exit = words[1].text if words[1].known and words[1].text != "-" else ""
        elif name in {".", "source"} and len(words) > 1 and words[1].text.endswith("/bin/activate"):
            self._activate(self.absolute(words[1]).removesuffix("/bin/activate"))
        elif name == "read":
            for word in words[1:]:
                self.variables.values[word.text] = None
        return None

    def _change(self, words: Sequence[Word]) -> None:
        targets = [word for word in words[1:] if not (word.text.startswith("-") and len(word.text) > 1)]
        target = targets[0] if targets else Word(self.variables.value("HOME") or "/root")
        if not target.known or target.text == "-":
            self.directory = ""
        elif target.text.startswith("/") or self.directory:
            self.directory = posixpath.normpath(posixpath.join(self.directory, target.text))
        self.variables.values["PWD"] = self.directory or None

    def _activate(self, directory: str) -> None:
        path = self.variables.value("PATH")
        self.variables.values["VIRTUAL_ENV"] = directory
        self.variables.values["PATH"] = f"{directory}/bin:{path}"
        self.variables.exported |= {"VIRTUAL_ENV", "PATH"}


def decide(words: Sequence[Word], *, patterns: bool = False) -> bool | None:
    """Return what a test says; None where it depends on files or on what is not known."""
    for joints, decisive in (({"-o", "||"}, True), ({"-a", "&&"}, False)):
        at = next((at for at, word in enumerate(words) if word.text in joints and not word.quoted), None)
        if at:
            sides = {decide(words[:at], patterns=patterns), decide(words[at + 1 :], patterns=patterns)}
            return decisive if decisive in sides else None if None in sides else not decisive
    match [unmarked(word.text) for word in words]:
        case []:
            return False
        case ["!", _, *_]:
            said = decide(words[1:], patterns=patterns)
            return None if said is None else not said
        case _ if not all(word.known for word in words):
            return None
        case [text]:
            return bool(text)
        case ["-z" | "-n" as asked, text]:
            return (asked == "-n") == bool(text)
        case [left, "=" | "==" | "!=" as compared, right]:
            pattern = patterns and not words[2].quoted
            return (fnmatchcase(left, right) if pattern else left == right) == (compared != "!=")
        case [left, compared, right] if compared in _NUMBERS:
            here, there = told_count(left), told_count(right)
            return None if here is None or there is None else bool(_NUMBERS[compared](here, there))
    return None
