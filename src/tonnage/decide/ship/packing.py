"""Whether bytes are compressed before they cross a wire: only where that is sooner, as measured while they go."""

from __future__ import annotations

from msgspec import Struct

_KEPT = 0.7
"""How much of an older measurement stays in a newer one."""


class Pace(Struct):
    """What was measured so far.

    Args:
        wire_s: Seconds that a byte takes on the wire.
        pack_s: Seconds that compressing a byte takes.
        ratio: Bytes that remain of a byte.
    """

    wire_s: float = 0.0
    pack_s: float = 0.0
    ratio: float = 1.0

    @property
    def packs(self) -> bool:
        """Whether compressing a byte and sending what remains takes less time than sending the byte."""
        return self.pack_s + self.ratio * self.wire_s < self.wire_s

    def sent(self, count_bytes: int, seconds: float) -> None:
        """Take in how long bytes were on the wire."""
        if count_bytes:
            self.wire_s = _mixed(self.wire_s, seconds / count_bytes)

    def packed(self, before_bytes: int, after_bytes: int, seconds: float) -> None:
        """Take in how long compressing took, and what came of it."""
        if before_bytes:
            self.pack_s = _mixed(self.pack_s, seconds / before_bytes)
            self.ratio = _mixed(self.ratio, after_bytes / before_bytes)


def _mixed(before: float, now: float) -> float:
    return now if not before else _KEPT * before + (1 - _KEPT) * now
