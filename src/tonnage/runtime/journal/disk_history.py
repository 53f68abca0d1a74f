"""What the journal keeps of the disk over the time of runs, and of what was forecast to lie in each instruction.

Bounded: a run has a few hundred points, and only the last runs have any. Where a journal has none, points are those
that were measured around each step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tonnage.lazily import learned
from tonnage.model.deploy.disk_history import DiskHistory, StepSpan

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

KEPT_FOR_RUNS = 500

ADDED_IN_7 = """
CREATE TABLE IF NOT EXISTS curve (
    run_id INTEGER PRIMARY KEY,
    points_json TEXT NOT NULL
) STRICT;
ALTER TABLE instruction ADD COLUMN parts_json TEXT NOT NULL DEFAULT '[]';
"""

_KEEP_CURVE = "INSERT OR REPLACE INTO curve (run_id, points_json) VALUES (?, ?)"
_FORGET_CURVES = "DELETE FROM curve WHERE run_id <= ?"
_SPANS = """
SELECT step.name, step.started_s - run.started_s, step.seconds, measured.before_bytes, measured.lowest_bytes,
    measured.after_bytes
FROM step JOIN run ON run.id = step.run_id
LEFT JOIN measured ON measured.run_id = step.run_id AND measured.step_position = step.position
    AND measured.position = 0
WHERE step.run_id = ? ORDER BY step.position
"""


def curve_rows(run_id: int, points: Sequence[tuple[float, int]]) -> list[tuple[str, tuple[object, ...]]]:
    """Return the statements that keep the points of a run, and drop those of runs long ago."""
    text = msgspec.json.encode(points).decode()
    return [(_KEEP_CURVE, (run_id, text)), (_FORGET_CURVES, (run_id - KEPT_FOR_RUNS,))]


def parts_column(connection: sqlite3.Connection) -> str:
    """Return the expression that reads what was forecast to lie in an instruction: before format 7 nobody kept it."""
    return "parts_json" if _has_curves(connection) else "'[]'"


def read_disk_histories(connection: sqlite3.Connection, run_ids: Iterable[int]) -> dict[int, DiskHistory]:
    """Return how the disk went in runs.

    Raises:
        sqlite3.Error: The file cannot be read.
        msgspec.DecodeError: Points in it cannot be understood.
    """
    has_curves = _has_curves(connection)
    found = {}
    for run_id in run_ids:
        rows = connection.execute(_SPANS, (run_id,)).fetchall()
        spans = tuple(
            StepSpan(name=name, began_s=max(0.0, began_s), seconds=seconds or 0.0)
            for name, began_s, seconds, *_ in rows
        )
        kept = connection.execute("SELECT points_json FROM curve WHERE run_id = ?", (run_id,)) if has_curves else ()
        form = tuple[tuple[float, int], ...]
        points = tuple(point for (text,) in kept for point in msgspec.json.decode(text, type=learned(form)))
        sampled = bool(points)
        if not sampled:
            points = tuple(
                point
                for span, (*_, before, lowest, after) in zip(spans, rows, strict=True)
                if before is not None
                for point in _around(span, before, lowest, after)
            )
        found[run_id] = DiskHistory(run_id=run_id, points=points, spans=spans, sampled=sampled)
    return found


def _around(
    span: StepSpan, before_bytes: int, lowest_bytes: int, after_bytes: int
) -> tuple[tuple[float, int], tuple[float, int], tuple[float, int]]:
    """Return a step's points; when in it the disk was lowest is not known: it stands in the middle."""
    began_s, ended_s = span.began_s, span.began_s + span.seconds
    return (began_s, before_bytes), ((began_s + ended_s) / 2, lowest_bytes), (ended_s, after_bytes)


def _has_curves(connection: sqlite3.Connection) -> bool:
    return int(connection.execute("PRAGMA user_version").fetchone()[0]) >= 6  # noqa: PLR2004 - the format that added it
