"""What the journal tells: runs with their steps, and what was learned from them.

Only reads. A run whose process died in it is told as interrupted, from its owner, without changing the file.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from tonnage.lazily import learned
from tonnage.model.deploy.plan import Purpose, Version
from tonnage.model.deploy.run import BuiltLayer, History, InstructionOutcome, Measured, Outcome, Run, StepOutcome
from tonnage.model.forecast.estimate import UNKNOWN, Estimate, Grade
from tonnage.model.forecast.learned import LearnedInstruction, LearnedStep, lesson_keys
from tonnage.runtime.journal.disk_history import parts_column
from tonnage.runtime.journal.schema import blob_column, has_instructions, in_image_column, shared_column, version_column
from tonnage.runtime.process_identity import Owner, has_died

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from tonnage.model.deploy.expected_build import ExpectedInstruction
    from tonnage.model.deploy.run import MeasuredInstruction

LEARNED_FROM_RUNS = 20
LEARNED_FROM_INSTRUCTIONS = 10
# Of one stack no more are kept than these (see ``trimming``); a journal that was never trimmed is read as if it were.
_MOST_RUNS = 2_000

_LEARN = f"""
SELECT learn_key, before_bytes, after_bytes, lowest_bytes, seconds, kind, run_id, step_position FROM (
    SELECT step.learn_key, step.seconds, step.kind, measured.*,
        row_number() OVER (PARTITION BY step.learn_key ORDER BY step.run_id DESC, step.position DESC) AS age
    FROM step
    JOIN run ON run.id = step.run_id
    JOIN measured ON measured.run_id = step.run_id AND measured.step_position = step.position
    WHERE run.id IN (SELECT id FROM run WHERE stack = ? ORDER BY id DESC LIMIT {_MOST_RUNS})
        AND step.learn_key <> '' AND step.outcome = 'done' AND step.undo = 0 AND measured.position = 0
        AND {{shared}} = 0
) WHERE age <= {LEARNED_FROM_RUNS} ORDER BY learn_key, age
"""  # noqa: S608 - the only value put in is the constant above

_RUNS = """
SELECT id, stack, engine_id, purpose, filesystem, line_bytes, started_s, seconds, outcome, message,
    owner_pid, owner_host, owner_birth
FROM run WHERE ? = '' OR stack = ? ORDER BY id DESC LIMIT ?
"""
_ONE_RUN = _RUNS.partition("WHERE")[0] + "WHERE id = ?"

_STEPS = """
SELECT position, name, service, kind, undo, outcome, forecast_kept_bytes, forecast_grade, message, log, forecast_json,
    started_s, seconds
