"""Reads available bytes for a run, and gives the ballast back when there are nearly none.

What came free so is for the engine and the journal, not for builds: it is never told as available, so nothing is
learned from it and the guard of the run stops what has to be stopped.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tonnage.errors import TonnageError
from tonnage.model.deploy.event import Notice
from tonnage.model.guard import FULL_BYTES
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.adapters.interface import Gauge
    from tonnage.flows.ports import LocalMachine
    from tonnage.model.deploy.event import Event
    from tonnage.model.inventory import Engine, Filesystem


class BallastGauge:
    """Satisfies ``Gauge``.

    Args:
        gauge: What reads. It stays open: its owner closes it.
        mount: The filesystem that the ballast is on.
        data_root: Where it is.
    """

    def __init__(
        self,
        gauge: Gauge,
        machine: LocalMachine,
        mount: str,
        data_root: str,
        emit: Callable[[Event], None],
    ) -> None:
        self._gauge = gauge
        self._machine = machine
        self._mount = mount
        self._data_root = data_root
        self._emit = emit
        self._given_bytes = 0

    def available(self) -> Mapping[str, int]:
        """Return available bytes by mount, without what was given back.

        Raises:
            EngineUnreachableError: A filesystem is no longer there.
        """
        told = self._gauge.available()
        here_bytes = told.get(self._mount)
        if here_bytes is None:
            return told
        if not self._given_bytes and here_bytes < FULL_BYTES:
            with contextlib.suppress(TonnageError):
                self._given_bytes = self._machine.drop_ballast(self._data_root)
            if self._given_bytes:
                text = f"{self._mount} is full: {format_bytes(self._given_bytes)} of ballast were given back"
                self._emit(Notice(text=text, level="warning"))
                return told
        return {**told, self._mount: max(0, here_bytes - self._given_bytes)} if self._given_bytes else told

    def inodes(self) -> Mapping[str, int]:
        """Return available inodes by mount as of the last look."""
        return self._gauge.inodes()

    def close(self) -> None:
        """Make the ballast again, where it was given back and there is room."""
        if self._given_bytes:
            with contextlib.suppress(TonnageError):
                self._machine.make_ballast(self._data_root, 0)
            self._given_bytes = 0


def with_ballast(
    gauge: Gauge,
    machine: LocalMachine,
    engine: Engine,
    filesystems: Sequence[Filesystem],
    emit: Callable[[Event], None],
) -> BallastGauge | None:
    """Return a gauge that gives the ballast of an engine back; None where it has none."""
    disk = next((each for each in filesystems if each.ballast_bytes), None)
    if disk is None or not engine.endpoint.startswith("unix://"):
        return None
    return BallastGauge(gauge, machine, disk.mount, engine.data_root, emit)
