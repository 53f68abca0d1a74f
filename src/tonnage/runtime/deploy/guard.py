"""Stops a step when the available bytes fall below the reserve.

It is fed with samples and sets one event; who runs the step obeys the event. While it is not armed it does nothing:
a step that gives bytes back may start below the reserve.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class ReserveGuard:
    """Watches samples against the reserve of each filesystem."""

    def __init__(self, reserve_bytes_by_mount: Mapping[str, int], cancel: threading.Event) -> None:
        self._reserve_bytes_by_mount = dict(reserve_bytes_by_mount)
        self._cancel = cancel
        self._lock = threading.Lock()
        self._armed = False
        self._crossed: tuple[str, int] | None = None

    @property
    def crossed(self) -> tuple[str, int] | None:
        """The first filesystem that was seen below its line while armed, and its available bytes then."""
        with self._lock:
            return self._crossed

    def arm(self) -> None:
        """From now on, act on a sample below the reserve."""
        with self._lock:
            self._armed = True

    def disarm(self) -> None:
        """From now on, do nothing; what was seen before is still told by :attr:`crossed`."""
        with self._lock:
            self._armed = False

    def sample(self, available_bytes_by_mount: Mapping[str, int]) -> None:
        """Look at one sample; available bytes equal to the reserve are still allowed."""
        with self._lock:
            if not self._armed or self._crossed is not None:
                return
            for mount, available_bytes in available_bytes_by_mount.items():
                if available_bytes < self._reserve_bytes_by_mount.get(mount, 0):
                    self._crossed = (mount, available_bytes)
                    self._cancel.set()
                    return
