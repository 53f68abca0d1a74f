"""The journal: every run and every step, written before it happens and after.

Beginning a run must succeed, for nothing was touched yet; only a full disk is forgiven. From then on the journal never
ends a run: what cannot be written is kept in memory, tried again with the next write, and told once as a notice.
What a process that died left as running is told as interrupted.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from tonnage.model.deploy.event import Notice
from tonnage.runtime.journal.disk_history import curve_rows
from tonnage.runtime.journal.engine_records import (
    BEGIN_CACHE,
    END_CACHE,
    FORGET_CACHE,
    ids_text,
)
from tonnage.runtime.journal.reader import (
    INSERT_INSTRUCTION,
    instruction_rows,
)
from tonnage.runtime.journal.readings import JournalReadings
from tonnage.runtime.journal.schema import (
    is_full,
    keep_room,
    open_to_read,
    open_to_write,
    refused,
    transaction,
)
from tonnage.runtime.journal.trimming import prune, trim
from tonnage.runtime.process_identity import this_process

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import Self

    from tonnage.model.deploy.expected_build import ExpectedInstruction
    from tonnage.model.deploy.plan import Plan, Step, Version
    from tonnage.model.deploy.run import (
        MeasuredInstruction,
        Outcome,
        Pruned,
        StepOutcome,
    )

_Entry = list[tuple[str, tuple[object, ...]]]

_BEGIN_RUN = """
INSERT INTO run (id, stack, engine_id, endpoint, purpose, fingerprint, filesystem, line_bytes, started_s, outcome,
    message, owner_pid, owner_host, owner_birth)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', '', ?, ?, ?)
"""
_END_RUN = "UPDATE run SET outcome = ?, seconds = ?, message = ? WHERE id = ?"
_BEGIN_STEP = """
INSERT INTO step (run_id, position, name, service, kind, undo, learn_key, started_s, outcome, forecast_kept_bytes,
    forecast_grade, message, log, forecast_json)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'running', ?, ?, '', '', ?)
"""
_END_STEP = "UPDATE step SET outcome = ?, seconds = ?, message = ?, log = ? WHERE run_id = ? AND position = ?"
_MEASURED = """
INSERT INTO measured (run_id, step_position, position, mount, before_bytes, after_bytes, lowest_bytes, samples, shared)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_FORGET_VERSION = """
DELETE FROM version WHERE stack = ? AND engine_id = ? AND service = ? AND image_id = ? AND config_digest = ?
"""
_RECORD_VERSION = """
INSERT INTO version (id, stack, engine_id, service, image_id, config_digest, version_json, recorded_s)
VALUES ((SELECT coalesce(max(id), 0) + 1 FROM version), ?, ?, ?, ?, ?, ?, ?)
"""
_KNOW_VERSION = _RECORD_VERSION.replace("INSERT", "INSERT OR IGNORE")
_WITHDRAW_VERSION = """
UPDATE version SET withdrawn = 1
WHERE stack = ? AND engine_id = ? AND service = ? AND image_id = ? AND config_digest = ?
"""


