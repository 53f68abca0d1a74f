"""What the journal tells of all stacks on one engine together: versions to go back to, and how long builds took."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import msgspec

from tonnage.errors import TonnageError
from tonnage.model.deploy.plan import Version
from tonnage.runtime.journal.schema import open_to_read, refused, version_column

if TYPE_CHECKING:
    from pathlib import Path

_VERSIONS = "SELECT stack, {column} FROM version WHERE engine_id = ? AND withdrawn = 0 ORDER BY id"
_BUILDS = """
SELECT run.stack, step.service, step.seconds FROM step JOIN run ON run.id = step.run_id
WHERE step.kind = 'build' AND step.outcome = 'done' AND step.undo = 0 AND step.seconds IS NOT NULL
ORDER BY step.run_id, step.position
"""


def good_versions(path: Path, engine_id: str) -> tuple[tuple[str, Version], ...]:
    """Return every good version of every stack on an engine, oldest first, with its stack.

    Raises:
        TonnageError: The journal cannot be read, or a version in it cannot be understood.
    """
    connection = open_to_read(path)
    if connection is None:
        return ()
    try:
        rows = connection.execute(_VERSIONS.format(column=version_column(connection)), (engine_id,)).fetchall()
        return tuple((stack, msgspec.json.decode(text, type=Version)) for stack, text in rows)
    except sqlite3.Error as error:
        raise refused(path, error) from error
    except msgspec.DecodeError as error:
        raise TonnageError(f"the journal {path} has a version that cannot be understood", why=f"{error}.") from error
    finally:
        connection.close()


def build_seconds(path: Path) -> dict[tuple[str, str], float]:
    """Return how long building each service took the last time, by stack and service.

    Raises:
        TonnageError: The journal cannot be read.
    """
    connection = open_to_read(path)
    if connection is None:
        return {}
    try:
        return {(stack, service): seconds for stack, service, seconds in connection.execute(_BUILDS)}
    except sqlite3.Error as error:
        raise refused(path, error) from error
    finally:
        connection.close()
