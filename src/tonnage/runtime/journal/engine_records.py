"""What the journal tells of all stacks on one engine: versions to go back to, build seconds, leftover cache."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from tonnage.lazily import learned
from tonnage.model.deploy.plan import Version
from tonnage.runtime.journal.schema import has_cache, version_column

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from tonnage.model.inventory import CacheRecord

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
        versions=tuple((stack, msgspec.json.decode(text, type=learned(Version))) for stack, text in rows),
        leftovers=read_left(connection, engine_id),
        build_seconds={(stack, service): seconds for stack, service, seconds in connection.execute(_BUILDS)},
    )


BEGIN_CACHE = "INSERT OR REPLACE INTO cache (run_id, stack, engine_id, started_s, before_json) VALUES (?, ?, ?, ?, ?)"
END_CACHE = "UPDATE cache SET left_json = ? WHERE run_id = ?"
FORGET_CACHE = "DELETE FROM cache WHERE stack = ? AND engine_id = ?"
_READ = "SELECT run_id, stack, started_s, before_json, left_json FROM cache WHERE engine_id = ? ORDER BY run_id"


class LeftoverCache(Struct, frozen=True, kw_only=True):
    """The build cache around a run that came to nothing.

    Args:
        started_s: When the run began, seconds since the epoch.
        left: Ids of those that it left; None where it was killed before anybody looked.
    """

    stack: str
    started_s: float
    before: frozenset[str]
    left: frozenset[str] | None


def ids_text(record_ids: Iterable[str]) -> str:
    """Return ids of records as they stand in the journal."""
    return json.dumps(sorted(record_ids), separators=(",", ":"))


def read_left(connection: sqlite3.Connection, engine_id: str) -> tuple[LeftoverCache, ...]:
    """Return what runs on an engine left that came to nothing, oldest first.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    if not has_cache(connection):
        return ()
    return tuple(
        LeftoverCache(
            stack=stack,
            started_s=started_s,
            before=frozenset(json.loads(before)),
            left=frozenset(json.loads(left)) if left else None,
        )
        for _, stack, started_s, before, left in connection.execute(_READ, (engine_id,))
    )


def worthless(found: Iterable[LeftoverCache], records: Iterable[CacheRecord]) -> frozenset[str]:
    """Return the records that runs left which came to nothing.

    Of a run that was killed nobody knows what it left: of those it is what was made since it began.
    """
    records = tuple(records)
    ids: set[str] = set()
    for each in found:
        if each.left is not None:
            ids |= each.left
        else:
            ids |= {r.record_id for r in records if r.created_s >= each.started_s and r.record_id not in each.before}
    return frozenset(ids)
