"""An engine that cannot tell its build cache: what needs none goes on, and nothing of a cache is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.simulator import Instruction, Recipe
from tests.simulator.deploying import Described, changed, stack_of
from tests.unit.builders import harbour

from tonnage.model.deploy.plan import CleanCache
from tonnage.model.deploy.policy import Cleanup, Policy
from tonnage.model.deploy.run import Outcome
from tonnage.model.unknowns import unknowns
from tonnage.runtime.deploy.observe import observe
from tonnage.runtime.reclaim.engine_removal import records_behind_images

if TYPE_CHECKING:
    from pathlib import Path

WHY = "error getting build cache usage: failed to get usage for a: snapshot b not found"
WEB = (Described(name="web", recipe=Recipe(instructions=(Instruction(text="RUN one", kept_bytes=1_000_003),))),)
NEXT = changed(WEB, "web", recipe=Recipe(instructions=(Instruction(text="RUN two", kept_bytes=1_000_033),)))


def test_deploys_and_rollbacks_go_on_and_no_record_of_others_goes(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    place.policy = Policy(keep_free_bytes=0, cleanup=Cleanup.ALWAYS)
    assert place.deploy(WEB).outcome is Outcome.DONE
    place.engine.cache_unknown = WHY
    plan = place.plan(stack_of(place.engine, NEXT))
    assert any(isinstance(step.action, CleanCache) for step in plan.steps)
    (note,) = plan.notes
    assert WHY in note
    assert "remove /var/lib/docker/buildkit" in note.replace(place.engine.identity.data_root, "/var/lib/docker")

    # It can tell it again while the run goes on: what was there before is not known for that.
    before = place.engine.store.described_records()
    run = place.carry_out(plan)
    assert run.outcome is Outcome.DONE
    assert place.carry_out(place.plan_rollback(stack_of(place.engine, NEXT))).outcome is Outcome.DONE
    place.engine.cache_unknown = ""
    there = {record.record_id for record in place.engine.facts.cache()}
    assert {record.record_id for record in before} <= there


def test_a_cache_that_is_told_again_in_the_middle_of_a_run_does_not_count_as_new(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    assert place.deploy(WEB).outcome is Outcome.DONE
    before = {record.record_id for record in place.engine.facts.cache()}
    plan = place.plan(stack_of(place.engine, NEXT))
    place.engine.cache_unknown = WHY
    events = place.events

    def tell_again(event: object) -> None:
        place.engine.cache_unknown = ""
        events.append(event)  # type: ignore[arg-type]

    place.events = _Heard(tell_again)  # type: ignore[assignment]
    assert place.carry_out(plan).outcome is Outcome.DONE
    assert before <= {record.record_id for record in place.engine.facts.cache()}


class _Heard:
    """Something whose ``append`` is told what happens."""

    def __init__(self, hear: object) -> None:
        self.append = hear


def test_what_is_seen_says_why_the_cache_is_not_and_images_go_without_it(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    assert place.deploy(WEB).outcome is Outcome.DONE
    known = observe(place.engine.facts)
    assert (known.cache_unknown, unknowns(known)) == ("", ())
    place.engine.cache_unknown = WHY
    seen = observe(place.engine.facts)
    assert replace(seen, cache=known.cache, cache_unknown="") == known
    assert seen.cache == ()
    assert seen.cache_unknown == WHY
    assert records_behind_images(place.engine.facts) == frozenset()
