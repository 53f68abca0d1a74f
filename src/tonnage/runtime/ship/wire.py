"""Bytes on their way through the wire: compressed where that is sooner, counted, watched, and stopped when that is due.

What is compressed is a row of gzip members, each a mebibyte of the archive: engines from 20.10 on read such a row, and
each member can be packed or only wrapped, as the pace so far says.
"""

from __future__ import annotations

import contextlib
import time
import zlib
from typing import TYPE_CHECKING

from tonnage.errors import ReserveCrossedError, StepFailedError, TonnageError
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tonnage.adapters.interface import Cancel, Gauge
    from tonnage.decide.ship.packing import Pace

_MEMBER_BYTES = 1 << 20
_GZIP = 31
_TRY_EVERY = 16
_LOOK_EVERY_S = 0.05
_TELL_EVERY_S = 0.5


class Watch:
    """Stops what is being sent when the disk there falls below its reserve, or when it is to be stopped.

    Args:
        gauge: Reads the disk there; None where it cannot be read.
        mount: The filesystem that images are written to.
        reserve_bytes: What must remain available on it.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        cancel: Cancel,
        gauge: Gauge | None = None,
        mount: str = "",
        reserve_bytes: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cancel, self._gauge, self._mount, self._reserve_bytes = cancel, gauge, mount, reserve_bytes
        self._clock = clock
        self._looked_s = 0.0
        self.lowest_bytes: int | None = None

    def available(self) -> int | None:
        """Return the bytes that are available there now; None where they cannot be read."""
        if self._gauge is None:
            return None
        found = self._gauge.available().get(self._mount)
        if found is not None:
            self.lowest_bytes = found if self.lowest_bytes is None else min(self.lowest_bytes, found)
        return found

    def look(self) -> None:
        """Look whether to go on.

        Raises:
            StepFailedError: It is to be stopped.
            ReserveCrossedError: Less than the reserve is available there.
        """
        if self._cancel.is_set():
            raise StepFailedError("sending was stopped")
        now_s = self._clock()
        if now_s - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = now_s
        found = self.available()
        if found is not None and found < self._reserve_bytes:
            raise ReserveCrossedError(
                f"sending was stopped: {format_bytes(found)} are available on {self._mount} there",
                why=f"The reserve is {format_bytes(self._reserve_bytes)}, and something else writes to that disk.",
                todo="Free some of it there, then send again: what has arrived is not sent again.",
            )


class WatchStop:
    """Satisfies ``Cancel``: set when a watch says that something is to be stopped."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._error: TonnageError | None = None

    def is_set(self) -> bool:
        """Look, and return whether to stop."""
        if self._error is None:
            try:
                self._watch.look()
            except TonnageError as error:
                self._error = error
        return self._error is not None

    def wait(self, timeout: float | None = None) -> bool:
        """Look until it is set, at most so many seconds; return whether it is."""
        end_s = None if timeout is None else time.monotonic() + timeout
        while not self.is_set() and (end_s is None or time.monotonic() < end_s):
            time.sleep(_LOOK_EVERY_S)
        return self.is_set()

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Have what is stopped fail with the reason of the watch."""
        try:
            yield
        except StepFailedError as error:
            raise self._error or error from None


class Meter:
    """Tells how sending goes on.

    Args:
        what: What is sent.
        total_bytes: How much it is before it is compressed.
        tell: Is told, at most twice in a second.
    """

    def __init__(
        self, what: str, total_bytes: int, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what, self._total_bytes, self._tell, self._clock = what, total_bytes, tell, clock
        self._began_s = self._told_s = clock()
        self._done_bytes = 0
        self.wire_bytes = 0
        self.packed = False

    def moved(self, archive_bytes: int, wire_bytes: int) -> None:
        """Take in that so many bytes of the archive went as so many on the wire."""
        self._done_bytes += archive_bytes
        self.wire_bytes += wire_bytes
        now_s = self._clock()
        if now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            rate = self._done_bytes / (now_s - self._began_s)
            left_s = max(0, self._total_bytes - self._done_bytes) / rate if rate else 0.0
            self._tell(
                f"{self._what}: {format_bytes(self._done_bytes)} of {format_bytes(self._total_bytes)},"
                f" {format_bytes(int(rate))}/s, {left_s:.0f} s left{', compressed' if self.packed else ''}"
            )


def sent(
    pieces: Iterable[bytes],
    meter: Meter,
    watch: Watch,
    *,
    packs: bool,
    pace: Pace,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[bytes]:
    """Give what crosses the wire.

    Args:
        pieces: The archive.
        packs: Whether it may be compressed; then all of it is wrapped as gzip.
        pace: What was measured before, and is measured on.

    Raises:
        StepFailedError: It was stopped.
        ReserveCrossedError: The disk there fell below its reserve.
    """
    for number, member in enumerate(_members(pieces)):
        watch.look()
        given = _wrapped(member, number, meter, pace, clock) if packs else member
        began_s = clock()
        yield given
        pace.sent(len(given), clock() - began_s)
        meter.moved(len(member), len(given))


def _wrapped(member: bytes, number: int, meter: Meter, pace: Pace, clock: Callable[[], float]) -> bytes:
    """Return a piece as a gzip member: packed where that is sooner, and now and then to see whether it would be."""
    if pace.packs or number % _TRY_EVERY == 0:
        began_s = clock()
        given = zlib.compress(member, 1, _GZIP)
        pace.packed(len(member), len(given), clock() - began_s)
        if pace.packs:
            meter.packed = True
            return given
    return zlib.compress(member, 0, _GZIP)


def _members(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= _MEMBER_BYTES:
            yield bytes(waiting[:_MEMBER_BYTES])
            del waiting[:_MEMBER_BYTES]
    if waiting:
        yield bytes(waiting)
