"""Time, as an argument: whatever waits or tells the time in the shell is given a clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tonnage.adapters.interface import Cancel


class Clock(Protocol):
    """Tells the time and waits."""

    def time(self) -> float:
        """Return seconds since the epoch: for what people see and the journal keeps."""

    def monotonic(self) -> float:
        """Return seconds that only ever grow: for how long something took."""

    def wait(self, cancel: Cancel, seconds: float) -> bool:
        """Wait until ``cancel`` is set or ``seconds`` have passed; return whether it is set."""


class SystemClock:
    """The real clock."""

    def time(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that only ever grow."""
        return time.monotonic()

    def wait(self, cancel: Cancel, seconds: float) -> bool:
        """Wait until ``cancel`` is set or ``seconds`` have passed; return whether it is set."""
        return cancel.wait(seconds)
