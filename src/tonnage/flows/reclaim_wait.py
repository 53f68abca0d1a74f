"""Waiting for space, and the answer that there is enough: both without looking at what could go.

What says so loads next to nothing: it is asked before an engine is talked to.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tonnage.errors import CannotReclaimError
from tonnage.model.reclaim.candidate import Findings
from tonnage.model.reclaim.outcome import ReclaimChoice, ReclaimReport
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.flows.ports import ReclaimPorts

_LOOK_EVERY_S = 0.1


def enough_already(ports: ReclaimPorts, directory: str, wanted_bytes: int) -> ReclaimReport | None:
    """Say whether a reclaim has nothing to do.

    Args:
        directory: On the filesystem that is meant; empty where that is not known without talking to an engine.

    Returns:
        Its report; None when it may have something to do.

    Raises:
        UsageError: The directory is not there.
    """
    if not directory:
        return None
    space = ports.machine.space(directory)
    return None if space.available_bytes < wanted_bytes else _enough(space.mount, space.available_bytes, wanted_bytes)


def wait_for_space(ports: ReclaimPorts, host: str, directory: str, wanted_bytes: int) -> ReclaimReport:
    """Wait until there is enough, or no reclaim goes on in the background that could free more.

    Args:
        directory: On the filesystem that is meant; empty for the engine's.

    Returns:
        What is available.

    Raises:
        CannotReclaimError: No reclaim goes on any more, and it is not enough.
        UsageError: The directory is not there.
        EngineUnreachableError: The engine's disk is meant, and it does not answer.
    """
    from threading import Event  # noqa: PLC0415 - where there is enough, nothing waits

    from tonnage.runtime.reclaim.background import Background  # noqa: PLC0415

    background, never = Background(), Event()
    with contextlib.ExitStack() as opened:
        look = _gauge(ports, host, directory, opened)
        while True:
            goes_on = background.is_going_on()
            mount, available_bytes = look()
            if available_bytes >= wanted_bytes:
                return _enough(mount, available_bytes, wanted_bytes)
            if not goes_on:
                raise CannotReclaimError(
                    f"{mount} has {format_bytes(available_bytes)} available,"
                    f" and {format_bytes(wanted_bytes)} were waited for",
                    why="No reclaim of this user is running in the background any more.",
                    todo=f"See what can still be removed:\n  tonnage reclaim --until {wanted_bytes}B",
                    log=background.said(),
                )
            ports.clock.wait(never, _LOOK_EVERY_S)


def _gauge(
    ports: ReclaimPorts, host: str, directory: str, opened: contextlib.ExitStack
) -> Callable[[], tuple[str, int]]:
    """Return what reads mount and available bytes of the filesystem that is meant, here or where the engine is."""
    directory = directory or ports.engines.data_root(host) or ports.engines.usual_data_root(host)
    if directory:

        def here() -> tuple[str, int]:
            space = ports.machine.space(directory)
            return space.mount, space.available_bytes

        return here
    access = opened.enter_context(ports.engines.open(host))
    mount = access.facts.filesystems()[0].mount
    gauge = access.gauge([mount])
    opened.callback(gauge.close)
    return lambda: (mount, gauge.available()[mount])


def _enough(mount: str, available_bytes: int, wanted_bytes: int) -> ReclaimReport:
    choice = ReclaimChoice(
        available_bytes=available_bytes, target_bytes=wanted_bytes, chosen=(), freed_bytes=0, findings=Findings()
    )
    return ReclaimReport(mount=mount, choice=choice)
