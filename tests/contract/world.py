"""What the contract suite needs of an engine, simulated or real: facts, acts, a gauge, build contexts, and time."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tests.contract.dockerfile import copied_files, dockerfile
from tests.simulator import Heard, Simulator, VirtualEvent

from tonnage.model.stack import BuildSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulator import Recipe

    from tonnage.adapters.interface import Cancel, EngineActs, EngineFacts, Gauge
    from tonnage.model.inventory import Container, Image
    from tonnage.model.stack import ComposeMapping

BASE = "busybox:latest"
PROJECT = "contract"
# What the metadata of a filesystem and of an engine may add to the bytes of files.
SLACK_BYTES = 96 * 4096


class World(Protocol):
    """An engine with an image ``busybox:latest`` and nothing else on it."""

    @property
    def facts(self) -> EngineFacts:
        """Its facts."""

    @property
    def acts(self) -> EngineActs:
        """Its acts."""

    @property
    def gauge(self) -> Gauge:
        """The gauge of its disk."""

    @property
    def directory(self) -> str:
        """A project directory."""

    def spec(self, name: str, recipe: Recipe) -> BuildSpec:
        """Make a build context in which a build does what the recipe says."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""

    def cancel_in(self, seconds: float) -> Cancel:
        """Return a flag that sets itself after a while."""

    def leave(self, left_bytes: int) -> None:
        """Take up what is available but for so many bytes, until the test ends, where filling takes time."""


class SimulatedWorld:
    """The simulator."""

    def __init__(self) -> None:
        self.engine = Simulator(2_000_000_011, reserved_bytes=100_000_007)
        self.facts = self.engine.facts
        self.acts = self.engine.acts
        self.gauge = self.engine.gauge
        self.directory = "/project"

    def spec(self, name: str, recipe: Recipe) -> BuildSpec:
        """Describe a context."""
        return self.engine.describe(f"/contexts/{name}", recipe)

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.engine.clock.sleep(seconds)

    def cancel_in(self, seconds: float) -> Cancel:
        """Return a flag on the virtual clock."""
        return VirtualEvent(self.engine.clock, at_s=seconds)

    def leave(self, left_bytes: int) -> None:
        """Take up nothing: here filling takes no time."""
        del left_bytes


@dataclass(kw_only=True)
class RealWorld:
    """A real engine; build contexts are written below ``root``."""

    facts: EngineFacts
    acts: EngineActs
    gauge: Gauge
    root: Path

    @property
    def directory(self) -> str:
        """A project directory."""
        return str(self.root)

    def spec(self, name: str, recipe: Recipe) -> BuildSpec:
        """Write a context."""
        context = self.root / name
        context.mkdir(exist_ok=True)
        for file, contents in copied_files(recipe).items():
            (context / file).write_bytes(contents)
        (context / "Dockerfile").write_text(dockerfile(recipe, salt=self.root.name))
        return BuildSpec(context=str(context), dockerfile=str(context / "Dockerfile"))

    def sleep(self, seconds: float) -> None:
        """Let real time pass."""
        time.sleep(seconds)

    def cancel_in(self, seconds: float) -> Cancel:
        """Return a flag that a timer sets."""
        flag = threading.Event()
        timer = threading.Timer(seconds, flag.set)
        timer.daemon = True
        timer.start()
        return flag

    @property
    def ballast(self) -> Path:
        """The file that takes up the disk."""
        return Path(self.facts.filesystems()[0].mount, "ballast")

    def leave(self, left_bytes: int) -> None:
        """Take up the disk without writing to it."""
        ballast_bytes = self.facts.filesystems()[0].available_bytes - left_bytes
        with self.ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, ballast_bytes)


NEVER = threading.Event()


def build(world: World, name: str, recipe: Recipe, reference: str, labels: dict[str, str] | None = None) -> Image:
    """Build a recipe and return the image as the engine shows it."""
    image_id = world.acts.build(world.spec(name, recipe), reference, labels or {}, progress=Heard(), cancel=NEVER)
    return image_of(world, image_id)


def image_of(world: World, image_id: str) -> Image:
    """Return an image that must be there."""
    return next(image for image in world.facts.images() if image.image_id == image_id)


def named(world: World, reference: str) -> Image | None:
    """Return the image of that name, or None."""
    return next((image for image in world.facts.images() if reference in image.references), None)


def available_bytes(world: World) -> int:
    """Return the available bytes of the filesystem with the data root, once they have settled."""
    mount = world.facts.filesystems()[0].mount
    last_bytes = -1
    while last_bytes != (now_bytes := world.gauge.available()[mount]):
        last_bytes = now_bytes
        world.sleep(1.2)
    return last_bytes


def come_back(world: World, expected_bytes: int) -> bool:
    """Return whether at least so many bytes become available.

    How soon an engine gives bytes back depends on the machine, also those of what was built before.
    """
    mount = world.facts.filesystems()[0].mount
    for _ in range(100):
        if world.gauge.available()[mount] >= expected_bytes - SLACK_BYTES:
            return True
        world.sleep(0.6)
    return False


def project(**services: dict[str, Any]) -> ComposeMapping:
    """Return the project for Compose."""
    return {"name": PROJECT, "services": services}


def up(world: World, service: str, **services: dict[str, Any]) -> Container:
    """Bring one service up and return its first container."""
    world.acts.up(PROJECT, world.directory, service, project(**services), progress=Heard(), cancel=NEVER)
    return containers_of(world, service)[0]


def containers_of(world: World, service: str) -> list[Container]:
    """Return the containers of one service, one-off ones left out, by number."""
    mine = [c for c in world.facts.containers(PROJECT) if c.service == service and not c.one_off]
    return sorted(mine, key=lambda c: c.number)


def wait_for(world: World, name: str, condition: Callable[[Container], bool], *, within_s: float = 20.0) -> Container:
    """Return a container as soon as something is true of it."""
    for _ in range(int(within_s / 0.25)):
        container = world.facts.container(name)
        if container is not None and condition(container):
            return container
        world.sleep(0.25)
    raise AssertionError(f"not within {within_s} s: {world.facts.container(name)}")
