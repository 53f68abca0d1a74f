"""Simulated ports for whole commands: real files in a directory, the simulated engine, virtual time."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.simulator.engine import Simulator
from tests.simulator.recipe import Behaviour, Check, Instruction, Recipe
from tests.simulator.shipping import SimulatedShipEngines

from tonnage.adapters.context.inputs_digest import build_inputs
from tonnage.adapters.host.checksums import Checksums
from tonnage.adapters.host.space import space_under
from tonnage.cli.app import main
from tonnage.errors import EngineLacksError, EngineUnreachableError
from tonnage.flows.ports import EngineAccess
from tonnage.model.deploy.plan import Build, StartFirst, Switch
from tonnage.model.forecast.estimate import EngineKind
from tonnage.model.reclaim.candidate import Builders, Findings
from tonnage.model.reports.symptom import Here
from tonnage.model.stack import FileToSend
from tonnage.runtime.lock import StackLock
from tonnage.sources.compose.files import HERE
from tonnage.wiring.failure_calls import call
from tonnage.wiring.machine import RealStackFiles
from tonnage.wiring.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from tests.simulator.clock import VirtualClock

    from tonnage.adapters.host.space import Space
    from tonnage.adapters.interface import Cancel, EngineFacts
    from tonnage.flows.cluster.ports import Swarms
    from tonnage.flows.ports import LocalMachine, Rehearsal, RehearsedCluster
    from tonnage.flows.requests import LookupScope
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.model.deploy.failure_call import FailureCall
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.inventory import Container, Engine, Filesystem, Image, Inputs
    from tonnage.model.reclaim.candidate import Candidate, HostedRunner
    from tonnage.model.reclaim.duplicate_blocks import DuplicateBlocks
    from tonnage.model.reclaim.garbage_collection import CollectionRule
    from tonnage.model.reclaim.other_store import OtherStore
    from tonnage.model.stack import Service, Stack
    from tonnage.runtime.load_stack import ComposeConfig
    from tonnage.runtime.rehearsal_images import ImageSource
    from tonnage.sources.compose.files import Files

COMPOSE = """\
name: hello
services:
  db:
    image: busybox:latest
    command: ["sleep", "100000"]
  web:
    build: ./web
    environment:
      TOKEN: swordfish
    healthcheck:
      test: ["CMD", "true"]
      interval: 1s
    depends_on: [db]
