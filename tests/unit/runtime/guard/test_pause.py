"""Builds that write until they are frozen, on a disk in memory: what is frozen, and that it is always thawed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.interface import BuildMark
from tonnage.model.stack import BuildSpec
from tonnage.runtime.guard.frozen_note import FrozenNote
from tonnage.runtime.guard.pause import DEADLINE_S, BuildPause
from tonnage.runtime.guard.unable import NothingFreezes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tonnage.adapters.interface import Cancel
    from tonnage.runtime.guard.pause import MakeRoom

MB = 10**6
LINE_BYTES = 1_000 * MB
SPEC = BuildSpec(context="/nowhere", dockerfile="Dockerfile")


class Written(NothingFreezes):
    """Groups of steps of builds; each is frozen at once."""

    def __init__(self) -> None:
        self.frozen: set[str] = set()
        self.ever: list[str] = []
        self.ended: set[str] = set()
        self.steps: dict[str, list[str]] = {}
        self.opens = self.closes = 0
        self.refuses = False

    def why_not(self) -> str:
        return "a test says so" if self.refuses else ""

    def open(self) -> bool:
        self.opens += 1
        return not self.refuses

    def close(self) -> None:
        self.closes += 1

    def mark(self, spec: BuildSpec) -> BuildMark:
        del spec
        return BuildMark(frozenset({"x"}), 0.0)

    def of_builds(self, marks: Mapping[str, BuildMark]) -> Mapping[str, Sequence[str]]:
        return {name: self.steps[name] for name in marks if name in self.steps}

    def freeze(self, groups: Sequence[str], until_s: float) -> bool:
        assert until_s > time.monotonic()
        if any("cannot" in each for each in groups):
            return False
        self.frozen |= set(groups)
        self.ever += groups
        return True

    def are_frozen(self, groups: Sequence[str]) -> bool:
        return self.frozen.issuperset(groups)

    def are_ended(self, groups: Sequence[str]) -> bool:
        return self.ended.issuperset(groups)

    def thaw(self, groups: Sequence[str]) -> bool:
        self.frozen -= set(groups)
        return True


class Place:
    """A run with builds that write at a rate while they are not frozen, and samples as they come."""

    def __init__(
        self, tmp_path: Path, headroom_mb: int, make_room: MakeRoom | None = None, deadline_s: float = DEADLINE_S
    ) -> None:
        self.groups = Written()
        self.told: list[str] = []
        self.cancel = threading.Event()
        self.available_bytes = float(LINE_BYTES + headroom_mb * MB)
        self.lowest_bytes = self.available_bytes
        self.rates: dict[str, float] = {}
        self.notes = tmp_path
        self.pause = BuildPause(
            self.groups, {"/data": LINE_BYTES}, make_room=make_room, tell=self.told.append, cancel=self.cancel,
            note=FrozenNote(tmp_path), deadline_s=deadline_s,
        )  # fmt: skip

    def begin(self, name: str, rate_mb: float, transient_mb: int = 0) -> None:
        self.groups.steps[name] = [f"/group/{name}"]
        self.rates[name] = rate_mb * MB
        self.pause.begin(name, SPEC, kept_bytes=0, transient_bytes=transient_mb * MB)

    def end(self, name: str) -> None:
        self.groups.steps.pop(name)
        self.rates.pop(name)
        self.pause.end(name)

    def go_on(self, condition: Callable[[], object], within_s: float = 20.0) -> None:
        """Sample 200 times a second until something is so."""
        end_s, last_s = time.monotonic() + within_s, time.monotonic()
        while not condition():
            assert time.monotonic() < end_s, self.told
            time.sleep(0.005)
            now_s = time.monotonic()
            writing = sum(rate for name, rate in self.rates.items() if f"/group/{name}" not in self.groups.frozen)
            # A machine that was asleep has written no more than one that samples in time.
            self.available_bytes -= writing * min(now_s - last_s, 0.02)
            self.lowest_bytes = min(self.lowest_bytes, self.available_bytes)
            last_s = now_s
            self.pause.sample({"/data": int(self.available_bytes)})


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    made: list[Place] = []

    def make(headroom_mb: int, make_room: MakeRoom | None = None, **rest: float) -> Place:
        made.append(Place(tmp_path, headroom_mb, make_room, **rest))
        return made[-1]

    yield make
    for place in made:
        place.pause.close()
        assert not place.groups.frozen
        assert place.groups.closes == 1
        assert not list(tmp_path.iterdir())


def test_a_build_is_frozen_before_the_line_and_goes_on_when_room_was_made(at: Callable[..., Place]) -> None:
    asked: list[int] = []

    def make_room(missing_bytes: int, cancel: Cancel) -> int:
        del cancel
        assert place.groups.frozen == {"/group/web"}
        assert place.pause.holds
        assert place.pause.makes_room
        asked.append(missing_bytes)
        place.available_bytes += 500 * MB
        return 500 * MB

    place = at(60, make_room)
    place.begin("web", 200.0, transient_mb=700)
    place.go_on(lambda: place.told)
    assert place.lowest_bytes > LINE_BYTES
    assert asked[0] == pytest.approx(700 * MB, rel=0.1)
    assert "500 MB were reclaimed; builds go on" in place.told[0]
    place.go_on(lambda: not place.groups.frozen)
    assert not place.pause.holds
    assert not place.pause.makes_room


def test_without_room_builds_go_on_to_the_line_and_are_frozen_while_the_newest_is_stopped(
    at: Callable[..., Place],
) -> None:
    place = at(60, lambda _missing, _cancel: 0)
    place.begin("web", 200.0)
    place.go_on(lambda: place.told)
    assert "nothing can be reclaimed" in place.told[0]
    assert place.lowest_bytes > LINE_BYTES
    place.go_on(lambda: place.available_bytes < LINE_BYTES and place.groups.frozen)
    # The guard of the run may act now, while nothing is written.
    place.go_on(lambda: not place.pause.holds)
    lowest_bytes = place.available_bytes
    assert place.groups.frozen
    place.groups.ended.add("/group/web")
    place.go_on(lambda: not place.groups.frozen)
    place.end("web")
    assert place.available_bytes > lowest_bytes - 10 * MB
    assert place.lowest_bytes > LINE_BYTES - 20 * MB


def test_what_does_not_end_is_thawed_all_the_same(at: Callable[..., Place]) -> None:
    place = at(-1)
    place.begin("web", 0.0)
    began_s = time.monotonic()
    place.go_on(lambda: place.groups.frozen)
    place.go_on(lambda: not place.groups.frozen)
    assert time.monotonic() - began_s < 10


def test_a_freeze_has_a_deadline(at: Callable[..., Place]) -> None:
    over = threading.Event()

    def make_room(missing_bytes: int, cancel: Cancel) -> int:
        del missing_bytes, cancel
        over.wait(20)
        return 0

    place = at(30, make_room, deadline_s=0.3)
    place.begin("web", 200.0)
    place.go_on(lambda: place.groups.frozen)
    place.go_on(lambda: not place.groups.frozen)
    assert "paused for as long as may be" in place.told[0]
    over.set()


def test_of_several_builds_the_one_that_gives_back_most_is_paused_first(at: Callable[..., Place]) -> None:
    place = at(200)
    place.begin("small", 100.0, transient_mb=10)
    place.begin("large", 100.0, transient_mb=900)
    place.begin("middle", 100.0, transient_mb=100)
    place.go_on(lambda: place.groups.frozen)
    assert place.groups.frozen == {"/group/large"}
    assert place.pause.is_pausing
    assert not place.pause.holds
    for name in place.rates:
        place.rates[name] = 0.0
    place.go_on(lambda: not place.groups.frozen)
    assert not place.pause.is_pausing


def test_the_paused_build_goes_on_when_it_is_the_last(at: Callable[..., Place]) -> None:
    place = at(150)
    place.begin("one", 50.0, transient_mb=10)
    place.begin("two", 50.0, transient_mb=900)
    place.go_on(lambda: place.groups.frozen)
    place.end("one")
    assert not place.groups.frozen
    assert not place.pause.is_pausing


def test_a_further_step_of_a_frozen_build_is_frozen_too_and_steps_of_others_never(at: Callable[..., Place]) -> None:
    over = threading.Event()

    def make_room(missing_bytes: int, cancel: Cancel) -> int:
        del missing_bytes, cancel
        over.wait(20)
        return 0

    place = at(30, make_room)
    place.groups.steps["somebody's"] = ["/group/somebody's"]
    place.begin("web", 200.0)
    place.go_on(lambda: place.groups.frozen)
    place.groups.steps["web"].append("/group/web-2")
    place.go_on(lambda: "/group/web-2" in place.groups.frozen)
    over.set()
    place.go_on(lambda: not place.groups.frozen)
    assert set(place.groups.ever) == {"/group/web", "/group/web-2"}


def test_where_nothing_can_be_frozen_that_is_told_once(at: Callable[..., Place]) -> None:
    place = at(30)
    place.groups.refuses = True
    place.begin("web", 200.0)
    place.go_on(lambda: place.available_bytes < LINE_BYTES - 20 * MB)
    assert place.told == ["the disk comes near its reserve, and builds are not paused there: a test says so"]
    assert not place.groups.ever
    assert not place.pause.holds


def test_without_a_note_nothing_is_frozen(tmp_path: Path) -> None:
    place = Place(tmp_path / "gone", 30)
    place.begin("web", 200.0)
    place.go_on(lambda: place.available_bytes < LINE_BYTES - 20 * MB)
    assert not place.groups.ever
    place.pause.close()


def test_a_signal_ends_the_pause(at: Callable[..., Place]) -> None:
    def make_room(missing_bytes: int, cancel: Cancel) -> int:
        del missing_bytes
        assert cancel.wait(20)
        return 0

    place = at(30, make_room)
    place.begin("web", 200.0)
    place.go_on(lambda: place.groups.frozen)
    place.cancel.set()
    place.go_on(lambda: not place.groups.frozen, within_s=5.0)


def test_where_a_further_step_cannot_be_frozen_nobody_counts_on_it(at: Callable[..., Place]) -> None:
    over = threading.Event()

    def make_room(missing_bytes: int, cancel: Cancel) -> int:
        del missing_bytes, cancel
        over.wait(20)
        return 0

    place = at(30, make_room)
    place.begin("web", 200.0)
    place.go_on(lambda: place.pause.holds)
    place.groups.steps["web"].append("/group/cannot")
    place.go_on(lambda: not place.pause.holds)
    assert not place.groups.frozen
    over.set()


def test_what_goes_wrong_while_room_is_made_leaves_nothing_frozen(at: Callable[..., Place]) -> None:
    def make_room(missing_bytes: int, cancel: Cancel) -> int:
        del missing_bytes, cancel
        raise ZeroDivisionError("a defect")

    place = at(60, make_room)
    place.begin("web", 200.0)
    place.go_on(lambda: place.groups.frozen)
    place.go_on(lambda: not place.groups.frozen)
    assert place.told[0] == "nothing more is reclaimed while builds wait: a defect"
