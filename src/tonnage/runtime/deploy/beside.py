"""What a run and the runs of other stacks on its engine know of each other: claims, and whose bytes were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.expectations import claimed_bytes, claims_of

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.deploy.run import Measured, OtherRun
    from tonnage.runtime.clock import Clock
    from tonnage.runtime.ledger import Ledger

_LOOK_EVERY_S = 1.0


class Beside:
    """Claims what the rest of a plan may write, step by step, and remembers who else was at work.

    Args:
        ledger: Where runs on the engine tell each other.
    """

    def __init__(self, plan: Plan, ledger: Ledger, clock: Clock) -> None:
        self._claims = claims_of(plan)
        self.ledger = ledger
        self._clock = clock
        self._looked_s = 0.0
        self._others: dict[str, OtherRun] = {}

    @property
    def is_alone(self) -> bool:
        """Whether nobody else was seen since the step began."""
        return not self._others

    def begin(self, index: int) -> None:
        """Claim what the steps from here on may write, and begin to look who else is at work.

        Args:
            index: Of the step, from 1; 0 for one that undoes, which claims nothing.
        """
        self.ledger.claim(self._claims[index - 1] if index else 0)
        self._others = {}
        self._look()

    def claimed_bytes(self) -> int:
        """Return what others may still write."""
        return claimed_bytes(self.ledger.others())

    def sample(self) -> None:
        """Look again, once in a second."""
        if self._clock.monotonic() - self._looked_s >= _LOOK_EVERY_S:
            self._look()

    def marked(self, measured: tuple[Measured, ...]) -> tuple[Measured, ...]:
        """Return figures marked as shared where others wrote to the same filesystems meanwhile."""
        self._look()
        return measured if self.is_alone else tuple(replace(each, shared=True) for each in measured)

    def told(self) -> str:
        """Return who else was at work, as a sentence; empty when nobody was."""
        if self.is_alone:
            return ""
        return f" Meanwhile there was at work: {'; '.join(other.shown for other in self._others.values())}."

    def _look(self) -> None:
        self._looked_s = self._clock.monotonic()
        self._others.update({other.stack: other for other in self.ledger.others()})
