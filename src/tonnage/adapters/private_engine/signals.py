"""Signals around a private engine: each of them leads to its removal, and none of them interrupts the removal.

Nor does one interrupt the start of a program: an exception that is raised between two lines of the standard library's
waiting for a child can leave a lock behind that nobody ever opens again.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

from tonnage.errors import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_ALL = (signal.SIGINT, *_ENDING)


def _raise(number: int, _frame: FrameType | None) -> None:
    raise InterruptedRunError(number, f"Ended by {signal.Signals(number).name}; the rehearsal was removed")


@contextlib.contextmanager
def _handled(
    numbers: Iterable[int], handler: Callable[[int, FrameType | None], None] | signal.Handlers
) -> Iterator[None]:
    """Handle signals in another way for a while; outside the main thread nothing changes."""
    ours = numbers if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, handler) for number in ours}
    try:
        yield
    finally:
        for number, usual in before.items():
            signal.signal(number, usual)


@contextlib.contextmanager
def ending_signals_raise() -> Iterator[None]:
    """Raise InterruptedRunError for a signal that would end the process without any cleaning up.

    A signal for which the program has a handler of its own is left to it; so is everything outside the main thread.
    """
    with _handled([number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL], _raise):
        yield


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Let the signals that end a program pass without effect, for the seconds that a removal takes."""
    with _handled(_ALL, signal.SIG_IGN):
        yield


@contextlib.contextmanager
def signals_later() -> Iterator[None]:
    """Let a signal that ends a program have its effect when the context is left, and not before."""
    came: list[int] = []
    try:
        with _handled(_ALL, lambda number, _: came.append(number)):
            yield
    finally:
        if came:
            signal.raise_signal(came[0])
