from __future__ import annotations

import threading

from tonnage.runtime.deploy.sampler import ReserveGuard

LINE = {"/data": 1_000_000_007, "/var": 500_000_003}


def armed() -> tuple[ReserveGuard, threading.Event]:
    cancel = threading.Event()
    guard = ReserveGuard(LINE, cancel)
    guard.arm()
    return guard, cancel


def test_a_sample_below_the_line_stops_the_step_and_is_remembered() -> None:
    guard, cancel = armed()

    guard.sample({"/data": 1_000_000_006, "/var": 900_000_011})

    assert cancel.is_set()
    assert guard.crossed == ("/data", 1_000_000_006)


def test_a_sample_at_the_line_is_still_allowed() -> None:
    guard, cancel = armed()

    guard.sample({"/data": 1_000_000_007})

    assert not cancel.is_set()
    assert guard.crossed is None


def test_every_filesystem_has_its_own_line() -> None:
    guard, cancel = armed()

    guard.sample({"/data": 2_000_000_011, "/var": 500_000_002})

    assert cancel.is_set()
    assert guard.crossed == ("/var", 500_000_002)


def test_a_filesystem_without_a_line_is_not_guarded() -> None:
    guard, cancel = armed()

    guard.sample({"/elsewhere": 0})

    assert not cancel.is_set()


def test_a_guard_that_was_never_armed_does_nothing() -> None:
    cancel = threading.Event()
    guard = ReserveGuard(LINE, cancel)

    guard.sample({"/data": 0})

    assert not cancel.is_set()
    assert guard.crossed is None


def test_a_disarmed_guard_does_nothing_and_can_be_armed_again() -> None:
    guard, cancel = armed()
    guard.disarm()
    guard.sample({"/data": 13})
    assert not cancel.is_set()

    guard.arm()
    guard.sample({"/data": 17})

    assert cancel.is_set()
    assert guard.crossed == ("/data", 17)


def test_only_the_first_crossing_is_remembered() -> None:
    guard, cancel = armed()
    guard.sample({"/data": 999_999_937})
    guard.sample({"/data": 3})

    assert guard.crossed == ("/data", 999_999_937)
    assert cancel.is_set()


def test_what_was_crossed_is_still_told_after_disarming() -> None:
    guard, _ = armed()
    guard.sample({"/var": 19})
    guard.disarm()

    assert guard.crossed == ("/var", 19)
