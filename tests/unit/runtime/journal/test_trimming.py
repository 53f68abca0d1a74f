"""The journal keeps the newest runs of each stack, and those that something is still learned from."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.runtime.journal.test_writer import BUILD, INSTRUCTION, PLAN, STARTED_S

from tonnage.model.deploy.run import MeasuredInstruction, Outcome
from tonnage.runtime.journal import trimming
from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep three runs of each stack, and three more to learn from."""
    monkeypatch.setattr(trimming, "MOST_RUNS", 3)


def run(journal: Journal, *, stack: str = "hello", key: str = "", cached: bool = False) -> int:
    """Write one run; with a learn key one that builds an instruction."""
    run_id = journal.begin_run(replace(PLAN, stack=stack), STARTED_S)
    if key:
        step_id = journal.begin_step(run_id, replace(BUILD, learn_key=""), undo=False, started_s=STARTED_S)
        measured = MeasuredInstruction(image_bytes=1_009, kept_bytes=1_009, cached=cached)
        journal.record_instructions(step_id, (replace(INSTRUCTION, learn_key=key),), (measured,), "sha256:beef")
    journal.end_run(run_id, Outcome.DONE, 1.0, "")
    return run_id


def test_the_newest_runs_of_each_stack_are_kept(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        other = run(journal, stack="shop")
        runs = [run(journal) for _ in range(5)]

        assert [each.run_id for each in journal.runs(10, "hello")] == runs[:1:-1]
        assert [each.run_id for each in journal.runs(10, "shop")] == [other]


def test_a_run_that_is_learned_from_stays_until_enough_later_ones_teach_the_same(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        taught = run(journal, key="instruction/cafe")
        for _ in range(6):
            run(journal, key="instruction/cafe", cached=True)

        assert journal.history("hello", "ABCD").taught["instruction/cafe"].runs == 1
        assert journal.runs(10, "hello")[-1].run_id == taught
        for _ in range(13):
            run(journal, key="instruction/cafe")
        assert taught not in {each.run_id for each in journal.runs(50, "hello")}
        assert journal.history("hello", "ABCD").taught["instruction/cafe"].runs == min(10, 6)


def test_no_more_runs_are_kept_to_learn_from_than_newest_ones(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db") as journal:
        runs = [run(journal, key=f"instruction/{number}") for number in range(12)]

        assert [each.run_id for each in journal.runs(50, "hello")] == runs[:-7:-1]


def test_nobody_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        for _ in range(3):
            run(journal)
        old = journal.begin_run(PLAN, STARTED_S)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        connection = sqlite3.connect(path, isolation_level=None)
        assert trimming.trim(connection, "hello") == 0
        other.execute("ROLLBACK")
        assert trimming.trim(connection, "hello") == 1
        connection.close()
        other.close()
        assert [each.run_id for each in journal.runs(10)] == [old, 3, 2]


def test_by_hand_all_old_runs_go_and_the_file_gets_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        monkeypatch.setattr(trimming, "AT_ONCE", 0)
        for number in range(12):
            step_id = journal.begin_step(journal.begin_run(PLAN, STARTED_S), BUILD, undo=False, started_s=STARTED_S)
            journal.record_instructions(
                step_id, [replace(INSTRUCTION, learn_key="", text="x" * 200_000)], [MeasuredInstruction()], ""
            )
            journal.end_run(number + 1, Outcome.DONE, 1.0, "")
        before_bytes = path.stat().st_size
        done = journal.prune()

        assert (done.runs, done.left, done.before_bytes) == (9, 3, before_bytes)
        assert done.after_bytes == path.stat().st_size < before_bytes // 2
        assert len(journal.runs(20)) == 3
        assert run(journal) == 13
