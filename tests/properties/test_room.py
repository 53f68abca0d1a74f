"""Room: with known sizes the reserve holds or the plan is refused, and a disk that fills takes no service down."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.properties.stacks import GOOD, harbour, next_recipe, stacks
from tests.simulator import Behaviour, Heard, Instruction, Recipe
from tests.simulator.deploying import PROJECT, Described, changed, stack_of

from tonnage.model.deploy.plan import Build, Pull
from tonnage.model.deploy.policy import Policy
from tonnage.model.deploy.run import History, Outcome
from tonnage.model.forecast.estimate import exactly
from tonnage.model.forecast.learned import LearnedStep

if TYPE_CHECKING:
    from tests.simulator import Simulator

    from tonnage.model.deploy.plan import Plan

NEVER = threading.Event()
often = settings(max_examples=30)


def known_to_the_byte(elsewhere: Simulator, plan: Plan) -> History:
    """Return a history that knows every step of a first deploy, from doing its builds and pulls on another engine."""
    learned: dict[str, LearnedStep] = {}
    for step in plan.steps:
        elsewhere.disk.mark()
        before_bytes = elsewhere.disk.available_bytes
        if isinstance(step.action, Build):
            elsewhere.acts.build(step.action.spec, step.name, {}, progress=Heard(), cancel=NEVER)
        elif isinstance(step.action, Pull):
            elsewhere.acts.pull(step.action.reference, progress=Heard(), cancel=NEVER)
        after_bytes = elsewhere.disk.available_bytes
        if step.learn_key:
            learned[step.learn_key] = LearnedStep(
                kept=exactly(before_bytes - after_bytes),
                transient=exactly(after_bytes - elsewhere.disk.lowest_bytes),
                seconds=1.0,
                runs=1,
            )
    return History(learned=learned)


@often
@given(stacks(), st.integers(1_000_003, 9_000_000_001), st.integers(0, 1_000_000_007))
def test_with_known_sizes_the_line_is_never_crossed_or_the_plan_is_refused(
    services: tuple[Described, ...], room_bytes: int, reserve_bytes: int
) -> None:
    with harbour() as elsewhere, harbour() as place:
        history = known_to_the_byte(elsewhere.engine, elsewhere.plan(stack_of(elsewhere.engine, services)))
        disk = place.engine.disk
        disk.eaten_by_neighbour(disk.available_bytes - reserve_bytes - room_bytes)
        place.policy = Policy(keep_free_bytes=reserve_bytes)
        plan = place.plan(stack_of(place.engine, services), history=history)
        assert all(step.available_lowest.known for step in plan.steps)
        assert (plan.refusal is not None) == (needed_bytes(plan) > room_bytes)
        if plan.refusal is None:
            disk.mark()
            run = place.carry_out(plan)
            assert run.outcome is Outcome.DONE, run.message
            assert disk.lowest_bytes >= reserve_bytes
            assert disk.lowest_bytes == min(step.available_lowest.likely_bytes for step in plan.steps)


@often
@given(stacks(), st.data())
def test_a_disk_that_fills_in_the_middle_leaves_every_service_running(
    services: tuple[Described, ...], data: st.DataObject
) -> None:
    built = [each for each in services if each.recipe and not each.one_shot]
    assume(built)
    with harbour() as place:
        place.deploy(services)
        chosen = data.draw(st.sampled_from(built))
        assert chosen.recipe is not None
        before = {c.name: c.container_id for c in place.engine.facts.containers(PROJECT)}
        disk = place.engine.disk
        disk.eaten_by_neighbour(disk.available_bytes - data.draw(st.integers(0, 1_000_002)))
        run = place.deploy(changed(services, chosen.name, recipe=next_recipe(chosen.recipe, GOOD[0])))
        assert run.outcome is Outcome.FAILED
        assert run.error is not None
        assert run.error.exit_code == 10
        assert {c.name: c.container_id for c in place.engine.facts.containers(PROJECT)} == before
        assert {c.state for c in place.engine.facts.containers(PROJECT)} <= {"running", "exited"}


def test_a_build_that_comes_to_the_line_is_stopped_and_gives_back_what_it_wrote() -> None:
    with harbour() as place:
        place.engine.pace_s = 0.05
        place.policy = Policy(keep_free_bytes=3_000_000_019)
        disk = place.engine.disk
        disk.eaten_by_neighbour(disk.available_bytes - 5_000_000_029)
        before_bytes = disk.available_bytes
        big = Recipe(instructions=(Instruction(text="RUN big", kept_bytes=4_000_000_007),), behaviour=Behaviour())
        run = place.deploy((Described(name="a", recipe=big),))
        assert run.outcome is Outcome.FAILED
        assert "stopped below the reserve" in run.message
        assert 0 < disk.lowest_bytes < 3_000_000_019
        assert disk.available_bytes == before_bytes
        assert place.engine.facts.containers(PROJECT) == ()


def test_deploy_after_deploy_the_disk_keeps_two_versions_and_nothing_of_those_before() -> None:
    with harbour() as place:
        available = []
        for number in range(1, 6):
            instruction = Instruction(text=f"RUN version {number}", kept_bytes=30_000_001)
            assert (
                place.deploy((Described(name="a", recipe=Recipe(instructions=(instruction,))),)).outcome is Outcome.DONE
            )
            available.append(place.engine.disk.available_bytes)
        assert available[0] - available[1] >= 30_000_001
        assert available[1] == available[2] == available[3] == available[4]


def test_without_cleaning_up_the_build_cache_of_what_is_superseded_stays() -> None:
    with harbour() as place:
        place.policy = Policy(keep_free_bytes=0, cleanup_after=False)
        for number in range(1, 4):
            instruction = Instruction(text=f"RUN version {number}", kept_bytes=30_000_001)
            assert (
                place.deploy((Described(name="a", recipe=Recipe(instructions=(instruction,))),)).outcome is Outcome.DONE
            )
        assert [record.size_bytes for record in place.engine.facts.cache()].count(30_000_001) == 3


def test_what_a_build_alone_cleans_up_teaches_a_deploy_nothing() -> None:
    with harbour() as place:
        place.policy = Policy(keep_free_bytes=0, cleanup_after=True)
        recipe = Recipe(instructions=(Instruction(text="RUN big", kept_bytes=30_000_001),))
        stack = stack_of(place.engine, (Described(name="a", recipe=recipe),))
        assert place.carry_out(place.plan_build(stack)).outcome is Outcome.DONE
        [clean] = [step for step in place.plan(stack).steps if step.name == "a.clean"]
        assert not clean.kept.known


def needed_bytes(plan: Plan) -> int:
    """Return what a plan with known sizes needs at its worst moment."""
    return plan.available_bytes - min(
        (step.available_lowest.likely_bytes for step in plan.steps), default=plan.available_bytes
    )
