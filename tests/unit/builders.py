"""What tests of deploying and reclaiming build their cases from: here alone stand the names of fields.

Cases are literals of the model on the simulator; :mod:`tests.unit.decide.observed` has those of what is observed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.simulator import Faults, Instruction, Recipe, Simulator
from tests.simulator.deploying import DIRECTORY, PROJECT, Described, Harbour, changed
from tests.simulator.facts import SimulatedGauge
from tests.unit.decide.observed import GB

from tonnage.decide.deploy.changes import change_of
from tonnage.decide.deploy.service_context import ServiceContext
from tonnage.decide.deploy.versions import known_versions, next_number
from tonnage.model.deploy.expected_build import ExpectedInstruction
from tonnage.model.deploy.plan import (
    Build,
    Plan,
    Prove,
    Purpose,
    Reclaim,
    Reclaimable,
    StartFirst,
    Step,
    Switch,
    Tag,
    Version,
)
from tonnage.model.deploy.policy import Policy
from tonnage.model.deploy.run import History
from tonnage.model.forecast.estimate import UNKNOWN, exactly
from tonnage.model.reclaim.candidate import Candidate, CandidateId, CandidateKind, Findings, SharedBytes
from tonnage.runtime.journal.writer import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from tests.simulator import Behaviour
    from tests.simulator.disk import Disk

    from tonnage.model.deploy.plan import Action
    from tonnage.model.deploy.run import Run
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.inventory import Filesystem, Inventory
    from tonnage.model.stack import ComposeMapping, Service, Stack

LINE_BYTES = 1_000_000_007
# With a volume of its own a service is never started twice at once, so that the first start is the switch.
WEB = (
    Described(
        name="web", recipe=Recipe(instructions=(Instruction(text="RUN one", kept_bytes=1_000_003),)), volume="data"
    ),
)
NEXT_WEB = changed(WEB, "web", recipe=Recipe(instructions=(Instruction(text="RUN two", kept_bytes=1_000_033),)))


@dataclass(kw_only=True)
class Happening(Faults):
    """Faults by what an act is called: ``on`` does something just before every act whose name begins so."""

    on: dict[str, Callable[[], object]] = field(default_factory=dict)

    def before(self, number: int, act: str, disk: Disk) -> None:
        """Let happen what is to happen before an act."""
        super().before(number, act, disk)
        for beginning, happens in self.on.items():
            if act.startswith(beginning):
                happens()


class CountedGauge(SimulatedGauge):
    """A gauge that knows how often it was read, so that a test can wait for the next look instead of for time."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(disk)
        self.reads = 0

    def available(self) -> Mapping[str, int]:
        """Return available bytes by mount."""
        self.reads += 1
        return super().available()


def raises(error: BaseException) -> Callable[[], object]:
    """Return something that fails so."""

    def fail() -> object:
        raise error

    return fail


def harbour(path: Path, size_bytes: int = 30 * GB) -> Harbour:
    """Return a simulated engine with a journal in a directory."""
    engine = Simulator(size_bytes)
    engine.gauge = CountedGauge(engine.disk)
    return Harbour(engine=engine, journal=path / "journal.sqlite")


def fill_to(place: Harbour, available_bytes: int) -> None:
    """Let a neighbour take all but so many bytes."""
    disk = place.engine.disk
    disk.eaten_by_neighbour(disk.available_bytes - available_bytes)


def fill_and_be_seen(place: Harbour, available_bytes: int) -> None:
    """Let a neighbour take all but so many bytes while a step runs, and wait until whoever watches has seen it."""
    gauge = place.engine.gauge
    assert isinstance(gauge, CountedGauge)
    fill_to(place, available_bytes)
    # The next look begins after this one, and the one after that only once the next has been handed over.
    enough, end_s = gauge.reads + 2, time.monotonic() + 60.0
    while gauge.reads < enough:
        assert time.monotonic() < end_s, "nobody watches the disk"
        time.sleep(0.005)


