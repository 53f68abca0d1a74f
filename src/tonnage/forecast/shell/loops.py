"""Loops over the lines of a file that is known, and what a condition in brackets says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.forecast.shell.state import decide
from tonnage.forecast.shell.syntax import LEAVES, leaves, text_of
from tonnage.lazily import regex
from tonnage.model.forecast.shell_script import Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from tonnage.forecast.shell.syntax import Expander
    from tonnage.model.forecast.shell_script import Redirection

_LISTED = regex(r"\$\((?:cat\s+|<\s*)(?P<path>[^\s;|&$()`<>*?\[\]'\"]+)\s*\)")
_READS = regex(
    r"(?:IFS=\S*\s+)?read\s+(?:-r\s+)?(?P<name>[A-Za-z_]\w*)"
    r"(?:\s*\|\|\s*(?:\[\[?|test)\s+-n\s+\"?\$\{?(?P=name)\}?\"?(?:\s*\]\]?)?)?\s*;?"
)
_PRINTS = regex(r"cat\s+(?P<path>[^\s;|&$()`<>*?\[\]'\"-][^\s;|&$()`<>*?\[\]'\"]*)")
_LEAVES_EARLY = regex(r"\b(?:continue|break|return|exit)\b")


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
