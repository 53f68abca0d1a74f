"""What the journal holds about the instructions of builds: what was forecast beside what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tonnage.model.deploy.run import InstructionOutcome
from tonnage.model.forecast.estimate import UNKNOWN, Estimate, Grade
from tonnage.model.forecast.learned import LearnedInstruction, lesson_keys

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from tonnage.model.deploy.plan import ExpectedInstruction
    from tonnage.model.deploy.run import MeasuredInstruction

_LEARNED_FROM = 10
_MOST_BUILT = 4000

INSERT = """
INSERT INTO instruction (run_id, step_position, position, stage, line, text, layer_key, learn_key, image_id,
    forecast_image_json, forecast_disk_json, forecast_transient_json, image_bytes, kept_bytes, transient_bytes, cached)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_TAUGHT = f"""
SELECT learn_key, image_bytes, kept_bytes, transient_bytes FROM (
    SELECT instruction.*, row_number() OVER (PARTITION BY learn_key ORDER BY run_id DESC, step_position DESC) AS age
    FROM instruction WHERE learn_key <> '' AND cached = 0 AND (image_bytes IS NOT NULL OR kept_bytes IS NOT NULL)
) WHERE age <= {_LEARNED_FROM} ORDER BY run_id DESC, step_position DESC, position DESC
"""  # noqa: S608 - the only value put in is the constant above
_BUILT = f"""
SELECT DISTINCT layer_key, image_id FROM instruction JOIN run ON run.id = instruction.run_id
WHERE run.engine_id = ? AND image_id <> '' AND layer_key <> '' ORDER BY instruction.run_id DESC LIMIT {_MOST_BUILT}
"""  # noqa: S608 - the only value put in is the constant above
_OUTCOMES = """
SELECT instruction.run_id, step.service, stage, line, text, forecast_image_json, forecast_disk_json,
    forecast_transient_json, image_bytes, kept_bytes, transient_bytes, cached
FROM instruction
JOIN step ON step.run_id = instruction.run_id AND step.position = step_position
JOIN run ON run.id = instruction.run_id
WHERE (? = '' OR run.stack = ?) ORDER BY instruction.run_id DESC, step_position, instruction.position LIMIT ?
"""


def rows(
    run_id: int,
    step_position: int,
    expected: Sequence[ExpectedInstruction],
    measured: Sequence[MeasuredInstruction],
    image_id: str,
) -> list[tuple[object, ...]]:
    """Return the rows of one build step."""
    found: list[tuple[object, ...]] = []
    for position, (each, seen) in enumerate(zip(expected, measured, strict=False)):
        forecasts = (msgspec.json.encode(figure).decode() for figure in (each.image, each.disk, each.transient))
        found.append(
            (
                *(
                    run_id,
                    step_position,
                    position,
                    each.stage,
                    each.line,
                    each.text,
                    each.key,
                    each.learn_key,
                    image_id,
                ),
                *forecasts,
                *(seen.image_bytes, seen.kept_bytes, seen.transient_bytes, int(seen.cached)),
            )
        )
    return found


def read_taught(connection: sqlite3.Connection) -> dict[str, LearnedInstruction]:
    """Return what instructions were measured to write, by each of their lesson keys.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    figures: dict[str, list[tuple[int | None, int | None, int | None]]] = {}
    for key, image_bytes, kept_bytes, transient_bytes in connection.execute(_TAUGHT):
        for each in filter(None, lesson_keys(key)):
            figures.setdefault(each, []).append((image_bytes, kept_bytes, transient_bytes))
    return {key: _taught(entries[:_LEARNED_FROM]) for key, entries in figures.items()}


def _taught(newest_first: Sequence[tuple[int | None, int | None, int | None]]) -> LearnedInstruction:
    image, disk, transient = zip(*newest_first, strict=True)
    return LearnedInstruction(
        image=_spread(image), disk=_spread(disk), transient=_spread(transient), runs=len(newest_first)
    )


def read_built(connection: sqlite3.Connection, engine_id: str) -> tuple[tuple[str, str], ...]:
    """Return layers that were built on an engine, with the image that each is in.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    return tuple((key, image_id) for key, image_id in connection.execute(_BUILT, (engine_id,)))


def read_outcomes(connection: sqlite3.Connection, limit: int, stack: str) -> tuple[InstructionOutcome, ...]:
    """Return instructions with forecast and measured figures, newest runs first.

    Raises:
        sqlite3.Error: The file cannot be read.
        msgspec.DecodeError: A forecast in it cannot be understood.
    """
    return tuple(
        InstructionOutcome(
            run_id=run_id,
            service=service,
            stage=stage,
            line=line,
            text=text,
            forecast_image=msgspec.json.decode(image, type=Estimate),
            forecast_disk=msgspec.json.decode(disk, type=Estimate),
            forecast_transient=msgspec.json.decode(transient, type=Estimate),
            image_bytes=image_bytes,
            kept_bytes=kept_bytes,
            transient_bytes=transient_bytes,
            cached=bool(cached),
        )
        for (
            *(run_id, service, stage, line, text, image, disk, transient),
            image_bytes,
            kept_bytes,
            transient_bytes,
            cached,
        ) in connection.execute(_OUTCOMES, (stack, stack, limit))
    )


def _spread(newest_first: Sequence[int | None]) -> Estimate:
    known = [figure for figure in newest_first if figure is not None]
    if not known:
        return UNKNOWN
    return Estimate(min(known), known[0], max(known), Grade.LEARNED)
