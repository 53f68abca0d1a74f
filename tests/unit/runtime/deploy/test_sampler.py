from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tonnage.model.deploy.run import Measured
from tonnage.runtime.deploy.sampler import ReserveGuard, Sampler

if TYPE_CHECKING:
    from collections.abc import Mapping


class WrittenGauge:
    """Reads what the test wrote last; raises it when it is an exception."""

    def __init__(self, **available_bytes: int) -> None:
        self.now: dict[str, int] | Exception = {f"/{name}": count for name, count in available_bytes.items()}
        self.reads = 0
        self.read = threading.Event()

    def available(self) -> Mapping[str, int]:
        self.reads += 1
        self.read.set()
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    def write_and_wait(self, now: dict[str, int] | Exception) -> None:
        """Write, and return when two whole samples began after that, so that one has surely been counted."""
        self.now = now
        for _ in range(2):
            self.read.clear()
            assert self.read.wait(60)

    def inodes(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        pass


def test_a_step_shorter_than_the_interval_is_measured_at_both_ends() -> None:
    gauge = WrittenGauge(data=7_000_000_001)
    sampler = Sampler(gauge)

    interval = sampler.begin()
    gauge.now = {"/data": 5_000_000_003}

    assert sampler.end(interval) == (
        Measured(
            mount="/data",
            before_bytes=7_000_000_001,
            after_bytes=5_000_000_003,
            lowest_bytes=5_000_000_003,
            samples=2,
        ),
    )


def test_the_lowest_point_in_between_is_seen() -> None:
    gauge = WrittenGauge(data=7_000_000_001)
    with Sampler(gauge, interval_s=0.001) as sampler:
        interval = sampler.begin()
        gauge.write_and_wait({"/data": 1_000_000_007})
        gauge.write_and_wait({"/data": 5_000_000_003})
        (measured,) = sampler.end(interval)

    assert measured.lowest_bytes == 1_000_000_007
    assert measured.kept_bytes == 1_999_999_998
    assert measured.transient_bytes == 3_999_999_996
    assert measured.samples >= 5


def test_what_happened_before_the_step_is_not_in_it() -> None:
    gauge = WrittenGauge(data=7_000_000_001)
    with Sampler(gauge, interval_s=0.001) as sampler:
        interval = sampler.begin()
        gauge.write_and_wait({"/data": 11})
        sampler.end(interval)
        gauge.write_and_wait({"/data": 13})
        gauge.write_and_wait({"/data": 6_000_000_007})
        interval = sampler.begin()
        (measured,) = sampler.end(interval)

    assert (measured.before_bytes, measured.lowest_bytes) == (6_000_000_007, 6_000_000_007)


def test_every_filesystem_is_measured_in_the_order_of_the_gauge() -> None:
    gauge = WrittenGauge(data=17, containerd=13, tmp=11)
    sampler = Sampler(gauge)
    interval = sampler.begin()

    assert [measured.mount for measured in sampler.end(interval)] == ["/data", "/containerd", "/tmp"]


def test_a_filesystem_that_went_away_is_left_out() -> None:
    gauge = WrittenGauge(data=17, gone=13)
    sampler = Sampler(gauge)
    interval = sampler.begin()
    gauge.now = {"/data": 7}

    assert [measured.mount for measured in sampler.end(interval)] == ["/data"]


def test_a_gauge_that_fails_in_between_is_told_at_the_end_and_the_next_step_is_measured() -> None:
    gauge = WrittenGauge(data=17)
    with Sampler(gauge, interval_s=0.001) as sampler:
        interval = sampler.begin()
        gauge.write_and_wait(OSError("gauge lost"))
        gauge.write_and_wait({"/data": 13})
        with pytest.raises(OSError, match="gauge lost"):
            sampler.end(interval)

        interval = sampler.begin()
        (measured,) = sampler.end(interval)

    assert measured.after_bytes == 13


def test_a_gauge_that_fails_between_steps_spoils_no_step() -> None:
    gauge = WrittenGauge(data=17)
    with Sampler(gauge, interval_s=0.001) as sampler:
        gauge.write_and_wait(OSError("gauge lost"))
        gauge.write_and_wait({"/data": 13})
        interval = sampler.begin()
        (measured,) = sampler.end(interval)

    assert measured.before_bytes == 13


def test_a_gauge_that_fails_at_the_beginning_says_so_at_once() -> None:
    gauge = WrittenGauge(data=17)
    gauge.now = OSError("gauge lost")

    with pytest.raises(OSError, match="gauge lost"):
        Sampler(gauge).begin()


def test_a_gauge_that_fails_at_the_end_says_so_and_the_next_step_is_measured() -> None:
    gauge = WrittenGauge(data=17)
    sampler = Sampler(gauge)
    interval = sampler.begin()
    gauge.now = OSError("gauge lost")
    with pytest.raises(OSError, match="gauge lost"):
        sampler.end(interval)

    gauge.now = {"/data": 11}
    interval = sampler.begin()

    assert sampler.end(interval)[0].before_bytes == 11


def test_every_sample_is_handed_over_also_between_steps() -> None:
    seen: list[dict[str, int]] = []
    gauge = WrittenGauge(data=17)
    with Sampler(gauge, interval_s=0.001, on_sample=lambda sample: seen.append(dict(sample))):
        gauge.write_and_wait({"/data": 13})

    assert {"/data": 13} in seen
    assert len(seen) == gauge.reads


def test_samples_of_several_threads_are_handed_over_one_after_the_other() -> None:
    gauge, inside, overlaps = WrittenGauge(data=7_000_000_001), threading.Lock(), list[bool]()

    def receive(_available: object) -> None:
        free = inside.acquire(blocking=False)
        overlaps.append(not free)
        time.sleep(0.001)
        if free:
            inside.release()

    sampler = Sampler(gauge, interval_s=0.0, on_sample=receive)

    def steps() -> None:
        for _ in range(10):
            sampler.end(sampler.begin())

    with sampler:
        threads = [threading.Thread(target=steps) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    assert len(overlaps) > 60
    assert not any(overlaps)


def test_a_receiver_that_fails_is_told_at_the_end_and_does_not_end_the_sampling() -> None:
    gauge = WrittenGauge(data=17)
    angry = threading.Event()

    def receive(_: Mapping[str, int]) -> None:
        if angry.is_set():
            raise ValueError("receiver lost")

    with Sampler(gauge, interval_s=0.001, on_sample=receive) as sampler:
        interval = sampler.begin()
        angry.set()
        gauge.write_and_wait({"/data": 13})
        gauge.write_and_wait({"/data": 13})
        angry.clear()
        with pytest.raises(ValueError, match="receiver lost"):
            sampler.end(interval)
        reads = gauge.reads
        gauge.write_and_wait({"/data": 13})

    assert gauge.reads > reads


def test_nothing_is_sampled_after_stop() -> None:
    gauge = WrittenGauge(data=17)
    sampler = Sampler(gauge, interval_s=0.001)
    sampler.start()
    sampler.stop()
    reads = gauge.reads
    time.sleep(0.02)

    assert gauge.reads == reads
    sampler.stop()


def test_no_more_samples_are_taken_than_the_interval_allows() -> None:
    gauge = WrittenGauge(data=17)
    began_s = time.monotonic()
    with Sampler(gauge) as sampler:
        interval = sampler.begin()
        for _ in range(17):
            gauge.write_and_wait({"/data": 13})
        (measured,) = sampler.end(interval)

    # How many it takes in a second, and what they cost, is measured by bench/startup.py.
    assert measured.samples <= 50 * (time.monotonic() - began_s) + 4


def test_steps_whose_time_overlaps_share_what_was_measured_and_others_do_not() -> None:
    gauge = WrittenGauge(data=7_000_000_001)
    sampler = Sampler(gauge)
    first = sampler.begin()
    gauge.now = {"/data": 5_000_000_003}
    second = sampler.begin()
    gauge.now = {"/data": 3_000_000_019}
    (of_first,) = sampler.end(first)
    gauge.now = {"/data": 3_500_000_017}
    (of_second,) = sampler.end(second)
    third = sampler.begin()
    (of_third,) = sampler.end(third)

    assert (of_first.before_bytes, of_first.lowest_bytes, of_first.after_bytes) == (
        7_000_000_001,
        3_000_000_019,
        3_000_000_019,
    )
    assert (of_second.before_bytes, of_second.lowest_bytes, of_second.after_bytes) == (
        5_000_000_003,
        3_000_000_019,
        3_500_000_017,
    )
    assert (of_first.samples, of_second.samples, of_third.samples) == (3, 3, 2)
    assert [each.shared for each in (of_first, of_second, of_third)] == [True, True, False]


def test_a_gauge_that_fails_spoils_every_step_that_runs() -> None:
    gauge = WrittenGauge(data=17)
    with Sampler(gauge, interval_s=0.001) as sampler:
        running = (sampler.begin(), sampler.begin())
        gauge.write_and_wait(OSError("gauge lost"))
        gauge.write_and_wait({"/data": 13})
        for interval in running:
            with pytest.raises(OSError, match="gauge lost"):
                sampler.end(interval)


LINE = {"/data": 1_000_000_007, "/var": 500_000_003}


def armed() -> tuple[ReserveGuard, threading.Event]:
    cancel = threading.Event()
    guard = ReserveGuard(LINE, cancel)
    guard.arm("step")
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
    guard.disarm("step")
    guard.sample({"/data": 13})
    assert not cancel.is_set()

    guard.arm("step")
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
    guard.disarm("step")

    assert guard.crossed == ("/var", 19)


def test_inodes_are_guarded_as_bytes_are() -> None:
    stop = threading.Event()
    guard = ReserveGuard({"/data": 0}, stop, reserve_inodes={"/data": 160})
    guard.sample_inodes({"/data": 3})
    assert not stop.is_set()
    guard.arm("web.build")
    guard.sample_inodes({"/data": 160, "/elsewhere": 0})
    assert not stop.is_set()
    with guard.gives_way() as way:
        guard.sample_inodes({"/data": 159})
        assert way.is_set()
        assert not stop.is_set()
        guard.sample_inodes({"/data": 79})
    assert stop.is_set()
    assert guard.crossed == ("/data", 79)
    assert guard.of_inodes


def test_while_it_holds_nothing_is_stopped_but_well_below_the_reserve() -> None:
    stop, holds = threading.Event(), True
    guard = ReserveGuard({"/data": 1_000_000_000}, stop, holds=lambda: holds)
    guard.arm("web.build")
    guard.sample({"/data": 990_000_000})
    assert not stop.is_set()
    guard.sample({"/data": 890_000_000})
    assert stop.is_set()
