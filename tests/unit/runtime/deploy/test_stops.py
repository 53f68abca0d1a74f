"""What stops a run: the reserve, which gives back first, and signals, which do not end undoing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.simulator.deploying import PROJECT, stack_of
from tests.unit.builders import (
    LINE_BYTES,
    NEXT_WEB,
    WEB,
    Happening,
    build,
    fill_and_be_seen,
    fill_to,
    harbour,
    journaled,
    plan,
    raises,
    ran,
    running,
    step,
    tag,
    tags,
)

from tonnage.errors import (
    InterruptedRunError,
    ReserveCrossedError,
    StepFailedError,
)
from tonnage.model.deploy.event import (
    DiskSampled,
)
from tonnage.model.deploy.plan import Prove, Push, RemoveContainer, Untag
from tonnage.model.deploy.run import Outcome
from tonnage.runtime.clock import SystemClock

ROOT = Path(__file__).resolve().parents[4]


# -- the reserve


def test_a_step_that_comes_to_the_line_is_stopped_gives_back_first_and_is_undone_then(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    place.engine.faults = Happening(on={"build": lambda: fill_and_be_seen(place, LINE_BYTES - 1)})
    guarded = build(place, at_reserve=(tag("give-back"),), undo=[tag("undo")])
    run = place.carry_out(plan(place, tag("before"), guarded, tag("later"), reserve_bytes=LINE_BYTES))
    assert isinstance(run.error, ReserveCrossedError)
    assert run.error.what == f"web.build was stopped below the reserve of {place.engine.disk.mount}"
    assert run.error.why == "1.00 GB were available and 1.00 GB must remain."
    assert tags(place) == ["before", "give-back", "undo"]
    assert ran(run)[1:] == [("build", "failed", False), ("give-back", "done", True), ("undo", "done", True)]
    assert place.engine.store.find("shop-web") is None


def test_a_step_that_ends_exactly_at_the_line_is_done(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    place.engine.faults = Happening(on={"push": lambda: fill_and_be_seen(place, LINE_BYTES)})
    push = step("push", Push(reference="busybox:latest"))
    assert place.carry_out(plan(place, push, reserve_bytes=LINE_BYTES)).outcome is Outcome.DONE


def test_a_step_that_was_done_when_the_line_was_seen_is_undone_all_the_same(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    place.engine.faults = Happening(on={"push": lambda: fill_and_be_seen(place, LINE_BYTES - 1)})
    push = step("push", Push(reference="busybox:latest"), undo=[tag("undo")])
    run = place.carry_out(plan(place, push, tag("later"), reserve_bytes=LINE_BYTES))
    assert isinstance(run.error, ReserveCrossedError)
    assert tags(place) == ["undo"]


def test_what_only_gives_back_and_the_undo_steps_go_on_below_the_line(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    fill_to(place, LINE_BYTES - 13)

    def seen() -> None:
        fill_and_be_seen(place, LINE_BYTES - 13)

    failure = raises(StepFailedError("no"))
    place.engine.faults = Happening(on={"remove": seen, "build": seen, "tag busybox:latest two:1": failure})
    remove = step("remove", RemoveContainer(container="nothing"))
    run = place.carry_out(plan(place, remove, tag("two", undo=[build(place, 11)]), reserve_bytes=LINE_BYTES))
    assert ran(run) == [("remove", "done", False), ("two", "failed", False), ("build", "done", True)]
    assert run.message == "no"


def test_a_step_that_only_renames_is_not_stopped_because_the_one_before_it_was_guarded(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    place.engine.faults = Happening(on={"tag": lambda: fill_and_be_seen(place, LINE_BYTES - 17)})
    run = place.carry_out(plan(place, build(place), tag("later"), tag("last"), reserve_bytes=LINE_BYTES))
    assert run.outcome is Outcome.DONE, run.message


def test_a_failure_for_another_reason_gives_nothing_back(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    run = place.carry_out(plan(place, build(place, fails=True, at_reserve=(tag("give-back"),), undo=[tag("undo")])))
    assert tags(place) == ["undo"]
    assert run.error is not None
    assert not isinstance(run.error, ReserveCrossedError)


def test_a_step_that_filled_the_disk_gives_back_although_no_line_was_set(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    place.engine.faults = Happening(on={"build": raises(ReserveCrossedError("the disk is full"))})
    run = place.carry_out(plan(place, build(place, at_reserve=(tag("give-back"),), undo=[tag("undo")])))
    assert tags(place) == ["give-back", "undo"]
    assert run.message == "the disk is full"


def test_a_signal_while_it_is_undone_does_not_change_why_a_step_was_stopped_at_the_line(tmp_path: Path) -> None:
    place, cancel = harbour(tmp_path), threading.Event()
    place.engine.faults = Happening(
        on={"build": lambda: fill_and_be_seen(place, 17), "tag busybox:latest give-back:1": cancel.set}
    )
    guarded = build(place, at_reserve=(tag("give-back"),))
    run = place.carry_out(plan(place, guarded, reserve_bytes=LINE_BYTES), cancel)
    assert isinstance(run.error, ReserveCrossedError)


def test_views_are_given_the_line_with_every_sample(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    place.carry_out(plan(place, tag("one"), reserve_bytes=LINE_BYTES))
    samples = [each for each in place.events if isinstance(each, DiskSampled)]
    assert {each.reserve_bytes for each in samples} == {LINE_BYTES}
    assert samples[-1].available_bytes == place.engine.disk.available_bytes


# -- signals


def test_a_signal_between_steps_leaves_the_rest_but_settles_what_was_begun(tmp_path: Path) -> None:
    place, cancel = harbour(tmp_path), threading.Event()
    place.engine.acts.tag("busybox:latest", "candidate:1")
    place.engine.faults = Happening(on={"tag busybox:latest one:1": cancel.set})
    run = place.carry_out(
        plan(
            place,
            tag("one"),
            step("remove-beside", RemoveContainer(container="nothing")),
            step("drop-name", Untag(reference="candidate:1")),
            tag("two"),
            step("later", Untag(reference="busybox:latest")),
        ),
        cancel,
    )
    # The act itself was done before anybody asked whether to go on.
    assert [name for name, _, _ in ran(run)] == ["one", "remove-beside", "drop-name"]
    assert "candidate:1" not in place.engine.store.names
    assert "busybox:latest" in place.engine.store.names
    assert isinstance(run.error, InterruptedRunError)
    assert run.error.what == "stopped before web.two; done before: web.one, web.remove-beside, web.drop-name"
    assert run.outcome is Outcome.INTERRUPTED
    assert journaled(place).outcome is Outcome.INTERRUPTED


def test_a_signal_in_a_step_ends_it_and_undoes_it(tmp_path: Path) -> None:
    place, cancel = harbour(tmp_path), threading.Event()
    place.engine.faults = Happening(on={"build": cancel.set})
    run = place.carry_out(plan(place, build(place, undo=[tag("undo")]), tag("later")), cancel)
    assert ran(run) == [("build", "interrupted", False), ("undo", "done", True)]
    assert isinstance(run.error, InterruptedRunError)
    assert run.error.what == "stopped in web.build; nothing was changed before; undone: web.undo"
    assert tags(place) == ["undo"]


def test_undo_steps_are_not_ended_by_the_signal_that_stopped_the_step_nor_by_another_one(tmp_path: Path) -> None:
    place, cancel, ups = harbour(tmp_path), threading.Event(), []
    assert place.deploy(WEB).outcome is Outcome.DONE
    before = place.engine.facts.containers(PROJECT)[0].image_id

    def again() -> None:
        ups.append("up")
        cancel.set()

    place.engine.faults = Happening(on={"up shop web": again})
    run = place.carry_out(place.plan(stack_of(place.engine, NEXT_WEB)), cancel)
    assert len(ups) == 2
    # The image, its proof and its record, and what was built.
    assert [each.outcome for each in run.steps if each.undo] == [Outcome.DONE] * 4
    assert isinstance(run.error, InterruptedRunError)
    assert run.error.todo == ""
    [container] = place.engine.facts.containers(PROJECT)
    assert (container.image_id, container.state) == (before, "running")


PROGRAM = """
import signal, sys, threading
from pathlib import Path
from tests.simulator.deploying import stack_of
from tests.unit.builders import NEXT_WEB, WEB, Happening, harbour
from tonnage.runtime.signals import CancelOnSignal

