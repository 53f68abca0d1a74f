"""``tonnage guard`` as a whole command, on the simulated engine."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.unit.cli.simulated_ports import EmptyMachine

from tonnage.flows.guard import unit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]
GB = 10**9
UNUSED_BYTES = 2_000_000_011
SAVES = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + chr(10))"


class Ballasted(EmptyMachine):
    """A machine with a ballast."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.dropped = 0

    def make_ballast(self, data_root: str, keeps_bytes: int) -> int:
        assert data_root
        self.asked.append(keeps_bytes)
        return 140_000_003

    def drop_ballast(self, data_root: str) -> int:
        assert data_root
        self.dropped += 1
        return 140_000_003


@pytest.fixture
def crowded(world: World) -> World:
    """An engine with something unused and something in use."""
    simulator = world.simulator
    simulator.identity = replace(simulator.identity, storage_driver="simulated")
    of_a_stack = {"tonnage.stack": "gone", "tonnage.service": "web"}
    simulator.add_image("unused:1", (("unused", UNUSED_BYTES),), labels=of_a_stack)
    # Nobody can get it back.
    simulator.add_image("by-hand:1", (("by hand", 1_000_003),))
    simulator.add_image("used:1", (("used", 1_000_000_007),))
    simulator.add_container("theirs-web-1", "used:1", project="theirs", service="web")
    simulator.clock.sleep(1_000.0)
    world.ports.machine = Ballasted()
    return world


def leave(world: World, available_bytes: int) -> None:
    disk = world.simulator.disk
    disk.eaten_by_neighbour(disk.available_bytes - available_bytes)


def told(capsys: Captured) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_well_above_the_reserve_nothing_is_done_but_the_ballast_made(crowded: World, capsys: Captured) -> None:
    leave(crowded, 5 * GB)
    assert crowded.run("guard", "--once", "--yes", "--keep-free", "2GB", "--json") == 0
    document = told(capsys)
    assert document["document"] == "guard"
    assert document["ballast_bytes"] == 140_000_003
    assert document["filesystems"][0]["reclaimed_bytes"] == 0
    machine = crowded.ports.machine
    assert isinstance(machine, Ballasted)
    assert machine.asked == [3 * GB]
    assert "unused:1" in crowded.simulator.store.names


def test_without_yes_nothing_is_made_or_removed(crowded: World, capsys: Captured) -> None:
    leave(crowded, 2 * GB + 100)
    assert crowded.run("guard", "--once", "--keep-free", "2GB") == 0
    assert "--yes lets the guard remove them" in capsys.readouterr().err
    machine = crowded.ports.machine
    assert isinstance(machine, Ballasted)
    assert not machine.asked
    assert "unused:1" in crowded.simulator.store.names


def test_near_the_reserve_it_reclaims_to_the_target_and_leaves_what_is_used(crowded: World, capsys: Captured) -> None:
    leave(crowded, 2 * GB + 100)
    assert crowded.run("guard", "--once", "--yes", "--keep-free", "2GB", "--json") == 0
    document = told(capsys)
    assert document["filesystems"][0]["reclaimed_bytes"] == UNUSED_BYTES
    assert document["filesystems"][0]["available_bytes"] == 2 * GB + 100 + UNUSED_BYTES
    assert document["filesystems"][0]["target_bytes"] == 3 * GB
    assert {"used:1", "busybox:latest", "by-hand:1"} <= set(crowded.simulator.store.names)
    assert "unused:1" not in crowded.simulator.store.names


def test_what_stays_below_is_exit_code_4_and_told_to_whom_the_user_named(
    crowded: World, capsys: Captured, tmp_path: Path
) -> None:
    saved = tmp_path / "told.json"
    program = " ".join(f"'{word}'" for word in (sys.executable, "-c", SAVES.replace("'", '"'), str(saved)))
    crowded.ports.environment = {**crowded.ports.environment, "TONNAGE_ON_FAILURE": program}
    crowded.simulator.add_container("theirs-db-1", "unused:1", project="theirs", service="db")
    leave(crowded, 1 * GB)
    assert crowded.run("guard", "--once", "--yes", "--keep-free", "2GB", "--json") == 4
    captured = capsys.readouterr()
    assert "warning: " in captured.err
    document = json.loads(saved.read_text())
    assert (document["document"], document["failure"]) == ("guard", json.loads(captured.out)["failure"])
    assert {"used:1", "unused:1"} <= set(crowded.simulator.store.names)


