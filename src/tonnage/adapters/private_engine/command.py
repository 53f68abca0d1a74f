"""Runs one administration program and turns its failure into a sentence."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tonnage.adapters import process
from tonnage.adapters.private_engine.requirements import search_path
from tonnage.adapters.private_engine.signals import signals_later
from tonnage.errors import StepFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMEOUT_S = 60.0


def command(arguments: Sequence[str], *, failing: str) -> str:
    """Run a program that must succeed.

    Args:
        arguments: The program and its arguments.
        failing: What could not be done when it fails, as the beginning of a sentence.

    Returns:
        What it printed.

    Raises:
        StepFailedError: It failed, or took longer than a minute.
        EngineLacksError: It is not installed.
    """
    done = _run(arguments)
    if done.exit_code:
        printed = (done.stderr or done.stdout).strip()
        raise StepFailedError(failing, why=f"{' '.join(arguments)} exited with {done.exit_code}: {printed}")
    return done.stdout


def succeeds(arguments: Sequence[str]) -> bool:
    """Run a program of which failure is an answer; return whether it succeeded."""
    return _run(arguments).exit_code == 0


def _run(arguments: Sequence[str]) -> process.Completed:
    environment = {**os.environ, "PATH": search_path(os.environ.get("PATH", ""))}
    with signals_later():
        return process.run(arguments, environment=environment, timeout_s=_TIMEOUT_S)
