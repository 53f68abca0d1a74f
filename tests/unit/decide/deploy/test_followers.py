"""Services that live in the containers of another one follow it, in deploys, on the way back and in rollbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.simulator import Instruction, Recipe
from tests.simulator.deploying import PROJECT, Described, changed, stack_of
from tests.simulator.recipe import Behaviour
from tests.unit.builders import harbour, tags

from tonnage.model.deploy.plan import Restart, Switch
from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator.deploying import Harbour

    from tonnage.model.deploy.plan import Plan
    from tonnage.model.inventory import Container

ONE = Recipe(instructions=(Instruction(text="RUN one", kept_bytes=1_000_003),))
TWO = Recipe(instructions=(Instruction(text="RUN two", kept_bytes=1_000_033),))
BAD = Recipe(
    instructions=(Instruction(text="RUN bad", kept_bytes=1_000_037),),
    behaviour=Behaviour(exits_after_s=1.0, exit_code=3),
)
# With a volume of its own it is stopped first, so that what fails fails after the switch.
GATE = Described(name="gate", recipe=ONE, volume="state")
INSIDE = Described(name="inside", image="busybox", inside="gate")
AGAIN = Described(name="again", image="busybox", restarts_with=("gate",))
WITHIN = Described(name="within", image="busybox", inside="again")
APART = Described(name="apart", image="busybox", depends_on=("gate",))
ALL = (GATE, INSIDE, AGAIN, WITHIN, APART)


@pytest.fixture
def place(tmp_path: Path) -> Harbour:
    """Return an engine on which the whole stack runs, proven."""
    found = harbour(tmp_path)
    assert found.deploy(ALL).outcome is Outcome.DONE
    return found


def container(place: Harbour, service: str) -> Container:
    (only,) = (each for each in place.engine.facts.containers(PROJECT) if each.service == service)
    return only


def owner(place: Harbour, service: str) -> str:
    ((_kind, joined),) = container(place, service).joined
    return joined


def names(plan: Plan) -> list[str]:
    return [step.name for step in plan.steps]


def versions(place: Harbour) -> list[str]:
    return [name for name in tags(place) if "/gate:v" in name]


def test_who_lives_in_a_replaced_container_is_made_anew_and_who_asked_for_it_is_restarted(place: Harbour) -> None:
    apart, again = container(place, "apart"), container(place, "again")
    place.engine.clock.sleep(5.0)
    plan = place.plan(stack_of(place.engine, changed(ALL, "gate", recipe=TWO)))
    assert [name for name in names(plan) if not name.startswith("gate.")] == [
        "inside.switch", "inside.prove", "inside.good", "again.restart", "again.prove-restarted", "within.switch",
        "within.prove", "within.good",
    ]  # fmt: skip
    # Good is a version only when nobody comes any more who would take it back.
    assert names(plan).index("inside.prove") < names(plan).index("gate.good") < names(plan).index("again.restart")
    causes = {step.name: step.cause for step in plan.steps}
    assert causes["inside.switch"] == "it shares the network of gate, whose containers are replaced"
    assert causes["again.restart"] == "it depends on gate with restart: true, whose containers are replaced"
    assert causes["within.switch"] == "it shares the network of again, whose containers are replaced"
    assert [each.service for each in plan.unchanged] == ["apart"]
    assert place.carry_out(plan).outcome is Outcome.DONE
    assert owner(place, "inside") == container(place, "gate").container_id
    assert container(place, "again").container_id == again.container_id
    assert container(place, "again").started_s > again.started_s
    assert container(place, "apart") == apart
    assert place.plan(stack_of(place.engine, changed(ALL, "gate", recipe=TWO))).steps == ()


def test_they_follow_although_only_the_other_one_was_asked_for_and_come_back_as_they_ran(place: Harbour) -> None:
    services = changed(changed(ALL, "gate", recipe=TWO), "inside", setting="not asked for")
    plan = place.plan(stack_of(place.engine, services), ["gate"])
    (switch,) = (step.action for step in plan.steps if step.name == "inside.switch")
    assert isinstance(switch, Switch)
    assert switch.recreate
    assert switch.project["services"]["inside"]["environment"] == {"SETTING": ""}
    assert place.carry_out(plan).outcome is Outcome.DONE
    assert owner(place, "inside") == container(place, "gate").container_id


def test_when_the_new_version_fails_they_come_back_with_the_one_before(place: Harbour) -> None:
    before = container(place, "gate").image_id
    run = place.deploy(changed(ALL, "gate", recipe=BAD))
    assert run.outcome is Outcome.FAILED
    undone = [step.name for step in run.steps if step.undo]
    assert [name for name in undone if not name.startswith("gate.")] == [
        "inside.restore", "inside.prove-restored", "inside.good", "again.restart", "again.prove-restarted",
        "within.restore", "within.prove-restored", "within.good",
    ]  # fmt: skip
    assert container(place, "gate").image_id == before
    assert owner(place, "inside") == container(place, "gate").container_id
    assert place.plan(stack_of(place.engine, ALL)).steps == ()


def test_when_nothing_was_replaced_yet_nobody_is_made_anew_or_restarted(place: Harbour) -> None:
    before = place.engine.facts.containers()
    plan = place.plan(stack_of(place.engine, changed(ALL, "gate", recipe=TWO)))
    gone = {"gate.switch": {"image": "gone:1", "image_name": "gone:2"}}
    steps = tuple(replace(each, action=replace(each.action, **gone.get(each.name, {}))) for each in plan.steps)
    run = place.carry_out(replace(plan, steps=steps))
    assert run.outcome is Outcome.FAILED
    assert "again.restart" in [step.name for step in run.steps if step.undo]
    assert [(each.container_id, each.started_s) for each in place.engine.facts.containers()] == [
        (each.container_id, each.started_s) for each in before
    ]


def test_who_cannot_live_in_the_new_version_brings_the_one_before_back(place: Harbour) -> None:
    before, known = container(place, "gate").image_id, versions(place)
    plan = place.plan(stack_of(place.engine, changed(ALL, "gate", recipe=TWO)))
    place.engine.store.find("busybox").behaviour = Behaviour(exits_after_s=1.0, exit_code=3)  # type: ignore[union-attr]
    run = place.carry_out(plan)
    assert run.outcome is Outcome.FAILED
    assert container(place, "gate").image_id == before
    assert owner(place, "inside") == container(place, "gate").container_id
    # Nobody is told that what was taken back is a version to go to.
    assert {*versions(place)} == {*known}


def test_a_rollback_takes_them_along(place: Harbour) -> None:
    first = container(place, "gate").image_id
    assert place.deploy(changed(ALL, "gate", recipe=TWO)).outcome is Outcome.DONE
    plan = place.plan_rollback(stack_of(place.engine, ALL), ["gate"])
    assert [name for name in names(plan) if not name.startswith("gate.")] == [
        "inside.switch", "inside.prove", "inside.good", "again.restart", "again.prove-restarted", "within.switch",
        "within.prove", "within.good",
    ]  # fmt: skip
    assert place.carry_out(plan).outcome is Outcome.DONE
    assert container(place, "gate").image_id == first
    assert owner(place, "inside") == container(place, "gate").container_id


def test_one_that_goes_back_too_does_so_when_what_it_lives_in_is_there(place: Harbour) -> None:
    services = changed(changed(ALL, "gate", recipe=TWO), "inside", setting="two")
    assert place.deploy(services).outcome is Outcome.DONE
    plan = place.plan_rollback(stack_of(place.engine, services))
    assert names(plan).index("inside.switch") > names(plan).index("gate.prove")
    assert names(plan).count("inside.switch") == 1
    assert place.carry_out(plan).outcome is Outcome.DONE
    assert owner(place, "inside") == container(place, "gate").container_id


@pytest.mark.parametrize("happens", ["removed and made anew", "restarted"])
def test_what_was_lost_outside_of_a_deploy_is_made_up_for_by_the_next(place: Harbour, happens: str) -> None:
    engine, gate = place.engine, container(place, "gate")
    stack = stack_of(engine, ALL)
    engine.clock.sleep(5.0)
    if happens == "restarted":
        engine.acts.restart_container(gate.container_id)
    else:
        engine.acts.remove_container(gate.container_id)
        place.carry_out(replace_only(place.plan(stack, ["gate"])))
    assert [name for name in names(place.plan(stack)) if name.startswith("inside.")] == [
        "inside.switch",
        "inside.prove",
        "inside.good",
    ]
    assert place.carry_out(place.plan(stack)).outcome is Outcome.DONE
    assert owner(place, "inside") == container(place, "gate").container_id
    assert place.plan(stack).steps == ()


@pytest.mark.parametrize("new", [TWO, BAD], ids=["a new version", "a version that is undone"])
def test_its_version_is_known_by_the_new_container_because_compose_counts_the_one_that_it_joins(
    place: Harbour, new: Recipe
) -> None:
    before = container(place, "inside").container_id
    place.deploy(changed(ALL, "gate", recipe=new))
    (found,) = (each for each in place.inventory(stack_of(place.engine, ALL)).containers if each.service == "inside")
    assert found.container_id != before
    assert found.is_proven
    assert found.config_digest
    # Numbers go on after the newest one, not after that of who followed.
    place.deploy(changed(changed(ALL, "gate", recipe=TWO), "apart", setting="another"))
    assert max(each.number for each in place.history().versions) > len(ALL)


def replace_only(plan: Plan) -> Plan:
    """Return a plan as a run that was killed before those followed who have to."""
    return replace(plan, steps=tuple(step for step in plan.steps if step.service == "gate"))


def test_a_run_that_was_killed_before_a_restart_makes_up_for_it(place: Harbour) -> None:
    stack = stack_of(place.engine, changed(ALL, "gate", recipe=TWO))
    place.engine.clock.sleep(5.0)
    place.carry_out(replace_only(place.plan(stack)))
    plan = place.plan(stack)
    assert [type(step.action) for step in plan.steps if step.name == "again.restart"] == [Restart]
    assert place.carry_out(plan).outcome is Outcome.DONE
    assert place.plan(stack).steps == ()
