"""Pieces of the syntax tree of a shell script, told apart: statements, words, redirections."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.model.forecast.shell_script import Redirection, Word

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

    from tonnage.forecast.shell.words import Expander

LEAVES = frozenset({
    "word", "string", "raw_string", "ansi_c_string", "translated_string", "concatenation", "simple_expansion",
    "expansion", "command_substitution", "number", "extglob_pattern", "regex", "arithmetic_expansion",
    "process_substitution", "brace_expression", "test_operator",
})  # fmt: skip
_ASKING = frozenset({
    "[", "test", "which", "type", "grep", "egrep", "fgrep", "hash", "id", "getent", "dpkg-query", "cmp", "diff",
    "pgrep", "mountpoint", "lspci", "ldconfig", "dpkg",
})  # fmt: skip
_TABS = regex(r"^\t+", re.MULTILINE)
REDIRECTS = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect"})


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
        return body is not None and asks(body)
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
    descriptor = next((int(text_of(child)) for child in node.children if child.type == "file_descriptor"), None)
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
