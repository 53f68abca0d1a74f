"""Makes room while the builds of a run wait at the reserve: what a plan would reclaim, and nothing of anybody's.

Only things of the engine go, the cheapest to recreate first: never what the plan, a stack, a container or a rollback
needs.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.adapters.interface import Unwatched
from tonnage.decide.deploy.reclaim_steps import spare_things
from tonnage.decide.reclaim.choice import decide
from tonnage.errors import TonnageError
from tonnage.flows.roots import read_needs
from tonnage.model.deploy.event import Notice
from tonnage.runtime.deploy.observe import observe
from tonnage.runtime.reclaim.engine_removal import EngineRemoval
from tonnage.runtime.reclaim.executor import carry_out
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.adapters.interface import Cancel, EngineActs, EngineFacts
    from tonnage.flows.ports import ReclaimPorts
    from tonnage.model.deploy.event import Event
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.reclaim.candidate import Findings
    from tonnage.model.reclaim.outcome import Removal
    from tonnage.model.stack import Stack
    from tonnage.runtime.ledger import Ledger


class RoomMaking:
    """Satisfies ``MakeRoom`` for one run.

    Args:
        emit: Is told of each thing that goes.
    """

    def __init__(
        self,
        ports: ReclaimPorts,
        facts: EngineFacts,
        acts: EngineActs,
        plan: Plan,
        stack: Stack,
        ledger: Ledger,
        emit: Callable[[Event], None],
    ) -> None:
        self._ports = ports
        self._facts = facts
        self._acts = acts
        self._plan = plan
        self._stack = stack
        self._ledger = ledger
        self._emit = emit
        self._prepared: Findings | None = None

    def prepare(self) -> None:
        """Find out what may go, for the next time that room is made; what cannot be told is asked again then."""
        with suppress(TonnageError):
            self._prepared = self._spare()

    def __call__(self, missing_bytes: int, cancel: Cancel) -> int:
        """Remove what may go until so much more is available; return how many bytes came free.

        What cannot be told, or removed, stays: that is no reason to end a run.
        """
        try:
            return self._made(missing_bytes, cancel)
        except TonnageError as error:
            self._emit(Notice(text=f"nothing is reclaimed while builds wait: {error.what}"))
            return 0

    def _made(self, missing_bytes: int, cancel: Cancel) -> int:
        spare, self._prepared = self._prepared, None
        if spare is None:
            spare = self._spare()
        before_bytes = self._available()
        choice = decide(spare, available_bytes=before_bytes, target_bytes=before_bytes + missing_bytes)
        removal = EngineRemoval(self._facts, self._acts, Unwatched(), self._ledger)
        done = carry_out(
            choice,
            available=self._available,
            remove=removal.remove,
            on_begin=lambda _candidate: None,
            on_end=self._tell,
            cancel=cancel,
            clock=self._ports.clock,
        )
        for message in removal.give_names_back():
            self._emit(Notice(text=message))
        return max(0, done.available_bytes - before_bytes)

    def _spare(self) -> Findings:
        inventory = replace(observe(self._facts), others=tuple(self._ledger.others()))
        needs = read_needs(self._ports, self._facts, inventory, self._stack, self._plan)
        return spare_things(replace(inventory, needs=needs), self._stack, self._plan.steps)

    def _available(self) -> int:
        disks = self._facts.filesystems()
        mount = self._plan.filesystem
        return next((disk.available_bytes for disk in disks if disk.mount == mount), disks[0].available_bytes)

    def _tell(self, removal: Removal) -> None:
        name = f"the {removal.candidate.kind} {removal.candidate.name}"
        if removal.error is not None:
            self._emit(Notice(text=f"kept {name}: {removal.error.what}"))
        else:
            self._emit(Notice(text=f"removed {name}: freed {format_bytes(removal.freed_bytes)}"))
