"""The executor: order and undoing, the journal, what it tells, and what it leaves when it is ended from outside."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.simulator import Behaviour, Instruction, PowerCutError, Recipe
from tests.simulator.deploying import PROJECT, stack_of
from tests.unit.builders import (
    WEB,
    Happening,
    build,
    harbour,
    instruction,
    journaled,
    plan,
    raises,
    ran,
    running,
    step,
    tag,
    tags,
    version,
)

from tonnage.errors import (
    CannotFitError,
    EngineUnreachableError,
    InterruptedRunError,
    NotHealthyError,
    StepFailedError,
)
from tonnage.model.deploy.event import (
    Notice,
    RunFinished,
    RunStarted,
    StepFinished,
    StepLog,
    StepProgress,
    StepStarted,
)
from tonnage.model.deploy.plan import CleanCache, Prove, Refusal, Untag
from tonnage.model.deploy.run import Outcome
from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulator.deploying import Harbour

    from tonnage.model.deploy.run import Run

ROOT = Path(__file__).resolve().parents[4]


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


# -- what is told


def test_views_are_told_where_a_step_is_what_it_prints_and_how_it_ended(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    making = build(place, 7_000_003)
    loud = Instruction(text="RUN make", kept_bytes=7_000_003, prints=("forty-three",))
    for context in place.engine.recipes:
        place.engine.recipes[context] = Recipe(instructions=(loud,))
    run = place.carry_out(plan(place, making))
    steps = [each for each in place.events if isinstance(each, StepProgress | StepLog | StepFinished)]
    assert steps == [
        StepProgress(step="web.build", text="[1/1] RUN make"),
        StepLog(step="web.build", line="forty-three"),
        StepFinished(outcome=run.steps[0]),
    ]


def test_instructions_of_a_build_are_recorded_when_it_was_done_and_not_when_it_failed(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    place.carry_out(plan(place, build(place, 7_000_003, instructions=(instruction("RUN make"),), fails=True)))
    place.carry_out(plan(place, build(place, 7_000_019, instructions=(instruction("RUN make"),))))
    with Journal(place.journal) as journal:
        assert [(each.run_id, each.text) for each in journal.instructions(5)] == [(2, "RUN make")]


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

        def inodes(self) -> Mapping[str, int]:
            return {}

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


def test_a_version_is_recorded_with_the_image_that_runs_once_it_is_proven_and_not_before(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    image_id = running(place)
    known: list[int] = []
    place.engine.faults = Happening(on={"tag": lambda: known.append(len(place.history().versions))})
    run = place.carry_out(plan(place, tag("switch"), step("prove", Prove(), version=version()), tag("later")))
    assert run.outcome is Outcome.DONE, run.message
    assert known == [0, 1]
    assert [(each.service, each.image_id) for each in place.history().versions] == [("web", image_id)]
    image = next(each for each in place.engine.facts.images() if each.image_id == image_id)
    assert [each.content_digest for each in place.history().versions] == [image.content_digest]
    assert image.content_digest


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
    run = place.carry_out(plan(place, tag("switch"), step("prove", Prove(), withdraw=(bad,)), tag("later")))
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


def test_what_could_not_be_removed_is_tried_again_by_the_next_run(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    broken(place)
    stuck = left(place)
    place.engine.store.stuck = set(stuck)
    run = place.carry_out(plan(place, build(place, 3_000_017), step("clean", CleanCache())))
    assert run.outcome is Outcome.DONE, run.message
    assert stuck <= left(place)
    place.engine.store.stuck = set()
    place.carry_out(plan(place, build(place, 3_000_017), step("clean", CleanCache())))
    assert left(place) == frozenset()
    assert not stuck & cache(place)


def test_a_run_that_failed_before_it_cleaned_forgets_nothing(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    broken(place)
    was = left(place)
    failing = tag("switch", image="nothing:1")
    run = place.carry_out(plan(place, build(place, 3_000_017), failing, step("clean", CleanCache())))
    assert run.outcome is Outcome.FAILED
    assert was <= left(place)


def test_what_a_good_run_made_and_kept_is_not_taken_for_worthless(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    made = build(place, 3_000_017)
    place.carry_out(plan(place, made))
    with Journal(place.journal) as journal:
        [run] = journal.engine_records(place.engine.identity.engine_id).leftovers
    # Nothing, and not that nobody looked: of a run that was killed all that came since is worthless.
    assert run.left == frozenset()


def test_a_good_run_that_cleans_not_leaves_what_is_written_down(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    broken(place)
    was = left(place)
    place.carry_out(plan(place, build(place, 3_000_017)))
    assert left(place) == was
