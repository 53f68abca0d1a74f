"""Several images at once: never over the line, never stuck, tidy when stopped, and everything else in its turn."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.simulator import Instruction, Recipe, Simulator
from tests.simulator.deploying import Described, Harbour, stack_of
from tests.unit.builders import CountedGauge, Happening, raises

from tonnage.decide.deploy.planning import plan_build, plan_deploy
from tonnage.decide.schedule.services import in_lowest_order
from tonnage.errors import InterruptedRunError, ReserveCrossedError, StepFailedError
from tonnage.model.deploy.event import Notice, StepFinished, StepStarted
from tonnage.model.deploy.expected_build import ExpectedBuild, ExpectedInstruction
from tonnage.model.deploy.plan import Build
from tonnage.model.deploy.policy import Policy
from tonnage.model.deploy.run import Outcome
from tonnage.model.forecast.estimate import NOTHING, UNKNOWN, Estimate, Grade, exactly
from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.model.deploy.event import Event
    from tonnage.model.deploy.plan import Plan

MB = 10**6
LINE_BYTES = 1_000 * MB
_PACE_S = 0.0005
_FEW, _MANY = 15, 200


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory: a journal waits for the disk at every step."""
    where = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=where) as directory:
        yield Path(directory)


def described(name: str, kept: int, transient: int = 0, *depends_on: str, **fields: object) -> Described:
    instruction = Instruction(text=f"RUN {name}", kept_bytes=kept * MB, transient_bytes=transient * MB, **fields)  # type: ignore[arg-type]
    return Described(name=name, recipe=Recipe(instructions=(instruction,)), depends_on=depends_on)


def expected(services: Sequence[Described]) -> dict[str, ExpectedBuild]:
    found = {}
    for each in services:
        assert each.recipe is not None
        (one,) = each.recipe.instructions
        found[each.name] = ExpectedBuild(kept=at_most(one.kept_bytes), transient=at_most(one.transient_bytes))
    return found


