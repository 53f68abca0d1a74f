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
    from collections.abc import Iterator
    from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_ALL = (signal.SIGINT, *_ENDING)


def _raise(number: int, _frame: FrameType | None) -> None:
    raise InterruptedRunError(number, f"Ended by {signal.Signals(number).name}; the rehearsal was removed")


@contextlib.contextmanager
def ending_signals_raise() -> Iterator[None]:
    """Raise InterruptedRunError for a signal that would end the process without any cleaning up.

    A signal for which the program has a handler of its own is left to it; so is everything outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Let the signals that end a program pass without effect, for the seconds that a removal takes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _ALL}
    for number in _ALL:
        signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def signals_later() -> Iterator[None]:
    """Let a signal that ends a program have its effect when the context is left, and not before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in _ALL}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
