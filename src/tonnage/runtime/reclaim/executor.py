"""Carries a choice out: removes, measures after each thing, and stops as soon as there is enough.

It needs no byte of the disk itself. What one removal fails with ends only that one; the rest goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.reclaim.choice import freed_bytes
from tonnage.errors import EngineUnreachableError, TonnageError
from tonnage.model.reclaim.outcome import Reclaimed, Removal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.adapters.interface import Cancel
    from tonnage.model.reclaim.candidate import Candidate, CandidateId
    from tonnage.model.reclaim.outcome import ReclaimChoice
    from tonnage.runtime.clock import Clock

SETTLE_S = 1.0
"""How long bytes that were promised may take to appear: some filesystems give them back a moment later."""
_LOOK_EVERY_S = 0.02
_NEARLY = 0.99


def carry_out(
    choice: ReclaimChoice,
    *,
    available: Callable[[], int],
    remove: Callable[[Candidate], None],
    on_begin: Callable[[Candidate], None],
    on_end: Callable[[Removal], None],
    cancel: Cancel,
    clock: Clock,
) -> Reclaimed:
    """Remove what was chosen, until the target is reached.

    Args:
        choice: What was decided. A target of 0 is never reached before everything is gone.

    Returns:
        What was done. An engine that stops answering ends it early; the last removal tells.
    """
    removals: list[Removal] = []
    gone: set[CandidateId] = set()
    now_bytes = available()
    for place, candidate in enumerate(choice.chosen):
        if (choice.target_bytes and now_bytes >= choice.target_bytes) or cancel.is_set():
            return Reclaimed(
                removals=tuple(removals),
                available_bytes=now_bytes,
                target_bytes=choice.target_bytes,
                spared=choice.chosen[place:],
                stopped=cancel.is_set(),
            )
        on_begin(candidate)
        before, with_it = frozenset(gone), frozenset({*gone, candidate.candidate_id})
        pieces = choice.findings.pieces
        promised_bytes = freed_bytes(pieces, with_it) - freed_bytes(pieces, before)
        removal = _remove(candidate, promised_bytes, now_bytes, available, remove, cancel, clock)
        removals.append(removal)
        on_end(removal)
        now_bytes = removal.after_bytes
        if removal.error is None:
            gone.add(candidate.candidate_id)
        elif isinstance(removal.error, EngineUnreachableError):
            break
    return Reclaimed(removals=tuple(removals), available_bytes=now_bytes, target_bytes=choice.target_bytes)


def _remove(
    candidate: Candidate,
    promised_bytes: int,
    before_bytes: int,
    available: Callable[[], int],
    remove: Callable[[Candidate], None],
    cancel: Cancel,
    clock: Clock,
) -> Removal:
    began = clock.monotonic()
    error: TonnageError | None = None
    try:
        remove(candidate)
    except TonnageError as failure:
        error = failure
    after_bytes = available()
    ended = clock.monotonic()
    while error is None and after_bytes - before_bytes < promised_bytes * _NEARLY:
        if clock.monotonic() - ended >= SETTLE_S or clock.wait(cancel, _LOOK_EVERY_S):
            break
        after_bytes = available()
    return Removal(
        candidate=candidate,
        promised_bytes=promised_bytes,
        before_bytes=before_bytes,
        after_bytes=after_bytes,
        seconds=ended - began,
        error=error,
    )
