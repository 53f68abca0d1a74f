"""Loops over the lines of a file that is known, and what a condition in brackets says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.shell.state import decide
from tonnage.forecast.shell.syntax import LEAVES, leaves, text_of
from tonnage.lazily import regex
from tonnage.model.forecast.shell_script import Word, has_pattern
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from tonnage.forecast.shell.syntax import Expander
    from tonnage.model.forecast.shell_script import Redirection, ShellCommand

_LISTED = regex(r"\$\((?:cat\s+|<\s*)(?P<path>[^\s;|&$()`<>*?\[\]'\"]+)\s*\)")
_READS = regex(
    r"(?:IFS=\S*\s+)?read\s+(?:-r\s+)?(?P<name>[A-Za-z_]\w*)"
    r"(?:\s*\|\|\s*(?:\[\[?|test)\s+-n\s+\"?\$\{?(?P=name)\}?\"?(?:\s*\]\]?)?)?\s*;?"
)
_PRINTS = regex(r"cat\s+(?P<path>[^\s;|&$()`<>*?\[\]'\"-][^\s;|&$()`<>*?\[\]'\"]*)")
_COUNTS = regex(r"\$\(seq\s+(?:(?P<first>\d+)\s+)?(?P<last>\d+)\s*\)")
# What looks at one file, or at its name.
_ASKS = regex(r"\b(?:continue|break|return|exit|case|if|test|set|eval)\b|\[|\$[{(]|`|\||\+=")
_FOR_ALL = frozenset({"rm", "chmod", "chown", "chgrp", "tar", "unzip", "gunzip", "bunzip2", "unxz", "dpkg", "strip"})
# Assignments, and what counts up or down in arithmetic.
_NAMES_CHANGED = regex(r"\b([A-Za-z_]\w*)\s*(?:\+\+|--|[-+*/%]?=(?!=))|(?:\+\+|--)([A-Za-z_]\w*)")
MOST_TURNS = 64
_MANY = MOST_TURNS + 1
_LEAVES_EARLY = regex(r"(?<![-\w./])(?:continue|break|return|exit)(?![-\w./])")
_SKIPS = regex(r"(?<![-\w./])(?:continue|break)(?![-\w./])")


def for_parts(node: Node) -> tuple[list[Node], list[Node]]:
    """Return what ``for`` goes over, and its body."""
    parts = node.named_children[1:]
    bodies = [child for child in parts if child.type in {"do_group", "compound_statement"}]
    return [child for child in parts if child not in bodies], bodies


def turns(words: Sequence[Word], lines: Sequence[str] | None, bodies: Sequence[Node]) -> list[Word] | None:
    """Return the words that a loop is turned for; None where they are not known.

    A pattern counts as one word where the body does nothing but what can be done to all of its files at once.

    Args:
        lines: Those of the file that the words are in; None without one.
    """
    if lines is not None:
        return [Word(word) for line in lines for word in line.split()][:_MANY]
    counted = _COUNTS.fullmatch(words[0].text) if len(words) == 1 and not words[0].quoted else None
    if counted is not None:
        first, last = (told_count(each) for each in (counted["first"] or "1", counted["last"]))
        return [] if first is None or last is None else [Word(str(each)) for each in range(first, last + 1)[:_MANY]]
    plain = not any(_ASKS.search(text_of(body)) for body in bodies)
    return [*words] if all(word.known and (plain or not is_pattern(word)) for word in words) else None


def is_pattern(word: Word) -> bool:
    """Return whether a word of a loop means the files that a pattern names."""
    return not word.quoted and has_pattern(word.text)


def of_all(command: ShellCommand, pattern: str) -> ShellCommand:
    """Return a command that a loop runs for each file of a pattern as one for all of them, or as not known."""
    words = [word.text for word in command.words]
    into = words[-1] if words else ""
    writes = any(each.operator.strip("&") in {">", ">>", ">|"} for each in command.redirections)
    moves = command.program in {"cp", "mv"} and (into.endswith("/") or pattern in into)
    if not any(pattern in word for word in words) or ((moves or command.program in _FOR_ALL) and not writes):
        return command
    unread = tuple(replace(word, known=False) if pattern in word.text else word for word in command.words)
    return replace(command, words=unread, repeated=True, conditional=True)


def listed_file(words: Sequence[Word]) -> str:
    """Return the file over whose words a loop goes, ``for x in $(cat FILE)``; empty for none."""
    match = _LISTED.fullmatch(words[0].text) if len(words) == 1 and not words[0].quoted else None
    return "" if match is None else match["path"]


def read_name(node: Node) -> str:
    """Return the variable that ``while read`` puts each line into; empty for other loops and for those left early."""
    condition = " ".join(text_of(child) for child in node.named_children[:-1])
    if node.children[0].type != "while" or _LEAVES_EARLY.search(text_of(node.named_children[-1])):
        return ""
    match = _READS.fullmatch(condition)
    return "" if match is None else match["name"]


def read_from(node: Node, redirections: Sequence[Redirection]) -> str:
    """Return the file that a loop reads: by a redirection, or as ``cat`` prints it before; empty for none."""
    named = next((each.path for each in reversed(redirections) if each.operator == "<" and not each.descriptor), "")
    before = node.prev_named_sibling if node.parent is not None and node.parent.type == "pipeline" else None
    match = None if before is None else _PRINTS.fullmatch(text_of(before))
    return named or ("" if match is None else match["path"])


def may_leave_early(nodes: Sequence[Node]) -> bool:
    """Return whether a loop may do less than all of its body in each turn."""
    return any(_SKIPS.search(text_of(node)) for node in nodes)


def changed_in(nodes: Sequence[Node]) -> set[str]:
    """Return the variables that a loop may give another value each time that it turns, by what it consists of."""
    return {name for node in nodes for found in _NAMES_CHANGED.findall(text_of(node)) for name in found if name}


def tested(node: Node, expander: Expander) -> bool | None:
    """Return what a condition in brackets says; None where that cannot be told."""
    words: list[Word] = []
    double = text_of(node).startswith("[[")
    for leaf in leaves(node):
        if leaf.type in LEAVES:
            words += [expander.one(leaf)] if double else expander.words(leaf) or [Word("", quoted=True)]
        elif leaf.type not in {"[", "]", "[[", "]]"}:
            words.append(Word(text_of(leaf)))
    return decide(words, patterns=double)
