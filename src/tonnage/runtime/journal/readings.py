"""What is read from an open journal: runs, instructions, what is known of a stack and of an engine."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import msgspec

from tonnage.runtime.journal.disk_history import read_disk_histories
from tonnage.runtime.journal.engine_records import read_engine_records, read_left
from tonnage.runtime.journal.reader import read_history, read_outcomes, read_run, read_runs
from tonnage.runtime.journal.schema import has_instructions, refused
from tonnage.runtime.journal.set_aside import damaged

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tonnage.model.deploy.disk_history import DiskHistory
    from tonnage.model.deploy.run import History, InstructionOutcome, Run
    from tonnage.runtime.journal.engine_records import EngineRecords


class JournalReadings:
    """The questions that a journal answers.

    Args:
        path: Its file.
        connection: The open file.
        lock: Held while the connection is used.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: threading.RLock) -> None:
        self._path = path
        self._connection = connection
        self._lock = lock

    def instructions(self, limit: int, stack: str = "") -> tuple[InstructionOutcome, ...]:
        """Return instructions of builds with forecast and measured figures, newest runs first.

        Args:
            stack: The project name; empty for every stack.

        Raises:
            TonnageError: The file cannot be read.
        """
        with self._reading() as connection:
            if not has_instructions(connection):
                return ()
            return read_outcomes(connection, limit, stack)

    def left_cache(self, stack: str, engine_id: str) -> frozenset[str]:
        """Return the records that earlier runs of a stack left which came to nothing; none when that cannot be read."""
        with self._lock, contextlib.suppress(sqlite3.Error, ValueError):
            found = read_left(self._connection, engine_id)
            return frozenset().union(*(each.left or () for each in found if each.stack == stack))
        return frozenset()

    def history(self, stack: str, engine_id: str) -> History:
        """Return what is known about a stack: sizes learned on every engine, good versions of this one.

        Raises:
            TonnageError: The file cannot be read, or a version in it cannot be understood.
        """
        with self._reading() as connection:
            return read_history(connection, stack, engine_id)

    def engine_records(self, engine_id: str) -> EngineRecords:
        """Return what is known of all stacks on an engine.

        Raises:
            TonnageError: The file cannot be read, or a version in it cannot be understood.
        """
        with self._reading() as connection:
            return read_engine_records(connection, engine_id)

    def runs(self, limit: int, stack: str = "") -> tuple[Run, ...]:
        """Return the last runs, newest first.

        Args:
            stack: The project name; empty for every stack.

        Raises:
            TonnageError: The file cannot be read.
        """
        with self._reading() as connection:
            return read_runs(connection, limit, stack)

    def disk_histories(self, run_ids: Iterable[int]) -> dict[int, DiskHistory]:
        """Return how the disk went in runs.

        Raises:
            TonnageError: The file cannot be read.
        """
        with self._reading() as connection:
            return read_disk_histories(connection, run_ids)

    def run(self, run_id: int) -> Run | None:
        """Return one run; None where there is none of that number.

        Raises:
            TonnageError: The file cannot be read.
        """
        with self._reading() as connection:
            return read_run(connection, run_id)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise refused(self._path, error) from error
            except msgspec.DecodeError as error:
                raise damaged(self._path, f"It has a version that cannot be understood: {error}.") from error
