"""A journal with many runs, written at once."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from pathlib import Path

STEPS, INSTRUCTIONS, STACKS = 15, 9, 10
_LOG = "a line of a build that ended well\n" * 4
_FIGURE = '{"low_bytes":1000003,"likely_bytes":1000003,"high_bytes":1000003,"grade":"learned"}'
_FIGURES = f"[{_FIGURE},{_FIGURE}]"


def fill(path: Path, runs: int) -> None:
    """Create a journal of runs of ten stacks in turn, each with fifteen steps and nine instructions of a build."""
    with Journal(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO run VALUES (?, ?, 'SCALE:SCALE', 'unix:///e', 'deploy', 'f', '/', 1, ?, 60.0, 'done', '', 1, "
            "'host', 'birth')",
            ((number, f"stack{number % STACKS}", 1.7e9 + number * 60) for number in range(1, runs + 1)),
        )
        connection.executemany(
            "INSERT INTO step (run_id, position, name, service, kind, undo, learn_key, started_s, seconds, outcome, "
            "forecast_kept_bytes, forecast_grade, message, log, forecast_json) "
            "VALUES (?, ?, ?, ?, 'build', 0, ?, 1.7e9, 4.0, 'done', 1000003, 'learned', '', ?, ?)",
            (
                (number, place, f"step {place}", f"service{place}", f"key {number % STACKS} {place}", _LOG, _FIGURES)
                for number in range(1, runs + 1)
                for place in range(STEPS)
            ),
        )
        connection.executemany(
            "INSERT INTO measured VALUES (?, ?, 0, '/', 9000000011, 8000000007, 7900000003, 12, 0)",
            ((number, place) for number in range(1, runs + 1) for place in range(STEPS)),
        )
        connection.executemany(
            "INSERT INTO instruction (run_id, step_position, position, stage, line, text, layer_key, learn_key, "
            "image_id, forecast_image_json, forecast_disk_json, forecast_transient_json, image_bytes, kept_bytes, "
            "transient_bytes, cached, blob_bytes, in_image) VALUES (?, 0, ?, 'web', ?, 'RUN make', ?, ?, 'sha256:1', "
            "?, ?, ?, 1000003, 1000003, 1000003, 0, 300007, 1)",
            (
                (number, place, place, f"layer {number} {place}", _learn_key(number, place), *[_FIGURE] * 3)
                for number in range(1, runs + 1)
                for place in range(INSTRUCTIONS)
            ),
        )


def _learn_key(number: int, place: int) -> str:
    return f"{number % STACKS}{place}"