def step(name: str, action: Action, *, undo: Iterable[Step] = (), **fields: object) -> Step:
    """Return a step of the service ``web``."""
    given: dict[str, object] = {
        "name": f"web.{name}",
        "action": action,
        "cause": "a test wants it",
        "changes": "what it says",
        "service": "web",
        "on_failure": tuple(undo),
    }
    return Step(**(given | fields))  # type: ignore[arg-type]


def tag(name: str, image: str = "busybox:latest", **fields: object) -> Step:
    """Return a step that gives an image the name ``name:1``, so that it shows where it ran."""
    return step(name, Tag(image=image, reference=f"{name}:1"), **fields)  # type: ignore[arg-type]


def build(
    place: Harbour, kept_bytes: int = 7_000_003, *, fails: bool = False, transient_bytes: int = 0, **fields: object
) -> Step:
    """Return a step that builds so many bytes."""
    instruction = Instruction(text="RUN make", kept_bytes=kept_bytes, transient_bytes=transient_bytes, fails=fails)
    spec = place.engine.describe(f"{DIRECTORY}/web", Recipe(instructions=(instruction,)))
    return step("build", Build(spec=spec, reference="shop-web"), **fields)  # type: ignore[arg-type]


def plan(place: Harbour, *steps: Step, **fields: object) -> Plan:
    """Return a plan for the engine of a harbour, without a line."""
    engine = place.engine
    found = planned(*steps, available_bytes=engine.disk.available_bytes, reserve_bytes=0)
    identity = engine.identity
    found = replace(found, engine_id=identity.engine_id, endpoint=identity.endpoint, filesystem=engine.disk.mount)
    return replace(found, **fields)


def instruction(text: str) -> ExpectedInstruction:
    """Return an instruction of a build of which nothing was forecast."""
    return ExpectedInstruction(
        stage="0", line=2, text=text, key="k1", learn_key="l1", image=UNKNOWN, disk=UNKNOWN, transient=UNKNOWN
    )


def planned(*steps: Step, available_bytes: int, reserve_bytes: int) -> Plan:
    """Return a plan for an engine that is not there."""
    return Plan(
        stack=PROJECT,
        directory=DIRECTORY,
        purpose=Purpose.DEPLOY,
        engine_id="ENGINE",
        endpoint="unix:///run/e.sock",
        fingerprint="f00d",
        filesystem="/",
        available_bytes=available_bytes,
        reserve_bytes=reserve_bytes,
        steps=steps,
    )


def switch(project: ComposeMapping, image: str = "", name: str = "") -> Switch:
    """Return a switch to a project."""
    return Switch(project=project, image=image, image_name=name)


def start_first(project: ComposeMapping, name: str) -> StartFirst:
    """Return the start of a container beside those that run."""
    return StartFirst(project=project, container_name=name)


def configured(action: Switch | StartFirst, service: str) -> ComposeMapping:
    """Return how an action configures a service."""
    config: ComposeMapping = action.project["services"][service]
    return config


def of_project(of: Version, project: ComposeMapping) -> Version:
    """Return a version that was switched to by another project."""
    return replace(of, project=project)


def version(service: str = "web", config: str = "c1", image_id: str = "") -> Version:
    """Return a version of a service."""
    return Version(
        service=service,
        image_name=f"shop-{service}",
        project={},
        config_digest=config,
        inputs_digest="i1",
        prove=Prove(),
        image_id=image_id,
    )


def ran(run: Run) -> list[tuple[str, str, bool]]:
    """Return the steps of a run as name, outcome and whether they undid another one."""
    return [(each.name.removeprefix("web."), each.outcome.value, each.undo) for each in run.steps]


def expected(name: str, action: Action, *, kept: int = 0, after: Estimate, lowest: Estimate, **fields: object) -> Step:
    """Return a step with the bytes that are expected around it."""
    given: dict[str, object] = {"kept": exactly(kept), "available_after": after, "available_lowest": lowest}
    return step(name, action, **(given | fields))  # type: ignore[arg-type]


