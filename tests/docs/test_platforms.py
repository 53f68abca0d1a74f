"""The page is that of the table, and the table is true of the commands as far as a simulated engine can tell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.docs.platforms_page import page
from tests.unit.cli.simulated_ports import make_world

from tonnage.cli.group import COMMANDS
from tonnage.errors import EngineLacksError
from tonnage.flows.machine.platforms import platform_check, platform_of
from tonnage.model.reports.platforms import ABILITIES, Platform, limits

if TYPE_CHECKING:
    from tests.simulator.engine import Simulator
    from tests.unit.cli.simulated_ports import World

DOCS = Path(__file__).resolve().parents[2] / "docs"
# Those that can be tried without an engine's programs, and end by themselves.
TRIED = {
    "plan": ("plan",),
    "build": ("build",),
    "deploy": ("deploy",),
    "verify": ("verify",),
    "rollback": ("rollback",),
    "status": ("status",),
    "report": ("report",),
    "lint": ("lint", "--no-prices"),
    "uninstall": ("uninstall",),
    "ci": ("ci", "deploy-script"),
}


def test_the_page_is_that_of_the_table() -> None:
    assert (DOCS / "platforms.md").read_text() == page()


def test_the_table_has_every_command_in_order() -> None:
    assert [name for name in COMMANDS if name in ABILITIES] == list(ABILITIES)
    assert set(COMMANDS) - set(ABILITIES) == set()


def put_on(world: World, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a world look like a platform."""
    simulator: Simulator = world.simulator
    monkeypatch.setattr("platform.release", lambda: "6.1.0-18-amd64")
    match platform:
        case Platform.ROOTLESS:
            simulator.identity = replace(simulator.identity, rootless=True)
        case Platform.WSL:
            monkeypatch.setattr("platform.release", lambda: "5.15.153.1-microsoft-standard-WSL2")
        case Platform.REMOTE:
            simulator.identity = replace(simulator.identity, endpoint="ssh://user@vm.example.org")
        case Platform.NONE:
            world.ports.reachable = False
        case Platform.ELSEWHERE:

            def refuse(_self: object) -> None:
                raise EngineLacksError("the disk of Docker Desktop cannot be read from here")

            monkeypatch.setattr(type(simulator.facts), "filesystems", refuse)
        case Platform.LINUX:
            pass


@pytest.mark.parametrize("platform", Platform)
def test_doctor_finds_the_platform_and_says_what_the_table_says(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_world(tmp_path)
    put_on(world, platform, monkeypatch)
    assert platform_of(world.ports, "") is platform

    missing, limited = limits(platform)
    check = platform_check(world.ports, "")
    assert all(command in check.found for command in missing)
    assert all(f"{command}: {but}" in check.todo.splitlines() for command, but in limited)
    world.run("doctor")
    # Long lines are broken between words.
    assert check.found in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "platform", [Platform.LINUX, Platform.ROOTLESS, Platform.WSL, Platform.ELSEWHERE, Platform.NONE]
)
def test_commands_work_or_are_refused_as_the_table_says(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_world(tmp_path)
    assert world.run("deploy") == 0
    put_on(world, platform, monkeypatch)
    codes = {command: world.run(*words) for command, words in TRIED.items()}

    capsys.readouterr()
    works = {command: code == 0 for command, code in codes.items()}
    assert works == {command: ABILITIES[command][platform].works for command in TRIED}
    assert {code for code in codes.values() if code} <= {6, 7}