"""

GOOD = Recipe(
    instructions=(Instruction(text="RUN install", kept_bytes=213_000_007, transient_bytes=31_000_003),),
    behaviour=Behaviour(check=Check(), passes_after_s=1.0),
)
BETTER = Recipe(
    instructions=(Instruction(text="RUN install more", kept_bytes=219_000_011),),
    behaviour=Behaviour(check=Check(), passes_after_s=1.0),
)
SICK = Recipe(
    instructions=(Instruction(text="RUN install wrongly", kept_bytes=113),),
    behaviour=Behaviour(exits_after_s=1.0, exit_code=3, prints=("cannot load the model",)),
)
BROKEN = Recipe(instructions=(Instruction(text="RUN false", fails=True, prints=("no such thing",)),))


class EmptyMachine:
    """Satisfies ``LocalMachine``: the filesystem of the tests, on which nothing may go."""

    def space(self, directory: str) -> Space:
        return space_under(directory)

    def filesystems(self) -> tuple[Filesystem, ...]:
        return ()

    def here(self, paths: Sequence[str]) -> Here:
        del paths
        return Here(hostname="workshop")

    def containers(self, host: str) -> tuple[Container, ...]:
        del host
        return ()

    def find_places(self, **_asked: object) -> Findings:
        return Findings()

    def remove_place(self, candidate: Candidate, cancel: Cancel) -> None:
        raise NotImplementedError(candidate, cancel)

    def held_open(self, mount: str) -> list[tuple[str, int]]:
        del mount
        return []

    def hidden(self, mount: str) -> list[tuple[str, int]]:
        del mount
        return []

    def orphans(self, data_root: str, now_s: float) -> tuple[int, int]:
        del data_root, now_s
        return 0, 0

    def builders(self) -> Builders:
        return Builders()

    def runner(self) -> HostedRunner | None:
        return None

    def make_ballast(self, data_root: str, keeps_bytes: int) -> int:
        del data_root, keeps_bytes
        return 0

    def drop_ballast(self, data_root: str) -> int:
        del data_root
        return 0

    def thaw(self, groups: Sequence[str]) -> bool:
        del groups
        return True

    def other_store(self, engine: Engine, *, within_s: float) -> OtherStore | None:
        del engine, within_s
        return None

    def duplicate_blocks(self, engine: Engine) -> DuplicateBlocks:
        raise NotImplementedError(engine)

    def share_blocks(self, found: DuplicateBlocks, cancel: Cancel) -> None:
        raise NotImplementedError(found, cancel)

    def remove_other_store(self, engine: Engine, candidate: Candidate, cancel: Cancel) -> None:
        raise NotImplementedError(engine, candidate, cancel)


@dataclass
class SimulatedFiles(RealStackFiles):
    """The files of the tests, with inputs that the simulator tells, and no other machine."""

    simulator: Simulator

    def inputs(self, service: Service) -> Inputs:
        assert service.build is not None
        try:
            return self.simulator.inputs_of(service.name, service.build)
        except KeyError:
            # It is only forecast here, and its files are real ones.
            return build_inputs(service)

    def images_needed(self, service: Service, where: Files = HERE) -> tuple[str, ...]:
        del where
        return (service.image,)

    def remote(self, endpoint: str, paths: Sequence[str]) -> Files:
        raise EngineUnreachableError(f"nothing is behind {endpoint}: {', '.join(paths)}")

    def listening(self, endpoint: str) -> tuple[tuple[str, int, str], ...]:
        del endpoint
        return ()

    def to_send(self, host: str, stack: Stack) -> tuple[FileToSend, ...]:
        del host
        return tuple(FileToSend(path=path, size_bytes=17) for path, _ in stack.sent)


@dataclass
class SimulatedPorts:
    """Satisfies ``AllPorts``, and ``Programs``, ``Engines`` and ``Rehearsals`` by itself."""

    working_directory: str
    simulator: Simulator
    environment: Mapping[str, str]
    reachable: bool = True
    can_build: bool = True
    can_compose: bool = True
    removed: list[str] = field(default_factory=list)
    forecasts: int = 0
    from_registries: tuple[str, ...] = ()
    registries_have: frozenset[str] = frozenset()
    asked_for: list[str] = field(default_factory=list)
    installs_with: str = "pipx install tonnage==7.1.3"
    looks_up: Callable[[EngineFacts | None, bool], AbstractContextManager[Lookups]] | None = None
    machine: LocalMachine = field(default_factory=EmptyMachine)
    told_rules: tuple[CollectionRule, ...] | None = None
    reads: ComposeConfig | None = None
    call_within_s: float = 30.0
    ship_engines: SimulatedShipEngines = field(default_factory=SimulatedShipEngines)

    def __post_init__(self) -> None:
        self.programs = self.engines = self.rehearsals = self
        self.files: SimulatedFiles = SimulatedFiles(self.simulator)

    @property
    def clock(self) -> VirtualClock:
        return self.simulator.clock

    @property
    def swarms(self) -> Swarms:
        raise EngineLacksError("the simulated engine is in no Swarm")

    def compose(self) -> ComposeConfig | None:
        return self.reads

    def collection_rules(self, host: str, engine: Engine) -> tuple[CollectionRule, ...] | None:
        del host, engine
        return self.told_rules

    def settings_file(self, engine: Engine) -> Path | None:
        del engine
        return Path(self.working_directory, "daemon.json")

    def data_root(self, host: str) -> str:
        del host
        return ""

    def usual_data_root(self, host: str) -> str:
        return "" if host.startswith("ssh://") else "/"

    def in_registries(
        self, facts: EngineFacts, names: Sequence[str], *, within_s: float | None = None
    ) -> frozenset[str]:
        del facts, within_s
        self.asked_for += names
        return frozenset(names) & self.registries_have

    def install_command(self) -> str:
        return self.installs_with

    def write_comment(self, text: str, *, marker: str, repository: str, pull_request: int) -> bool:
        raise NotImplementedError(text, marker, repository, pull_request)

    def served(self, host: str, port: int, answer: Callable[[str], tuple[str, str]]) -> AbstractContextManager[str]:
        return Ports(self.environment).served(host, port, answer)

    def call_on_failure(self, wanted: FailureCall, document: str) -> str:
        return call(wanted, document, self.environment, within_s=self.call_within_s)

    def root(self) -> str:
        return "/var/tmp/tonnage"

    @property
    def weights(self) -> Checksums:
        return Checksums(Path(self.working_directory, "state", "checksums.json"))

    def lock(self, engine: Engine, stack: str, images: Sequence[str] = ()) -> StackLock:
        return StackLock(engine.engine_id, stack, directory=Path(self.working_directory), images=images)

    def ledger(self, engine: Engine, stack: str) -> StackLock:
        return self.lock(engine, stack)

    def look_ahead(self) -> None:
        pass

    def lookups(
        self, facts: EngineFacts | None, images: Sequence[Image] = (), scope: LookupScope | None = None
    ) -> AbstractContextManager[Lookups] | None:
        del images
        self.forecasts += 1
        self.from_registries = scope.from_registries if scope is not None else ()
        return None if self.looks_up is None else self.looks_up(facts, scope is not None and scope.offline)

    def kind(self, engine: Engine | None) -> EngineKind:
        in_containerd = engine is not None and engine.image_store == "containerd"
        return EngineKind.CONTAINERD if in_containerd else EngineKind.BUILDKIT

    def uv(self, architecture: str) -> tuple[str, int] | None:
        return ("/opt/tonnage/uv", 50_000_000) if architecture == "x86_64" else None

    def builder_found(self) -> str:
        if not self.can_build:
            raise EngineLacksError("no builder was found", todo="Install one.")
        return "a builder"

    def compose_found(self) -> str:
        if not self.can_compose:
            raise EngineLacksError("no Compose was found", todo="Install one.")
        return "a Compose"

    def compose_version(self) -> str:
        return "2.40.3"

    def ready(self, plan: Plan) -> tuple[str, ...]:
        actions = [type(step.action) for step in plan.steps]
        if Build in actions:
            self.builder_found()
        if Switch in actions or StartFirst in actions:
            self.compose_found()
        return ()

    def check(self) -> str:
        raise EngineLacksError("this machine cannot rehearse", why="Missing: root.")

    @contextlib.contextmanager
    def facts(self, host: str, *, sizes: bool = False, places: Sequence[tuple[str, str]] = ()) -> Iterator[EngineFacts]:
        del sizes, places
        if not self.reachable:
            raise EngineUnreachableError(f"there is no engine at {host or 'the usual place'}", todo="Start it.")
        yield self.simulator.facts

    @contextlib.contextmanager
    def open(self, host: str, *, places: Sequence[tuple[str, str]] = ()) -> Iterator[EngineAccess]:
        del places
        with self.facts(host) as facts:
            yield EngineAccess(
                facts=facts,
                acts=lambda _values, _origin, _held: self.simulator.acts,
                gauge=lambda _mounts: self.simulator.gauge,
            )

    def start(self, size_bytes: int, *, keep: bool) -> AbstractContextManager[Rehearsal]:
        raise EngineLacksError(f"this machine cannot rehearse on {size_bytes} B", why=f"Missing: root (keep={keep}).")

    def start_cluster(self, count: int, size_bytes: int, *, keep: bool) -> AbstractContextManager[RehearsedCluster]:
        raise EngineLacksError(f"this machine cannot rehearse on {count} disks of {size_bytes} B (keep={keep})")

    def image_source(self, host: str) -> AbstractContextManager[ImageSource | None]:
        del host
        return contextlib.nullcontext(None)

    def remove(self, name: str) -> None:
        self.removed.append(name)


@dataclass
class World:
    """A directory with a stack, a simulated engine, and the command."""

    directory: Path
    ports: SimulatedPorts

    @property
    def simulator(self) -> Simulator:
        return self.ports.simulator

    def run(self, *arguments: str) -> int:
        return main(arguments, ports=self.ports)

    def recipe(self, recipe: Recipe) -> None:
        """Let the build of ``web`` do this from now on."""
        self.simulator.describe(str(self.directory / "web"), recipe)


def make_world(directory: Path, *, compose: str = COMPOSE, size_bytes: int = 14_000_000_029) -> World:
    """Write a stack into a directory, and make an engine for it."""
    (directory / "web").mkdir()
    (directory / "web" / "Dockerfile").write_text("FROM busybox:latest\n")
    (directory / "compose.yaml").write_text(compose)
    environment = {"TONNAGE_STATE_DIR": str(directory / "state"), "TERM": "dumb"}
    simulator = Simulator(size_bytes)
    world = World(directory, SimulatedPorts(str(directory), simulator, environment))
    world.recipe(GOOD)
    return world
