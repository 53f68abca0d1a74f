"""The executor: order, undoing, the reserve, signals, the journal, and what it leaves when it is ended from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.simulator import Behaviour, Instruction, PowerCutError, Recipe
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
    plan,
    raises,
    ran,
    step,
    tag,
    version,
)

from tonnage.errors import (
    CannotFitError,
    EngineUnreachableError,
    InterruptedRunError,
    NotHealthyError,
    ReserveCrossedError,
    StepFailedError,
)
from tonnage.model.deploy.event import DiskSampled, Notice, RunFinished, RunStarted, StepStarted
from tonnage.model.deploy.plan import CleanCache, Prove, Push, Refusal, RemoveContainer, Untag
from tonnage.model.deploy.run import Outcome
from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulator.deploying import Harbour

    from tonnage.model.deploy.run import Run

ROOT = Path(__file__).resolve().parents[4]


def tags(place: Harbour) -> list[str]:
    """Return the names that were given, in their order."""
    return [act.split()[-1].removesuffix(":1") for act in place.engine.log if act.startswith("tag ")]


def journaled(place: Harbour) -> Run:
    """Return the last run as another process reads it."""
    journal = Journal.open_existing(place.journal)
    assert journal is not None
    with journal:
        return journal.runs(1)[0]


def test_steps_run_in_their_order_and_what_was_done_is_told(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    run = place.carry_out(plan(place, tag("one"), tag("two"), tag("three")))
    assert tags(place) == ["one", "two", "three"]
    assert ran(run) == [("one", "done", False), ("two", "done", False), ("three", "done", False)]
    assert (run.outcome, run.error, run.message) == (Outcome.DONE, None, "")
    started = [each for each in place.events if isinstance(each, StepStarted)]
    assert [(each.step.name, each.index, each.total) for each in started][1] == ("web.two", 2, 3)
    assert isinstance(place.events[0], RunStarted)
    assert isinstance(place.events[-1], RunFinished)


def test_a_plan_that_was_refused_is_not_begun(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    refused = plan(place, tag("one"), refusal=Refusal(what="it cannot fit", why="Too large.", todo="Less."))
    with pytest.raises(CannotFitError, match="it cannot fit"):
        place.carry_out(refused)
    assert place.engine.log == []
    with Journal(place.journal) as journal:
        assert journal.runs(5) == ()


def test_after_a_step_that_fails_its_own_undo_steps_run_in_order_and_nothing_else(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    place.engine.faults = Happening(on={"tag busybox:latest two:1": raises(StepFailedError("no"))})
    run = place.carry_out(
        plan(
            place,
            tag("one", undo=[tag("undo-one")]),
            tag("two", undo=[tag("undo-a"), tag("undo-b")]),
            tag("three", undo=[tag("undo-three")]),
        )
    )
    assert tags(place) == ["one", "two", "undo-a", "undo-b"]
    assert ran(run) == [
        ("one", "done", False),
        ("two", "failed", False),
        ("undo-a", "done", True),
        ("undo-b", "done", True),
    ]
    assert run.outcome is Outcome.FAILED


def test_an_undo_step_that_fails_hides_not_the_failure_and_the_later_ones_still_run(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    place.engine.faults = Happening(
        on={
            "tag busybox:latest two:1": raises(StepFailedError("the first failure", todo="Look at two.")),
            "tag busybox:latest undo-a:1": raises(StepFailedError("the name is taken")),
        }
    )
    run = place.carry_out(plan(place, tag("two", undo=[tag("undo-a"), tag("undo-b")])))
    assert tags(place) == ["two", "undo-a", "undo-b"]
    assert ran(run)[1:] == [("undo-a", "failed", True), ("undo-b", "done", True)]
    assert run.error is not None
    assert run.error.what == "the first failure"
    assert run.error.todo.splitlines() == ["Look at two.", "This could not be undone:", "the name is taken"]
    notices = [each for each in place.events if isinstance(each, Notice)]
    assert [each.text for each in notices] == ["undoing web.two failed in part: the name is taken"]


def test_an_engine_that_is_gone_in_the_middle_ends_the_run_and_every_undo_step_is_tried(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    place.engine.faults = Happening(unreachable_from=2)
    run = place.carry_out(plan(place, tag("one"), tag("two", undo=[tag("undo-a"), tag("undo-b")]), tag("three")))
    assert isinstance(run.error, EngineUnreachableError)
    assert tags(place) == ["one", "two", "undo-a", "undo-b"]


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
    # The image and its proof, the name that is kept for rollback, and what was built.
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


# -- the journal


def test_a_step_stands_in_the_journal_before_it_begins_and_its_end_when_it_has_ended(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    seen: list[list[tuple[str, str, bool]]] = []
    outcomes: list[Outcome] = []

    def look() -> None:
        run = journaled(place)
        seen.append(ran(run))
        outcomes.append(run.outcome)

    def look_and_fail() -> None:
        look()
        raise StepFailedError("no")

    place.engine.faults = Happening(
        on={
            "tag busybox:latest one:1": look,
            "tag busybox:latest two:1": look_and_fail,
            "tag busybox:latest undo:1": look,
        }
    )
    place.carry_out(plan(place, tag("one"), tag("two", undo=[tag("undo")])))
    assert outcomes == [Outcome.RUNNING] * 3
    assert seen == [
        [("one", "running", False)],
        [("one", "done", False), ("two", "running", False)],
        [("one", "done", False), ("two", "failed", False), ("undo", "running", True)],
    ]
    end = journaled(place)
    assert ran(end) == [("one", "done", False), ("two", "failed", False), ("undo", "done", True)]
    assert (end.outcome, end.message) == (Outcome.FAILED, "no")


def test_what_was_measured_of_a_step_stands_in_the_journal(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    place.carry_out(plan(place, build(place, 7_000_003)))
    [measured] = journaled(place).steps[0].measured
    assert measured.kept_bytes == 7_000_003
    assert measured.samples >= 2


def test_a_step_that_nobody_could_measure_has_failed(tmp_path: Path) -> None:
    place = harbour(tmp_path)

    class Torn:
        """A gauge whose disk is gone in the middle of the step."""

        gone = False

        def available(self) -> Mapping[str, int]:
            if self.gone:
                raise EngineUnreachableError("the disk cannot be read any more")
            return {place.engine.disk.mount: place.engine.disk.available_bytes}

        def close(self) -> None:
            raise AssertionError("who opened it closes it")

    gauge = Torn()
    place.engine.gauge = gauge  # type: ignore[assignment]
    place.engine.faults = Happening(on={"tag busybox:latest one:1": lambda: setattr(gauge, "gone", True)})
    run = place.carry_out(plan(place, tag("one", undo=[tag("undo")]), tag("two")))
    assert isinstance(run.error, EngineUnreachableError)
    assert ran(run)[0] == ("one", "failed", False)
    assert run.steps[0].measured == ()
    assert "two" not in tags(place)


def sampler_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "tonnage-sampler"]


@pytest.mark.parametrize("error", [None, StepFailedError("no"), PowerCutError("cut"), RuntimeError("a bug")])
def test_however_a_run_ends_nobody_watches_the_disk_any_more(tmp_path: Path, error: BaseException | None) -> None:
    place = harbour(tmp_path)
    seen: list[int] = []

    def look() -> None:
        seen.append(len(sampler_threads()))
        if error is not None:
            raise error

    place.engine.faults = Happening(on={"tag busybox:latest one:1": look})
    try:
        place.carry_out(plan(place, tag("one")))
    except (PowerCutError, RuntimeError) as raised:
        assert raised is error  # noqa: PT017 - either of two, or none
    assert seen == [1]
    assert sampler_threads() == []


def test_a_run_that_is_ended_from_outside_stands_in_the_journal_as_interrupted(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    place.engine.faults = Happening(on={"tag busybox:latest two:1": raises(KeyboardInterrupt())})
    with pytest.raises(KeyboardInterrupt):
        place.carry_out(plan(place, tag("one"), tag("two", undo=[tag("undo")])))
    end = journaled(place)
    assert (end.outcome, end.message) == (Outcome.INTERRUPTED, "ended from outside")
    assert ran(end)[0] == ("one", "done", False)
    assert tags(place) == ["one", "two"]


# -- versions


def running(place: Harbour, behaviour: Behaviour | None = None) -> str:
    """Let ``web`` run, with a job of it and another service beside it; return the image of ``web``."""
    engine = place.engine
    for number, name in enumerate(("job", "other", "own")):
        engine.add_image(f"{name}:1", ((name, 1_009 + number),), behaviour=behaviour if name == "own" else None)
    engine.add_container("shop-web-run", "job:1", project=PROJECT, service="web").one_off = True
    engine.add_container("shop-db-1", "other:1", project=PROJECT, service="db")
    return engine.add_container("shop-web-1", "own:1", project=PROJECT, service="web").image_id


def test_a_version_is_recorded_with_the_image_that_runs_once_it_is_proven_and_not_before(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    image_id = running(place)
    known: list[int] = []
    place.engine.faults = Happening(on={"tag": lambda: known.append(len(place.history().versions))})
    run = place.carry_out(plan(place, tag("switch"), step("prove", Prove(), version=version()), tag("later")))
    assert run.outcome is Outcome.DONE, run.message
    assert known == [0, 1]
    assert [(each.service, each.image_id) for each in place.history().versions] == [("web", image_id)]


@pytest.mark.parametrize("ending", ["unhealthy", "signal"])
def test_a_version_that_was_not_proven_is_not_recorded(tmp_path: Path, ending: str) -> None:
    place, cancel = harbour(tmp_path), threading.Event()
    running(place, Behaviour(exits_after_s=0.4, exit_code=3) if ending == "unhealthy" else None)
    if ending == "signal":
        place.engine.faults = Happening(on={"tag": cancel.set})
    run = place.carry_out(
        plan(place, tag("switch"), step("prove", Prove(), version=version(), withdraw=version())), cancel
    )
    assert isinstance(run.error, NotHealthyError if ending == "unhealthy" else InterruptedRunError)
    assert place.history().versions == ()


def test_a_version_that_was_rolled_away_from_is_withdrawn_only_when_the_earlier_one_is_proven(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    good, bad, other = (version(config=each, image_id=f"sha256:{each}") for each in ("c1", "c2", "c3"))
    with Journal(place.journal) as journal:
        for each in (good, bad, other):
            journal.record_version(PROJECT, place.engine.identity.engine_id, each, 1.0)
    running(place)
    known: list[list[str]] = []
    place.engine.faults = Happening(
        on={"tag": lambda: known.append([each.config_digest for each in place.history().versions])}
    )
    run = place.carry_out(plan(place, tag("switch"), step("prove", Prove(), withdraw=bad), tag("later")))
    assert run.outcome is Outcome.DONE, run.message
    assert known == [["c1", "c2", "c3"], ["c1", "c3"]]


def test_an_engine_that_is_gone_right_after_the_proof_ends_the_run_and_nothing_is_recorded(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    running(place)
    facts = place.engine.facts
    real = facts.containers
    looks: list[str] = []

    def containers(project: str = "") -> object:
        looks.append(project)
        if place.engine.clock.monotonic() >= 3.0 and "proven" in looks:
            raise EngineUnreachableError("gone")
        if place.engine.clock.monotonic() >= 3.0:
            looks.append("proven")
        return real(project)

    facts.containers = containers  # type: ignore[method-assign, assignment]
    run = place.carry_out(plan(place, step("prove", Prove(), version=version()), tag("later")))
    assert isinstance(run.error, EngineUnreachableError)
    assert place.history().versions == ()
    assert tags(place) == []


# -- what a run leaves in the build cache


def left(place: Harbour) -> frozenset[str]:
    with Journal(place.journal) as journal:
        return journal.left_cache(PROJECT, place.engine.identity.engine_id)


def cache(place: Harbour) -> set[str]:
    return {record.record_id for record in place.engine.facts.cache() if not record.shared}


def broken(place: Harbour) -> Run:
    instructions = (Instruction(text="RUN half", kept_bytes=1_000_211), Instruction(text="RUN false", fails=True))
    failing = build(place)
    place.engine.recipes[f"{stack_of(place.engine, WEB).directory}/web"] = Recipe(instructions=instructions)
    return place.carry_out(plan(place, failing))


def test_what_a_run_that_failed_left_in_the_cache_is_written_down_and_nothing_else(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    place.carry_out(plan(place, build(place, 3_000_017), step("drop", Untag(reference="shop-web"))))
    image = next(each for each in place.engine.facts.images() if not each.references)
    place.engine.acts.remove_image(image.image_id)
    before = cache(place)
    assert before
    assert broken(place).outcome is Outcome.FAILED
    assert left(place) == cache(place) - before
    assert left(place)


def test_a_good_run_that_cleans_takes_what_earlier_ones_left_and_forgets_it(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    broken(place)
    assert left(place)
    run = place.carry_out(plan(place, build(place, 3_000_017), step("clean", CleanCache())))
    assert run.outcome is Outcome.DONE, run.message
    assert left(place) == frozenset()
    assert not any(record.size_bytes == 1_000_211 for record in place.engine.facts.cache())


def test_a_good_run_that_cleans_not_leaves_what_is_written_down(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    broken(place)
    was = left(place)
    place.carry_out(plan(place, build(place, 3_000_017)))
    assert left(place) == was
