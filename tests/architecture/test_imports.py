from __future__ import annotations

from tests.architecture.source_tree import (
    called_names,
    called_on_import,
    imports,
    imports_at_run_time,
    modules,
    names_of_attributes,
)

# The rooms from the top of the house to the bottom: each may import from itself and from those below it. The modules
# beside them (units, errors, escapes, lazily, addresses, small_files, own_files, directory_walk, unpacking,
# tracing) are for everybody.
ROOMS = ("cli", "wiring", "flows", "lint", "forecast", "runtime", "adapters", "decide", "sources", "views", "model")
# What would let a clock, a file, a network or a terminal into code that is meant to be pure.
IMPURE = frozenset(
    {
        "asyncio", "datetime", "docker", "glob", "http", "io", "logging", "os", "pathlib", "platform", "random",
        "requests", "rich", "secrets", "select", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys",
        "tempfile", "threading", "time", "urllib", "urllib3",
    }
)  # fmt: skip
# They write files, so what is pure does without them.
WRITING = ("tonnage.own_files", "tonnage.directory_walk")
# What is pure, with what it may import all the same: paths as text that a port reads, locks around parsers and screens,
# the time of a thread that ends a parser.
PURE: dict[str, frozenset[str]] = {
    "tonnage.model.": frozenset(),
    "tonnage.decide.": frozenset(),
    "tonnage.forecast.shell.": frozenset({"threading", "time"}),
    "tonnage.forecast.commands.": frozenset(),
    "tonnage.forecast.requirements.": frozenset(),
    "tonnage.forecast.costs.": frozenset(),
    "tonnage.lint.": frozenset(),
    "tonnage.sources.": frozenset({"pathlib"}),
    "tonnage.views.": frozenset({"rich", "sys", "threading"}),
}
# What forecasts of Python packages take of adapters: uv is started.
FOR_UV = frozenset({("tonnage.forecast.python.uv", "tonnage.adapters.process")})


def test_imports_run_down_the_house() -> None:
    upwards = [
        f"{module} imports {name}"
        for module in modules()
        if module.room in ROOMS
        for name in imports(module)
        if name.startswith("tonnage.") and (room := name.split(".")[1]) in ROOMS
        if ROOMS.index(room) < ROOMS.index(module.room)
    ]
    assert not upwards


def test_what_is_pure_imports_nothing_impure() -> None:
    assert not [
        f"{module} imports {name}"
        for module in modules()
        for room, allowed in PURE.items()
        if module.name.startswith(room)
        for name in imports(module)
        if name.split(".")[0] in IMPURE - allowed or name.startswith(WRITING)
    ]


def test_what_decides_opens_no_file_and_prints_nothing() -> None:
    acts = {"open", "print", "input", "exec", "eval", "__import__"}
    rooms = ("tonnage.decide.", "tonnage.model.", "tonnage.forecast.costs.")
    assert not [m.name for m in modules() if m.name.startswith(rooms) and called_names(m) & acts]


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


def test_text_leaves_through_the_session_and_the_live_pictures_alone() -> None:
    # What these write has gone through tonnage.escapes; whatever writes elsewhere would pass it by.
    shows = {m.name for m in modules() if {"sys.stdout", "sys.stderr"} & names_of_attributes(m)}
    assert shows == {"tonnage.cli.app", "tonnage.cli.program"}
    assert not [m.name for m in modules() if {"echo", "secho"} & called_names(m)]
    assert {m.name for m in modules() if "print" in called_names(m)} == {"tonnage.views.live.terminal"}
    assert {m.name for m in modules() if "Console" in called_names(m)} == {"tonnage.cli.session", "tonnage.cli.watch"}
    assert {m.name for m in modules() if m.room == "views" and "write" in called_names(m)} == {
        "tonnage.views.live.lines"
    }


def test_only_wiring_makes_adapters() -> None:
    # Whatever is made of an adapter is imported first: at run time nothing is but protocols and, for uv, functions.
    taken = {
        (m.name, name)
        for m in modules()
        if m.room not in {"adapters", "wiring"}
        for name in imports_at_run_time(m)
        if name.startswith("tonnage.adapters") and not name.startswith("tonnage.adapters.interface.")
    }
    assert taken == FOR_UV


def test_what_decides_gets_no_way_to_change_the_engine() -> None:
    rooms = {"model", "decide", "views", "sources"}
    assert not [m.name for m in modules() if m.room in rooms and "EngineActs" in str(imports(m))]


def test_nothing_but_the_command_line_ends_the_process() -> None:
    enders = {m.name for m in modules() if "sys" in imports(m) and "exit" in called_names(m)}
    assert all(name.startswith("tonnage.cli.") for name in enders)
