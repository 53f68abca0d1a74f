from __future__ import annotations

import io
import os

import msgspec
import pytest
from rich.console import Console, Group
from rich.text import Text
from tests.unit.views.samples import BUILD, DROP, EVENTS, MOUNT, PLAN, SIZE_BYTES

from tonnage.model.deploy.event import DiskSampled, RunStarted, StepLog, StepProgress, StepStarted
from tonnage.views.live.board import Board
from tonnage.views.live.terminal import LiveView, draw


def board_after(count: int) -> Board:
    board = Board()
    for second, event in enumerate(EVENTS[:count]):
        board.take(event, float(second))
    return board


def lines(board: Board, *, width: int = 80, height: int = 24, now_s: float = 9.0) -> list[str]:
    drawn = draw(board, now_s=now_s, width=width, height=height, ascii_only=True)
    assert isinstance(drawn, Group)
    texts = [each for each in drawn.renderables if isinstance(each, Text)]
    assert len(texts) == len(drawn.renderables)
    return [text.plain for text in texts]


def test_nothing_is_drawn_before_a_run_begins() -> None:
    assert lines(Board()) == []


def test_a_running_step_is_shown_with_where_it_is_and_the_end_of_its_log() -> None:
    drawn = lines(board_after(5), now_s=4.0)

    assert drawn[0].split() == ["deploy", "hello", "step", "1/3", "4.0", "s"]
    assert "|" in drawn[1]
    assert drawn[2].strip() == f"8.90 GB available, reserve 1.00 GB, lowest 8.90 GB  {MOUNT}"
    assert drawn[3].split() == ["=", "db", "unchanged", "nothing", "changed"] or "web" in drawn[3]
    assert any("> web" in line and "build  [2/3] RUN pip install" in line and "3.0 s" in line for line in drawn)
    assert drawn[-1] == "  | Collecting numpy"


def test_the_lowest_point_of_a_finished_step_is_kept() -> None:
    board = board_after(6)

    assert board.disks[MOUNT].lowest_bytes == 9_123_456_789 - 249_000_017


def test_a_failed_service_is_marked_and_stays_so_while_it_is_undone() -> None:
    assert any(line.startswith("  x web") for line in lines(board_after(8)))
    assert any(line.startswith("  < web") and "undo build" in line for line in lines(board_after(9)))
    [at_the_end] = [line for line in lines(board_after(12)) if line.startswith("  x web")]
    assert at_the_end.split()[:5] == ["x", "web", "switch", "failed,", "undone"]


def test_a_step_that_undoes_is_not_called_undo_twice() -> None:
    board = board_after(8)
    board.take(StepStarted(step=msgspec.structs.replace(DROP, name="web.undo-start"), index=1, total=1, undo=True), 9.0)

    assert any(line.startswith("  < web  undo start ") for line in lines(board))


def test_of_a_mount_that_is_too_long_the_end_is_shown() -> None:
    assert lines(board_after(5), width=60)[2].endswith("lowest 8.90 GB  ...ker")
    assert lines(board_after(5), width=52)[2].endswith("lowest 8.90 GB")


def test_the_end_of_a_run_is_told_and_its_clock_stands_still() -> None:
    drawn = lines(board_after(12), now_s=1_000.0)

    assert drawn[0].split() == ["deploy", "hello", "failed", "in", "11.0", "s"]


def test_a_run_that_was_asked_to_stop_says_so() -> None:
    board = board_after(5)
    board.stopping = True

    assert "stopping" in lines(board)[0]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 12), (40, 6)])
def test_the_picture_never_grows_beyond_the_terminal(width: int, height: int) -> None:
    names = [f"service-with-a-rather-long-name-{number}" for number in range(30)]
    steps = tuple(msgspec.structs.replace(BUILD, name=f"{name}.build", service=name) for name in names)
    board = Board()
    board.take(RunStarted(plan=msgspec.structs.replace(PLAN, steps=steps), run_id=7), 0.0)
    board.take(DiskSampled(mount=MOUNT, available_bytes=5, size_bytes=SIZE_BYTES, reserve_bytes=7), 0.5)
    board.take(StepStarted(step=steps[20], index=21, total=30), 1.0)
    board.take(StepProgress(step=steps[20].name, text="[2/3] " + "RUN pip install " * 20), 1.1)
    for number in range(40):
        board.take(StepLog(step=steps[20].name, line=f"line {number} " + "x" * 200), 1.2)

    drawn = lines(board, width=width, height=height)

    assert len(drawn) < height
    assert max(len(line) for line in drawn) <= width


def test_where_there_is_no_room_the_service_at_work_is_shown_and_the_rest_counted() -> None:
    steps = tuple(msgspec.structs.replace(BUILD, name=f"s{number}.build", service=f"s{number}") for number in range(30))
    board = Board()
    board.take(RunStarted(plan=msgspec.structs.replace(PLAN, steps=steps, unchanged=()), run_id=7), 0.0)
    board.take(StepStarted(step=steps[20], index=21, total=30), 1.0)

    drawn = lines(board, height=12)

    assert any("> s20" in line for line in drawn)
    assert any("  and 25 waiting" in line for line in drawn)


def test_the_live_view_leaves_its_last_picture_and_prints_notices() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=24, no_color=True)
    with LiveView(console, monotonic=lambda: 3.0) as view:
        for event in EVENTS:
            view.show(event)

    told = stream.getvalue()
    assert "deploy hello" in told
    assert "the port 8080 is taken by another container" in told


def test_no_colour_is_used_where_no_color_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "NO_COLOR", "1")
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, height=24)
    with LiveView(console, monotonic=lambda: 3.0) as view:
        for event in EVENTS:
            view.show(event)

    for colour in range(30, 38):
        assert f"\x1b[{colour}m" not in stream.getvalue()
        assert f";{colour}m" not in stream.getvalue()


def timed(**fields: object) -> Board:
    board = Board()
    board.take(RunStarted(run_id=1, plan=msgspec.structs.replace(PLAN, **fields)), 0.0)
    board.take(StepStarted(step=BUILD, index=1, total=3), 10.0)
    return board


def test_how_long_the_rest_takes_is_told_where_every_step_ran_before() -> None:
    times = (("web.build", 300.0), ("web.switch", 2.0), ("web.prove", 8.0))
    board = timed(times=times, seconds=310.0)

    assert lines(board, now_s=40.0)[0].endswith("step 1/3  40.0 s, ~5 min left")
    assert board.left_s(40.0) == 280.0
    assert board.left_s(400.0) == 10.0
    board.take(EVENTS[5], 410.0)
    assert board.left_s(410.0) == 10.0
    board.failed_step = "web.switch"
    assert board.left_s(411.0) is None


def test_nothing_is_told_of_the_rest_where_a_step_never_ran() -> None:
    board = timed(times=(("web.switch", 2.0),))
    assert board.left_s(40.0) is None
    assert "left" not in lines(board, now_s=40.0)[0]


def test_with_several_at_once_the_rest_is_what_the_whole_leaves() -> None:
    policy = msgspec.structs.replace(PLAN.policy, parallel=2)
    board = timed(times=(("web.build", 300.0),), seconds=200.0, policy=policy)
    assert board.left_s(40.0) == 160.0
