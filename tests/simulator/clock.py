"""Virtual time: it passes when somebody sleeps or when the simulator works, never by itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonnage.adapters.interface import Cancel

START_S = 1_795_000_007.0


class VirtualClock:
    """Satisfies ``tonnage.runtime.clock.Clock``."""

    def __init__(self, start_s: float = START_S) -> None:
        self._now_s = start_s

    def time(self) -> float:
        """Return seconds since the epoch."""
        return self._now_s

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment."""
        return self._now_s - START_S

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self._now_s += max(0.0, seconds)

    def wait(self, cancel: Cancel, seconds: float) -> bool:
        """Let time pass at once unless ``cancel`` is set; return whether it is set."""
        if not cancel.is_set():
            self.sleep(seconds)
        return cancel.is_set()


class VirtualEvent(threading.Event):
    """A cancel flag whose waiting lets virtual time pass instead of real time.

    Args:
        clock: Whose time passes.
        at_s: Set itself once this much virtual time has passed since now; None for only when told.
    """

    def __init__(self, clock: VirtualClock, at_s: float | None = None) -> None:
        super().__init__()
        self._clock = clock
        self._due_s = None if at_s is None else clock.time() + at_s

    def is_set(self) -> bool:
        """Return whether it was set, or its time has come."""
        if self._due_s is not None and self._clock.time() >= self._due_s:
            self.set()
        return super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Let ``timeout`` seconds of virtual time pass unless it is set; None passes none."""
        return self._clock.wait(self, timeout or 0.0)
