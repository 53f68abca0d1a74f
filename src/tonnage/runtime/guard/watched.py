"""A build that is watched while it runs, and when room is made for it no longer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

    from tonnage.adapters.interface import BuildMark


class WatchedBuild:
    """A build that runs."""

    def __init__(self, mark: BuildMark, needs_bytes: int, transient_bytes: int) -> None:
        self.mark = mark
        self.needs_bytes = needs_bytes
        self.transient_bytes = transient_bytes
        self.groups: list[str] = []


class Stopping:
    """Is set when the run is to be stopped, or is over."""

    def __init__(self, *events: threading.Event) -> None:
        self._events = events

    def is_set(self) -> bool:
        """Return whether it is over."""
        return any(each.is_set() for each in self._events)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for that at most as many seconds; return whether it is over."""
        end_s = float("inf") if timeout is None else time.monotonic() + timeout
        while not self.is_set() and time.monotonic() < end_s:
            self._events[0].wait(0.05)
        return self.is_set()
