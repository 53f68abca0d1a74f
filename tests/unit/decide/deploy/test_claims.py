"""What runs beside each other may still write is known to the plan of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.unit.decide.observed import image, inventory, service, stack

from tonnage.decide.deploy.expectations import claims_of
from tonnage.decide.deploy.planning import plan_deploy
from tonnage.decide.deploy.reclaim_steps import needs_reclaim
from tonnage.model.deploy.expected_build import ExpectedBuild
from tonnage.model.deploy.plan import Build
from tonnage.model.deploy.policy import Policy
from tonnage.model.deploy.run import History, OtherRun
from tonnage.model.forecast.estimate import Estimate, Grade
from tonnage.model.inventory import Inputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.plan import Plan

WEB = service()
OTHER = OtherRun(stack="harbour", pid=4_711, user="ana", command="tonnage deploy", claimed_bytes=2_000_000_003)
KEPT, ON_TOP = 1_000_000_007, 500_000_003


def plan(*, more_bytes: int, others: Sequence[OtherRun] = ()) -> Plan:
    """Return a plan that builds ``web``, on a disk with so much beyond what that needs and the reserve."""
    seen = inventory(images=(image(9, "else"),), inputs=(Inputs(service="web", digest="i1"),))
    available_bytes = KEPT + ON_TOP + more_bytes
    disk = replace(seen.filesystems[0], available_bytes=available_bytes, size_bytes=10 * available_bytes)
    seen = replace(seen, filesystems=(disk,), others=tuple(others))
    build = ExpectedBuild(
        kept=Estimate(KEPT, KEPT, KEPT, Grade.EXACT), transient=Estimate(ON_TOP, ON_TOP, ON_TOP, Grade.EXACT)
    )
    return plan_deploy(stack(WEB), seen, Policy(keep_free_bytes=0), History(), (), {"web": build})


def test_a_plan_claims_what_its_steps_take_at_their_worst_moment_and_nothing_after_them() -> None:
    made = plan(more_bytes=0)
    claims = claims_of(made)
    number = next(place for place, step in enumerate(made.steps) if isinstance(step.action, Build))
    assert claims[number] >= KEPT + ON_TOP
    assert claims[number + 1] < KEPT
    assert len(claims) == len(made.steps)
    assert claims_of(replace(made, steps=())) == ()


def test_what_another_run_may_still_write_is_not_there_for_this_one_and_that_run_is_named() -> None:
    assert plan(more_bytes=100_000_007).refusal is None
    refusal = plan(more_bytes=100_000_007, others=(OTHER,)).refusal
    assert refusal is not None
    assert "and the 2.00 GB that may still be written by the run of stack harbour" in refusal.why
    assert "(process 4711 of user ana: tonnage deploy)" in refusal.why
    assert refusal.todo.startswith("Wait until that one has ended")
    assert plan(more_bytes=2_200_000_009, others=(OTHER,)).refusal is None


def test_a_run_that_claims_nothing_is_not_named() -> None:
    silent = replace(OTHER, claimed_bytes=0)
    refusal = plan(more_bytes=-1_000_000_009, others=(silent,)).refusal
    assert refusal is not None
    assert "harbour" not in refusal.why


def test_reclaiming_makes_room_for_both() -> None:
    made = plan(more_bytes=500_000_003)
    assert not needs_reclaim(made)
    assert needs_reclaim(made, (OTHER,))
