from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.views.samples import BUILT, NOT_SWITCHED, RUN, UNDONE

from tonnage.model.deploy.run import Outcome
from tonnage.views.text.runs import change_text, run_lines_text, run_text, runs_text

TABLE = """\
run 7: deploy hello, 2026-11-18 11:06 UTC, failed in 13.6 s
  step                        forecast     disk  temporary   lowest    time
  web.build            +213 MB learned  +217 MB    32.0 MB  8.87 GB  12.3 s
  web.switch (failed)          unknown        -          -        -   0.6 s
  undo web.undo-build        0 B exact        -          -        -   0.1 s
  measured on /var/lib/docker: +217 MB, reserve 1.00 GB
  lowest 8.87 GB available, 7.87 GB above the reserve
  the port 8080 is taken"""


def test_a_run_is_a_table_with_forecast_beside_measured() -> None:
    assert run_text(RUN) == TABLE


def test_on_a_narrow_terminal_each_step_takes_its_own_lines() -> None:
    lines = run_text(RUN, width=60).splitlines()

    assert max(len(line) for line in lines) <= 60
    assert "    disk +217 MB (forecast +213 MB learned)" in lines


def test_a_crossed_line_is_told_aloud() -> None:
    crossed = replace(RUN, reserve_bytes=9_000_000_011)

    assert "BELOW the reserve" in run_text(crossed)
    assert "above" not in run_text(crossed)


def test_a_run_whose_process_died_is_not_finished() -> None:
    assert "not finished" in run_text(replace(RUN, outcome=Outcome.RUNNING, steps=(), message=""))


def test_a_list_has_one_line_for_each_run_and_marks_rehearsals() -> None:
    rehearsed = replace(RUN, run_id=8, filesystem="/var/tmp/tonnage/r0a1b2c/m", outcome=Outcome.DONE)

    lines = run_lines_text([RUN, rehearsed, replace(RUN, run_id=9, steps=())], width=100).splitlines()
    assert lines[0].split() == ["run", "when", "what", "result", "time", "disk", "lowest"]
    assert lines[1] == "  7  2026-11-18 11:06  deploy hello              failed  13.6 s  +217 MB  8.87 GB"
    assert lines[2] == "  8  2026-11-18 11:06  deploy hello (rehearsal)  done    13.6 s  +217 MB  8.87 GB"
    assert lines[3].split()[-2:] == ["-", "-"]
    assert lines[-1] == "one of them step by step: tonnage report --run 9"
    assert "deploy hello (rehearsal)," in run_text(rehearsed)
    assert max(map(len, run_lines_text([rehearsed], width=70).splitlines())) <= 70


def test_what_came_free_has_another_sign_than_what_is_kept() -> None:
    assert [change_text(each) for each in (5, 0, -102_000_000)] == ["+5 B", "0 B", "-102 MB"]


def test_no_runs_are_told_as_such() -> None:
    assert runs_text([]) == "no runs yet"


@pytest.mark.parametrize("count", [1, 2, 5])
def test_runs_are_printed_in_the_order_given(count: int) -> None:
    runs = [replace(RUN, run_id=number) for number in range(count)]

    assert [line for line in runs_text(runs).splitlines() if line.startswith("run ")] == [
        run_text(run).splitlines()[0] for run in runs
    ]


def test_after_a_failure_it_is_told_that_the_version_before_was_not_touched() -> None:
    beside = replace(BUILT, name="web.start-first", kind="start-first")
    unproven = replace(NOT_SWITCHED, name="web.prove-candidate", kind="prove")

    told = run_text(replace(RUN, steps=(BUILT, beside, unproven, UNDONE)))
    assert "  web: the running version was not changed" in told.splitlines()
    assert "ran before" not in run_text(RUN)


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Outcome.DONE, "  web: the previous version runs again and is healthy"),
        (Outcome.FAILED, "  web: the previous version was started again, but is not healthy"),
    ],
)
def test_after_a_failure_it_is_told_how_the_version_before_came_back(outcome: Outcome, told: str) -> None:
    beside = replace(BUILT, name="web.start-first", kind="start-first")
    back = replace(UNDONE, name="web.prove-restored", kind="prove", outcome=outcome)

    lines = run_text(replace(RUN, steps=(BUILT, beside, NOT_SWITCHED, back))).splitlines()
    assert told in lines
    assert sum("previous version" in line for line in lines) == 1
