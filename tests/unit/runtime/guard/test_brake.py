"""An engine that writes and removes in one process, on a disk in memory: it stands still, and runs again."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tonnage.runtime.guard.brake import Brakes
from tonnage.runtime.guard.frozen_note import FrozenNote
from tonnage.runtime.guard.pause import BuildPause
from tonnage.runtime.guard.unable import NothingFreezes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tonnage.adapters.interface import Cancel

MB = 10**6
LINE_BYTES = 1_000 * MB


class Engine(NothingFreezes):
    """Writes at a rate, and frees what it was asked to at another, while it runs."""

    def __init__(self) -> None:
        self.still = False
        self.stops = 0
        self.stoppable = True

    def open(self) -> bool:
        return True

    def engine_names(self) -> Sequence[str]:
        return ("/proc/7@8",) if self.stoppable else ()

    def stop_engine(self, until_s: float) -> bool:
        assert until_s > time.monotonic()
        self.still = True
        self.stops += 1
        return True

    def run_engine(self) -> None:
        self.still = False


class Place:
    """A run on that engine."""

    def __init__(self, tmp_path: Path, headroom_mb: int, spare_mb: int, *, alone: bool = True) -> None:
        self.engine = Engine()
        self.told: list[str] = []
        self.available_bytes = self.lowest_bytes = float(LINE_BYTES + headroom_mb * MB)
        self.spare_bytes = float(spare_mb * MB)
        self.frees = False
        self.asked: list[int] = []
        self.prepared = 0
        self.writes_mb = 100.0
        self.notes = tmp_path
        self.pause = BuildPause(
            self.engine, {"/data": LINE_BYTES}, make_room=self.make_room, tell=self.told.append,
            cancel=threading.Event(), note=FrozenNote(tmp_path), brakes=Brakes(lambda: alone, self.prepare),
        )  # fmt: skip
        self.pause._brake._note = FrozenNote(tmp_path, "-engine")  # type: ignore[union-attr]
        self.pause.begin("web", None, kept_bytes=0, transient_bytes=0)

    def prepare(self) -> None:
        self.prepared += 1

    def make_room(self, missing_bytes: int, cancel: Cancel) -> int:
        self.asked.append(missing_bytes)
        before_bytes = self.spare_bytes
        self.frees = before_bytes > 0
        while self.spare_bytes > 0 and not cancel.is_set():
            time.sleep(0.002)
        return int(before_bytes)

    def go_on(self, condition: Callable[[], object], within_s: float = 20.0) -> None:
        end_s = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < end_s, self.told
            time.sleep(0.005)
            if not self.engine.still:
                freed_bytes = min(self.spare_bytes, 3 * MB) if self.frees else 0
                self.spare_bytes -= freed_bytes
                self.available_bytes += freed_bytes - self.writes_mb * MB * 0.01
            self.lowest_bytes = min(self.lowest_bytes, self.available_bytes)
            self.pause.sample({"/data": int(self.available_bytes)})


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    made: list[Place] = []

    def make(headroom_mb: int, spare_mb: int, **rest: bool) -> Place:
        made.append(Place(tmp_path, headroom_mb, spare_mb, **rest))
        return made[-1]

    yield make
    for place in made:
        place.pause.close()
        assert not place.engine.still
        assert not list(tmp_path.iterdir())


def test_room_is_made_while_the_engine_writes_and_it_need_not_stand_still_in_time(at: Callable[..., Place]) -> None:
    place = at(60, 600)
    place.writes_mb = 60.0
    place.go_on(lambda: place.asked)
    assert place.available_bytes > LINE_BYTES
    assert place.pause.makes_room
    assert place.pause.holds
    place.go_on(lambda: place.told)
    assert "600 MB were reclaimed while the engine itself writes" in place.told[-1]
    assert place.lowest_bytes > LINE_BYTES
    place.pause.begin("db", None, kept_bytes=0, transient_bytes=0)
    assert place.prepared == 1


def test_at_the_reserve_it_stands_still_and_runs_by_turns_while_room_is_made(at: Callable[..., Place]) -> None:
    place = at(20, 900)
    # It frees less than it writes.
    place.writes_mb = 400.0
    place.go_on(lambda: place.engine.stops >= 3)
    assert any("it stands still for moments" in each for each in place.told)
    assert place.frees
    place.writes_mb = 0.0
    place.go_on(lambda: not place.engine.still and not place.spare_bytes)
    stops = place.engine.stops
    place.go_on(lambda: place.available_bytes > LINE_BYTES)
    assert place.engine.stops == stops


def test_without_room_it_stands_still_once_while_what_writes_is_stopped(at: Callable[..., Place]) -> None:
    place = at(150, 0)
    place.go_on(lambda: place.engine.stops)
    assert not place.pause.holds
    below_bytes = place.available_bytes
    place.go_on(lambda: not place.engine.still)
    assert below_bytes > LINE_BYTES - 30 * MB
    place.go_on(lambda: place.available_bytes < LINE_BYTES - 100 * MB)
    assert place.engine.stops == 1


def test_beside_another_run_it_never_stands_still(at: Callable[..., Place]) -> None:
    place = at(20, 900, alone=False)
    place.go_on(lambda: place.available_bytes < LINE_BYTES - 100 * MB)
    assert not place.engine.stops
    assert not place.asked


def test_where_it_cannot_be_stopped_that_is_said_once(at: Callable[..., Place]) -> None:
    place = at(20, 900)
    place.engine.stoppable = False
    place.go_on(lambda: place.available_bytes < LINE_BYTES - 100 * MB)
    assert [each for each in place.told if "the engine itself cannot be stopped" in each] == place.told


def test_a_run_that_ends_meanwhile_lets_it_run(at: Callable[..., Place]) -> None:
    place = at(20, 900)
    place.writes_mb = 400.0
    place.go_on(lambda: place.engine.still)
    place.pause.end("web")
    place.go_on(lambda: not place.engine.still)


def test_without_that_setting_the_engine_is_left_alone(tmp_path: Path) -> None:
    engine = Engine()
    pause = BuildPause(
        engine, {"/data": LINE_BYTES}, make_room=None, tell=lambda _text: None, cancel=threading.Event(),
        note=FrozenNote(tmp_path),
    )  # fmt: skip
    for below_mb in range(-5, 50):
        pause.sample({"/data": LINE_BYTES - below_mb * MB})
        time.sleep(0.002)
    assert not engine.stops
    pause.close()