def test_a_full_disk_gets_the_ballast_back_first(crowded: World, capsys: Captured) -> None:
    leave(crowded, 15_000_000)
    assert crowded.run("guard", "--once", "--yes", "--keep-free", "1GB") == 0
    assert "of ballast were given back" in capsys.readouterr().err
    machine = crowded.ports.machine
    assert isinstance(machine, Ballasted)
    assert machine.dropped == 1
    assert "unused:1" not in crowded.simulator.store.names


def test_few_inodes_are_told(crowded: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = crowded.simulator.facts
    (disk, *_) = facts.filesystems()
    few = replace(disk, inodes=16_000, available_inodes=159)
    monkeypatch.setattr(type(facts), "filesystems", lambda _self: (few,))
    assert crowded.run("guard", "--once", "--yes", "--keep-free", "1GB") == 4
    assert "159 are available and 160 must remain" in capsys.readouterr().err
    monkeypatch.setattr(type(facts), "filesystems", lambda _self: (replace(few, available_inodes=160),))
    assert crowded.run("guard", "--once", "--yes", "--keep-free", "1GB") == 0


def test_a_dead_engine_is_no_reason_not_to_look(crowded: World, capsys: Captured) -> None:
    crowded.ports.reachable = False
    assert crowded.run("guard", "--once", "--keep-free", "1MB") == 0
    assert "the engine does not answer" in capsys.readouterr().err
    assert crowded.run("guard", "--once", "--host", "ssh://user@host.example.org") == 6


@pytest.mark.parametrize(
    "arguments", [("--once", "--install"), ("--install", "--uninstall"), ("--interval", "soon"), ("web",)]
)
def test_what_contradicts_itself_is_refused(crowded: World, arguments: tuple[str, ...]) -> None:
    assert crowded.run("guard", *arguments) == 2


def test_the_unit_is_shown_and_written_only_with_yes(
    crowded: World, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit, "DIRECTORY", tmp_path)
    monkeypatch.setattr(unit.write_unit, "__defaults__", (tmp_path,))
    monkeypatch.setattr(unit.remove_unit, "__defaults__", (tmp_path,))
    assert crowded.run("guard", "--install", "--keep-free", "2GB", "--host", "unix:///run/docker.sock") == 0
    shown = capsys.readouterr().out
    assert "guard --yes --interval 10s --host unix:///run/docker.sock --keep-free 2GB" in shown
    assert "nothing was written" in shown
    written = tmp_path / unit.NAME
    assert not written.exists()
    assert crowded.run("guard", "--install", "--yes") == 0
    assert written.read_text() in capsys.readouterr().out + "\n"
    assert written.stat().st_mode & 0o777 == 0o644
    assert crowded.run("guard", "--install", "--yes", "--until", "5GB") == 0
    assert "--until 5GB" in written.read_text()
    assert crowded.run("guard", "--uninstall") == 0
    assert written.exists()
    assert crowded.run("guard", "--uninstall", "--yes") == 0
    assert not written.exists()
    machine = crowded.ports.machine
    assert isinstance(machine, Ballasted)
    assert machine.dropped == 1
    written.write_text("[Unit]\nDescription=somebody's own\n")
    assert crowded.run("guard", "--install", "--yes") == 8
    assert crowded.run("guard", "--uninstall", "--yes") == 8
    assert written.read_text().startswith("[Unit]")


def test_words_stand_in_a_unit_as_systemd_reads_them_back() -> None:
    text = unit.unit_text(["/opt/my tools/tonnage", "guard", "--file", '/srv/100% "sure"/$HOME/compose.yaml'])
    assert 'ExecStart="/opt/my tools/tonnage" guard --file "/srv/100%% \\"sure\\"/$$HOME/compose.yaml"\n' in text


def test_it_goes_on_until_a_signal_and_tells_what_lasts_once(crowded: World, capsys: Captured) -> None:
    crowded.simulator.add_container("theirs-db-1", "unused:1", project="theirs", service="db")
    leave(crowded, 1 * GB)
    waits, ports = crowded.simulator.clock.wait, crowded.ports
    looks = 0

    def wait(cancel: Any, seconds: float) -> bool:  # noqa: ANN401 - as the clock's
        nonlocal looks
        looks += 1
        ports.reachable = looks not in {3, 4}
        if looks == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return waits(cancel, seconds)

    crowded.simulator.clock.wait = wait  # type: ignore[method-assign]
    assert crowded.run("guard", "--yes", "--keep-free", "2GB", "--host", "") == 128 + signal.SIGTERM
    said = capsys.readouterr().err
    assert looks == 6
    assert said.count("warning: not enough can be reclaimed") == 1
    assert said.count("the engine does not answer") == 1