FROM step WHERE run_id = ? ORDER BY position
"""
# Before format 2 a journal held of a forecast its likely figure only.
_STEPS_OF_1 = _STEPS.replace("forecast_json", "''")

_MEASURED = """
SELECT step_position, mount, before_bytes, after_bytes, lowest_bytes, samples, {shared}
FROM measured WHERE run_id = ? ORDER BY step_position, position
"""

_VERSIONS = """
SELECT {column}, withdrawn FROM version WHERE stack = ? AND engine_id = ? ORDER BY id
"""

_SECONDS = f"""
SELECT step.name, step.kind, step.seconds FROM step
WHERE step.run_id IN (
    SELECT id FROM run WHERE stack = ? AND engine_id = ? ORDER BY id DESC LIMIT {LEARNED_FROM_RUNS}
) AND step.outcome = 'done' AND step.undo = 0 AND step.seconds IS NOT NULL ORDER BY step.run_id, step.position
"""  # noqa: S608 - the only value put in is the constant above


_RAN = "SELECT text, cached FROM instruction WHERE run_id = ? AND step_position = ?"
_BUILD = "build"

# Its last step for a service begins when that is proven. What is told as running here was killed: it held the lock.
_GONE_BACK = """
SELECT DISTINCT step.service FROM step JOIN run ON run.id = step.run_id
WHERE run.stack = :stack AND run.engine_id = :engine_id AND step.kind = 'keep' AND run.id > (
    SELECT coalesce(max(id), 0) FROM run WHERE stack = :stack AND engine_id = :engine_id AND purpose <> 'reclaim'
        AND NOT (purpose = 'rollback' AND outcome <> 'done')
)
"""


def read_history(connection: sqlite3.Connection, stack: str, engine_id: str) -> History:
    """Return what is known about a stack.

    Raises:
        sqlite3.Error: The file cannot be read.
        msgspec.DecodeError: A version in it cannot be understood.
    """
    is_there = has_instructions(connection)
    measured: dict[str, list[tuple[Measured, float]]] = {}
    ran: dict[str, set[str]] = {}
    for key, before_bytes, after_bytes, lowest_bytes, seconds, kind, *place in connection.execute(
        _LEARN.format(shared=shared_column(connection)), (stack,)
    ):
        entry = _measured("", before_bytes, after_bytes, lowest_bytes, 0, 0)
        measured.setdefault(key, []).append((entry, seconds or 0.0))
        if is_there and kind == _BUILD:
            for text, cached in connection.execute(_RAN, place):
                ran.setdefault(key, set()).update(() if cached else (text,))
    of_versions = _VERSIONS.format(column=version_column(connection))
    known: tuple[list[Version], list[Version]] = ([], [])
    for text, withdrawn in connection.execute(of_versions, (stack, engine_id)):
        known[withdrawn].append(msgspec.json.decode(text, type=learned(Version)))
    return History(
        learned={key: _learn(entries, ran.get(key)) for key, entries in measured.items()},
        versions=tuple(known[False]),
        withdrawn=tuple(known[True]),
        taught=read_taught(connection) if is_there else {},
        built=read_built(connection, engine_id) if is_there else (),
        gone_back=_gone_back(connection, stack, engine_id),
        # The newest stands last.
        seconds={(name, kind): seconds for name, kind, seconds in connection.execute(_SECONDS, (stack, engine_id))},
    )


def _gone_back(connection: sqlite3.Connection, stack: str, engine_id: str) -> frozenset[str]:
    """Return the services that runs had rolled back which did not come to their end, with no other run since."""
    found = connection.execute(_GONE_BACK, {"stack": stack, "engine_id": engine_id})
    return frozenset(name for (name,) in found)


def read_runs(connection: sqlite3.Connection, limit: int, stack: str) -> tuple[Run, ...]:
    """Return the last runs, newest first, of one stack or (when it is empty) of all.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    rows = connection.execute(_RUNS, (stack, stack, limit)).fetchall()
    return tuple(_run(connection, row) for row in rows)


