"""Takes old runs out of the journal: it keeps the newest of each stack, and those that something is still learned from.

A run goes in a transaction of its own, so that nobody waits for more than that, and none is waited for: where another
process writes, it is left to the next time. The bytes stay in the file for the runs to come; only by hand it is made
smaller.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from typing import TYPE_CHECKING

from tonnage.model.deploy.run import Pruned
from tonnage.runtime.journal.reader import LEARNED_FROM_INSTRUCTIONS, LEARNED_FROM_RUNS
from tonnage.runtime.journal.schema import BUSY_S, transaction

if TYPE_CHECKING:
    from pathlib import Path

MOST_RUNS = 1_000
"""So many runs of each stack are kept, and as many more that something is learned from."""
AT_ONCE, AT_ONCE_S = 20, 0.25
_BY_HAND_S = 600.0
_MOST_BACK = 128 * 1024

# The first run of a stack that is not among its newest.
_BORDER = "SELECT id FROM run WHERE stack = ? ORDER BY id DESC LIMIT 1 OFFSET ?"
_NEXT = """
SELECT id FROM run WHERE stack = ? AND id <= ? AND outcome <> 'running' AND id NOT IN (SELECT run_id FROM kept)
ORDER BY id LIMIT 1
"""
# Something is learned from a run as long as fewer later ones than are learned from did the same.
_IS_LEARNED_FROM = f"""
SELECT EXISTS (
    SELECT 1 FROM instruction AS mine WHERE mine.run_id = :run AND mine.cached = 0 AND mine.learn_key <> ''
    AND (SELECT count(*) FROM (
        SELECT 1 FROM instruction AS later WHERE later.learn_key = mine.learn_key AND later.cached = 0
            AND later.learn_key <> '' AND later.run_id > :run LIMIT {LEARNED_FROM_INSTRUCTIONS}
    )) < {LEARNED_FROM_INSTRUCTIONS}
) OR EXISTS (
    SELECT 1 FROM step AS mine WHERE mine.run_id = :run AND mine.learn_key <> '' AND mine.outcome = 'done'
    AND (SELECT count(*) FROM (
        SELECT 1 FROM step AS later WHERE later.learn_key = mine.learn_key AND later.learn_key <> ''
            AND later.outcome = 'done' AND later.run_id > :run LIMIT {LEARNED_FROM_RUNS}
    )) < {LEARNED_FROM_RUNS}
)
"""  # noqa: S608 - the only values put in are the constants
_OLDEST_KEPT = """
SELECT run_id FROM kept WHERE run_id IN (SELECT id FROM run WHERE stack = :stack)
ORDER BY run_id DESC LIMIT 1 OFFSET :most
"""
_REMOVE = tuple(
    f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608 - nothing from outside
    for table, column in (
        ("measured", "run_id"),
        ("curve", "run_id"),
        ("instruction", "run_id"),
        ("step", "run_id"),
        ("kept", "run_id"),
        ("run", "id"),
    )
)


def trim(connection: sqlite3.Connection, stack: str, *, most: int | None = None, within_s: float = AT_ONCE_S) -> int:
    """Take out runs of one stack that are too old, as many as may be at once; return how many were.

    Args:
        most: How many at most; None for as many as the end of a run takes out.
        within_s: After these seconds no further one.
    """
    end_s = time.monotonic() + within_s
    removed = looked_at = 0
    with _not_waiting(connection), contextlib.suppress(sqlite3.Error):
        border = connection.execute(_BORDER, (stack, MOST_RUNS)).fetchone()
        while border is not None and looked_at < (AT_ONCE if most is None else most) and time.monotonic() < end_s:
            found = connection.execute(_NEXT, (stack, border[0])).fetchone()
            if found is None:
                break
            looked_at += 1
            removed += _take_out(connection, stack, found[0])
    return removed


def _take_out(connection: sqlite3.Connection, stack: str, run_id: int) -> int:
    """Take out one run, or keep it, and then perhaps an older one less; return how many were taken out."""
    with transaction(connection):
        if not connection.execute(_IS_LEARNED_FROM, {"run": run_id}).fetchone()[0]:
            _remove(connection, run_id)
            return 1
        connection.execute("INSERT OR IGNORE INTO kept (run_id) VALUES (?)", (run_id,))
        connection.execute("UPDATE step SET log = '' WHERE run_id = ? AND log <> ''", (run_id,))
        oldest = connection.execute(_OLDEST_KEPT, {"stack": stack, "most": MOST_RUNS}).fetchone()
        if oldest is None:
            return 0
        _remove(connection, oldest[0])
        return 1


def _remove(connection: sqlite3.Connection, run_id: int) -> None:
    for statement in _REMOVE:
        connection.execute(statement, (run_id,))


def prune(connection: sqlite3.Connection, path: Path) -> Pruned:
    """Take out all that is too old of every stack, and make the file smaller where that needs nobody to wait.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    before_bytes = path.stat().st_size
    removed = 0
    for (stack,) in connection.execute("SELECT DISTINCT stack FROM run").fetchall():
        removed += trim(connection, stack, most=sys.maxsize, within_s=_BY_HAND_S)
    _shrink(connection, path)
    left = connection.execute("SELECT count(*) FROM run").fetchone()[0]
    return Pruned(runs=removed, left=left, before_bytes=before_bytes, after_bytes=path.stat().st_size)


def _shrink(connection: sqlite3.Connection, path: Path) -> None:
    """Write the file anew without what is free in it, where there is room for that and nobody writes."""
    pages, free_pages, page_bytes = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    disk = os.statvfs(path.parent)
    if free_pages * 2 < pages or disk.f_bavail * disk.f_frsize < pages * page_bytes:
        return
    with _not_waiting(connection), contextlib.suppress(sqlite3.Error):
        connection.execute(f"PRAGMA journal_size_limit = {_MOST_BACK}")
        connection.execute("VACUUM")
    connection.execute("PRAGMA journal_size_limit = -1")


class _not_waiting:  # noqa: N801 - reads as a statement
    """In the ``with`` block another process that writes is not waited for."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        """Wait for nobody."""
        self._connection.execute("PRAGMA busy_timeout = 0")

    def __exit__(self, *_: object) -> None:
        """Wait again."""
        self._connection.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")
