"""What the journal tells of all stacks on one engine: versions to go back to, build seconds, leftover cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from tonnage.model.deploy.plan import Version
from tonnage.runtime.journal.build_cache import read_left
from tonnage.runtime.journal.schema import version_column

if TYPE_CHECKING:
    import sqlite3

    from tonnage.runtime.journal.build_cache import LeftoverCache

_VERSIONS = "SELECT stack, {column} FROM version WHERE engine_id = ? AND withdrawn = 0 ORDER BY id"
_BUILDS = """
SELECT run.stack, step.service, step.seconds FROM step JOIN run ON run.id = step.run_id
WHERE step.kind = 'build' AND step.outcome = 'done' AND step.undo = 0 AND step.seconds IS NOT NULL
ORDER BY step.run_id, step.position
"""


class EngineRecords(Struct, frozen=True, kw_only=True):
    """What is known of all stacks on one engine.

    Args:
        versions: Every good version with its stack, oldest first.
        leftovers: The build cache around runs that came to nothing, oldest first.
        build_seconds: How long building each service took the last time, by stack and service, on any engine.
    """

    versions: tuple[tuple[str, Version], ...] = ()
    leftovers: tuple[LeftoverCache, ...] = ()
    build_seconds: dict[tuple[str, str], float] = field(default_factory=dict)


def read_engine_records(connection: sqlite3.Connection, engine_id: str) -> EngineRecords:
    """Return what is known of all stacks on an engine.

    Raises:
        sqlite3.Error: The file cannot be read.
        msgspec.DecodeError: A version in it cannot be understood.
    """
    rows = connection.execute(_VERSIONS.format(column=version_column(connection)), (engine_id,))
    return EngineRecords(
        versions=tuple((stack, msgspec.json.decode(text, type=Version)) for stack, text in rows),
        leftovers=read_left(connection, engine_id),
        build_seconds={(stack, service): seconds for stack, service, seconds in connection.execute(_BUILDS)},
    )
