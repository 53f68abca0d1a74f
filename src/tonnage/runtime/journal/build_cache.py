"""What the journal knows of the build cache: what was there before a run, and what a run left that came to nothing.

A run that ends well removes what it left itself. What one left that failed is not worth keeping, but nobody can tell it
from the cache of others later, unless it was written down then.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.runtime.journal.schema import has_cache

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from tonnage.model.inventory import CacheRecord

BEGIN = "INSERT OR REPLACE INTO cache (run_id, stack, engine_id, started_s, before_json) VALUES (?, ?, ?, ?, ?)"
END = "UPDATE cache SET left_json = ? WHERE run_id = ?"
FORGET = "DELETE FROM cache WHERE stack = ? AND engine_id = ?"
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
