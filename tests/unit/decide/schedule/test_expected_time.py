from __future__ import annotations

from msgspec.structs import replace
from tests.unit.views.samples import PLAN

from tonnage.decide.schedule.expected_time import with_times
from tonnage.model.deploy.plan import Refusal
from tonnage.model.deploy.run import History
from tonnage.model.forecast.estimate import NOTHING
from tonnage.model.forecast.fit import Overlap
from tonnage.model.forecast.learned import LearnedStep

BUILT = {("web.build", "build"): 97.0, ("db.prove", "prove"): 5.0, ("api.prove", "prove"): 9.0}


def test_steps_take_what_they_took_before_and_short_ones_what_others_of_their_kind_took() -> None:
    plan = with_times(PLAN, History(seconds=BUILT))
    assert dict(plan.times) == {"web.build": 97.0, "web.switch": 3.0, "web.prove": 7.0}
    assert plan.seconds == 107.0


def test_a_build_that_never_ran_has_no_time_and_so_has_the_plan() -> None:
    plan = with_times(PLAN, History(seconds={("api.build", "build"): 97.0}))
    assert "web.build" not in dict(plan.times)
    assert plan.seconds is None


def test_what_was_learned_of_a_build_goes_before_its_name() -> None:
    learned = {"web/build": LearnedStep(kept=NOTHING, transient=NOTHING, seconds=41.0, runs=1)}
    steps = (replace(PLAN.steps[0], learn_key="web/build"), *PLAN.steps[1:])
    plan = with_times(replace(PLAN, steps=steps), History(seconds=BUILT, learned=learned))
    assert dict(plan.times)["web.build"] == 41.0


def test_what_is_made_at_once_takes_the_time_of_that() -> None:
    overlap = Overlap(at_once=2, seconds=61, bound_seconds=61, in_turn_seconds=107)
    assert with_times(replace(PLAN, overlap=overlap), History(seconds=BUILT)).seconds == 61.0


def test_a_refused_plan_takes_no_time() -> None:
    refused = replace(PLAN, refusal=Refusal(what="no", why="", todo=""))
    assert with_times(refused, History(seconds=BUILT)) == refused
