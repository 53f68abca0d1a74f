"""Redirections of a shell command: files that are written and read, here-documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.forecast.shell.nodes import text_of
from tonnage.lazily import regex
from tonnage.model.forecast.shell_script import Redirection, Word

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

    from tonnage.forecast.shell.words import Expander

_TABS = regex(r"^\t+", re.MULTILINE)
REDIRECTS = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect"})


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
