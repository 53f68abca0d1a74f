"""Signals while a run goes on: the first asks it to stop in good order, the second ends the program at once."""

from __future__ import annotations

import os
import signal
from threading import Event, current_thread, main_thread
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from tonnage.adapters.interface import Cancel

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SHOW_CURSOR = b"\x1b[?25h"
_STDERR = 2


class CancelOnSignal:
    """Sets an event at the first signal; at the second the program dies of it. Use it as a context manager.

    Args:
        tell: Called at the first signal, from within the handler: it must not take a lock.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self.cancel = Event()
        self.number = 0
        self._tell = tell
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        """Catch the signals, where Python lets us: in the main thread."""
        for number in CAUGHT if current_thread() is main_thread() else ():
            self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the signals to whoever had them before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        if self.cancel.is_set() and self.number:
            if os.isatty(_STDERR):
                os.write(_STDERR, _SHOW_CURSOR)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        self.number = number
        self.cancel.set()
        self._tell()


class EitherSet:
    """Is set when one of two is: the user's signal and the guard stop the same work."""

    def __init__(self, one: Cancel, other: Cancel) -> None:
        self._one = one
        self._other = other

    def is_set(self) -> bool:
        """Return whether one is."""
        return self._one.is_set() or self._other.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until one is, at most so many seconds; return whether one is."""
        waited = 0.0
        while not self.is_set() and (timeout is None or waited < timeout):
            pause = 0.05 if timeout is None else min(0.05, timeout - waited)
            self._other.wait(pause)
            waited += pause
        return self.is_set()


def write_at_once(text: str) -> None:
    """Write to standard error without any lock, so that a signal handler may do it."""
    os.write(_STDERR, text.encode("ascii", "replace"))
