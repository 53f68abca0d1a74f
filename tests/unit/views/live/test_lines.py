from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from tests.unit.views.samples import EVENTS, PLAN

from tonnage.model.deploy.event import RunStarted, StepProgress
from tonnage.views.live.lines import PlainView

if TYPE_CHECKING:
    from tonnage.model.deploy.event import Event

TOLD = """\
deploy hello: 3 steps, 9.12 GB available on /var/lib/docker, reserve 1.00 GB
[1/3] web.build: builds web:candidate
  web.build: [2/3] RUN pip install
    web.build | Collecting numpy
  web.build done in 12.3 s: disk +217 MB (forecast +213 MB learned), temporary 32.0 MB, lowest 8.87 GB
[2/3] web.switch: replaces the containers of web
  web.switch failed in 0.6 s: the port 8080 is taken
[1/1] undo web.undo-build: removes the image web:candidate
  web.undo-build done in 0.1 s
warning: the port 8080 is taken by another container
deploy hello failed in 13.6 s
"""


@dataclass
class Seconds:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


class FullStream(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device", text)


def told(*events: Event) -> str:
    stream = io.StringIO()
    with PlainView(stream, monotonic=Seconds()) as view:
        for event in events:
            view.show(event)
    return stream.getvalue()


def test_each_event_is_one_line_and_samples_of_the_disk_are_none() -> None:
    assert told(*EVENTS) == TOLD


def test_progress_is_thinned_to_one_line_in_two_seconds() -> None:
    stream, clock = io.StringIO(), Seconds()
    view = PlainView(stream, monotonic=clock)
    for tenth in range(50):
        clock.now_s = tenth / 10
        view.show(StepProgress(step="web.build", text=f"line {tenth}"))

    assert stream.getvalue().splitlines() == [
        "  web.build: line 0",
        "  web.build: line 20",
        "  web.build: line 40",
    ]


def test_the_same_progress_is_not_told_twice() -> None:
    stream, clock = io.StringIO(), Seconds()
    view = PlainView(stream, monotonic=clock)
    for second in (0.0, 3.0, 6.0):
        clock.now_s = second
        view.show(StepProgress(step="web.prove", text="starting"))

    assert stream.getvalue() == "  web.prove: starting\n"


def test_a_plan_without_steps_says_that_there_is_nothing_to_do() -> None:
    empty = msgspec.structs.replace(PLAN, steps=())

    assert told(RunStarted(plan=empty, run_id=7)).startswith("deploy hello: nothing to do, ")


def test_how_long_a_plan_takes_is_told_where_it_is_known() -> None:
    timed = msgspec.structs.replace(PLAN, seconds=353.0)

    assert told(RunStarted(plan=timed, run_id=7)).startswith("deploy hello: 3 steps, ~6 min, ")
    assert "~" not in told(RunStarted(plan=PLAN, run_id=7))


def test_a_log_on_a_full_disk_ends_nothing_else() -> None:
    PlainView(FullStream(), monotonic=Seconds()).show(EVENTS[0])