def at_most(count_bytes: int) -> Estimate:
    """Return an estimate that is a little too high."""
    return Estimate(count_bytes, count_bytes, count_bytes * 8 // 7, Grade.DECLARED)


def harbour(
    memory: Path,
    services: Sequence[Described],
    spare: int,
    parallel: int,
    *,
    deploys: bool,
    cleans: bool = True,
    told: Sequence[Described] = (),
) -> tuple[Harbour, Plan]:
    """Return an engine whose disk has what the plan needs and some megabytes to spare, and that plan.

    Args:
        told: What the builds are forecast by in place of what they do.
    """

    def planned(size_bytes: int, name: str) -> tuple[Harbour, Plan]:
        policy = Policy(keep_free_bytes=LINE_BYTES, parallel=parallel, cleanup_after=cleans)
        place = Harbour(engine=Simulator(size_bytes, pace_s=_PACE_S), journal=memory / name, policy=policy)
        planner = plan_deploy if deploys else plan_build
        builds = expected(told or services)
        stack = stack_of(place.engine, services)
        plan = in_lowest_order(
            stack, lambda each: planner(each, place.inventory(each), policy, place.history(), (), builds)
        )
        return place, plan

    place, plan = planned(10**13, "large")
    assert plan.need is not None
    taken_bytes = place.engine.disk.size_bytes - place.engine.disk.available_bytes
    return planned(taken_bytes + LINE_BYTES + plan.need.peak.high_bytes + spare * MB, "journal")


def at_once(events: Sequence[Event]) -> int:
    """Return how many builds ran at the same time at most."""
    runs = most = 0
    for each in events:
        if isinstance(each, StepStarted) and isinstance(each.step.action, Build):
            runs += 1
        elif isinstance(each, StepFinished) and each.outcome.kind == "build":
            runs -= 1
        most = max(most, runs)
    return most


def still_building() -> list[str]:
    """Return the threads of builds that have not ended."""
    return [each.name for each in threading.enumerate() if each.name.endswith(".build")]


TRIO = (described("one", 300, 200), described("two", 250, 100), described("three", 200, 50))


def some_stack(chance: random.Random) -> list[Described]:
    names = "abcde"[: chance.randint(2, 5)]
    return [
        described(
            name,
            chance.randint(1, 400),
            chance.randint(0, 500),
            *(other for other in names[:number] if chance.random() < 0.2),
        )
        for number, name in enumerate(names)
    ]


@pytest.mark.parametrize("deploys", [True, False])
def test_whatever_fits_never_crosses_the_line_and_never_gets_stuck(
    memory: Path,
    deploys: bool,  # noqa: FBT001 - a parameter
    pytestconfig: pytest.Config,
) -> None:
    chance = random.Random(f"at once {deploys}")
    overlapped = 0
    many = _MANY if pytestconfig.getoption("--long") else _FEW
    for number in range(many):
        services = some_stack(chance)
        directory = memory / str(number)
        directory.mkdir()
        spare = chance.choice((0, 0, 60, 200, 500, 900))
        place, plan = harbour(directory, services, spare, chance.randint(2, 3), deploys=deploys)
        assert plan.refusal is None
        place.engine.disk.mark()
        run = place.carry_out(plan)
        assert run.outcome is Outcome.DONE, (services, run.message)
        assert place.engine.disk.lowest_bytes >= LINE_BYTES, services
        assert [each.outcome for each in run.steps] == [Outcome.DONE] * len(plan.steps)
        overlapped += at_once(place.events) > 1
    assert overlapped > many // 5


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds that have not ended before the others begin, also on a machine with other work."""
    monkeypatch.setitem(globals(), "_PACE_S", 0.02)


@pytest.mark.usefixtures("slow")
def test_as_many_are_built_at_once_as_was_asked_for_where_there_is_room(memory: Path) -> None:
    place, plan = harbour(memory, TRIO, 2_000, 3, deploys=False)
    assert place.carry_out(plan).outcome is Outcome.DONE
    assert at_once(place.events) == 3


@pytest.mark.parametrize(
    ("store", "common_bytes", "most"),
    [("containerd", 100 * MB, 1), ("containerd", None, 1), ("containerd", 8_192, 3), ("classic", 100 * MB, 3)],
)
@pytest.mark.usefixtures("slow")
def test_builds_with_a_layer_in_common_run_apart_where_each_would_store_it(
    memory: Path, store: str, common_bytes: int | None, most: int
) -> None:
    place, plan = harbour(memory, TRIO, 2_000, 3, deploys=False)
    place.engine.identity = replace(place.engine.identity, image_store=store)
    common = ExpectedInstruction(
        stage="", line=2, text="COPY --from=a /m /m", key="common", learn_key="", image=NOTHING, transient=NOTHING,
        disk=UNKNOWN if common_bytes is None else exactly(common_bytes),
    )  # fmt: skip
    base = replace(common, text="FROM python:3.11-slim", key="base", disk=exactly(100 * MB))
    steps = tuple(
        replace(each, instructions=(base, common, replace(common, key=each.name, disk=exactly(100 * MB))))
        for each in plan.steps
    )
    assert place.carry_out(replace(plan, steps=steps)).outcome is Outcome.DONE
    assert at_once(place.events) == most


@pytest.mark.parametrize(("parallel", "spare"), [(1, 2_000), (3, 0)])
def test_without_being_asked_for_or_without_room_there_is_one_at_a_time(
    memory: Path, parallel: int, spare: int
) -> None:
    place, plan = harbour(memory, TRIO, spare, parallel, deploys=False, cleans=False)
    assert place.carry_out(plan).outcome is Outcome.DONE
    assert at_once(place.events) == 1


def test_an_image_that_another_is_built_on_is_there_first(memory: Path) -> None:
    place, plan = harbour(memory, TRIO, 2_000, 3, deploys=False)
    first = next(each.service for each in plan.steps)
    steps = []
    for step in plan.steps:
        action = step.action
        if isinstance(action, Build) and step.service != first:
            step = replace(step, action=replace(action, spec=replace(action.spec, built_on=(first,))))  # noqa: PLW2901
        steps.append(step)
    assert place.carry_out(replace(plan, steps=tuple(steps))).outcome is Outcome.DONE
    ended = next(n for n, e in enumerate(place.events) if isinstance(e, StepFinished) and e.outcome.service == first)
    begun = [n for n, e in enumerate(place.events) if isinstance(e, StepStarted) and e.step.service != first]
    assert min(begun) > ended
    assert at_once(place.events) == 2


def test_the_other_steps_stay_in_the_order_of_the_plan(memory: Path) -> None:
    place, plan = harbour(memory, TRIO, 2_000, 3, deploys=True)
    assert place.carry_out(plan).outcome is Outcome.DONE
    told = [each.step.name for each in place.events if isinstance(each, StepStarted)]
    others = [step.name for step in plan.steps if not isinstance(step.action, Build)]
    assert [name for name in told if name in others] == others


def test_a_step_of_which_nothing_is_known_runs_alone(memory: Path) -> None:
    place, plan = harbour(memory, TRIO, 2_000, 3, deploys=False)
    unknown = Estimate(0, 0, 0, Grade.UNKNOWN)
    steps = tuple(replace(step, kept=unknown) if step.name == "two.build" else step for step in plan.steps)
    assert place.carry_out(replace(plan, steps=steps)).outcome is Outcome.DONE
    assert at_once(place.events) == 1


def test_three_builds_are_stopped_by_one_signal_and_leave_nothing(memory: Path) -> None:
    place, plan = harbour(memory, TRIO, 2_000, 3, deploys=False)
    cancel = threading.Event()
    events, emit = place.events, place.events.append

    def stop_at_three(event: Event) -> None:
        emit(event)
        if isinstance(event, StepStarted) and at_once(events) == 3:
            cancel.set()

    place.engine.pace_s = 0.05
    place.events = Watched(stop_at_three)
    before = set(place.engine.store.names)
    run = place.carry_out(plan, cancel)
    assert isinstance(run.error, InterruptedRunError)
    assert {each.outcome for each in run.steps if each.kind == "build"} == {Outcome.INTERRUPTED}
    assert set(place.engine.store.names) == before
    assert not place.engine.disk.owners("writing")
    assert not still_building()
    with Journal(place.journal) as journal:
        (told,) = journal.runs(5)
    assert sorted(each.outcome for each in told.steps) == [Outcome.INTERRUPTED] * 3


class Watched(list["Event"]):
    """Events that somebody looks at as they come."""

    def __init__(self, look: object) -> None:
        super().__init__()
        self.append = look  # type: ignore[method-assign,assignment]


def test_a_build_that_fails_ends_the_run_at_its_turn_and_stops_those_after_it(memory: Path) -> None:
    services = (described("one", 300, 200), described("two", 250, 100, fails=True), described("three", 200, 50))
    place, plan = harbour(memory, services, 2_000, 3, deploys=True)
    run = place.carry_out(plan)
    assert isinstance(run.error, StepFailedError)
    done = [each.service for each in run.steps if each.kind == "switch" and each.outcome is Outcome.DONE]
    order = list(dict.fromkeys(step.service for step in plan.steps))
    assert done == order[: order.index("two")]
    assert not still_building()
    again = place.plan(stack_of(place.engine, services))
    assert again.refusal is None


def test_well_below_the_line_all_that_is_built_is_stopped(memory: Path) -> None:
    place, plan = harbour(memory, TRIO, 2_000, 3, deploys=False)
    disk = place.engine.disk
    place.engine.pace_s = 0.05
    name = next(step.action.reference for step in reversed(plan.steps) if isinstance(step.action, Build))
    eat = lambda: disk.eaten_by_neighbour(disk.available_bytes - LINE_BYTES + 150 * MB)  # noqa: E731 - told where it happens
    place.engine.faults = Happening(on={f"build {name}": eat})
    run = place.carry_out(plan)
    assert isinstance(run.error, ReserveCrossedError)
    assert [each.outcome for each in run.steps if each.kind == "build"] == [Outcome.FAILED] * 3
    assert not disk.owners("writing")
    assert not still_building()


def test_at_the_line_the_newest_build_alone_is_stopped_and_undone_and_built_in_its_turn(memory: Path) -> None:
    services = (described("one", 5, 45), described("two", 5, 45), described("three", 5, 85))
    told = (*services[:2], described("three", 5, 5))
    place, plan = harbour(memory, services, 65, 3, deploys=False, told=told)
    disk = place.engine.disk
    place.engine.pace_s = 0.1
    place.engine.gauge = gauge = CountedGauge(disk)
    writes = disk.write

    def write(owner: str, count_bytes: int) -> None:
        """Write, and wait until somebody has seen it, where that was too much."""
        writes(owner, count_bytes)
        seen, until_s = gauge.reads, time.monotonic() + 60
        while disk.available_bytes < LINE_BYTES and gauge.reads < seen + 2 and time.monotonic() < until_s:
            time.sleep(0.005)

    disk.write = write  # type: ignore[method-assign]
    run = place.carry_out(plan)
    assert run.outcome is Outcome.DONE, run.message
    builds = [(each.service, each.outcome) for each in run.steps if each.kind == "build"]
    assert sorted(builds) == [
        ("one", Outcome.DONE), ("three", Outcome.DONE), ("three", Outcome.INTERRUPTED), ("two", Outcome.DONE),
    ]  # fmt: skip
    assert builds[-1][0] == "three"
    assert at_once(place.events) == 3
    assert any("three.build stopped at the reserve" in each.text for each in place.events if isinstance(each, Notice))
    assert not disk.owners("writing")


def test_what_ends_a_build_from_outside_ends_the_run(memory: Path) -> None:
    place, plan = harbour(memory, TRIO, 2_000, 3, deploys=False)
    place.engine.faults = Happening(on={"build": raises(KeyboardInterrupt())})
    with pytest.raises(KeyboardInterrupt):
        place.carry_out(plan)
    assert not still_building()


def test_what_ran_at_the_same_time_teaches_nothing(memory: Path) -> None:
    place, plan = harbour(memory, TRIO, 2_000, 3, deploys=False)
    run = place.carry_out(plan)
    assert all(measured.shared for each in run.steps if each.kind == "build" for measured in each.measured)
    assert not [key for key in place.history().learned if "build" in key]
