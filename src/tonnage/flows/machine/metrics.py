"""What there is, for monitoring: written to a file for node_exporter, printed, or served over HTTP."""

from __future__ import annotations

import contextlib
import ipaddress
from threading import Event
from typing import TYPE_CHECKING

from tonnage.errors import EngineLacksError, EngineUnreachableError, UsageError
from tonnage.flows.looks import look, look_once
from tonnage.flows.stack import read_if_there
from tonnage.flows.state import runs_if_readable
from tonnage.own_files import write_whole
from tonnage.views.metrics.exposition import OPENMETRICS, PLAIN, exposition
from tonnage.views.metrics.status import silent_families, status_families

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tonnage.flows.looks import Snapshot
    from tonnage.flows.ports import EnginePorts, WatchPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.views.metrics.exposition import Family

_FILE = "tonnage.prom"
_READABLE = 0o644
_RUNS = 20
_LOOPBACK = "127.0.0.1"
_LAST_PORT = 65_535
_LEAST_PAUSE_S = 1.0


def metrics(ports: EnginePorts, flags: StackFlags) -> str:
    """Look at the engine once.

    Args:
        flags: Which stack, services and engine.

    Returns:
        Samples in Prometheus' text format.

    Raises:
        UsageError: What the user wrote cannot be used.
        EngineUnreachableError: The engine does not answer.
        EngineLacksError: The disk of this engine cannot be read from here.
    """
    wanted, seen = look_once(ports, flags)
    return exposition(_families(ports, wanted, seen))


def write_metrics(directory: Path, text: str) -> Path:
    """Write samples into a directory that node_exporter's textfile collector reads, whole or not at all.

    Args:
        directory: That directory; it must be there.

    Returns:
        The file, which everybody may read.

    Raises:
        UsageError: It cannot be written there.
    """
    file = directory / _FILE
    try:
        write_whole(file, text.encode(), mode=_READABLE)
    except OSError as error:
        raise UsageError(
            f"--textfile: {file} cannot be written",
            why=f"{error.strerror}.",
            todo="Name the directory of node_exporter's --collector.textfile.directory.",
        ) from error
    return file


def listening_place(text: str) -> tuple[str, int]:
    """Read an address to listen on: ``PORT``, ``HOST:PORT`` or ``[HOST]:PORT``; the loopback unless it is named.

    Returns:
        Address and port.

    Raises:
        UsageError: It is none.
    """
    host, _, port = text.rpartition(":")
    with contextlib.suppress(ValueError):
        if port.isascii() and port.isdecimal() and int(port) <= _LAST_PORT:
            return str(ipaddress.ip_address(host.strip("[]") or _LOOPBACK)), int(port)
    raise UsageError(f"--listen: {text!r} is not an address and port", todo="Write --listen 127.0.0.1:9723.")


def serve_metrics(
    ports: WatchPorts, flags: StackFlags, place: tuple[str, int], *, pause_s: float, tell: Callable[[str], None]
) -> None:
    """Look again and again, and answer requests with what was seen last; ends with a signal alone.

    While the engine does not answer, it is asked again, and samples say so.

    Args:
        flags: Which stack, services and engine.
        place: The address and port to listen on.
        pause_s: Seconds between two looks, at least one.
        tell: Is told where it listens.

    Raises:
        UsageError: What the user wrote cannot be used, or nothing can listen there.
    """
    wanted = read_if_there(ports, flags)
    pause_s = max(pause_s, _LEAST_PAUSE_S)
    latest = [silent_families(None)]

    def answer(accepts: str) -> tuple[str, str]:
        openmetrics = "application/openmetrics-text" in accepts
        return OPENMETRICS if openmetrics else PLAIN, exposition(latest[0], openmetrics=openmetrics)

    with ports.served(*place, answer) as address:
        tell(f"metrics at {address}; Ctrl-C ends this")
        if not ipaddress.ip_address(place[0]).is_loopback:
            tell("note: other machines can read them there; there is no password and no encryption")
        never, last_s = Event(), None
        while True:
            try:
                with ports.engines.facts(flags.host) as facts:
                    while True:
                        latest[0] = _families(ports, wanted, look(facts, wanted))
                        last_s = ports.clock.time()
                        ports.clock.wait(never, pause_s)
            except (EngineUnreachableError, EngineLacksError):
                latest[0] = silent_families(last_s)
                ports.clock.wait(never, pause_s)


def _families(ports: EnginePorts, wanted: DesiredState, seen: Snapshot) -> list[Family]:
    return status_families(
        seen.inventory,
        reserves=seen.reserves,
        stack=wanted.stack,
        services=wanted.services,
        runs=runs_if_readable(ports, _RUNS, wanted.stack.name),
        now_s=ports.clock.time(),
    )
