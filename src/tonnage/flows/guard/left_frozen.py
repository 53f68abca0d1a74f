"""Thaws what a run has left frozen that was killed together with its watchdog: every command does so first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.runtime.guard.frozen_note import left_frozen

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.flows.ports import LocalMachine


def thaw_what_was_left(machine: LocalMachine, directory: Path | None = None) -> int:
    """Thaw the steps of builds that nobody else will thaw.

    Args:
        directory: Where notes are; None for the directory of locks.

    Returns:
        How many there were.
    """
    count = 0
    for left in left_frozen(directory):
        if machine.thaw(left.groups):
            left.forget()
        count += len(left.groups)
    return count
