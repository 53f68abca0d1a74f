from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.architecture.source_tree import called_names, called_on_import, imports, modules

if TYPE_CHECKING:
    from tests.architecture.source_tree import Module

# Which rooms of the package each room may import from, besides units, errors and lazily, which everybody may.
ALLOWED = {
    "": {"cli", "runtime", "views", "sources", "decide", "adapters", "model"},
    "errors": set(),
    "lazily": set(),
    "units": set(),
    "model": {"model"},
    "decide": {"decide", "model"},
    "sources": {"sources", "model"},
    "views": {"views", "model"},
    "adapters": {"adapters", "sources", "model"},
    "runtime": {"runtime", "forecast", "decide", "sources", "model", "adapters.interface"},
    "forecast": {"forecast", "model"},
    "flows": {"flows"},
    "wiring": {"cli", "runtime", "sources", "decide", "adapters", "model"},
    "cli": {"cli", "wiring", "flows", "runtime", "views", "sources", "decide", "adapters", "model"},
}
# What would let a clock, a file, a network or a terminal into code that is meant to be pure.
IMPURE = frozenset(
    {
        "asyncio", "datetime", "docker", "glob", "http", "io", "logging", "os", "pathlib", "platform", "random",
        "requests", "rich", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys",
        "tempfile", "threading", "time", "urllib", "urllib3",
    }
)  # fmt: skip
ADAPTER_MAKERS = frozenset({"connect", "DockerFacts", "DockerActs", "open_gauge", "find_tools"})


@pytest.mark.parametrize("module", modules(), ids=str)
def test_imports_run_one_way(module: Module) -> None:
    for name in imports(module):
        if not name.startswith("tonnage.") or name.split(".")[1] in {"errors", "lazily", "units", "__version__"}:
            continue
        allowed = ALLOWED[module.room]
        assert any(name.startswith(f"tonnage.{room}.") or name == f"tonnage.{room}" for room in allowed), (
            f"{module} must not import {name}"
        )


@pytest.mark.parametrize("module", [m for m in modules() if m.room in {"model", "decide"}], ids=str)
def test_nouns_and_verbs_import_nothing_impure(module: Module) -> None:
    assert not {name.split(".")[0] for name in imports(module)} & IMPURE


@pytest.mark.parametrize("module", [m for m in modules() if m.room in {"model", "decide"}], ids=str)
def test_nouns_and_verbs_open_no_file_and_print_nothing(module: Module) -> None:
    assert not called_names(module) & {"open", "print", "input", "exec", "eval", "__import__"}


def test_nothing_is_made_on_import_that_takes_long_to_make() -> None:
    eager = {
        m.name
        for m in modules()
        if m.name != "tonnage.lazily" and ("dataclasses.dataclass" in imports(m) or "compile" in called_on_import(m))
    }
    assert not eager


def test_only_one_module_starts_programs() -> None:
    doors = {m.name for m in modules() if {name.split(".")[0] for name in imports(m)} & {"subprocess", "pty"}}
    assert doors <= {"tonnage.adapters.process"}


def test_only_the_composition_root_makes_adapters() -> None:
    makers = {
        m.name
        for m in modules()
        if m.room not in {"adapters", ""} and called_names(m) & ADAPTER_MAKERS and "sqlite3" not in imports(m)
    }
    assert makers <= {"tonnage.wiring.real_world"}


def test_what_decides_gets_no_way_to_change_the_engine() -> None:
    rooms = {"model", "decide", "views", "sources"}
    assert not [m.name for m in modules() if m.room in rooms and "EngineActs" in str(imports(m))]


def test_nothing_but_the_command_line_ends_the_process() -> None:
    enders = {m.name for m in modules() if "sys" in imports(m) and "exit" in called_names(m)}
    assert all(name.startswith("tonnage.cli.") for name in enders)
