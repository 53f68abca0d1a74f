"""The journal's file: how it is created, opened, checked, and kept writable when the disk is full.

The rollback journal is kept (``journal_mode=PERSIST``) instead of a write-ahead log: a log needs three files that are
made anew by every process, and the disk that Tonnage works on is the very one that fills. Here every byte that a
write needs is on the disk beforehand: free pages inside the file, and the rollback journal beside it.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote

from tonnage.errors import CannotFitError, EngineLacksError, TonnageError, UsageError
from tonnage.own_files import check_private_directory, check_private_file, private_directory, private_file
from tonnage.runtime.journal.disk_history import ADDED_IN_7
from tonnage.runtime.journal.set_aside import damaged

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = 7
APPLICATION_ID = 0x746F6E6E
BUSY_S = 30.0
_INSTEAD = "Or set TONNAGE_STATE_DIR to a directory of your own."

ROOM_BYTES = 512 * 1024
_ROLLBACK_BYTES = 128 * 1024
_ROLLBACK_ROWS = 40
_ROLLBACK_ROW_BYTES = 3000

_SCHEMA = """
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    stack TEXT NOT NULL,
    engine_id TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    purpose TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    filesystem TEXT NOT NULL,
    line_bytes INTEGER NOT NULL,
    started_s REAL NOT NULL,
    seconds REAL,
    outcome TEXT NOT NULL,
    message TEXT NOT NULL,
    owner_pid INTEGER NOT NULL,
    owner_host TEXT NOT NULL,
    owner_birth TEXT NOT NULL
) STRICT;
CREATE INDEX run_by_stack ON run (stack, id);
CREATE TABLE step (
    run_id INTEGER NOT NULL REFERENCES run (id),
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    service TEXT NOT NULL,
    kind TEXT NOT NULL,
    undo INTEGER NOT NULL,
    learn_key TEXT NOT NULL,
    started_s REAL NOT NULL,
    seconds REAL,
    outcome TEXT NOT NULL,
    forecast_kept_bytes INTEGER,
    forecast_grade TEXT NOT NULL,
    message TEXT NOT NULL,
    log TEXT NOT NULL,
    PRIMARY KEY (run_id, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE measured (
    run_id INTEGER NOT NULL,
    step_position INTEGER NOT NULL,
    position INTEGER NOT NULL,
    mount TEXT NOT NULL,
    before_bytes INTEGER NOT NULL,
    after_bytes INTEGER NOT NULL,
    lowest_bytes INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    PRIMARY KEY (run_id, step_position, position),
    FOREIGN KEY (run_id, step_position) REFERENCES step (run_id, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE version (
    id INTEGER PRIMARY KEY,
    stack TEXT NOT NULL,
    engine_id TEXT NOT NULL,
    service TEXT NOT NULL,
    image_id TEXT NOT NULL,
    config_digest TEXT NOT NULL,
    version_json TEXT NOT NULL,
    recorded_s REAL NOT NULL,
    withdrawn INTEGER NOT NULL DEFAULT 0,
    UNIQUE (stack, engine_id, service, image_id, config_digest)
) STRICT;
CREATE TABLE room (
    id INTEGER PRIMARY KEY,
    filling BLOB NOT NULL
) STRICT;
"""

# What each format added to the one before it. A journal of an earlier format is brought up to date when it is opened
# to be written; opened to be read, it is read as it is.
_ADDED_IN_2 = """
CREATE TABLE instruction (
    run_id INTEGER NOT NULL,
    step_position INTEGER NOT NULL,
    position INTEGER NOT NULL,
    stage TEXT NOT NULL,
    line INTEGER NOT NULL,
    text TEXT NOT NULL,
    layer_key TEXT NOT NULL,
    learn_key TEXT NOT NULL,
    image_id TEXT NOT NULL,
    forecast_image_json TEXT NOT NULL,
    forecast_disk_json TEXT NOT NULL,
    forecast_transient_json TEXT NOT NULL,
    image_bytes INTEGER,
    kept_bytes INTEGER,
    transient_bytes INTEGER,
    cached INTEGER NOT NULL,
    PRIMARY KEY (run_id, step_position, position),
    FOREIGN KEY (run_id, step_position) REFERENCES step (run_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX instruction_by_learn_key ON instruction (learn_key, run_id);
ALTER TABLE step ADD COLUMN forecast_json TEXT NOT NULL DEFAULT '';
"""
_ADDED_IN_3 = """
CREATE TABLE IF NOT EXISTS cache (
    run_id INTEGER PRIMARY KEY,
    stack TEXT NOT NULL,
    engine_id TEXT NOT NULL,
    started_s REAL NOT NULL,
    before_json TEXT NOT NULL,
    left_json TEXT NOT NULL DEFAULT ''
) STRICT;
"""
VERSION_JSON_BEFORE_4 = """
json_remove(
    json_set(version_json, '$.project', json(replace(json_extract(version_json, '$.project_json'), '$$', '$'))),
    '$.project_json')"""
"""A version that was written before format 4, as one of today: its project was a text, with every ``$`` doubled."""
_CHANGED_IN_4 = f"""
UPDATE version SET version_json = {VERSION_JSON_BEFORE_4};
ALTER TABLE measured ADD COLUMN shared INTEGER NOT NULL DEFAULT 0;
"""  # noqa: S608 - nothing from outside
_ADDED_IN_5 = """
ALTER TABLE instruction ADD COLUMN blob_bytes INTEGER;
ALTER TABLE instruction ADD COLUMN in_image INTEGER NOT NULL DEFAULT 1;
"""
# Runs that are kept only because something is learned from them; and what is asked for at every forecast and plan.
_ADDED_IN_6 = """
CREATE TABLE IF NOT EXISTS kept (run_id INTEGER PRIMARY KEY) STRICT;
CREATE INDEX IF NOT EXISTS instruction_to_learn ON instruction (learn_key, run_id, step_position, position)
    WHERE cached = 0 AND learn_key <> '';
DROP INDEX IF EXISTS instruction_by_learn_key;
CREATE INDEX IF NOT EXISTS step_to_learn ON step (learn_key, run_id) WHERE learn_key <> '';
CREATE INDEX IF NOT EXISTS step_of_build ON step (run_id, position, service, seconds)
    WHERE kind = 'build' AND outcome = 'done' AND undo = 0
"""
_ADDED = {2: _ADDED_IN_2, 3: _ADDED_IN_3, 4: _CHANGED_IN_4, 5: _ADDED_IN_5, 6: _ADDED_IN_6, 7: ADDED_IN_7}


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open the journal, and create it with its directory when it is not there.

    Raises:
        UsageError: File or directory cannot be created or written by this user, or are another user's.
        EngineLacksError: The file was written by a newer Tonnage.
        DamagedJournalError: It is damaged.
        TonnageError: It is no journal, or it could not be created because the disk is full.
    """
    try:
        private_directory(path.parent, instead=_INSTEAD)
        # SQLite gives the file beside it the same mode and owner.
        private_file(path, instead=_INSTEAD)
    except OSError as error:
        raise _unusable(path, error) from error
    return _checked(path, "rw")


def open_to_read(path: Path) -> sqlite3.Connection | None:
    """Open the journal without ever creating or changing anything, or return None when there is none yet.

    Raises:
        UsageError: This user may not read it, or it may be another user's.
        EngineLacksError: The file was written by a newer Tonnage.
        TonnageError: It is no journal, or damaged.
    """
    check_private_directory(path.parent, instead=_INSTEAD)
    try:
        check_private_file(path, instead=_INSTEAD)
        if path.stat().st_size == 0:
            return None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unusable(path, error) from error
    # What a killed process left half written can only be rolled back by one who may write.
    return _checked(path, "rw" if os.access(path, os.W_OK) else "ro", reading=True)


def keep_room(connection: sqlite3.Connection, path: Path) -> None:
    """Have bytes on the disk for the writes to come, so that they succeed on a disk that is full by then.

    Raises:
        sqlite3.Error: There is no room now; the journal is as it was.
    """
    page_bytes = int(connection.execute("PRAGMA page_size").fetchone()[0])
    free_pages = int(connection.execute("PRAGMA freelist_count").fetchone()[0])
    if free_pages * page_bytes < ROOM_BYTES // 2:
        with transaction(connection):
            connection.execute("INSERT INTO room (id, filling) VALUES (0, zeroblob(?))", (ROOM_BYTES,))
        with transaction(connection):
            connection.execute("DELETE FROM room WHERE id = 0")
    rollback = path.with_name(f"{path.name}-journal")
    if not rollback.exists() or rollback.stat().st_size < _ROLLBACK_BYTES:
        # Changing many pages at once makes the rollback journal as large as this and it stays.
        change = (
            "INSERT INTO room (id, filling) VALUES (?, zeroblob(?)) ON CONFLICT DO UPDATE SET filling = randomblob(?)"
        )
        for _ in range(2):
            with transaction(connection):
                connection.executemany(
                    change,
                    [(row, _ROLLBACK_ROW_BYTES, _ROLLBACK_ROW_BYTES) for row in range(1, _ROLLBACK_ROWS + 1)],
                )


class transaction:  # noqa: N801 - reads as a statement
    """Everything in the ``with`` block is written, or nothing: also when Ctrl-C comes in the middle."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        """Take the right to write."""
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Write or forget."""
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            # A failed write may or may not have rolled back by itself. Source: sqlite.org/lang_transaction.html
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _checked(path: Path, mode: str, *, reading: bool = False) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode={mode}",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise refused(path, error) from error
    try:
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA foreign_keys = ON")
        if reading:
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("PRAGMA journal_mode = PERSIST")
            connection.execute("PRAGMA synchronous = FULL")
            _create(connection)
        _check_version(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise refused(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _create(connection: sqlite3.Connection) -> None:
    if _is_complete(connection):
        return
    with transaction(connection):
        if _is_complete(connection):
            return
        is_new = not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        format_now = 1 if is_new else int(connection.execute("PRAGMA user_version").fetchone()[0])
        added = [text for number, text in sorted(_ADDED.items()) if number > format_now]
        for text in (_SCHEMA, *added) if is_new else added:
            for statement in text.split(";\n"):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _is_complete(connection: sqlite3.Connection) -> bool:
    """Return whether there is nothing to create: it is of this format, or no journal that this may touch."""
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        return False
    ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    return not ours or connection.execute("PRAGMA user_version").fetchone()[0] >= SCHEMA_VERSION


def has_instructions(connection: sqlite3.Connection) -> bool:
    """Return whether the journal is of a format that holds what instructions of builds were measured to do."""
    return _is_format(connection, 2)


def has_cache(connection: sqlite3.Connection) -> bool:
    """Return whether the journal is of a format that holds what runs left in the build cache."""
    return _is_format(connection, 3)


def version_column(connection: sqlite3.Connection) -> str:
    """Return the expression that reads a version from a journal of any format."""
    return "version_json" if _is_format(connection, 4) else VERSION_JSON_BEFORE_4


def shared_column(connection: sqlite3.Connection) -> str:
    """Return the expression that reads whether measured bytes are shared: before format 4 steps ran one at a time."""
    return "shared" if _is_format(connection, 4) else "0"


def blob_column(connection: sqlite3.Connection) -> str:
    """Return the expression that reads the compressed bytes of a layer: before format 5 nobody wrote them down."""
    return "blob_bytes" if _is_format(connection, 5) else "NULL"


def in_image_column(connection: sqlite3.Connection) -> str:
    """Return the expression that reads whether a layer is in the image: before format 5 nobody wrote it down."""
    return "in_image" if _is_format(connection, 5) else "1"


def _is_format(connection: sqlite3.Connection, number: int) -> bool:
    """Return whether the journal is of a format or a later one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0]) >= number


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application_id != APPLICATION_ID:
        raise TonnageError(
            f"{path} is not a journal of Tonnage",
            why="It is a database of another program.",
            todo="Move it away; the next run begins a new journal.",
        )
    if version > SCHEMA_VERSION:
        raise EngineLacksError(
            f"the journal {path} was written by a newer Tonnage",
            why=f"Its format is {version}; this Tonnage knows formats up to {SCHEMA_VERSION}.",
            todo="Use that newer Tonnage for this machine, or move the journal away to begin a new one.",
        )


def _unusable(path: Path, error: OSError) -> TonnageError:
    return UsageError(
        f"the journal {path} cannot be opened",
        why=f"{error.strerror or error}.",
        todo="Give this user the right to write there, or set TONNAGE_STATE_DIR to a directory where it has it.",
    )


def refused(path: Path, error: sqlite3.Error) -> TonnageError:
    """Return what SQLite refused, as people should read it."""
    if _code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return damaged(path, f"SQLite says: {error}.")
    if is_full(path, error):
        return CannotFitError(
            f"the journal {path} cannot be written",
            why="There is no space left on its disk.",
            todo="Free two megabytes there, or set TONNAGE_STATE_DIR to a directory on another disk.",
        )
    return UsageError(
        f"the journal {path} cannot be used",
        why=f"SQLite says: {error}.",
        todo="Give this user the right to read and write it, or set TONNAGE_STATE_DIR to a directory where it has it.",
    )


def is_full(path: Path, error: sqlite3.Error) -> bool:
    """Return whether SQLite raised that because there is no space left on the journal's disk.

    SQLite says so itself when a write was cut short, but calls it a failed input or output, or a file that cannot be
    opened, when it was about to make a file.
    """
    code = _code(error)
    if code == sqlite3.SQLITE_FULL:
        return True
    if code not in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}:
        return False
    found = os.statvfs(path.parent)
    return found.f_bavail * found.f_frsize < ROOM_BYTES


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
