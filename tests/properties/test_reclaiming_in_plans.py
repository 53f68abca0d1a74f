"""Deploys on disks that are too small until something goes: really planned and executed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs
from tests.properties.stacks import harbour
from tests.simulator import Instruction, Recipe
from tests.simulator.deploying import Described, changed, stack_of

from tonnage.decide.deploy.planning import plan_deploy
from tonnage.decide.deploy.staleness import why_stale
from tonnage.model.deploy.plan import Reclaim
from tonnage.model.deploy.policy import Policy
from tonnage.model.deploy.run import Outcome
from tonnage.model.reclaim.candidate import Root, Roots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulator.deploying import Harbour

    from tonnage.model.deploy.plan import Plan

LATER_S = 1_000.0
BUILT_BYTES = 6_000_000_007
RECIPE = Recipe(instructions=(Instruction(text="RUN pip", kept_bytes=BUILT_BYTES, transient_bytes=1_000_000_007),))
# What builds it is known, so that it can be had again.
OF_A_STACK = {"tonnage.stack": "gone", "tonnage.service": "web"}
WEB = (Described(name="web", recipe=RECIPE),)


def plan_with_needs(place: Harbour, services: Sequence[Described], *needed: str) -> Plan:
    """Plan a deploy by somebody who looked what others need."""
    stack = stack_of(place.engine, services)
    needs = Roots(images=tuple(Root(name, "a test needs it") for name in needed), now_s=place.engine.clock.time())
    inventory = structs.replace(place.inventory(stack), needs=needs)
    return plan_deploy(stack, inventory, place.policy, place.history())


def crowded(place: Harbour) -> None:
    """Deploy once so that sizes are learned; then let others fill the disk, and let time pass."""
    place.policy = Policy(keep_free_bytes=500_000_003)
    assert place.deploy(WEB).outcome is Outcome.DONE
    place.engine.add_image("unused:1", (("unused", 5_000_000_011),), labels=OF_A_STACK)
    place.engine.add_image("needed:1", (("needed", 5_000_000_021),))
    place.engine.add_image("used:1", (("used", 5_000_000_029),))
    place.engine.add_container("theirs-used-1", "used:1", project="theirs", service="used", running=False)
    place.engine.clock.sleep(LATER_S)
    available_bytes = place.engine.disk.available_bytes
    place.engine.disk.eaten_by_neighbour(available_bytes - 4_000_000_007)


def next_web() -> tuple[Described, ...]:
    """Return the service built from other sources, as large as before."""
    recipe = replace(RECIPE, instructions=(replace(RECIPE.instructions[0], text="RUN pip again"),))
    return changed(WEB, "web", recipe=recipe)


def test_what_a_build_needs_is_reclaimed_right_before_it_and_only_from_what_nobody_needs() -> None:
    with harbour() as place:
        crowded(place)
        first = place.engine.store.find("busybox:latest")
        learned_as = {"shop/web/build-warm": place.history().learned["shop/web/build-cold"]}
        history = structs.replace(place.history(), learned={**place.history().learned, **learned_as})
        stack = stack_of(place.engine, next_web())
        needs = Roots(images=(Root("needed:1", "a test needs it"),), now_s=place.engine.clock.time())
        plan = plan_deploy(stack, structs.replace(place.inventory(stack), needs=needs), place.policy, history)
        assert plan.refusal is None
        reclaim = plan.steps[0]
        assert isinstance(reclaim.action, Reclaim)
        assert [(item.kind, item.name) for item in reclaim.action.items] == [("image", "unused:1")]
        run = place.carry_out(plan)
        assert run.outcome is Outcome.DONE, run.message
        assert run.steps[0].kind == "reclaim"
        assert -run.steps[0].measured[0].kept_bytes == 5_000_000_011
        names = place.engine.store.names
        assert {"needed:1", "used:1", "theirs:1", "stopped:1", "busybox:latest"} <= set(names)
        assert "unused:1" not in names
        assert place.engine.store.find("busybox:latest") == first


def test_a_plan_that_cannot_fit_even_so_is_refused_and_nothing_is_removed() -> None:
    with harbour() as place:
        crowded(place)
        place.engine.disk.eaten_by_neighbour(3_900_000_007)
        images = set(place.engine.store.images)
        plan = plan_with_needs(place, next_web(), "needed:1", "unused:1")
        assert plan.refusal is not None
        assert not [step for step in plan.steps if isinstance(step.action, Reclaim)]
        assert set(place.engine.store.images) == images


def test_a_saved_plan_is_stale_once_something_that_it_would_remove_is_needed() -> None:
    with harbour() as place:
        crowded(place)
        place.engine.disk.eaten_by_neighbour(3_900_000_007)
        saved = plan_with_needs(place, next_web(), "needed:1")
        assert saved.refusal is None
        assert isinstance(saved.steps[0].action, Reclaim)
        assert not why_stale(saved, plan_with_needs(place, next_web(), "needed:1"))
        place.engine.add_container("somebody", "unused:1")
        assert "needed or gone by now" in why_stale(saved, plan_with_needs(place, next_web(), "needed:1"))


def test_an_image_that_is_used_by_then_stays_and_the_plan_goes_on() -> None:
    with harbour() as place:
        crowded(place)
        place.engine.disk.eaten_by_neighbour(3_900_000_007)
        plan = plan_with_needs(place, WEB, "needed:1")
        plan = plan if plan.steps else plan_with_needs(place, next_web(), "needed:1")
        place.engine.add_container("somebody", "unused:1")
        run = place.carry_out(plan)
        assert run.steps[0].outcome is Outcome.DONE
        assert place.engine.store.find("unused:1") is not None


def test_the_cache_of_a_build_that_failed_goes_with_the_next_good_deploy() -> None:
    broken = replace(RECIPE, instructions=(*RECIPE.instructions, Instruction(text="RUN false", fails=True)))
    better = replace(RECIPE, instructions=(Instruction(text="RUN something else", kept_bytes=1_000_033),))
    with harbour() as place:
        assert place.deploy(changed(WEB, "web", recipe=broken)).outcome is Outcome.FAILED
        left = place.engine.disk.available_bytes
        assert any(record.size_bytes == BUILT_BYTES for record in place.engine.facts.cache())
        assert place.deploy(changed(WEB, "web", recipe=better)).outcome is Outcome.DONE
        assert not any(record.size_bytes == BUILT_BYTES for record in place.engine.facts.cache())
        assert place.engine.disk.available_bytes > left + BUILT_BYTES - 2_000_033
