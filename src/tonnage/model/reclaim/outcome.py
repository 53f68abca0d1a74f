"""What a reclaim decides and what it did. Promised bytes were counted before, freed ones are measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.errors import CannotReclaimError, TonnageError
    from tonnage.model.reclaim.candidate import Candidate, Findings


class ReclaimChoice(Struct, frozen=True, kw_only=True):
    """What is to be removed.

    Args:
        target_bytes: What is to be available; 0 when everything that may go is to go.
        chosen: What is removed, in this order, until the target is reached.
    """

    available_bytes: int
    target_bytes: int
    chosen: tuple[Candidate, ...]
    freed_bytes: int
    findings: Findings

    @property
    def short_bytes(self) -> int:
        """What is still missing to the target when everything chosen is gone; 0 when it is enough."""
        return max(0, self.target_bytes - self.available_bytes - self.freed_bytes)


class Removal(Struct, frozen=True, kw_only=True):
    """One thing that was removed, or was to be.

    Args:
        promised_bytes: What was to come free with it, after what went before it.
        error: Why it stays; None when it is gone.
    """

    candidate: Candidate
    promised_bytes: int
    before_bytes: int
    after_bytes: int
    seconds: float
    error: TonnageError | None = None

    @property
    def freed_bytes(self) -> int:
        """What came free; negative when somebody wrote more than that meanwhile."""
        return self.after_bytes - self.before_bytes


class Reclaimed(Struct, frozen=True, kw_only=True):
    """What a reclaim did.

    Args:
        spared: What was chosen and was not needed in the end.
    """

    removals: tuple[Removal, ...]
    available_bytes: int
    target_bytes: int
    spared: tuple[Candidate, ...] = ()
    stopped: bool = False

    @property
    def enough(self) -> bool:
        """Whether the target is reached."""
        return self.available_bytes >= self.target_bytes

    @property
    def missing_bytes(self) -> int:
        """What was promised by all that was removed, and did not come; 0 when it came."""
        promised = sum(each.promised_bytes for each in self.removals if each.error is None)
        came = sum(each.freed_bytes for each in self.removals if each.error is None)
        return max(0, promised - came)


class ReclaimReport(Struct, frozen=True, kw_only=True):
    """How a reclaim ended.

    Args:
        done: What was removed; None when it was only shown, or nothing had to be.
        reasons: Why less came free than was promised.
        failure: Why it is not enough; None when it is.
    """

    mount: str
    choice: ReclaimChoice
    done: Reclaimed | None = None
    reasons: tuple[str, ...] = ()
    failure: CannotReclaimError | None = None
