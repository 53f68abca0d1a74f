"""The services of a plan are in the order that needs least at the worst moment, where dependencies allow it."""

from __future__ import annotations

import random
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.simulator import Instruction, Recipe
from tests.simulator.deploying import Described, stack_of
from tests.unit.builders import harbour

from tonnage.decide.deploy.changes import in_order
from tonnage.decide.deploy.planning import plan_build, plan_deploy
from tonnage.decide.schedule.services import in_lowest_order, with_cache_cleaned
from tonnage.errors import UsageError
from tonnage.model.deploy.expected_build import ExpectedBuild
from tonnage.model.deploy.plan import Build, CleanCache, Switch
from tonnage.model.deploy.policy import Policy
from tonnage.model.forecast.estimate import exactly
from tonnage.model.inventory import CONTAINERD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.simulator.deploying import Harbour

    from tonnage.model.deploy.plan import Plan
    from tonnage.model.stack import Stack

MB = 10**6


def described(name: str, *depends_on: str) -> Described:
    recipe = Recipe(instructions=(Instruction(text=f"RUN {name}", kept_bytes=7),))
    return Described(name=name, recipe=recipe, depends_on=depends_on, volume=f"{name}-data")


def build(kept: int, transient: int, cache: int = 0) -> ExpectedBuild:
    return ExpectedBuild(kept=exactly(kept * MB), transient=exactly(transient * MB), cache=exactly(cache * MB))


def planner(
    place: Harbour, builds: Callable[[Stack], dict[str, ExpectedBuild]], *, builds_only: bool = False
) -> Callable[[Stack], Plan]:
    plan = plan_build if builds_only else plan_deploy
    return lambda stack: plan(stack, place.inventory(stack), place.policy, place.history(), (), builds(stack))


def built(plan: Plan) -> list[str]:
    return [step.service for step in plan.steps if isinstance(step.action, Build)]


def peak(plan: Plan) -> int:
    assert plan.need is not None
    return plan.need.peak.high_bytes


def stack(place: Harbour, services: Iterable[Described]) -> Stack:
    return stack_of(place.engine, tuple(services))


@pytest.mark.parametrize("builds_only", [True, False])
def test_what_gives_most_back_is_built_first(tmp_path: Path, builds_only: bool) -> None:  # noqa: FBT001 - a parameter
    place = harbour(tmp_path)
    found = {"keeps": build(900, 50), "falls": build(100, 800), "both": build(500, 300)}
    plan_of = planner(place, lambda _: found, builds_only=builds_only)
    written = stack(place, map(described, found))
    plan = in_lowest_order(written, plan_of)
    assert built(plan) == ["falls", "both", "keeps"]
    assert peak(plan) < peak(plan_of(written)) - 200 * MB


def test_a_plan_that_fits_only_in_the_best_order_is_not_refused(tmp_path: Path) -> None:
    place = harbour(tmp_path, size_bytes=1_700 * MB)
    found = {"keeps": build(900, 50), "falls": build(100, 800)}
    plan_of = planner(place, lambda _: found)
    written = stack(place, map(described, found))
    assert plan_of(written).refusal is not None
    assert in_lowest_order(written, plan_of).refusal is None


