"""The package's modules as syntax trees, for tests that look at how it is built."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"


@dataclass(frozen=True, slots=True)
class Module:
    """One module: its dotted name, its file and its tree."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        """The part of the package it lies in: the first name after ``tonnage``, or its own at the top."""
        return self.name.split(".")[1] if "." in self.name else ""

    def __str__(self) -> str:
        return self.name


@cache
def modules() -> tuple[Module, ...]:
    """Return every module of the package."""
    return tuple(
        Module(_dotted(path), path, ast.parse(path.read_text(), str(path)))
        for path in sorted((SOURCE / "tonnage").rglob("*.py"))
    )


def imports(module: Module) -> set[str]:
    """Return the dotted names that a module imports, those inside functions and for type checking too."""
    return imported_by(ast.walk(module.tree))


def imported_by(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the dotted names that statements import."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def imports_at_run_time(module: Module) -> set[str]:
    """Return the dotted names that a module imports, but those for type checking, and those it names in a text."""
    checked = {
        id(node)
        for block in ast.walk(module.tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    nodes = [node for node in ast.walk(module.tree) if id(node) not in checked]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return imported_by(nodes) | {text for text in texts if text.startswith("tonnage.") and " " not in text}


def names_of_attributes(module: Module) -> set[str]:
    """Return every ``NAME.ATTRIBUTE`` that a module mentions."""
    return {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }


def called_names(module: Module) -> set[str]:
    """Return the last names of everything that is called in a module."""
    return _called(ast.walk(module.tree))


def called_on_import(module: Module) -> set[str]:
    """Return the last names of everything that is called while a module is imported."""
    return _called(node for statement in module.tree.body for node in _outside_of_functions(statement))


def _outside_of_functions(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if not isinstance(node, (ast.FunctionDef, ast.Lambda)):
        for each in ast.iter_child_nodes(node):
            yield from _outside_of_functions(each)


def _called(nodes: Iterable[ast.AST]) -> set[str]:
    functions = [node.func for node in nodes if isinstance(node, ast.Call)]
    by_attribute = {function.attr for function in functions if isinstance(function, ast.Attribute)}
    return by_attribute | {function.id for function in functions if isinstance(function, ast.Name)}


def _dotted(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
