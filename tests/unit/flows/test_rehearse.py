"""A rehearsal, with a simulated private engine: images are brought, the same deploy runs, how to reach it is told."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from tests.simulator.engine import Simulator
from tests.unit.cli.simulated_ports import GOOD, SICK

from tonnage.flows.ports import EngineAccess, Rehearsal
from tonnage.sources.compose.files import HERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

    from tonnage.model.stack import Service
    from tonnage.sources.compose.files import Files

Captured = pytest.CaptureFixture[str]


@dataclass
class Images:
    """Takes images and only remembers them."""

    taken: list[str] = field(default_factory=list)

    def has(self, reference: str) -> bool:
        return reference in self.taken

    def load(self, reference: str, archive: Iterable[bytes]) -> None:
        assert b"".join(archive) == b"archive"
        self.taken.append(reference)

    def take_file(self, reference: str, path: Path) -> None:
        assert path.is_file()
        self.taken.append(reference)


@dataclass
class OwnEngine:
    """The user's own engine: it has ``base:1`` only."""

    def has(self, reference: str) -> bool:
        return reference == "base:1"

    def stream(self, reference: str) -> Iterator[bytes]:
        assert self.has(reference)
        yield from (b"arch", b"ive")


@dataclass
class PrivateEngines:
    """Starts one private engine, of which it keeps account."""

    world: World
    images: Images = field(default_factory=Images)
    started: list[int] = field(default_factory=list)
    ended: int = 0
    simulator: Simulator = field(default_factory=lambda: Simulator(3_000_000_019))

    @contextlib.contextmanager
    def start(self, size_bytes: int, *, keep: bool) -> Iterator[Rehearsal]:
        del keep
        self.started.append(size_bytes)
        simulator = self.simulator
        simulator.describe(str(self.world.directory / "web"), GOOD)
        engine = EngineAccess(
            facts=simulator.facts,
            acts=lambda _values, _origin, _held: simulator.acts,
            gauge=lambda _mounts: simulator.gauge,
        )
        try:
            yield Rehearsal(
                engine=engine, images=self.images, how_to_reach="Reach it with:\n  export DOCKER_HOST=unix:///x"
            )
        finally:
            self.ended += 1

    def images_needed(self, service: Service, where: Files = HERE) -> tuple[str, ...]:
        del where
        return ("base:1",) if service.build else (service.image,)


@pytest.fixture
def engines(world: World) -> PrivateEngines:
    made = PrivateEngines(world)
    made.simulator.clock = world.simulator.clock
    world.ports.start = made.start  # type: ignore[method-assign]
    world.ports.image_source = lambda host: contextlib.nullcontext(OwnEngine() if not host else None)  # type: ignore[method-assign]
    world.ports.files.images_needed = made.images_needed  # type: ignore[method-assign]
    return made


def test_the_same_deploy_runs_on_the_private_engine_and_nothing_on_the_users_own(
    world: World, engines: PrivateEngines
) -> None:
    assert world.run("rehearse", "--disk", "3GB") == 0

    assert engines.started == [3_000_000_000]
    assert engines.ended == 1
    assert {each.service for each in engines.simulator.facts.containers("hello")} == {"db", "web"}
    assert world.simulator.facts.containers() == ()


def test_external_networks_and_volumes_are_made_for_a_rehearsal(world: World, engines: PrivateEngines) -> None:
    (world.directory / "compose.override.yaml").write_text(
        "services: {db: {networks: [proxy], volumes: ['ext:/ext']}}\n"
        "networks: {proxy: {external: true, name: the-proxy}}\nvolumes: {ext: {external: true}}\n"
    )
    assert world.run("plan") == 2
    assert world.run("rehearse", "--disk", "3GB") == 0
    assert engines.simulator.volumes["ext"] == "hello"


def test_images_come_from_files_first_and_then_from_the_users_engine(
    world: World, engines: PrivateEngines, capsys: Captured
) -> None:
    (world.directory / "base.tar").write_bytes(b"archive")

    assert world.run("rehearse", "--disk", "3GB", "--import", "other:2=base.tar") == 0

    assert engines.images.taken == ["other:2", "base:1"]
    assert "copying base:1 from your engine" in capsys.readouterr().err


def test_only_what_the_named_service_stands_on_is_brought(world: World, engines: PrivateEngines) -> None:
    assert world.run("rehearse", "--disk", "3GB", "db") == 0

    assert engines.images.taken == []


def test_a_file_that_is_not_there_is_refused_before_an_engine_is_started(world: World, engines: PrivateEngines) -> None:
    assert world.run("rehearse", "--disk", "3GB", "--import", "other:2=nothing.tar") == 2

    assert engines.started == []


def test_a_failed_rehearsal_ends_with_its_code_and_is_removed(world: World, engines: PrivateEngines) -> None:
    real_start = engines.start

    @contextlib.contextmanager
    def start_sick(size_bytes: int, *, keep: bool) -> Iterator[Rehearsal]:
        with real_start(size_bytes, keep=keep) as rehearsal:
            engines.simulator.describe(str(world.directory / "web"), SICK)
            yield rehearsal

    world.ports.start = start_sick  # type: ignore[method-assign]

    assert world.run("rehearse", "--disk", "3GB") == 5
    assert engines.ended == 1


def test_a_disk_that_is_too_small_leads_to_a_larger_one_and_not_to_the_users_own(
    world: World, engines: PrivateEngines, capsys: pytest.CaptureFixture[str]
) -> None:
    engines.simulator.add_volume("what-the-images-took", 211_000_003)

    assert world.run("rehearse", "--disk", "3GB", "--keep-free", "2.9GB") == 3

    told = capsys.readouterr().err
    assert "\n  tonnage rehearse --disk SIZE --keep-free SIZE\n" in told
    assert "tonnage reclaim" not in told
    assert engines.ended == 1


def test_how_to_reach_a_kept_engine_is_the_last_thing_told(
    world: World, engines: PrivateEngines, capsys: Captured
) -> None:
    assert world.run("rehearse", "--disk", "3GB", "--keep") == 0

    assert capsys.readouterr().err.endswith("  export DOCKER_HOST=unix:///x\n")
    assert engines.ended == 1
