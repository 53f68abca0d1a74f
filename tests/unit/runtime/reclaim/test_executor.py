"""Carrying a choice out: measured after each thing, ended as soon as there is enough."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from tests.simulator import VirtualClock
from tests.unit.builders import candidate, findings, shared

from tonnage.errors import EngineUnreachableError, StepFailedError
from tonnage.model.reclaim.outcome import ReclaimChoice
from tonnage.runtime.reclaim.executor import SETTLE_S, carry_out

if TYPE_CHECKING:
    from tonnage.errors import TonnageError
    from tonnage.model.reclaim.candidate import Candidate, SharedBytes
    from tonnage.model.reclaim.outcome import Reclaimed, Removal

A, B, C = (candidate("image", name, size) for name, size in (("a", 1_009), ("b", 2_003), ("c", 4_001)))


@dataclass
class Shelf:
    """A disk whose bytes come free some time after a removal, and what happened to it."""

    available_bytes: int = 10_007
    gives: dict[str, int] = field(default_factory=lambda: {"a": 1_009, "b": 2_003, "c": 4_001})
    errors: dict[str, TonnageError] = field(default_factory=dict)
    late_s: float = 0.0
    cancel_in: str = ""
    clock: VirtualClock = field(default_factory=VirtualClock)
    cancel: threading.Event = field(default_factory=threading.Event)
    told: list[str] = field(default_factory=list)
    ended: list[Removal] = field(default_factory=list)
    coming: list[tuple[float, int]] = field(default_factory=list)

    def available(self) -> int:
        now_s = self.clock.monotonic()
        self.available_bytes += sum(count for due_s, count in self.coming if due_s <= now_s)
        self.coming = [(due_s, count) for due_s, count in self.coming if due_s > now_s]
        return self.available_bytes

    def remove(self, one: Candidate) -> None:
        self.told.append(f"removes {one.name}")
        if one.name == self.cancel_in:
            self.cancel.set()
        if one.name in self.errors:
            raise self.errors[one.name]
        self.coming.append((self.clock.monotonic() + self.late_s, self.gives[one.name]))

    def end(self, removal: Removal) -> None:
        self.told.append(f"ends {removal.candidate.name}")
        self.ended.append(removal)

    def carry_out(self, *chosen: Candidate, target_bytes: int = 0, pieces: tuple[SharedBytes, ...] = ()) -> Reclaimed:
        found = findings(*chosen, pieces=pieces)
        choice = ReclaimChoice(
            available_bytes=self.available_bytes,
            target_bytes=target_bytes,
            chosen=chosen,
            freed_bytes=sum(each.size_bytes for each in found.pieces),
            findings=found,
        )
        return carry_out(
            choice,
            available=self.available,
            remove=self.remove,
            on_begin=lambda one: self.told.append(f"begins {one.name}"),
            on_end=self.end,
            cancel=self.cancel,
            clock=self.clock,
        )


def removed(done: Reclaimed) -> list[str]:
    """Return what was gone for, in its order."""
    return [each.candidate.name for each in done.removals]


def test_things_go_in_their_order_and_each_is_told_before_and_after() -> None:
    shelf = Shelf()
    done = shelf.carry_out(B, A)
    assert shelf.told == ["begins b", "removes b", "ends b", "begins a", "removes a", "ends a"]
    assert shelf.ended == list(done.removals)
    assert (done.available_bytes, done.spared, done.stopped) == (13_019, (), False)


def test_it_ends_as_soon_as_the_target_is_reached_and_tells_what_it_spared() -> None:
    done = Shelf().carry_out(A, B, C, target_bytes=11_017)
    assert removed(done) == ["a", "b"]
    assert done.spared == (C,)
    assert done.enough


def test_exactly_at_the_target_there_is_enough() -> None:
    done = Shelf().carry_out(A, B, C, target_bytes=11_016)
    assert removed(done) == ["a"]
    assert done.spared == (B, C)


def test_nothing_is_removed_when_there_is_enough_already() -> None:
    done = Shelf().carry_out(A, B, target_bytes=10_007)
    assert (removed(done), done.spared, done.enough, done.stopped) == ([], (A, B), True, False)


def test_without_a_target_everything_goes() -> None:
    assert removed(Shelf().carry_out(A, B, C)) == ["a", "b", "c"]


def test_what_came_free_is_measured_and_not_what_was_promised() -> None:
    shelf = Shelf(gives={"a": 7, "b": 2_003, "c": 4_001})
    done = shelf.carry_out(A, B, target_bytes=11_016)
    assert [(each.before_bytes, each.after_bytes, each.freed_bytes) for each in done.removals] == [
        (10_007, 10_014, 7),
        (10_014, 12_017, 2_003),
    ]
    assert done.missing_bytes == 1_002


def test_bytes_that_others_give_back_meanwhile_count_towards_the_target() -> None:
    done = Shelf(gives={"a": 5_003}).carry_out(A, B, C, target_bytes=15_000)
    assert removed(done) == ["a"]


def test_shared_bytes_are_promised_with_the_last_of_what_holds_them() -> None:
    done = Shelf(gives={"a": 1_009, "b": 9_010, "c": 4_001}).carry_out(A, B, C, pieces=(shared(7_007, A, B),))
    assert [each.promised_bytes for each in done.removals] == [1_009, 9_010, 4_001]
    assert done.missing_bytes == 0


def test_what_could_not_go_keeps_the_bytes_that_it_shares() -> None:
    shelf = Shelf(errors={"a": StepFailedError("it is used")})
    done = shelf.carry_out(A, B, pieces=(shared(7_007, A, B),))
    assert [each.promised_bytes for each in done.removals] == [1_009, 2_003]
    assert done.missing_bytes == 0


def test_a_removal_that_fails_ends_only_that_one_and_is_told() -> None:
    shelf = Shelf(errors={"a": StepFailedError("it is used")})
    done = shelf.carry_out(A, B)
    assert removed(done) == ["a", "b"]
    assert [each.error and each.error.what for each in done.removals] == ["it is used", None]
    assert done.available_bytes == 12_010


def test_a_bug_is_not_taken_for_a_removal_that_failed() -> None:
    shelf = Shelf(gives={})
    with pytest.raises(KeyError):
        shelf.carry_out(A, B)


def test_an_engine_that_stops_answering_ends_it() -> None:
    gone = EngineUnreachableError("gone")
    done = Shelf(errors={"a": gone}).carry_out(A, B)
    assert removed(done) == ["a"]
    assert done.removals[-1].error is gone
    assert not done.stopped


def test_a_stop_ends_it_after_the_removal_that_goes_on() -> None:
    done = Shelf(cancel_in="a").carry_out(A, B, C)
    assert removed(done) == ["a"]
    assert (done.stopped, done.spared) == (True, (B, C))
    assert done.available_bytes == 11_016


def test_a_stop_before_it_begins_removes_nothing() -> None:
    shelf = Shelf()
    shelf.cancel.set()
    done = shelf.carry_out(A, B)
    assert (removed(done), done.stopped, done.spared) == ([], True, (A, B))


def test_bytes_that_come_a_moment_later_are_waited_for() -> None:
    done = Shelf(late_s=SETTLE_S * 0.7).carry_out(A, B, target_bytes=11_016)
    assert removed(done) == ["a"]
    assert done.removals[0].freed_bytes == 1_009
    # What was waited for is no part of how long the removal took.
    assert done.removals[0].seconds == 0.0


def test_nine_tenths_of_what_was_promised_are_not_taken_for_all_of_it() -> None:
    shelf = Shelf(gives={"a": 909, "b": 2_003}, late_s=0.0)
    shelf.coming.append((0.5, 100))
    assert shelf.carry_out(A, B, target_bytes=11_016).spared == (B,)


def test_nothing_is_waited_for_once_all_that_was_promised_has_come() -> None:
    shelf = Shelf()
    shelf.carry_out(A, B)
    assert shelf.clock.monotonic() == 0.0


def test_bytes_that_never_come_are_not_waited_for_for_ever() -> None:
    shelf = Shelf(gives={"a": 0})
    done = shelf.carry_out(A)
    assert SETTLE_S <= shelf.clock.monotonic() < SETTLE_S + 0.1
    assert done.missing_bytes == 1_009


def test_nothing_is_waited_for_after_a_removal_that_failed_or_was_stopped() -> None:
    failed = Shelf(errors={"a": StepFailedError("no")})
    failed.carry_out(A)
    stopped = Shelf(gives={"a": 0}, cancel_in="a")
    stopped.carry_out(A)
    assert (failed.clock.monotonic(), stopped.clock.monotonic()) == (0.0, 0.0)