class Journal(JournalReadings):
    """An open journal; a context manager that closes it.

    Args:
        path: The SQLite file; it is created, with its directory, when it is not there.
        reading: A connection that can only read: see :meth:`open_existing`.

    Raises:
        UsageError: File or directory cannot be created or written by this user.
        EngineLacksError: The file was written by a newer Tonnage.
        TonnageError: It is no journal, or damaged, or it could not be created because the disk is full.
    """

    def __init__(self, path: Path, *, reading: sqlite3.Connection | None = None) -> None:
        super().__init__(path, reading or open_to_write(path), threading.RLock())
        self._waiting: deque[_Entry] = deque()
        self._notices: list[Notice] = []
        self._in_trouble = False
        self._abandoned = False
        self._owner = this_process()
        self._positions: dict[int, int] = {}
        self._stacks: dict[int, str] = {}
        self._open_steps: dict[int, tuple[int, int]] = {}
        if reading is None:
            self._keep_room()

    @classmethod
    def open_existing(cls, path: Path) -> Journal | None:
        """Open a journal for reading only, or return None when there is none: nothing is ever created.

        Raises:
            UsageError: This user may not read it.
            EngineLacksError: The file was written by a newer Tonnage.
            TonnageError: It is no journal, or damaged.
        """
        connection = open_to_read(path)
        return None if connection is None else cls(path, reading=connection)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Try once more to write what is waiting, and close the file; harmless when it is closed."""
        with self._lock:
            if self._waiting:
                self._write_waiting()
            self._connection.close()

    def take_notices(self) -> tuple[Notice, ...]:
        """Return what people should know about the journal itself since the last call; mostly nothing."""
        with self._lock:
            notices, self._notices = tuple(self._notices), []
            return notices

    def begin_run(self, plan: Plan, started_s: float) -> int:
        """Write that a run begins.

        Args:
            started_s: Seconds since the epoch.

        Raises:
            TonnageError: It could not be written, for another reason than a full disk.
        """
        with self._lock:
            self._abandoned = False
            while True:
                run_id = self._next_run_id()
                values = (
                    *(run_id, plan.stack, plan.engine_id, plan.endpoint, plan.purpose, plan.fingerprint),
                    *(plan.filesystem, plan.reserve_bytes, started_s),
                    *(self._owner.pid, self._owner.host, self._owner.birth),
                )
                entry: _Entry = [(_BEGIN_RUN, values)]
                try:
                    self._keep_room()
                    self._write_now(entry)
                except sqlite3.IntegrityError:
                    # Another process took that number in between.
                    continue
                except sqlite3.Error as error:
                    if not is_full(self._path, error):
                        raise refused(self._path, error) from error
                    self._waiting.append(entry)
                    self._tell_trouble(error)
                self._positions[run_id] = 0
                self._stacks[run_id] = plan.stack
                return run_id

    def end_run(self, run_id: int, outcome: Outcome, seconds: float, message: str) -> None:
        """Write how a run ended; then the oldest of its stack may go."""
        self._write([(_END_RUN, (outcome.value, seconds, message, run_id))])
        with self._lock:
            stack = self._stacks.pop(run_id, "")
            if stack and not self._waiting:
                trim(self._connection, stack)

    def record_curve(self, run_id: int, points: Sequence[tuple[float, int]]) -> None:
        """Write how the disk went: seconds after the run began, and the bytes that were available then."""
        self._write(curve_rows(run_id, points))

    def begin_step(self, run_id: int, step: Step, undo: bool, started_s: float) -> int:  # noqa: FBT001 - named so by every caller
        """Write that a step begins.

        Args:
            run_id: From :meth:`begin_run`.
            started_s: Seconds since the epoch.

        Returns:
            A number for :meth:`end_step` of this same journal object.
        """
        with self._lock:
            position = self._positions.get(run_id, 0)
            self._positions[run_id] = position + 1
            handle = len(self._open_steps) + 1
            self._open_steps[handle] = (run_id, position)
            values = (
                *(run_id, position, step.name, step.service, step.action.__struct_config__.tag, int(undo)),
                *(step.learn_key, started_s, step.kept.told_bytes, step.kept.grade.value),
                msgspec.json.encode((step.kept, step.transient)).decode(),
            )
            self._write([(_BEGIN_STEP, values)])
            return handle

    def end_step(self, step_id: int, outcome: StepOutcome) -> None:
        """Write how a step ended and what was measured.

        Args:
            step_id: From :meth:`begin_step`.
        """
        run_id, position = self._open_steps[step_id]
        entry: _Entry = [
            (_END_STEP, (outcome.outcome.value, outcome.seconds, outcome.message, outcome.log, run_id, position))
        ]
        for number, measured in enumerate(outcome.measured):
            entry.append((_MEASURED, (run_id, position, number, *msgspec.structs.astuple(measured))))
        self._write(entry)

    def record_instructions(
        self,
        step_id: int,
        expected: Sequence[ExpectedInstruction],
        measured: Sequence[MeasuredInstruction],
        image_id: str,
    ) -> None:
        """Write what the instructions of a build did, beside what was forecast of them.

        Args:
            step_id: From :meth:`begin_step`.
            expected: What was forecast, in the order of building.
            measured: What was measured, in the same order.
        """
        run_id, position = self._open_steps[step_id]
        values = instruction_rows(run_id, position, expected, measured, image_id)
        self._write([(INSERT_INSTRUCTION, each) for each in values])

    def begin_cache(self, run_id: int, plan: Plan, records: Iterable[str], started_s: float) -> None:
        """Write which records the build cache had before a run that builds."""
        values = (run_id, plan.stack, plan.engine_id, started_s, ids_text(records))
        self._write([(BEGIN_CACHE, values)])

    def end_cache(self, run_id: int, plan: Plan, left: Iterable[str] | None) -> None:
        """Write which records a run left that came to nothing; None when it was good, and took all of them away."""
        if left is None:
            self._write([(FORGET_CACHE, (plan.stack, plan.engine_id))])
        else:
            self._write([(END_CACHE, (ids_text(left), run_id))])

    def record_version(self, stack: str, engine_id: str, version: Version, recorded_s: float) -> None:
        """Write that a version of a service is good; it becomes the newest one, also when it was known before.

        Args:
            recorded_s: Seconds since the epoch.
        """
        key = (stack, engine_id, version.service, version.image_id, version.config_digest)
        text = msgspec.json.encode(version).decode()
        self._write([(_FORGET_VERSION, key), (_RECORD_VERSION, (*key, text, recorded_s))])

    def withdraw_version(self, stack: str, engine_id: str, version: Version, recorded_s: float) -> None:
        """Write that a version is no longer one to go back to, also when it was not known.

        Args:
            recorded_s: Seconds since the epoch.
        """
        key = (stack, engine_id, version.service, version.image_id, version.config_digest)
        text = msgspec.json.encode(version).decode()
        self._write([(_KNOW_VERSION, (*key, text, recorded_s)), (_WITHDRAW_VERSION, key)])

    def prune(self) -> Pruned:
        """Take out all runs that are too old to be kept.

        Raises:
            TonnageError: The file cannot be read.
        """
        with self._reading() as connection:
            return prune(connection, self._path)

    def _next_run_id(self) -> int:
        try:
            newest = self._connection.execute("SELECT coalesce(max(id), 0) FROM run").fetchone()[0]
        except sqlite3.Error as error:
            raise refused(self._path, error) from error
        return 1 + max([int(newest), *self._positions])

    def _write(self, entry: _Entry) -> None:
        with self._lock:
            if self._abandoned:
                return
            self._waiting.append(entry)
            self._write_waiting()

    def _write_waiting(self) -> None:
        """Write what is waiting, in order, until it is all written or one thing cannot be."""
        while self._waiting:
            try:
                self._write_now(self._waiting[0])
            except sqlite3.IntegrityError:
                # Another process took the run's number while the disk was full: nothing of the run fits any more.
                self._waiting.clear()
                self._abandoned = True
                self._tell("The journal lacks this run: it could not be written while the disk was full.")
                return
            except sqlite3.Error as error:
                self._tell_trouble(error)
                return
            self._waiting.popleft()
        self._in_trouble = False
        self._keep_room()

    def _write_now(self, entry: _Entry) -> None:
        with transaction(self._connection):
            for statement, values in entry:
                self._connection.execute(statement, values)

    def _keep_room(self) -> None:
        # Room is for later. What matters now is written by other statements, and they tell when they fail.
        with contextlib.suppress(sqlite3.Error, OSError):
            keep_room(self._connection, self._path)

    def _tell_trouble(self, error: sqlite3.Error) -> None:
        if not self._in_trouble:
            reason = "its disk is full" if is_full(self._path, error) else f"SQLite says: {error}"
            self._tell(f"The journal {self._path} cannot be written now ({reason}). The run goes on without it.")
        self._in_trouble = True

    def _tell(self, text: str) -> None:
        self._notices.append(Notice(text=text, level="warning"))