caught, ups, came = [], [], [threading.Event(), threading.Event()]
place = harbour(Path(sys.argv[1]))
place.deploy(WEB)
before = place.engine.facts.containers("shop")[0].image_id

class Ours(CancelOnSignal):
    # The same flag, without the second signal's end of the program.
    def _caught(self, number, frame):
        caught.append(number)
        self.number = number
        self.cancel.set()
        came[len(caught) - 1].set()

def in_the_switch_and_in_its_undoing():
    ups.append("up")
    print("undoing" if ups[1:] else "switching", flush=True)
    if len(ups) <= int(sys.argv[2]):
        assert came[len(ups) - 1].wait(30)

place.engine.faults = Happening(on={"up shop web": in_the_switch_and_in_its_undoing})
with Ours(lambda: None) as signals:
    run = place.carry_out(place.plan(stack_of(place.engine, NEXT_WEB)), signals.cancel)
print(run.outcome.value, len(caught), *(each.outcome.value for each in run.steps if each.undo))
[container] = place.engine.facts.containers("shop")
print(container.image_id == before, container.state)
"""


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_real_signal_in_the_switch_is_undone_to_the_end_also_when_it_comes_twice(
    tmp_path: Path, times: int, number: signal.Signals
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path), str(times)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])},
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "switching\n"
        program.send_signal(number)
        assert program.stdout.readline() == "undoing\n"
        if times == 2:
            program.send_signal(number)
        told = program.stdout.read().splitlines()
    assert told == [f"interrupted {times} done done done done", "True running"]
    assert program.returncode == 0


def test_with_the_real_clock_a_proof_waits_and_is_ended_by_a_signal_at_once(tmp_path: Path) -> None:
    place, cancel = harbour(tmp_path), threading.Event()
    running(place)
    place.engine.clock = SystemClock()  # type: ignore[assignment]
    looks = place.engine.facts.containers
    told: list[str] = []

    def containers(project: str = "") -> object:
        told.append(project)
        if len(told) > 3:
            cancel.set()
        return looks(project)

    place.engine.facts.containers = containers  # type: ignore[method-assign, assignment]
    run = place.carry_out(plan(place, step("prove", Prove(stability_s=60.0, timeout_s=90.0))), cancel)
    assert isinstance(run.error, InterruptedRunError)
    # Three looks with a pause between them, and none after the signal.
    assert len(told) == 4
    assert 0.5 < run.steps[0].seconds < 60.0