def test_a_dependency_stays_before_what_needs_it(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    found = {"keeps": build(900, 50), "middle": build(0, 0), "falls": build(100, 800), "free": build(200, 1900)}
    services = (described("keeps"), described("middle", "keeps"), described("falls", "middle"), described("free"))
    plan = in_lowest_order(stack(place, services), planner(place, lambda _: found))
    assert built(plan) == ["free", "keeps", "middle", "falls"]


def test_an_order_that_changes_next_to_nothing_stays_as_written(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    found = {"one": build(500, 300), "two": build(500, 304)}
    assert built(in_lowest_order(stack(place, map(described, found)), planner(place, lambda _: found))) == [
        "one",
        "two",
    ]


def test_a_plan_of_which_too_little_is_known_stays_as_written(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    services = [described("keeps"), described("falls")]
    assert built(in_lowest_order(stack(place, services), planner(place, lambda _: {}))) == ["keeps", "falls"]


def test_what_services_share_is_paid_by_the_one_that_comes_first_in_the_order_that_is_taken(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    alone = {"keeps": build(900, 50), "falls": build(100, 800)}

    def builds(ordered: Stack) -> dict[str, ExpectedBuild]:
        first = in_order(ordered, alone)[0].name
        return alone | {first: replace(alone[first], kept=alone[first].kept + exactly(300 * MB))}

    plan = in_lowest_order(stack(place, map(described, alone)), planner(place, builds))
    assert built(plan) == ["falls", "keeps"]
    assert next(step.kept.high_bytes for step in plan.steps if step.name == "falls.build") == 400 * MB


def test_no_order_of_services_needs_much_less(tmp_path: Path) -> None:
    chance = random.Random("orders of services")
    place = harbour(tmp_path)
    for _ in range(12):
        names = "abcd"
        found = {each: build(chance.randint(0, 900), chance.randint(0, 900), 0) for each in names}
        services = [
            described(each, *(other for other in names[:number] if chance.random() < 0.25))
            for number, each in enumerate(names)
        ]
        plan_of = planner(place, lambda _, found=found: found)  # type: ignore[misc]
        plan = in_lowest_order(stack(place, services), plan_of)
        lowest = min(peak(plan_of(stack(place, order))) for order in permutations(services))
        assert lowest <= peak(plan) <= lowest * 102 // 100


def test_a_plan_has_the_same_identity_in_every_order(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    plan_of = planner(place, lambda _: {})
    services = [described("one"), described("two")]
    one, two = plan_of(stack(place, services)), plan_of(stack(place, reversed(services)))
    assert built(one) != built(two)
    assert one.fingerprint == two.fingerprint


def test_services_that_need_each_other_are_refused_as_before(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    services = [described("one", "two"), described("two", "one")]
    with pytest.raises(UsageError, match="one -> two -> one"):
        in_lowest_order(stack(place, services), planner(place, lambda _: {}))


@pytest.mark.parametrize(
    ("available", "cleans"),
    [
        pytest.param(1_300, False, id="room for the cache of all"),
        pytest.param(1_250, True, id="room without it"),
        pytest.param(300, True, id="no room even so"),
    ],
)
def test_cache_that_the_next_build_needs_is_removed_where_the_plan_does_not_fit_with_it(
    tmp_path: Path, available: int, *, cleans: bool
) -> None:
    place = harbour(tmp_path)
    services = stack(place, [described("one"), described("two")])
    seen = place.inventory(services)
    disk = replace(seen.filesystems[0], available_bytes=available * MB)
    inventory = replace(seen, engine=replace(seen.engine, image_store=CONTAINERD), filesystems=(disk,))
    found = {"one": build(600, 50, cache=400), "two": build(600, 50, cache=400)}

    def plan_of(ordered: Stack, policy: Policy) -> Plan:
        return plan_deploy(ordered, inventory, policy, place.history(), (), found)

    policy = Policy(keep_free_bytes=0)
    plan = with_cache_cleaned(services, policy, inventory, plan_of)
    kept = plan_of(services, policy)
    assert any(isinstance(step.action, CleanCache) for step in plan.steps) is cleans
    assert any(note.startswith("build cache is removed after each service") for note in plan.notes) is cleans
    assert (plan.refusal is None) is (available > 300)
    # A saved plan stays the answer to the same question.
    assert plan.fingerprint == kept.fingerprint


def test_many_steps_hold_what_is_written_of_a_service_once(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    written = stack(place, map(described, ("one", "two", "three")))

    plan = plan_deploy(written, place.inventory(written), place.policy, place.history())

    projects = [step.action.project for step in plan.steps if isinstance(step.action, Switch)]
    assert len(projects) == 3
    assert len({id(project["services"]["one"]) for project in projects}) == 1
    assert len({id(project["services"]) for project in projects}) == 3
