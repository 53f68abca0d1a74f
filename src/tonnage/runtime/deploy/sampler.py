"""Watches available bytes while steps run, and stops a step that falls below the reserve.

One thread, one gauge, every sample counted.

Around each step the first sample is taken before :meth:`Sampler.begin` returns and the last one inside
:meth:`Sampler.end`, so a step that takes less than one interval is measured too. It judges nothing: whoever wants
to act on a sample gets every one of them through ``on_sample``.

Whose bytes they are: a filesystem does not say who wrote. A step that ran alone from its first sample to its last has
written what the filesystem lost meanwhile. As soon as the time of two steps overlaps, the figures of both are those of
the filesystem, not of the step: they are marked as shared, and nothing is learned from them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from tonnage.model.deploy.run import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    from tonnage.adapters.interface import Gauge


_QUICK_S = 0.003
"""Between two samples where the reserve is near."""
_MOST_BELOW_BYTES = 100_000_000
"""So far below the reserve one step may give way while others go on."""


class StepInterval:
    """The time of one step, and what the samples in it showed.

    Attributes:
        shared: Whether another step ran at any time in it.
    """

    def __init__(self, available: Mapping[str, int], *, shared: bool) -> None:
        self.before = dict(available)
        self.lowest = dict(available)
        self.samples = dict.fromkeys(available, 1)
        self.shared = shared
        self.trouble: Exception | None = None

    def count(self, available: Mapping[str, int]) -> None:
        """Take one more sample into account."""
        for mount, available_bytes in available.items():
            self.lowest[mount] = min(self.lowest.get(mount, available_bytes), available_bytes)
            self.samples[mount] = self.samples.get(mount, 0) + 1


class Sampler:
    """Samples a gauge at a steady rate, from :meth:`start` to :meth:`stop`.

    Args:
        gauge: What is read. It is never read by two threads at once, and stays open: its owner closes it.
        on_sample: Is given every sample, in the thread that took it, but never two at once; must be quick.
        quick: Whether samples are to be taken more often now.
    """

    def __init__(
        self,
        gauge: Gauge,
        *,
        interval_s: float = 0.02,
        on_sample: Callable[[Mapping[str, int]], None] | None = None,
        quick: Callable[[], bool] = lambda: False,
    ) -> None:
        self._gauge = gauge
        self._quick = quick
        self._interval_s = interval_s
        self._on_sample = on_sample
        self._lock = threading.Lock()
        self._handing_over = threading.Lock()
        self._running: list[StepInterval] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to sample in the background."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._sample_on, name="tonnage-sampler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the sampling and wait for the thread; harmless when it does not run."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def share(self, *, others: bool) -> None:
        """Mark the steps that run now, where others change what is available meanwhile."""
        for each in tuple(self._running):
            each.shared = each.shared or others

    def begin(self) -> StepInterval:
        """Take the first sample of a step.

        Raises:
            Exception: Whatever the gauge raised; the step is not being measured then.
        """
        with self._lock:
            available = dict(self._gauge.available())
            self._count(available)
            for each in self._running:
                each.shared = True
            interval = StepInterval(available, shared=bool(self._running))
            self._running.append(interval)
        self._hand_over(available)
        return interval

    def end(self, interval: StepInterval) -> tuple[Measured, ...]:
        """Take the last sample of a step.

        Raises:
            Exception: The first thing that the gauge or ``on_sample`` raised since :meth:`begin`: a figure that may
                have missed the lowest point is not given out as measured.
        """
        with self._lock:
            try:
                if interval.trouble is not None:
                    raise interval.trouble
                available = dict(self._gauge.available())
                self._count(available)
            finally:
                self._running.remove(interval)
        measured = tuple(
            Measured(
                mount=mount,
                before_bytes=before_bytes,
                after_bytes=available[mount],
                lowest_bytes=interval.lowest[mount],
                samples=interval.samples[mount],
                shared=interval.shared,
            )
            for mount, before_bytes in interval.before.items()
            if mount in available
        )
        self._hand_over(available)
        return measured

    def _sample_on(self) -> None:
        due_s = time.monotonic()
        while not self._stop.is_set():
            self._sample_once()
            # Counting from when it was due keeps the rate; what was missed (a suspended machine) is not made up for.
            now_s = time.monotonic()
            due_s = max(due_s + (min(_QUICK_S, self._interval_s) if self._quick() else self._interval_s), now_s)
            self._stop.wait(due_s - now_s)

    def _sample_once(self) -> None:
        try:
            with self._lock:
                available = self._gauge.available()
                self._count(available)
            self._hand_over(available)
        except Exception as trouble:  # noqa: BLE001 - kept for end(): a thread that dies would measure nothing any more
            with self._lock:
                for each in self._running:
                    each.trouble = each.trouble or trouble

    def _count(self, available: Mapping[str, int]) -> None:
        for each in self._running:
            each.count(available)

    def _hand_over(self, available: Mapping[str, int]) -> None:
        if self._on_sample is not None:
            with self._handing_over:
                self._on_sample(available)


class ReserveGuard:
    """Watches samples against the reserve of each filesystem.

    At the reserve the step that may give way and began last is stopped, and the others go on; without one, or well
    below the reserve, all are. While it ``holds``, because nothing is written, none is but well below the reserve.

    Attributes:
        of_inodes: Whether it was inodes that ran out, and not bytes.
    """

    def __init__(
        self,
        reserve_bytes_by_mount: Mapping[str, int],
        cancel: threading.Event,
        *,
        holds: Callable[[], bool] = lambda: False,
        reserve_inodes: Mapping[str, int] | None = None,
    ) -> None:
        self._holds = holds
        self._reserve_inodes = dict(reserve_inodes or {})
        self.of_inodes = False
        self._reserve_bytes_by_mount = dict(reserve_bytes_by_mount)
        self._cancel = cancel
        self._lock = threading.Lock()
        self._armed: set[str] = set()
        self._crossed: tuple[str, int] | None = None
        self._yielding: list[threading.Event] = []
        self._gives_way: threading.Event | None = None

    @property
    def crossed(self) -> tuple[str, int] | None:
        """The first filesystem that was seen below its line while armed, and its available bytes (or inodes) then."""
        with self._lock:
            return self._crossed

    def arm(self, step: str) -> None:
        """From now on, while this step runs, act on a sample below the reserve."""
        with self._lock:
            self._armed.add(step)

    @contextlib.contextmanager
    def gives_way(self) -> Iterator[threading.Event]:
        """Let a step give way to those that began before it.

        Yields:
            What is set when it has to stop. Nothing else is stopped from then on until the context is left, when what
            it wrote has to be undone, unless the filesystem is well below its reserve.
        """
        way = threading.Event()
        with self._lock:
            self._yielding.append(way)
        try:
            yield way
        finally:
            with self._lock:
                self._yielding.remove(way)
                if self._gives_way is way:
                    self._gives_way = None

    def disarm(self, step: str) -> None:
        """Do nothing for this step any more; what was seen before is still told by :attr:`crossed`."""
        with self._lock:
            self._armed.discard(step)

    def sample(self, available_bytes_by_mount: Mapping[str, int]) -> None:
        """Look at one sample; available bytes equal to the reserve are still allowed."""
        with self._lock:
            if not self._armed or self._crossed is not None:
                return
            for mount, available_bytes in available_bytes_by_mount.items():
                reserve_bytes = self._reserve_bytes_by_mount.get(mount, 0)
                if available_bytes >= reserve_bytes:
                    continue
                if available_bytes >= reserve_bytes - min(reserve_bytes // 2, _MOST_BELOW_BYTES):
                    if self._holds():
                        continue
                    if self._has_one_give_way():
                        continue
                self._stop_all(mount, available_bytes)
                return

    def sample_inodes(self, available_inodes: Mapping[str, int]) -> None:
        """Look at one sample of inodes, which are guarded as bytes are."""
        with self._lock:
            if not self._armed or self._crossed is not None:
                return
            for mount, available in available_inodes.items():
                reserve = self._reserve_inodes.get(mount, 0)
                if available < reserve and (available < reserve // 2 or not self._has_one_give_way()):
                    self.of_inodes = True
                    self._stop_all(mount, available)
                    return

    def _has_one_give_way(self) -> bool:
        """Have the newest step that may give way do so; return whether one does."""
        if self._gives_way is None and self._yielding:
            self._gives_way = self._yielding[-1]
            self._gives_way.set()
        return self._gives_way is not None

    def _stop_all(self, mount: str, available: int) -> None:
        self._crossed = (mount, available)
        self._cancel.set()
