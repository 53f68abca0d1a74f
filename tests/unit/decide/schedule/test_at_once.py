"""What a plan says of the time that it saves to make images at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.simulator import Instruction, Recipe
from tests.simulator.deploying import Described, stack_of
from tests.unit.builders import harbour

from tonnage.decide.deploy.planning import plan_deploy
from tonnage.decide.schedule.at_once import with_overlap
from tonnage.model.deploy.expected_build import ExpectedBuild
from tonnage.model.deploy.plan import Build
from tonnage.model.deploy.policy import Policy
from tonnage.model.deploy.run import History, OtherRun
from tonnage.model.forecast.estimate import NOTHING, exactly
from tonnage.model.forecast.fit import Overlap
from tonnage.model.forecast.learned import LearnedStep
from tonnage.views.text.plan import plan_text

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.deploy.plan import Plan

MB = 10**6
SECONDS = {"one": 100.0, "two": 80.0, "three": 60.0}


def planned(path: Path, parallel: int, size_bytes: int = 30_000 * MB) -> Plan:
    place = harbour(path, size_bytes)
    services = [
        Described(name=name, recipe=Recipe(instructions=(Instruction(text=f"RUN {name}"),)), volume=name)
        for name in SECONDS
    ]
    stack = stack_of(place.engine, services)
    builds = {name: ExpectedBuild(kept=exactly(300 * MB), transient=exactly(400 * MB)) for name in SECONDS}
    policy = Policy(keep_free_bytes=1_000 * MB, parallel=parallel)
    return plan_deploy(stack, place.inventory(stack), policy, History(), (), builds)


def learned(plan: Plan, *but: str) -> History:
    steps = [step for step in plan.steps if isinstance(step.action, Build) and step.service not in but]
    return History(
        learned={
            step.learn_key: LearnedStep(kept=NOTHING, transient=NOTHING, seconds=SECONDS[step.service], runs=1)
            for step in steps
        }
    )


def test_where_there_is_room_the_longest_image_takes_all_the_time(tmp_path: Path) -> None:
    plan = planned(tmp_path, 3)
    found = with_overlap(plan, learned(plan))
    assert found.overlap == Overlap(at_once=3, seconds=100, bound_seconds=100, in_turn_seconds=240)
    assert "takes 1 min 40 s at best with 3 images at once, 4 min 00 s one by one, the optimum" in plan_text(
        found, width=90
    )


def test_two_at_once_take_the_time_of_two_rows(tmp_path: Path) -> None:
    plan = planned(tmp_path, 2)
    overlap = with_overlap(plan, learned(plan)).overlap
    assert overlap is not None
    assert overlap.seconds == 140


def test_without_room_it_takes_as_long_as_one_after_the_other(tmp_path: Path) -> None:
    plan = planned(tmp_path, 3, 2_370 * MB)
    overlap = with_overlap(plan, learned(plan)).overlap
    assert overlap is not None
    assert overlap.seconds == overlap.in_turn_seconds == 240


def test_what_others_may_still_write_is_no_room(tmp_path: Path) -> None:
    plan = planned(tmp_path, 3)
    other = OtherRun(stack="other", pid=7, user="u", command="c", claimed_bytes=27_640 * MB)
    overlap = with_overlap(plan, learned(plan), [other]).overlap
    assert overlap is not None
    assert overlap.seconds == 240


def test_nothing_is_said_where_a_time_is_not_known_or_nothing_will_be_done(tmp_path: Path) -> None:
    plan = planned(tmp_path, 3)
    assert with_overlap(plan, learned(plan, "two")).overlap is None
    assert with_overlap(planned(tmp_path, 3, 2_000 * MB), learned(plan)).overlap is None
    assert with_overlap(replace(plan, steps=plan.steps[:1]), learned(plan)) == replace(plan, steps=plan.steps[:1])


def test_a_plan_says_why_images_are_made_one_at_a_time(tmp_path: Path) -> None:
    plan = planned(tmp_path, 3)
    other = OtherRun(stack="other", pid=7, user="u", command="c", claimed_bytes=28_000 * MB)
    assert with_overlap(plan, learned(plan)).notes == plan.notes
    (told,) = with_overlap(plan, learned(plan), [other]).notes
    assert told.startswith("images are made one at a time: the plan may need 1.30 GB, and 998 MB are available above")
    (told,) = with_overlap(replace(plan, need=None), learned(plan)).notes
    assert told == "images are made one at a time: too little is known of what some steps write"
