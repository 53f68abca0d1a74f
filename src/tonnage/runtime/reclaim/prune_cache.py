"""Removes records of the build cache that stand behind no image, from the top down, until no more can go."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.adapters.interface import EngineActs, EngineFacts, Progress


def remove_free_records(
    facts: EngineFacts, acts: EngineActs, progress: Progress, may_go: Callable[[str], bool]
) -> None:
    """Remove records that share no layer with an image and that nothing uses."""
    # Records that an image's layers stand behind give nothing back, and the next build needs them: they stay.
    # A record is in use while another one stands on it, so the removal goes on until nothing more can go.
    removed: set[str] = set()
    while True:
        free = [
            record.record_id
            for record in facts.cache()
            if may_go(record.record_id) and record.record_id not in removed and not record.in_use and not record.shared
        ]
        if not free:
            return
        progress.at(f"{len(free)} cache records")
        acts.remove_cache(free)
        removed.update(free)
