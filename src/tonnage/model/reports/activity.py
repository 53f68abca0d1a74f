"""What goes on on an engine and its disks: runs at work, and how available bytes change between two observations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from tonnage.model.deploy.run import OtherRun


class Trend(Struct, frozen=True, kw_only=True):
    """What a filesystem did between two observations.

    Args:
        change_bytes: By how much more was available at the second one; less than nothing where the disk fills.
        seconds: Between the two.
        since: What the first look was, for people; empty where it is the same program's.
    """

    change_bytes: int
    seconds: float
    since: str = ""

    @property
    def bytes_per_s(self) -> float:
        """The rate, with the sign of the change."""
        return self.change_bytes / self.seconds

    def until_s(self, bytes_left: int) -> float | None:
        """Return when so many bytes are gone at this rate; None where the disk does not fill."""
        return None if self.change_bytes >= 0 else max(0, bytes_left) / -self.bytes_per_s


def trend_between(
    before_bytes: int, now_bytes: int, seconds: float, *, shortest_s: float, since: str = ""
) -> Trend | None:
    """Return the trend between two looks; None where they are too near to each other to say anything."""
    if seconds < shortest_s:
        return None
    return Trend(change_bytes=now_bytes - before_bytes, seconds=seconds, since=since)


class RunAtWork(Struct, frozen=True, kw_only=True):
    """A run that goes on now.

    Args:
        step: The step that it is in, as far as this user's journal tells; empty where it does not.
        seconds: Since it began; None where the journal does not tell.
    """

    run: OtherRun
    step: str = ""
    seconds: float | None = None


class Activity(Struct, frozen=True, kw_only=True):
    """What goes on.

    Args:
        trends: How each filesystem changes, by mount.
    """

    runs: tuple[RunAtWork, ...] = ()
    trends: dict[str, Trend] = field(default_factory=dict)
