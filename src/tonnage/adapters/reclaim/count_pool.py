"""A few processes that count what directories hold, for threads of this one.

Threads of one Python count no faster together than one alone. A process that cannot be started, or ends, is no
failure: what it was to count is counted here.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tonnage.adapters import process
from tonnage.adapters.reclaim import count_worker as counting
from tonnage.errors import EngineLacksError

if TYPE_CHECKING:
    from tonnage.adapters.reclaim.count_worker import Count, Task

_MOST = 8
_UNREADABLE = (OSError, EOFError, ValueError, TypeError)


class CountingPool:
    """The processes; a context manager, started when it is made.

    Args:
        processes: How many; 0 for one for each processor.
    """

    def __init__(self, processes: int = 0) -> None:
        program = [sys.executable, "-I", "-S", str(Path(counting.__file__))]
        self._lock = threading.Lock()
        self._all: list[process.AskedProcess] = []
        with contextlib.suppress(EngineLacksError):
            for _ in range(processes or min(_MOST, os.cpu_count() or 1)):
                self._all.append(process.ask(program))
        self._idle = list(self._all)

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        for each in self._all:
            each.end()

    def count(self, task: Task) -> Count:
        """Count, in one of the processes that nobody else has asked; here where there is none.

        Args:
            task: What :func:`tonnage.adapters.reclaim.count_worker.count` is given.

        Returns:
            What it returns.
        """
        with self._lock:
            asked = self._idle.pop() if self._idle else None
        if asked is None:
            return counting.count(task)
        try:
            marshal.dump(task, asked.input)
            asked.input.flush()
            counted: Count = marshal.load(asked.output)  # noqa: S302 - from a process that this one started
        except _UNREADABLE:
            return counting.count(task)
        with self._lock:
            self._idle.append(asked)
        return counted
