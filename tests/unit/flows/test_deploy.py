"""A deploy as a use case: called from a program, it plans once, looks once, and returns its run."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.simulator.recipe import Instruction, Recipe

from tonnage.decide.deploy.reclaim_steps import needs_reclaim
from tonnage.errors import CannotFitError, StepFailedError
from tonnage.flows.deploy import Job, carry_out, make_plan
from tonnage.flows.requests import StackFlags
from tonnage.flows.stack import read_wanted
from tonnage.model.deploy.event import Notice, RunFinished, RunStarted
from tonnage.model.deploy.plan import Build, Purpose
from tonnage.model.deploy.run import Outcome
from tonnage.model.reports.symptom import SymptomKind
from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from tests.unit.cli.simulated_ports import World

    from tonnage.model.deploy.event import Event
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.deploy.run import Run

_OPENED: list[str] = []
sys.addaudithook(lambda event, args: _OPENED.append(str(args[0])) if event == "sqlite3.connect" else None)


class Shown:
    """A view that remembers what it was shown."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def show(self, event: Event) -> None:
        self.events.append(event)


def deploy(world: World, shown: Shown | None = None, keep_free: str = "1GB") -> Run:
    wanted = read_wanted(world.ports, StackFlags(settings={"keep-free": keep_free}))
    with world.ports.engines.open("") as access:
        return carry_out(
            world.ports,
            access,
            Job(purpose=Purpose.DEPLOY, wanted=wanted),
            view=contextlib.nullcontext(shown or Shown()),
            tell=lambda _text: None,
        )


def planned(world: World, keep_free: str = "1GB") -> Plan:
    wanted = read_wanted(world.ports, StackFlags(settings={"keep-free": keep_free}))
    return make_plan(world.ports, world.simulator.facts, Purpose.DEPLOY, wanted)


def test_a_deploy_returns_its_run_with_its_plan_and_shows_every_event(world: World) -> None:
    shown = Shown()
    run = deploy(world, shown)

    assert (run.outcome, run.error, run.diagnosis) == (Outcome.DONE, None, ())
    assert run.plan is not None
    assert [step.name for step in run.steps] == [step.name for step in run.plan.steps]
    begun, *_, ended = [each for each in shown.events if not isinstance(each, Notice)]
    assert isinstance(begun, RunStarted)
    assert isinstance(ended, RunFinished)
    assert {each.service for each in world.simulator.facts.containers("hello")} == {"db", "web"}


def test_what_ended_a_run_stands_in_it_with_what_its_log_shows(world: World) -> None:
    said = "tar: lib/libtorch.so: Cannot write: No space left on device"
    world.recipe(Recipe(instructions=(Instruction(text="RUN tar", fails=True, prints=(said,)),)))
    run = deploy(world)

    assert run.outcome is Outcome.FAILED
    assert isinstance(run.error, StepFailedError)
    assert [each.kind for each in run.diagnosis] == [SymptomKind.DISK_FULL]


def test_a_plan_that_cannot_fit_is_raised_before_anything_is_shown(world: World) -> None:
    shown = Shown()
    with pytest.raises(CannotFitError):
        deploy(world, shown, "13999999989B")
    assert not shown.events
    assert not world.simulator.log


def test_a_plan_forecasts_its_builds_once_and_one_without_builds_asks_nobody(world: World) -> None:
    plan = planned(world)
    assert [step.service for step in plan.steps if isinstance(step.action, Build)] == ["web"]
    assert world.ports.forecasts == 1
    deploy(world)
    assert world.ports.forecasts == 2
    assert not planned(world).steps
    assert world.ports.forecasts == 2


@pytest.mark.parametrize("keep_free", ["1GB", "13900MB"])
def test_the_journal_is_opened_once_for_a_plan_also_when_something_may_have_to_be_reclaimed(
    world: World, keep_free: str
) -> None:
    deploy(world)
    world.recipe(Recipe(instructions=(Instruction(text="RUN more", kept_bytes=1_009),)))
    _OPENED.clear()
    assert needs_reclaim(planned(world, keep_free)) is (keep_free != "1GB")
    assert len([each for each in _OPENED if "journal" in each]) == 1


def damage(world: World) -> Path:
    """Overwrite all pages of the journal but the first, as a disk that lies does."""
    path = Path(world.ports.environment["TONNAGE_STATE_DIR"], "journal.sqlite")
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    return path


def test_a_damaged_journal_is_set_aside_and_the_deploy_goes_on(world: World) -> None:
    deploy(world)
    path = damage(world)
    broken = path.read_bytes()

    told = planned(world).notes
    assert [note for note in told if "is damaged: the next run sets it aside" in note]
    assert path.read_bytes() == broken

    assert deploy(world).outcome is Outcome.DONE
    assert path.with_name("journal.sqlite.damaged").read_bytes() == broken
    with Journal(path) as journal:
        assert len(journal.runs(10)) == 1
    damage(world)
    deploy(world)
    assert path.with_name("journal.sqlite.damaged-2").exists()
    assert path.with_name("journal.sqlite.damaged").read_bytes() == broken
