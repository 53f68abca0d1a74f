"""Work, counted in function calls, which a busy machine does not change. Seconds belong into ``bench/startup.py``."""

from __future__ import annotations

import sys
import threading
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def calls_of(work: Callable[[], object], *, threads: bool = False) -> int:
    """Return how many functions a piece of work calls in this thread, or also in those that it starts."""
    calls = count()

    def hear(_frame: object, event: str, _argument: object) -> None:
        if event in {"call", "c_call"}:
            next(calls)

    before = sys.getprofile()
    if threads:
        threading.setprofile(hear)
    sys.setprofile(hear)
    try:
        work()
    finally:
        sys.setprofile(before)
        if threads:
            threading.setprofile(None)
    return next(calls)
