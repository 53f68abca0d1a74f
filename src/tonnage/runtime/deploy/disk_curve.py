"""Available bytes over the time of a run, in a bounded number of points: what was lowest in each stretch of time.

However long a run takes, its lowest moments stay: where there are too many stretches, two and two become one.
"""

from __future__ import annotations

import threading

MOST_STRETCHES = 240
_FIRST_SECONDS = 0.25


class DiskCurve:
    """The points of one run; samples may come from more than one thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds = _FIRST_SECONDS
        self._began_s: float | None = None
        self._first: tuple[float, int] | None = None
        self._last: tuple[float, int] | None = None
        self._lowest: dict[int, tuple[float, int]] = {}

    def sample(self, now_s: float, available_bytes: int) -> None:
        """Take a sample into account.

        Args:
            now_s: Any clock that only goes forward.
        """
        with self._lock:
            if self._began_s is None:
                self._began_s = now_s
            at_s = max(0.0, now_s - self._began_s)
            point = (at_s, available_bytes)
            self._first = self._first or point
            self._last = point
            stretch = int(at_s / self._seconds)
            if stretch not in self._lowest or self._lowest[stretch][1] > available_bytes:
                self._lowest[stretch] = point
            while len(self._lowest) > MOST_STRETCHES:
                self._seconds *= 2
                self._lowest = _halved(self._lowest)

    def points(self) -> tuple[tuple[float, int], ...]:
        """Return seconds since the first sample with available bytes, in the order of time: at most 242."""
        with self._lock:
            ends = [point for point in (self._first, self._last) if point is not None]
            found = sorted({*self._lowest.values(), *ends})
        return tuple((round(at_s, 2), available_bytes) for at_s, available_bytes in found)


def _halved(lowest: dict[int, tuple[float, int]]) -> dict[int, tuple[float, int]]:
    """Return stretches of twice the time."""
    found: dict[int, tuple[float, int]] = {}
    for stretch, point in lowest.items():
        there = found.get(stretch // 2)
        if there is None or there[1] > point[1]:
            found[stretch // 2] = point
    return found
