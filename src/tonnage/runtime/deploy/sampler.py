"""Watches available bytes while steps run: one thread, one gauge, every sample counted.

Around each step the first sample is taken before :meth:`Sampler.begin` returns and the last one inside
:meth:`Sampler.end`, so a step that takes less than one interval is measured too. It judges nothing: whoever wants
to act on a sample gets every one of them through ``on_sample``.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from tonnage.model.deploy.run import Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from tonnage.adapters.interface import Gauge


class Sampler:
    """Samples a gauge at a steady rate, from :meth:`start` to :meth:`stop`.

    Args:
        gauge: What is read. It is never read by two threads at once, and stays open: its owner closes it.
        interval_s: Seconds from one sample to the next.
        on_sample: Is given every sample, in the thread that took it; must be quick.
    """

    def __init__(
        self,
        gauge: Gauge,
        *,
        interval_s: float = 0.02,
        on_sample: Callable[[Mapping[str, int]], None] | None = None,
    ) -> None:
        self._gauge = gauge
        self._interval_s = interval_s
        self._on_sample = on_sample
        self._lock = threading.Lock()
        self._before: dict[str, int] = {}
        self._lowest: dict[str, int] = {}
        self._samples: dict[str, int] = {}
        self._trouble: Exception | None = None
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def begin(self) -> None:
        """Take the first sample of a step.

        Raises:
            Exception: Whatever the gauge raised; nothing is being measured then.
        """
        with self._lock:
            self._forget()
            available = dict(self._gauge.available())
            self._before = available
            self._count(available)
        self._hand_over(available)

    def end(self) -> tuple[Measured, ...]:
        """Take the last sample of a step.

        Raises:
            Exception: The first thing that the gauge or ``on_sample`` raised since :meth:`begin`: a figure that may
                have missed the lowest point is not given out as measured. The next :meth:`begin` starts afresh.
        """
        with self._lock:
            try:
                if self._trouble is not None:
                    raise self._trouble
                available = dict(self._gauge.available())
                self._count(available)
                measured = tuple(
                    Measured(
                        mount=mount,
                        before_bytes=before_bytes,
                        after_bytes=available[mount],
                        lowest_bytes=self._lowest[mount],
                        samples=self._samples[mount],
                    )
                    for mount, before_bytes in self._before.items()
                    if mount in available
                )
            finally:
                self._forget()
        self._hand_over(available)
        return measured

    def _sample_on(self) -> None:
        due_s = time.monotonic()
        while not self._stop.is_set():
            self._sample_once()
            # Counting from when it was due keeps the rate; what was missed (a suspended machine) is not made up for.
            now_s = time.monotonic()
            due_s = max(due_s + self._interval_s, now_s)
            self._stop.wait(due_s - now_s)

    def _sample_once(self) -> None:
        try:
            with self._lock:
                available = self._gauge.available()
                if self._before:
                    self._count(available)
            self._hand_over(available)
        except Exception as trouble:  # noqa: BLE001 - kept for end(): a thread that dies would measure nothing any more
            with self._lock:
                if self._before and self._trouble is None:
                    self._trouble = trouble

    def _count(self, available: Mapping[str, int]) -> None:
        for mount, available_bytes in available.items():
            self._lowest[mount] = min(self._lowest.get(mount, available_bytes), available_bytes)
            self._samples[mount] = self._samples.get(mount, 0) + 1

    def _hand_over(self, available: Mapping[str, int]) -> None:
        if self._on_sample is not None:
            self._on_sample(available)

    def _forget(self) -> None:
        self._before = {}
        self._lowest = {}
        self._samples = {}
        self._trouble = None
