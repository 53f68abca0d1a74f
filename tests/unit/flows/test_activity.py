"""Runs at work and trends, as status and watch tell them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.flows.status.activity import RecentLooks, runs_at_work, since_last_run

if TYPE_CHECKING:
    import pytest
    from tests.unit.cli.simulated_ports import World


def test_a_course_forgets_what_is_older_than_a_minute() -> None:
    recent = RecentLooks()
    assert recent.take(0.0, {"/": 900}) == {}
    assert recent.take(30.0, {"/": 600})["/"].bytes_per_s == -10.0
    assert recent.take(61.0, {"/": 600})["/"].change_bytes == 0


def test_a_run_that_holds_its_lock_is_at_work(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    engine = world.simulator.facts.engine()
    assert runs_at_work(world.ports, engine) == ()
    with world.ports.lock(engine, "hello"):
        [found] = runs_at_work(world.ports, engine)
        assert world.run("status") == 0
        assert "running: the run of stack hello (process " in capsys.readouterr().out
    assert found.run.stack == "hello"
    assert world.run("status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["runs"] == []


def test_since_the_last_run_a_disk_may_have_changed(world: World) -> None:
    engine = world.simulator.facts.engine()
    assert world.run("deploy") == 0
    [disk] = world.simulator.facts.filesystems()
    assert since_last_run(world.ports, engine, [disk]) == {}
    world.simulator.clock.wait(_Never(), 90.0)
    fuller = replace(disk, available_bytes=disk.available_bytes - 7_000_001)
    found = since_last_run(world.ports, engine, [fuller])[disk.mount]
    assert (found.change_bytes, found.since) == (-7_000_001, "run 1")
    assert since_last_run(world.ports, replace(engine, engine_id="OTHER"), [disk]) == {}


def test_an_interval_that_asks_without_end_is_refused(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run("watch", "--interval", "0s") == 2
    assert "at least 100ms" in capsys.readouterr().err


class _Never:
    def is_set(self) -> bool:
        return False

    def wait(self, _seconds: float | None = None) -> bool:
        return False
