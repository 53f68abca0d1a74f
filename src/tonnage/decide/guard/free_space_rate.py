"""How fast available bytes fall, and when they will be at the reserve if they go on like that. Pure: time is told."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOW_S = 0.25
"""Over how long the rate is taken: longer than one pause between the writes of a disk cache, shorter than a pause of
a download."""
REACTION_S = 0.06
"""From a sample to no more writes: 6 to 57 ms were measured."""
SOON_S = 1.5
"""Before that, several builds are one fewer."""


class Nearest(Struct, frozen=True):
    """The filesystem that will be at its reserve first, and in how many seconds; 0 or less where it is there."""

    mount: str
    available_bytes: int
    seconds: float

    @property
    def is_now(self) -> bool:
        """Whether nothing but the time to react is left."""
        return self.seconds <= REACTION_S

    @property
    def is_soon(self) -> bool:
        """Whether one build fewer may be enough."""
        return self.seconds <= SOON_S


class Falling:
    """Remembers the samples of a moment.

    Args:
        lines: The reserve of each filesystem that is guarded, in bytes, by mount.
    """

    def __init__(self, lines: Mapping[str, int]) -> None:
        self._lines = dict(lines)
        self._samples: dict[str, deque[tuple[float, int]]] = {mount: deque() for mount in lines}

    def sample(self, now_s: float, available: Mapping[str, int]) -> Nearest | None:
        """Take a sample into account.

        Returns:
            What will be at its reserve first; None while nothing falls towards it.
        """
        nearest: Nearest | None = None
        for mount, line_bytes in self._lines.items():
            if mount not in available:
                continue
            samples = self._samples[mount]
            samples.append((now_s, available[mount]))
            # The one before the window stays: the rate is over the whole of it.
            while len(samples) > 2 and samples[1][0] <= now_s - WINDOW_S:  # noqa: PLR2004 - two make a rate
                samples.popleft()
            headroom_bytes = available[mount] - line_bytes
            if headroom_bytes < 0:
                seconds = 0.0
            else:
                rate = self._rate(samples)
                if rate <= 0:
                    continue
                seconds = headroom_bytes / rate
            if nearest is None or seconds < nearest.seconds:
                nearest = Nearest(mount, available[mount], seconds)
        return nearest

    def forget(self) -> None:
        """Begin anew, as after a pause."""
        for samples in self._samples.values():
            samples.clear()

    @staticmethod
    def _rate(samples: deque[tuple[float, int]]) -> float:
        """Return bytes per second: the faster of those of the whole window and of its last quarter."""
        last_s, last_bytes = samples[-1]
        rates = [0.0]
        quarter = next((each for each in samples if each[0] >= last_s - WINDOW_S / 4), samples[-1])
        for began_s, began_bytes in (samples[0], quarter):
            # Of less than two pauses between samples nothing can be said.
            if last_s - began_s >= WINDOW_S / 12:
                rates.append((began_bytes - last_bytes) / (last_s - began_s))
        return max(rates)
