from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING

from tests.architecture.source_tree import ROOT, modules

if TYPE_CHECKING:
    from tests.architecture.source_tree import Module

MOST_LINES = 400
MOST_MODULES = 30
# Where every argument is described with its unit or shape, and what is returned.
DOORS = ("tonnage.flows.", "tonnage.adapters.", "tonnage.wiring.")
VAGUE_NAMES = frozenset(
    {"utils", "util", "helpers", "helper", "common", "manager", "handler", "base", "misc", "tools_"}
)


def public_functions(module: Module) -> list[tuple[str, ast.FunctionDef]]:
    """Return public functions and methods with their dotted names; those of private classes are left out."""
    found = [(node.name, node) for node in module.tree.body if isinstance(node, ast.FunctionDef)]
    for owner in module.tree.body:
        if isinstance(owner, ast.ClassDef) and not owner.name.startswith("_"):
            found += [(f"{owner.name}.{n.name}", n) for n in owner.body if isinstance(n, ast.FunctionDef)]
    return [(name, node) for name, node in found if not any(part.startswith("_") for part in name.split("."))]


def own_nodes(function: ast.FunctionDef) -> list[ast.AST]:
    """Return the nodes of a function's body, those of functions inside it left out."""
    nodes: list[ast.AST] = []
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        if not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))
    return nodes


def raised_classes(function: ast.FunctionDef) -> set[str]:
    """Return the failures that a function raises by name."""
    raised = [node.exc for node in own_nodes(function) if isinstance(node, ast.Raise)]
    made = [exc.func for exc in raised if isinstance(exc, ast.Call)]
    return {func.id for func in made if isinstance(func, ast.Name) and func.id.endswith("Error")}


def test_every_module_states_its_law() -> None:
    assert not [module.name for module in modules() if not ast.get_docstring(module.tree)]


def test_every_module_is_small() -> None:
    assert not [m.name for m in modules() if len(m.path.read_text().splitlines()) > MOST_LINES]


def test_no_folder_is_a_warehouse() -> None:
    folders = Counter(module.path.parent for module in modules())
    assert not [str(folder) for folder, count in folders.items() if count > MOST_MODULES]


def test_one_class_name_means_one_thing() -> None:
    names = Counter(node.name for module in modules() for node in module.tree.body if isinstance(node, ast.ClassDef))
    assert not [name for name, count in names.items() if count > 1]


def test_no_module_has_a_vague_name() -> None:
    names = {part for module in modules() for part in module.name.split(".")}
    assert not names & VAGUE_NAMES


def test_a_public_function_has_a_docstring_that_tells_what_it_raises() -> None:
    silent = []
    for module in modules():
        for name, function in public_functions(module):
            text = ast.get_docstring(function) or ""
            silent += [f"{module}.{name}"] if not text else []
            silent += [f"{module}.{name} raises {each}" for each in raised_classes(function) if each not in text]
    assert not silent


def test_a_public_function_with_described_arguments_says_what_it_returns() -> None:
    silent = []
    for module in modules():
        for name, function in public_functions(module):
            text = (ast.get_docstring(function) or "").lower()
            returns = any(isinstance(n, ast.Return) and n.value is not None for n in own_nodes(function))
            if (
                module.name.startswith(DOORS)
                and "args:" in text
                and returns
                and "return" not in text
                and "yield" not in text
            ):
                silent.append(f"{module}.{name}")
    assert not silent


def test_bytes_are_named_bytes_wherever_the_model_counts_them() -> None:
    for module in modules():
        if module.room != "model":
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and "size" in node.target.id:
                assert node.target.id.endswith("_bytes"), f"{module}: {node.target.id}"


def test_every_dependency_has_its_reason_on_paper() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    reasons = (ROOT / "docs" / "dependencies.md").read_text()
    block = project.split("dependencies = [", 1)[1].split("]", 1)[0]
    for line in block.splitlines():
        name = line.strip().strip('",').split(">")[0]
        assert not name or f"`{name}`" in reasons, f"{name} has no line in docs/dependencies.md"


def _forms_decoded(module: Module) -> list[ast.expr]:
    """Return the types that msgspec is given to read into."""
    found: list[ast.expr] = []
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call) or not ast.unparse(node.func).startswith("msgspec."):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        if name == "decode":
            found += [each.value for each in node.keywords if each.arg == "type"]
        elif name in {"convert", "Decoder"}:
            found.append(node.args[0 if name == "Decoder" else 1])
    return found


def test_types_are_decoded_once_they_are_learned() -> None:
    """Two threads that are the first to decode a type end the process: ``lazily.learned`` says why."""
    decoded = [(module.name, ast.unparse(form)) for module in modules() for form in _forms_decoded(module)]
    assert len(decoded) > 20
    assert not [each for each in decoded if not each[1].startswith("learned(")]
