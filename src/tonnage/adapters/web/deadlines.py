"""How long servers may take: one answer with all that belongs to it, and all requests of one command together.

An answer has a time to come in, and more for what has come of it: who trickles is left early, and a slow line that
goes on carrying bytes is waited for. What is passed is a failure of the one answer; what a forecast lacks then is
unknown, with the reason.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.units import format_seconds

if TYPE_CHECKING:
    from collections.abc import Callable


class Limits(Struct, frozen=True, kw_only=True):
    """How long servers may take, in seconds.

    Args:
        connect_s: To find a name and to connect. A server on the other side of the world answers in one.
        silent_s: Without a byte.
        answer_s: One answer, with redirections, repetitions and pauses that the server asks for (twice 15 s).
        slowest_bytes_per_s: An answer that brings at least so many has more time: the list of a distribution has 9 MB.
        longest_answer_s: But never more than that.
        resolver_s: One run of uv. It fetches what a resolution needs, mostly kilobytes of many packages.
        command_s: Everything together.
    """

    connect_s: float = 10.0
    silent_s: float = 30.0
    answer_s: float = 45.0
    slowest_bytes_per_s: int = 32 << 10
    longest_answer_s: float = 180.0
    resolver_s: float = 120.0
    command_s: float = 300.0


class LateError(TimeoutError):
    """Something took longer than it may, or is not waited for any more."""


class NetworkTime:
    """The time that one command has for the network; it begins with the first question. Safe in several threads.

    Args:
        limits: How long what may take.
        clock: Gives seconds that only grow.
    """

    def __init__(self, limits: Limits | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits or Limits()
        self.clock = clock
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._ends: float | None = None

    def end(self) -> None:
        """Wait for nothing any more; who waits is told within a moment."""
        self._over.set()

    def left_s(self) -> float:
        """Return how much of it is left.

        Raises:
            LateError: Nothing.
        """
        if self._over.is_set():
            raise LateError("It is not waited for any more.")
        with self._lock:
            if self._ends is None:
                self._ends = self.clock() + self.limits.command_s
        left = self._ends - self.clock()
        if left <= 0:
            raise LateError(
                f"All requests of one command have {format_seconds(self.limits.command_s)}, which are over."
            )
        return left

    def pause(self, seconds: float) -> None:
        """Do nothing for a while, or until nothing is waited for any more."""
        self._over.wait(seconds)


class Deadline:
    """Until when one answer is waited for.

    Args:
        time: That of the command.
    """

    def __init__(self, time: NetworkTime) -> None:
        self._time = time
        self._begun = time.clock()
        self._received_bytes = 0

    @property
    def limits(self) -> Limits:
        """How long what may take."""
        return self._time.limits

    @property
    def clock(self) -> Callable[[], float]:
        """The clock that it goes by."""
        return self._time.clock

    def received(self, count: int) -> None:
        """Take note of bytes of the answer's body."""
        self._received_bytes += count

    def left_s(self) -> float:
        """Return for how long it is still waited.

        Raises:
            LateError: No longer.
        """
        limits = self._time.limits
        within_s = min(limits.answer_s + self._received_bytes / limits.slowest_bytes_per_s, limits.longest_answer_s)
        left = self._begun + within_s - self._time.clock()
        if left <= 0:
            raise LateError(f"It gave no whole answer within {format_seconds(within_s)}.")
        return min(left, self._time.left_s())

    def pause(self, seconds: float) -> bool:
        """Do nothing for a while; return whether there was time for it."""
        if seconds >= self.left_s():
            return False
        self._time.pause(seconds)
        return True
