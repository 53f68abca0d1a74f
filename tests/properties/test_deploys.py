"""What holds for every stack, whatever changes in it and whatever fails: really planned and executed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.properties.stacks import BAD, GOOD, JOB, harbour, next_recipe, stacks
from tests.simulator import Behaviour, Faults, Instruction, PowerCutError, Recipe
from tests.simulator.deploying import PROJECT, Described, changed, stack_of

from tonnage.model.deploy.plan import Build, Switch
from tonnage.model.deploy.policy import Policy
from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulator import Behaviour
    from tests.simulator.deploying import Harbour

often = settings(max_examples=30)


def running_images(place: Harbour, service: str) -> list[str]:
    """Return the images of the containers of a service that run."""
    containers = place.engine.facts.containers(PROJECT)
    return [c.image_id for c in containers if c.service == service and c.state == "running" and not c.one_off]


def all_run(place: Harbour, services: Sequence[Described]) -> None:
    """Check that every service runs in as many containers as it should, or has ended well."""
    for each in services:
        if each.one_shot:
            container = place.engine.facts.container(f"{PROJECT}-{each.name}-1")
            assert container is not None
            assert container.exit_code == 0
        else:
            assert len(running_images(place, each.name)) == each.replicas, each.name


def others_are_untouched(place: Harbour) -> None:
    """Check that what other people have on the engine is as it was."""
    images = {reference for image in place.engine.facts.images() for reference in image.references}
    assert {"theirs:1", "stopped:1", "busybox:latest"} <= images
    assert len([i for i in place.engine.facts.images() if i.size_bytes == 2_000_003 and not i.references]) == 1
    assert {c.name: c.state for c in place.engine.facts.containers("theirs")} == {
        "theirs-web-1": "running",
        "theirs-old-1": "exited",
    }
    assert "theirs_data" in {volume.name for volume in place.engine.facts.volumes()}


def never_two_at_once_on_the_same_state(place: Harbour, services: Sequence[Described]) -> None:
    """Check that no stateful service ever had more containers than it should."""
    for each in services:
        if each.volume:
            assert place.engine.most_at_once.get((PROJECT, each.name), 0) <= each.replicas


def nothing_is_left_over(place: Harbour) -> None:
    """Check that no candidate container and no candidate is there."""
    no_candidate_container(place)
    assert not candidates(place)


def no_candidate_container(place: Harbour) -> None:
    """Check that no candidate container is there."""
    assert not [c for c in place.engine.facts.containers(PROJECT) if c.one_off]


def candidates(place: Harbour) -> list[str]:
    """Return the names of images that are not proven."""
    names = [name for image in place.engine.facts.images() for name in image.references]
    return [name for name in names if name.endswith(":candidate")]


@often
@given(stacks())
def test_a_first_deploy_runs_everything_and_a_second_one_has_nothing_to_do(services: tuple[Described, ...]) -> None:
    with harbour() as place:
        run = place.deploy(services)
        assert run.outcome is Outcome.DONE, run.message
        all_run(place, services)
        again = place.plan(stack_of(place.engine, services))
        assert [step.name for step in again.steps] == []
        assert again.refusal is None
        others_are_untouched(place)
        never_two_at_once_on_the_same_state(place, services)
        nothing_is_left_over(place)


@often
@given(stacks())
def test_dependencies_come_before_what_depends_on_them(services: tuple[Described, ...]) -> None:
    with harbour() as place:
        plan = place.plan(stack_of(place.engine, services))
        order = list(dict.fromkeys(step.service for step in plan.steps))
        for each in services:
            for dependency in each.depends_on:
                assert order.index(dependency) < order.index(each.name)


@often
@given(stacks(), st.data())
def test_a_changed_service_is_replaced_and_the_others_are_left_alone(
    services: tuple[Described, ...], data: st.DataObject
) -> None:
    with harbour() as place:
        place.deploy(services)
        before = {c.name: c.container_id for c in place.engine.facts.containers(PROJECT)}
        chosen = data.draw(st.sampled_from(services))
        old = running_images(place, chosen.name)
        if chosen.recipe is not None and data.draw(st.booleans()):
            behaviour = JOB if chosen.one_shot else data.draw(st.sampled_from(GOOD))
            now = changed(services, chosen.name, recipe=next_recipe(chosen.recipe, behaviour))
        else:
            now = changed(services, chosen.name, setting="another")
        run = place.deploy(now)
        assert run.outcome is Outcome.DONE, run.message
        assert {step.service for step in run.steps} == {chosen.name}
        all_run(place, now)
        after = {c.name: c.container_id for c in place.engine.facts.containers(PROJECT)}
        assert {name for name in before if before[name] != after.get(name)} == {
            f"{PROJECT}-{chosen.name}-{number}" for number in range(1, chosen.replicas + 1)
        }
        if now != changed(services, chosen.name, setting="another") and not chosen.one_shot:
            assert old[0] in {image.image_id for image in place.engine.facts.images()}
        others_are_untouched(place)
        never_two_at_once_on_the_same_state(place, services)
        nothing_is_left_over(place)


@often
@given(stacks(), st.data())
def test_a_version_that_fails_leaves_the_one_before_it_running(
    services: tuple[Described, ...], data: st.DataObject
) -> None:
    built = [each for each in services if each.recipe and not each.one_shot]
    assume(built)
    with harbour() as place:
        place.deploy(services)
        chosen = data.draw(st.sampled_from(built))
        assert chosen.recipe is not None
        old = running_images(place, chosen.name)
        fails = data.draw(st.booleans())
        broken = next_recipe(chosen.recipe, data.draw(st.sampled_from(BAD)), fails=fails)
        run = place.deploy(changed(services, chosen.name, recipe=broken))
        assert run.outcome is Outcome.FAILED
        assert run.error is not None
        assert run.error.exit_code == (10 if fails else 5)
        assert running_images(place, chosen.name) == old
        named = next(i for i in place.engine.facts.images() if f"{PROJECT}-{chosen.name}:latest" in i.references)
        assert named.image_id == old[0]
        all_run(place, services)
        others_are_untouched(place)
        never_two_at_once_on_the_same_state(place, services)
        nothing_is_left_over(place)
        assert [step.name for step in place.plan(stack_of(place.engine, services)).steps] == []


@often
@given(stacks(), st.data())
def test_rollback_goes_back_to_the_image_that_ran_before(services: tuple[Described, ...], data: st.DataObject) -> None:
    built = [each for each in services if each.recipe and not each.one_shot]
    assume(built)
    with harbour() as place:
        place.deploy(services)
        chosen = data.draw(st.sampled_from(built))
        assert chosen.recipe is not None
        old = running_images(place, chosen.name)
        now = changed(services, chosen.name, recipe=next_recipe(chosen.recipe, GOOD[0]))
        place.deploy(now)
        assert set(running_images(place, chosen.name)).isdisjoint(old)
        run = place.carry_out(place.plan_rollback(stack_of(place.engine, now)))
        assert run.outcome is Outcome.DONE, run.message
        assert not [step for step in run.steps if step.kind == "build"]
        assert running_images(place, chosen.name) == old
        all_run(place, services)
        others_are_untouched(place)
        never_two_at_once_on_the_same_state(place, services)


@often
@given(stacks(), st.builds(Policy, keep_free_bytes=st.just(0), keep_versions=st.integers(0, 2)))
def test_an_image_that_somebody_else_named_is_never_removed(services: tuple[Described, ...], policy: Policy) -> None:
    built = [each for each in services if each.recipe and not each.one_shot]
    assume(built)
    with harbour() as place:
        place.policy = policy
        place.deploy(services)
        named = {}
        for each in built:
            place.engine.acts.tag(each.reference, f"theirs/{each.name}:copy")
            named[f"theirs/{each.name}:copy"] = running_images(place, each.name)[0]
        for _ in range(3):
            for each in built:
                recipe = next(now.recipe for now in services if now.name == each.name)
                assert recipe is not None
                services = changed(services, each.name, recipe=next_recipe(recipe, GOOD[0]))
            run = place.deploy(services)
            assert run.outcome is Outcome.DONE, run.message
        images = {name: image.image_id for image in place.engine.facts.images() for name in image.references}
        assert {name: images.get(name) for name in named} == named
        nothing_is_left_over(place)


@often
@given(stacks(), st.data())
def test_after_a_power_cut_at_any_act_the_next_deploy_finishes_the_rest(
    services: tuple[Described, ...], data: st.DataObject
) -> None:
    with harbour() as place:
        if data.draw(st.booleans(), label="there is an earlier version"):
            place.deploy(services)
            services = tuple(
                changed((each,), each.name, recipe=next_recipe(each.recipe, JOB if each.one_shot else GOOD[1]))[0]
                if each.recipe
                else each
                for each in services
            )
        number = len(place.engine.log) + data.draw(st.integers(1, 30), label="act")
        moment = data.draw(st.sampled_from(("die_before", "die_after")))
        place.engine.faults = Faults(**{moment: frozenset({number})})  # type: ignore[arg-type]
        try:
            place.deploy(services)
        except PowerCutError:
            others_are_untouched(place)
        place.engine.faults = Faults()
        run = place.deploy(services)
        assert run.outcome is Outcome.DONE, run.message
        place.engine.clock.sleep(60.0)
        all_run(place, services)
        assert [step.name for step in place.plan(stack_of(place.engine, services)).steps] == []
        others_are_untouched(place)
        never_two_at_once_on_the_same_state(place, services)
        no_candidate_container(place)


@often
@given(stacks(), st.data())
def test_whatever_act_fails_some_good_version_of_every_service_runs(
    services: tuple[Described, ...], data: st.DataObject
) -> None:
    with harbour() as place:
        place.deploy(services)
        now = tuple(
            changed((each,), each.name, recipe=next_recipe(each.recipe, GOOD[1]))[0]
            if each.recipe and not each.one_shot
            else each
            for each in services
        )
        number = len(place.engine.log) + data.draw(st.integers(1, 30), label="act")
        place.engine.faults = Faults(fail=frozenset({number}))
        place.deploy(now)
        all_run(place, services)
        others_are_untouched(place)
        never_two_at_once_on_the_same_state(place, services)
        place.engine.faults = Faults()
        assert place.deploy(now).outcome is Outcome.DONE
        no_candidate_container(place)


@often
@given(stacks())
def test_a_build_of_the_whole_stack_starts_nothing(services: tuple[Described, ...]) -> None:
    with harbour() as place:
        plan = place.plan_build(stack_of(place.engine, services))
        assert not [step for step in plan.steps if isinstance(step.action, Switch)]
        place.carry_out(plan)
        assert place.engine.facts.containers(PROJECT) == ()
        others_are_untouched(place)
        assert len([step for step in plan.steps if isinstance(step.action, Build)]) == len(
            [each for each in services if each.recipe]
        )


@pytest.mark.parametrize("act", [3, 4])
def test_a_candidate_name_that_a_power_cut_left_is_taken_away_by_the_next_deploy(act: int) -> None:
    with harbour() as place:
        services = (Described(name="a", recipe=Recipe(instructions=(Instruction(text="RUN a", kept_bytes=1_009),))),)
        place.engine.faults = Faults(die_before=frozenset({act}))
        with pytest.raises(PowerCutError):
            place.deploy(services)
        place.engine.faults = Faults()
        assert place.deploy(services).outcome is Outcome.DONE
        assert place.deploy(services).outcome is Outcome.DONE
        assert candidates(place) == []


def test_a_version_that_a_power_cut_left_unproven_is_proven_by_the_next_deploy() -> None:
    with harbour() as place:
        services = (Described(name="a", recipe=Recipe(instructions=(Instruction(text="RUN a", kept_bytes=1_009),))),)
        place.engine.faults = Faults(die_after=frozenset({3}))
        with pytest.raises(PowerCutError):
            place.deploy(services)
        assert place.engine.log[-1] == "up shop a"
        place.engine.faults = Faults()
        place.deploy(services)
        assert [version.service for version in place.history().versions] == ["a"]


@pytest.mark.parametrize("behaviour", BAD)
def test_a_first_version_that_fails_leaves_nothing_behind(behaviour: Behaviour) -> None:
    with harbour() as place:
        services = (Described(name="a", recipe=Recipe(behaviour=behaviour)),)
        run = place.deploy(services)
        assert run.outcome is Outcome.FAILED
        assert place.engine.facts.containers(PROJECT) == ()
        assert not [n for i in place.engine.facts.images() for n in i.references if "shop" in n]
