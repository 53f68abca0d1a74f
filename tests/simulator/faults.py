"""Faults to inject: an act fails, the power goes, the engine is gone, a neighbour eats the disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tonnage.errors import EngineUnreachableError, StepFailedError

if TYPE_CHECKING:
    from tests.simulator.disk import Disk


class PowerCutError(BaseException):
    """The process dies here: nothing that catches ordinary failures may catch it."""


@dataclass(kw_only=True)
class Faults:
    """Which acts go wrong. Acts are counted from 1, in the order in which they are asked for.

    Args:
        fail: These fail before they change anything.
        die_before: The power goes before these change anything.
        die_after: The power goes after these are done.
        unreachable_from: From this act on the engine does not answer any more; 0 for never.
        eaten: Bytes that a neighbour takes just before an act.
    """

    fail: frozenset[int] = frozenset()
    die_before: frozenset[int] = frozenset()
    die_after: frozenset[int] = frozenset()
    unreachable_from: int = 0
    eaten: dict[int, int] = field(default_factory=dict)

    def before(self, number: int, act: str, disk: Disk) -> None:
        """Let happen what is to happen before an act.

        Raises:
            PowerCutError: The power goes.
            EngineUnreachableError: The engine is gone.
            StepFailedError: The act fails.
        """
        disk.eaten_by_neighbour(self.eaten.get(number, 0))
        if number in self.die_before:
            raise PowerCutError(act)
        if self.unreachable_from and number >= self.unreachable_from:
            raise EngineUnreachableError("the engine does not answer", why="The fault was asked for.")
        if number in self.fail:
            raise StepFailedError(f"{act} failed", why="The fault was asked for.")

    def after(self, number: int, act: str) -> None:
        """Let happen what is to happen after an act.

        Raises:
            PowerCutError: The power goes.
        """
        if number in self.die_after:
            raise PowerCutError(act)