def available_after(each: Step) -> Estimate:
    """Return the available bytes that are expected after a step."""
    return each.available_after


def available_lowest(each: Step) -> Estimate:
    """Return the available bytes that are expected at the lowest point of a step."""
    return each.available_lowest


def unknown(each: Step) -> Step:
    """Return a step of which nobody knows what it does."""
    return replace(each, kept=UNKNOWN, available_after=UNKNOWN, available_lowest=UNKNOWN)


def candidate(
    kind: str, name: str, size_bytes: int = 1_009, *, after: tuple[Candidate, ...] = (), **fields: object
) -> Candidate:
    """Return something that may be removed; ``name`` is its identity on the engine too. ``after`` goes before it."""
    given: dict[str, object] = {
        "candidate_id": CandidateId(CandidateKind(kind), name),
        "kind": kind,
        "name": name,
        "unique_bytes": size_bytes,
        "cost_s": 1.0,
        "removal_s": 1.0,
        "reason": "unused",
        "removed_after": tuple(each.candidate_id for each in after),
    }
    return Candidate(**(given | fields))  # type: ignore[arg-type]


def shared(size_bytes: int, *holders: Candidate) -> SharedBytes:
    """Return bytes that come free with the last of their holders."""
    return SharedBytes(size_bytes, frozenset(each.candidate_id for each in holders))


def findings(*candidates: Candidate, pieces: tuple[SharedBytes, ...] = ()) -> Findings:
    """Return what was found; every candidate has its own bytes, ``pieces`` come on top."""
    own = tuple(shared(each.unique_bytes, each) for each in candidates)
    return Findings(candidates=candidates, pieces=(*own, *pieces))


def removes(*items: Candidate, until_bytes: int) -> Reclaim:
    """Return the action that reclaims these things."""
    return Reclaim(
        items=tuple(
            Reclaimable(
                candidate_id=each.candidate_id,
                kind=each.kind,
                name=each.name,
                names=each.names,
                promised_bytes=each.unique_bytes,
            )
            for each in items
        ),
        until_bytes=until_bytes,
    )


def context(
    of_stack: Stack,
    of: Service,
    inventory: Inventory,
    *,
    versions: tuple[Version, ...] = (),
    policy: Policy | None = None,
) -> ServiceContext:
    """Return a service with what was observed and what has to change for it."""
    history = History(versions=versions)
    return ServiceContext(
        stack=of_stack,
        service=of,
        change=change_of(of_stack, of, inventory),
        inventory=inventory,
        policy=policy or Policy(keep_free_bytes=0),
        versions=known_versions(of_stack, of, inventory, history),
        number=next_number(of_stack, inventory, history),
    )


def tags(place: Harbour) -> list[str]:
    """Return the names that were given, in their order."""
    return [act.split()[-1].removesuffix(":1") for act in place.engine.log if act.startswith("tag ")]


def journaled(place: Harbour) -> Run:
    """Return the last run as another process reads it."""
    journal = Journal.open_existing(place.journal)
    assert journal is not None
    with journal:
        return journal.runs(1)[0]


def running(place: Harbour, behaviour: Behaviour | None = None) -> str:
    """Let ``web`` run, with a job of it and another service beside it; return the image of ``web``."""
    engine = place.engine
    for number, name in enumerate(("job", "other", "own")):
        engine.add_image(f"{name}:1", ((name, 1_009 + number),), behaviour=behaviour if name == "own" else None)
    engine.add_container("shop-web-run", "job:1", project=PROJECT, service="web").one_off = True
    engine.add_container("shop-db-1", "other:1", project=PROJECT, service="db")
    return engine.add_container("shop-web-1", "own:1", project=PROJECT, service="web").image_id


def names(steps: Iterable[Step]) -> list[str]:
    """Return the names of steps without their service."""
    return [each.name.partition(".")[2] for each in steps]


def disk_of(place: Harbour) -> Filesystem:
    """Return the one filesystem of a simulated engine."""
    return place.engine.facts.filesystems()[0]