def read_run(connection: sqlite3.Connection, run_id: int) -> Run | None:
    """Return one run; None where there is none of that number.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    row = connection.execute(_ONE_RUN, (run_id,)).fetchone()
    return None if row is None else _run(connection, row)


def _learn(newest_first: Sequence[tuple[Measured, float]], ran: set[str] | None) -> LearnedStep:
    return LearnedStep(
        kept=_spread([entry.kept_bytes for entry, _ in newest_first]),
        transient=_spread([entry.transient_bytes for entry, _ in newest_first]),
        seconds=newest_first[0][1],
        runs=len(newest_first),
        ran=None if ran is None else frozenset(ran),
    )


def _run(connection: sqlite3.Connection, row: tuple[Any, ...]) -> Run:
    run_id, stack, engine_id, purpose, filesystem, reserve_bytes, started_s, seconds, outcome, message, *owner = row
    if outcome == Outcome.RUNNING and has_died(Owner(pid=owner[0], host=owner[1], birth=owner[2])):
        outcome = Outcome.INTERRUPTED
        message = message or "The process died in the middle of this run."
    steps = _STEPS if has_instructions(connection) else _STEPS_OF_1
    step_rows = connection.execute(steps, (run_id,)).fetchall()
    measured: dict[int, list[Measured]] = {}
    for position, *figures in connection.execute(_MEASURED.format(shared=shared_column(connection)), (run_id,)):
        measured.setdefault(position, []).append(_measured(*figures))
    return Run(
        run_id=run_id,
        stack=stack,
        engine_id=engine_id,
        purpose=Purpose(purpose),
        started_s=started_s,
        seconds=_known_seconds(started_s, step_rows) if seconds is None else seconds,
        outcome=Outcome(outcome),
        filesystem=filesystem,
        reserve_bytes=reserve_bytes,
        message=message,
        steps=tuple(_step(step, tuple(measured.get(step[0], ())), run_outcome=outcome) for step in step_rows),
    )


def _known_seconds(started_s: float, step_rows: Sequence[tuple[Any, ...]]) -> float:
    """Return how long a run without an end is known to have lasted: to the last thing that is known of its steps."""
    return max((began_s + (seconds or 0.0) - started_s for *_, began_s, seconds in step_rows), default=0.0)


def _step(row: tuple[Any, ...], measured: tuple[Measured, ...], *, run_outcome: str) -> StepOutcome:
    _, name, service, kind, undo, outcome, kept_bytes, grade, message, log, forecast, _, seconds = row
    kept, transient = (
        msgspec.json.decode(forecast, type=learned(tuple[Estimate, Estimate])) if forecast else (None, None)
    )
    if outcome == Outcome.RUNNING and run_outcome != Outcome.RUNNING:
        outcome = Outcome.INTERRUPTED
    return StepOutcome(
        name=name,
        service=service,
        kind=kind,
        outcome=Outcome(outcome),
        seconds=seconds or 0.0,
        measured=measured,
        forecast_kept_bytes=kept_bytes,
        forecast_grade=grade,
        message=message,
        log=log,
        undo=bool(undo),
        forecast_kept=kept,
        forecast_transient=transient,
    )


def _measured(
    mount: str, before_bytes: int, after_bytes: int, lowest_bytes: int, samples: int, shared: int
) -> Measured:
    return Measured(
        mount=mount,
        before_bytes=before_bytes,
        after_bytes=after_bytes,
        lowest_bytes=lowest_bytes,
        samples=samples,
        shared=bool(shared),
    )


# Of one instruction: its layer unpacked and compressed, and what the disk kept and needed.
_Figures = tuple[int | None, int | None, int | None, int | None]
_MOST_BUILT = 4000
_MOST_LOOKED_AT = 50_000
_FORECASTS = ("forecast_image", "forecast_disk", "forecast_transient")

INSERT_INSTRUCTION = """
INSERT INTO instruction (run_id, step_position, position, stage, line, text, layer_key, learn_key, image_id,
    forecast_image_json, forecast_disk_json, forecast_transient_json, image_bytes, blob_bytes, kept_bytes,
    transient_bytes, cached, in_image, parts_json)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# Each key is looked up by itself, so that what was measured long ago, and many times since, is not read.
_KEYS = """
WITH RECURSIVE known (learn_key) AS (
    SELECT min(learn_key) FROM instruction WHERE cached = 0 AND learn_key <> ''
    UNION ALL
    SELECT (SELECT min(learn_key) FROM instruction WHERE cached = 0 AND learn_key <> '' AND learn_key > known.learn_key)
    FROM known WHERE known.learn_key IS NOT NULL
)
SELECT learn_key FROM known WHERE learn_key IS NOT NULL
"""
_TAUGHT = f"""
SELECT run_id, step_position, position, image_bytes, {{blob}}, kept_bytes, transient_bytes FROM instruction
WHERE learn_key = ? AND learn_key <> '' AND cached = 0 AND (image_bytes IS NOT NULL OR kept_bytes IS NOT NULL)
ORDER BY run_id DESC, step_position DESC, position DESC LIMIT {LEARNED_FROM_INSTRUCTIONS}
"""  # noqa: S608 - the only value put in is the constant above
_BUILT = f"""
SELECT DISTINCT layer_key, image_id, text, in_image FROM (
    SELECT layer_key, image_id, text, {{in_image}} AS in_image, instruction.run_id AS run_id
    FROM instruction JOIN run ON run.id = instruction.run_id
    WHERE run.engine_id = ? AND image_id <> '' AND layer_key <> ''
    ORDER BY instruction.run_id DESC LIMIT {_MOST_LOOKED_AT}
) ORDER BY run_id DESC LIMIT {_MOST_BUILT}
"""  # noqa: S608 - the only values put in are the constants above
_OUTCOMES = """
SELECT instruction.run_id, step.service, stage, line, text, forecast_image_json, forecast_disk_json,
    forecast_transient_json, image_bytes, kept_bytes, transient_bytes, cached, {parts}
FROM instruction
JOIN step ON step.run_id = instruction.run_id AND step.position = step_position
JOIN run ON run.id = instruction.run_id
WHERE (? = '' OR run.stack = ?) ORDER BY instruction.run_id DESC, step_position, instruction.position LIMIT ?
"""


