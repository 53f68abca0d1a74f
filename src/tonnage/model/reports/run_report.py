"""What a page about runs is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.deploy.disk_history import DiskHistory
    from tonnage.model.deploy.run import InstructionOutcome, Run


class RunReport(Struct, frozen=True, kw_only=True):
    """Runs, and what is known beside them.

    Args:
        runs: Those that are shown step by step, the latest last.
        history: Those and earlier ones, the latest last.
        disk_histories: How the disk went, by the id of the run.
        instructions: What builds did, the latest run first.
        made_s: When it was made, in seconds since the epoch.
    """

    runs: tuple[Run, ...]
    history: tuple[Run, ...]
    disk_histories: dict[int, DiskHistory]
    instructions: tuple[InstructionOutcome, ...]
    made_s: float
