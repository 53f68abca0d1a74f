from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.docker.tool_versions_cache import ToolVersionsCache
from tonnage.adapters.docker.tools import Tools

if TYPE_CHECKING:
    from pathlib import Path


def _docker(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "docker"
    program.write_text(
        f'#!/bin/sh\necho asked >> "{folder}/asked"\n[ "$1" = --version ] && echo "Docker version {version}"\n'
    )
    program.chmod(0o755)
    return program


def _asked(folder: Path) -> int:
    asked = folder / "asked"
    return len(asked.read_text().splitlines()) if asked.exists() else 0


def _version(tmp_path: Path, environment: dict[str, str] | None = None) -> str:
    environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), **(environment or {})}
    tools = Tools(environment, ToolVersionsCache(tmp_path / "cache" / "programs.json", environment))
    return tools.need_build().version


def test_a_program_is_started_once_for_many_commands(tmp_path: Path) -> None:
    _docker(tmp_path / "bin", "20.10.24")
    first = _version(tmp_path)
    asked = _asked(tmp_path / "bin")

    assert [_version(tmp_path) for _ in range(3)] == [first] * 3 == ["20.10.24"] * 3
    assert _asked(tmp_path / "bin") == asked > 0


def test_a_program_that_was_replaced_is_asked_again(tmp_path: Path) -> None:
    _docker(tmp_path / "bin", "20.10.24")
    _version(tmp_path)
    _docker(tmp_path / "bin", "22.0.1")

    assert _version(tmp_path) == "22.0.1"


@pytest.mark.parametrize("place", [".docker/cli-plugins/docker-buildx", ".docker/config.json"])
def test_a_new_plugin_or_configuration_makes_it_ask_again(tmp_path: Path, place: str) -> None:
    _docker(tmp_path / "bin", "20.10.24")
    _version(tmp_path)
    before = _asked(tmp_path / "bin")
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text("{}")

    _version(tmp_path)

    assert _asked(tmp_path / "bin") > before


@pytest.mark.parametrize(
    ("told", "age_s", "holds"),
    [("v2", 80_000, True), ("v2", 90_000, False), ("", 200, True), ("", 400, False), ("v2", -60, False)],
)
def test_an_answer_is_forgotten_in_time(tmp_path: Path, told: str, age_s: float, holds: bool) -> None:  # noqa: FBT001
    path = tmp_path / "programs.json"
    program = _docker(tmp_path / "bin", "20.10.24")
    ToolVersionsCache(path, {}).keep([str(program)], told)
    written = json.loads(path.read_text())
    path.write_text(json.dumps({key: [time.time() - age_s, told] for key in written}))

    assert (ToolVersionsCache(path, {}).answer([str(program)]) == told) is holds


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": ["x", "y"]}', "\0"])
def test_a_broken_file_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "programs.json").write_text(text)
    _docker(tmp_path / "bin", "20.10.24")

    assert _version(tmp_path) == "20.10.24"


def test_where_nothing_can_be_written_programs_are_asked_each_time(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    _docker(tmp_path / "bin", "20.10.24")

    assert _version(tmp_path) == _version(tmp_path) == "20.10.24"