def instruction_rows(
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
                *(run_id, step_position, position, each.stage, each.line, each.text, each.key, each.learn_key),
                *(image_id, *forecasts),
                *(seen.image_bytes, seen.blob_bytes, seen.kept_bytes, seen.transient_bytes, int(seen.cached)),
                *(int(each.in_image), msgspec.json.encode(each.parts).decode()),
            )
        )
    return found


def read_taught(connection: sqlite3.Connection) -> dict[str, LearnedInstruction]:
    """Return what instructions were measured to write, by each of their lesson keys.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    found: list[tuple[tuple[int, int, int], str, _Figures]] = []
    asked = _TAUGHT.format(blob=blob_column(connection))
    for (key,) in connection.execute(_KEYS).fetchall():
        for run_id, step_position, position, image_bytes, blob_bytes, *others in connection.execute(asked, (key,)):
            unpacked_bytes = None if image_bytes is None else image_bytes - (blob_bytes or 0)
            found.append(((run_id, step_position, position), key, (unpacked_bytes, blob_bytes, *others)))
    figures: dict[str, list[_Figures]] = {}
    # Under some of its keys an instruction is found together with others: the newest of them all count.
    for _, key, each in sorted(found, key=itemgetter(0), reverse=True):
        for lesson in filter(None, lesson_keys(key)):
            figures.setdefault(lesson, []).append(each)
    return {key: _taught(entries[:LEARNED_FROM_INSTRUCTIONS]) for key, entries in figures.items()}


def _taught(newest_first: Sequence[_Figures]) -> LearnedInstruction:
    image, blob, disk, transient = map(_spread, zip(*newest_first, strict=True))
    return LearnedInstruction(image=image, disk=disk, transient=transient, runs=len(newest_first), compressed=blob)


def read_built(connection: sqlite3.Connection, engine_id: str) -> tuple[BuiltLayer, ...]:
    """Return layers that were built on an engine.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    rows = connection.execute(_BUILT.format(in_image=in_image_column(connection)), (engine_id,))
    return tuple(BuiltLayer(key, image_id, text, bool(in_image)) for key, image_id, text, in_image in rows)


def read_outcomes(connection: sqlite3.Connection, limit: int, stack: str) -> tuple[InstructionOutcome, ...]:
    """Return instructions with forecast and measured figures, newest runs first.

    Raises:
        sqlite3.Error: The file cannot be read.
        msgspec.DecodeError: A forecast in it cannot be understood.
    """
    found = []
    for row in connection.execute(_OUTCOMES.format(parts=parts_column(connection)), (stack, stack, limit)):
        # The columns stand in the order of the fields.
        told = dict(zip(InstructionOutcome.__struct_fields__, row, strict=True))
        told |= {name: msgspec.json.decode(told[name], type=learned(Estimate)) for name in _FORECASTS}
        parts = msgspec.json.decode(told["parts"], type=learned(tuple[tuple[str, int], ...]))
        found.append(InstructionOutcome(**told | {"cached": bool(told["cached"]), "parts": parts}))
    return tuple(found)


def _spread(newest_first: Sequence[int | None]) -> Estimate:
    known = [figure for figure in newest_first if figure is not None]
    if not known:
        return UNKNOWN
    return Estimate(min(known), known[0], max(known), Grade.LEARNED)
