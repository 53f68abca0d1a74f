"""What a shell script gives to variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.forecast.shell.syntax import text_of
from tonnage.model.forecast.shell_script import Word

if TYPE_CHECKING:
    from tree_sitter import Node

    from tonnage.forecast.shell.syntax import Expander, Variables


def assign(node: Node, expander: Expander, variables: Variables) -> None:
    """Give a variable its value, or add to it; None is one that is not known."""
    if (name := node.child_by_field_name("name")) is None:
        return
    value = node.child_by_field_name("value")
    word = Word("") if value is None else expander.one(value)
    text = word.text if word.known else None
    if "+=" in {child.type for child in node.children}:
        before = variables.value(text_of(name))
        text = None if text is None or before is None else before + text
    variables.values[text_of(name)] = text


def declare(node: Node, expander: Expander, variables: Variables) -> None:
    """Do what ``export``, ``local`` and their like do."""
    exports = node.children[0].type == "export"
    for child in node.named_children:
        name = child.child_by_field_name("name") if child.type == "variable_assignment" else child
        if child.type == "variable_assignment":
            assign(child, expander, variables)
        if exports and name is not None:
            variables.exported.add(text_of(name))
