"""What a plan needs at its worst moment, and the verdict that follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.expectations import why_not_fit, with_expectations
from tonnage.decide.deploy.verdict import judged, with_need
from tonnage.model.deploy.expected_build import ExpectedBuild
from tonnage.model.deploy.plan import (
    Build,
    CleanCache,
    Plan,
    Prove,
    Pull,
    Purpose,
    Reclaim,
    StartFirst,
    Step,
    Switch,
)
from tonnage.model.deploy.run import History
from tonnage.model.forecast.estimate import UNKNOWN, Estimate, Grade, exactly
from tonnage.model.forecast.fit import FilesystemFit, FitVerdict, Room
from tonnage.model.stack import BuildSpec

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Action
    from tonnage.model.forecast.fit import DeployNeed

GB = 10**9


def step(service: str, action: Action, kept: Estimate = UNKNOWN, name: str = "") -> Step:
    name = f"{service}.{name or type(action).__name__.lower()}"
    return Step(name=name, action=action, cause="c", changes="d", service=service, kept=kept, transient=kept)


def deployed(service: str) -> list[Step]:
    return [
        step(service, Build(spec=BuildSpec(context="/c"), reference="r")),
        step(service, StartFirst(project={}, container_name="n")),
        step(service, Prove(), name="prove-first"),
        step(service, Switch(project={})),
        step(service, Prove()),
        step(service, CleanCache()),
    ]


def build(kept: Estimate, transient: Estimate, cache: Estimate) -> ExpectedBuild:
    return ExpectedBuild(kept=kept, transient=transient, cache=cache)


def planned(steps: list[Step], builds: dict[str, ExpectedBuild], *, available: int, reserve: int = GB) -> Plan:
    done = with_expectations(steps, available_bytes=available, history=History(), builds=builds)
    refusal = why_not_fit(done, available_bytes=available, reserve_bytes=reserve, filesystem="/var")
    plan = Plan(
        stack="s", directory="/d", purpose=Purpose.DEPLOY, engine_id="e", endpoint="u", fingerprint="f",
        filesystem="/var", available_bytes=available, reserve_bytes=reserve, steps=done, refusal=refusal,
    )  # fmt: skip
    return with_need(plan)


def fit(available: int, every: Estimate, reserve: int = GB) -> FilesystemFit:
    room = Room(
        mount="/var", roles=("data-root",), available_bytes=available, reserve_bytes=reserve, size_bytes=99 * GB
    )
    return FilesystemFit(
        room=room, fit=FitVerdict.NOT, missing_bytes=7, kept=every, one_after_the_other=every, all_at_once=every
    )


def need(plan: Plan) -> DeployNeed:
    assert plan.need is not None
    return plan.need


TWO = {
    "web": build(exactly(3 * GB + 7), exactly(2 * GB), exactly(GB)),
    "api": build(exactly(2 * GB), exactly(GB + 11), exactly(GB)),
}


def test_cache_that_is_removed_between_services_does_not_weigh_in_the_next_one() -> None:
    plan = planned([*deployed("web"), *deployed("api")], TWO, available=50 * GB)
    assert (need(plan).peak.high_bytes, need(plan).step) == (5 * GB + 18, "api.build")
    assert need(plan).kept.likely_bytes == 3 * GB + 7
    uncleaned = [each for each in deployed("web") if not isinstance(each.action, CleanCache)]
    assert need(planned([*uncleaned, *deployed("api")], TWO, available=50 * GB)).peak == exactly(6 * GB + 18)


def test_cache_whose_size_nobody_knows_goes_all_the_same() -> None:
    bound = Estimate(0, GB, GB, Grade.UNKNOWN)
    web = build(exactly(2 * GB) + bound, exactly(0), bound)
    plan = planned(deployed("web"), {"web": web}, available=50 * GB)
    assert need(plan).peak.high_bytes == 3 * GB
    assert (need(plan).kept.low_bytes, need(plan).kept.high_bytes) == (2 * GB, 2 * GB)


def test_what_containers_write_is_no_part_of_what_is_needed_and_weakens_no_grade() -> None:
    plan = planned([*deployed("web"), *deployed("api")], TWO, available=50 * GB)
    assert need(plan).peak.grade is Grade.DECLARED  # the cache that was removed: nobody counted it twice
    assert plan.steps[-1].available_after.low_bytes < 50 * GB - need(plan).kept.high_bytes


def test_a_pull_is_forecast_like_a_build() -> None:
    image = build(exactly(GB), exactly(GB), exactly(0))
    plan = planned([step("db", Pull(reference="x")), step("db", Switch(project={}))], {"db": image}, available=9 * GB)
    assert need(plan).peak == exactly(2 * GB)


def test_what_a_plan_needs_is_not_told_where_one_step_is_not_known() -> None:
    plan = planned([*deployed("web"), *deployed("other")], TWO, available=50 * GB)
    assert plan.need is None


def test_the_verdict_tells_the_figure_that_the_refusal_tells() -> None:
    plan = planned([*deployed("web"), *deployed("api")], TWO, available=5 * GB)
    assert plan.refusal is not None
    assert plan.refusal.missing_bytes == GB + 18
    assert "1.00 GB are missing" in plan.refusal.why
    found = judged(fit(5 * GB, exactly(20 * GB)), need(plan))
    assert (found.fit, found.missing_bytes) == (FitVerdict.NOT, GB + 18)


def test_a_stack_that_fits_cleaned_between_fits_although_it_would_not_otherwise() -> None:
    plan = planned([*deployed("web"), *deployed("api")], TWO, available=6 * GB + 18)
    found = judged(fit(6 * GB + 18, exactly(8 * GB)), need(plan))
    assert (found.fit, found.missing_bytes) == (FitVerdict.ONE_AT_A_TIME, 3 * GB - 18)
    assert judged(fit(6 * GB + 18, exactly(5 * GB)), need(plan)).fit is FitVerdict.FITS


def test_a_high_figure_that_does_not_fit_is_a_doubt_with_its_bytes() -> None:
    web = build(Estimate(GB, 2 * GB, 4 * GB, Grade.DECLARED), exactly(0), exactly(0))
    plan = planned(deployed("web"), {"web": web}, available=4 * GB)
    assert plan.refusal is None
    found = judged(fit(4 * GB, exactly(3 * GB)), need(plan))
    assert (found.fit, found.missing_bytes) == (FitVerdict.DOUBTFUL, GB)


def test_what_is_reclaimed_before_counts_for_the_verdict() -> None:
    freed = Estimate(-2 * GB, -2 * GB, -2 * GB, Grade.DECLARED)
    plan = planned(deployed("web"), TWO, available=5 * GB)
    reclaim = replace(step("web", Reclaim(items=(), until_bytes=0)), kept=freed)
    plan = with_need(replace(plan, steps=(reclaim, *plan.steps), refusal=None))
    assert (need(plan).peak, need(plan).freed_bytes) == (exactly(5 * GB + 7), 2 * GB)
    assert judged(fit(5 * GB, exactly(6 * GB)), need(plan)).fit is FitVerdict.ONE_AT_A_TIME
    assert judged(fit(4 * GB, exactly(6 * GB)), need(plan)).fit is FitVerdict.DOUBTFUL
