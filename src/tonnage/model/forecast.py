"""Predicted bytes, with the grade that says how they are known. Never mixed with measured ones."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How a figure is known."""

    EXACT = "exact"
    DECLARED = "declared"
    LEARNED = "learned"
    UNKNOWN = "unknown"


_WORST_LAST = (Grade.EXACT, Grade.DECLARED, Grade.LEARNED, Grade.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A forecast number of bytes. With the grade ``unknown`` the three numbers say nothing and are 0.

    Args:
        low_bytes: It is hardly less than this.
        likely_bytes: The best single figure.
        high_bytes: It is hardly more than this.
        grade: How it is known.
    """

    low_bytes: int
    likely_bytes: int
    high_bytes: int
    grade: Grade

    @property
    def known(self) -> bool:
        """Whether the numbers say anything."""
        return self.grade is not Grade.UNKNOWN

    def __add__(self, other: Estimate) -> Estimate:
        """Return the sum; its grade is the weaker of the two, and an unknown part makes an unknown whole."""
        grade = max(self.grade, other.grade, key=_WORST_LAST.index)
        if grade is Grade.UNKNOWN:
            return UNKNOWN
        return Estimate(
            self.low_bytes + other.low_bytes,
            self.likely_bytes + other.likely_bytes,
            self.high_bytes + other.high_bytes,
            grade,
        )


UNKNOWN = Estimate(0, 0, 0, Grade.UNKNOWN)
NOTHING = Estimate(0, 0, 0, Grade.EXACT)


def exactly(count_bytes: int) -> Estimate:
    """Return an estimate that is known to the byte."""
    return Estimate(count_bytes, count_bytes, count_bytes, Grade.EXACT)
