"""What the journal keeps of the disk over the time of runs."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.unit.builders import instruction
from tests.unit.views.samples import BUILD, BUILT, MEASURED, PLAN

from tonnage.model.deploy.disk_history import StepSpan
from tonnage.model.deploy.run import MeasuredInstruction, Outcome
from tonnage.runtime.journal import disk_history
from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

STARTED_S = 1_700_000_000.5
POINTS = ((0.0, 9_000_000_011), (1.25, 4_000_000_007), (7.5, 6_000_000_019))


def test_points_of_a_run_are_read_as_they_were_written(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        run_id = journal.begin_run(PLAN, STARTED_S)
        step_id = journal.begin_step(run_id, BUILD, undo=False, started_s=STARTED_S + 1.5)
        journal.end_step(step_id, replace(BUILT, seconds=4.25))
        journal.record_curve(run_id, POINTS)
        history = journal.disk_histories([run_id])[run_id]

    assert history.points == POINTS
    assert history.sampled
    assert history.spans == (StepSpan(name="web.build", began_s=1.5, seconds=4.25),)


def test_a_run_without_points_has_those_of_its_steps(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        run_id = journal.begin_run(PLAN, STARTED_S)
        step_id = journal.begin_step(run_id, BUILD, undo=False, started_s=STARTED_S + 2)
        journal.end_step(step_id, replace(BUILT, seconds=4.0))
        history = journal.disk_histories([run_id])[run_id]

    assert not history.sampled
    assert history.points == (
        (2.0, MEASURED.before_bytes),
        (4.0, MEASURED.lowest_bytes),
        (6.0, MEASURED.after_bytes),
    )


def test_only_the_last_runs_keep_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_history, "KEPT_FOR_RUNS", 2)
    with Journal(tmp_path / "journal.db") as journal:
        ids = []
        for _ in range(4):
            ids.append(journal.begin_run(PLAN, STARTED_S))
            journal.record_curve(ids[-1], POINTS)
            journal.end_run(ids[-1], Outcome.DONE, 8.0, "")
        found = journal.disk_histories(ids)

    assert [found[run_id].sampled for run_id in ids] == [False, False, True, True]


def test_a_journal_of_the_format_before_is_read_without_points_and_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        run_id = journal.begin_run(PLAN, STARTED_S)
        step_id = journal.begin_step(run_id, BUILD, undo=False, started_s=STARTED_S)
        journal.record_instructions(step_id, (instruction("RUN x"),), (MeasuredInstruction(image_bytes=601),), "")
        journal.end_step(step_id, BUILT)
    older = sqlite3.connect(path)
    older.executescript("DROP TABLE curve; ALTER TABLE instruction DROP COLUMN parts_json; PRAGMA user_version = 5;")
    older.close()

    reader = Journal.open_existing(path)
    assert reader is not None
    with reader:
        assert not reader.disk_histories([run_id])[run_id].sampled
        assert reader.instructions(1)[0].parts == ()
    with Journal(path) as journal:
        journal.record_curve(run_id, POINTS)
        assert journal.disk_histories([run_id])[run_id].points == POINTS


def test_what_was_forecast_to_lie_in_a_layer_is_kept(tmp_path: Path) -> None:
    parts = (("torch 2.9.1", 1_700_000_023), ("pip cache", 800_000_011))
    with Journal(tmp_path / "journal.db") as journal:
        step_id = journal.begin_step(journal.begin_run(PLAN, STARTED_S), BUILD, undo=False, started_s=STARTED_S)
        told = replace(instruction("RUN pip install torch"), parts=parts)
        journal.record_instructions(step_id, (told,), (MeasuredInstruction(image_bytes=601),), "")
        assert journal.instructions(1)[0].parts == parts
