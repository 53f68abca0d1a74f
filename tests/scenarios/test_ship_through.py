"""Intent: images go to another engine through a registry, by blobs that the registry and the engine lack.

Steps: a registry that both engines reach, over wires that count; build here; ship through it; change one file; build
and ship again; ship what does not fit; ship what is there.
State checked: bytes that crossed each wire beside those of the plan, layers and configuration on both sides, what a
container of the image prints, names left on both engines and in the registry.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from tests.counted_wire import counted_wire
from tests.docker_registry import needs_registry, registry
from tests.engine_root import EngineName, in_front
from tests.real_engine import real_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.counted_wire import CountedWire
    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = [pytest.mark.engine, needs_registry]
DISK_BYTES = 1_900_000_001
ADDRESS, BEHIND = "127.0.0.1:18197", "127.0.0.1:18198"
# Requests and answers themselves: headers, manifests, and what an engine asks again.
TALK_BYTES = 60_000


@pytest.fixture
def other(engine_factory: Callable[[int], RealEngine]) -> RealEngine:
    return engine_factory(DISK_BYTES)


@pytest.fixture
def wires(project: Project, other: RealEngine, tmp_path: Path) -> Iterator[tuple[CountedWire, CountedWire]]:
    with registry_between(project.real, other, tmp_path) as found:
        yield found


class registry_between:  # noqa: N801 - used as a context
    """A registry that this machine and both engines reach, each engine by a wire that counts."""

    def __init__(self, here: RealEngine, there: RealEngine, where: Path) -> None:
        self._here, self._there, self._where = here, there, where
        self._stack = ExitStack()

    def __enter__(self) -> tuple[CountedWire, CountedWire]:
        networks = (self._here.netns, self._there.netns)
        self._stack.enter_context(registry(self._where, BEHIND, *networks))
        outside = self._where / "outside"
        outside.mkdir()
        (outside / "images").symlink_to(self._where / "images")
        self._stack.enter_context(registry(outside, ADDRESS, ""))
        first, second = (
            self._stack.enter_context(
                counted_wire(self._where / f"wire-{number}", ADDRESS, BEHIND, ["ip", "netns", "exec", name])
            )
            for number, name in enumerate(networks)
        )
        return first, second

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def shipped(project: Project, to: RealEngine, *arguments: str) -> dict[str, Any]:
    words = ("ship", "--to", to.endpoint, "--through", f"{ADDRESS}/fleet", "--keep-free", "100MB", "--json")
    ended = project.tonnage(*words, *arguments)
    assert ended.exit_code == 0, ended.stderr
    [image] = json.loads(ended.stdout)["images"]
    return dict(image)


def names_of(engine: RealEngine) -> list[str]:
    """Return every name of the registry that an engine has for an image."""
    found = [name for image in engine.client.images.list() for name in (*image.tags, *image.attrs["RepoDigests"])]
    return sorted(name for name in found if name.startswith(ADDRESS))


def printed(engine: RealEngine, image: str, *command: str) -> str:
    return bytes(engine.client.containers.run(image, list(command), network_mode="none", remove=True)).decode()


def layers(engine: RealEngine, image: str) -> list[str]:
    return list(engine.client.images.get(image).attrs["RootFS"]["Layers"])


def crossed(wire: CountedWire, way: int, before: tuple[int, int]) -> int:
    return wire.bytes()[way] - before[way]


def check_one_line(project: Project, other: RealEngine, wires: tuple[CountedWire, CountedWire]) -> None:
    """Ship an image, change a line of it, and ship it again; compare every figure with what crossed the wires."""
    here, there = wires
    name = f"{project.name}-web:latest"
    noise = "head -c 9000000 /dev/urandom >/weights"
    project.web("web", "first page", run=noise)
    assert project.tonnage("build").exit_code == 0
    first = shipped(project, other)
    assert first["measured_pushed_bytes"] > 9_000_000
    assert printed(other, name, "cat", "/www/index.html") == "first page"

    project.web("web", "second page", run=noise)
    assert project.tonnage("build").exit_code == 0
    planned = shipped(project, other, "--dry-run")
    before = here.bytes(), there.bytes()
    second = shipped(project, other)
    pushed, pulled = crossed(here, 0, before[0]), crossed(there, 1, before[1])
    for figure, wire_bytes in (("pushed", pushed), ("pulled", pulled)):
        assert 0 < second[f"measured_{figure}_bytes"] <= wire_bytes <= second[f"measured_{figure}_bytes"] + TALK_BYTES
        assert planned[figure]["low_bytes"] <= second[f"measured_{figure}_bytes"] <= planned[figure]["high_bytes"]
    assert max(pushed, pulled) < 100_000
    assert printed(other, name, "cat", "/www/index.html") == "second page"
    assert layers(other, name) == layers(project.real, name)
    assert printed(other, name, "sha256sum", "/weights") == printed(project.real, name, "sha256sum", "/weights")
    assert names_of(project.real) == names_of(other) == []

    before = here.bytes(), there.bytes()
    again = shipped(project, other)
    assert again["measured_pushed_bytes"] == again["measured_pulled_bytes"] == 0
    assert max(crossed(here, 0, before[0]), crossed(there, 1, before[1])) < TALK_BYTES


@pytest.mark.each_engine
def test_only_blobs_that_are_missing_cross_either_wire(
    project: Project, other: RealEngine, wires: tuple[CountedWire, CountedWire]
) -> None:
    check_one_line(project, other, wires)


@pytest.mark.long("it starts a further engine for each store")
@pytest.mark.only_on("it brings its engines along", since=0, store="classic")
@pytest.mark.parametrize("name", ["sid", "sid-containerd"])
def test_between_engines_of_two_kinds(project: Project, tmp_path: Path, name: str) -> None:
    with (
        in_front(EngineName.read(name)),
        real_engine(DISK_BYTES) as other,
        registry_between(project.real, other, tmp_path) as wires,
    ):
        check_one_line(project, other, wires)


def test_a_layer_that_came_by_ssh_is_not_pulled_again_where_the_store_knows_it(
    project: Project, other: RealEngine, wires: tuple[CountedWire, CountedWire]
) -> None:
    del wires
    noise = "head -c 3000000 /dev/urandom >/weights"
    project.web("web", "first page", run=noise)
    assert project.tonnage("build").exit_code == 0
    sent = project.tonnage("ship", "--to", other.endpoint, "--keep-free", "100MB")
    assert sent.exit_code == 0, sent.stderr
    project.web("web", "second page", run=noise)
    assert project.tonnage("build").exit_code == 0
    planned, done = shipped(project, other, "--dry-run"), shipped(project, other)
    assert planned["pulled"]["low_bytes"] <= done["measured_pulled_bytes"] <= planned["pulled"]["high_bytes"]
    contained = other.client.info()["Driver"] != "overlay2"
    # The classic store compares digests of packed layers, and of those it knows none that it did not pull or push.
    assert (done["measured_pulled_bytes"] < 100_000) is contained


def test_what_does_not_fit_there_is_refused_before_anything_is_pushed(
    project: Project, other: RealEngine, wires: tuple[CountedWire, CountedWire]
) -> None:
    project.web("web", "page", run="head -c 30000000 /dev/urandom >/weights")
    assert project.tonnage("build").exit_code == 0
    seen = os.statvfs(other.mount)
    reserve = f"{seen.f_bavail * seen.f_frsize - 20_000_000}B"
    ended = project.tonnage("ship", "--to", other.endpoint, "--through", ADDRESS, "--keep-free", reserve)
    assert ended.exit_code == 3, ended.stderr
    assert "short" in ended.stderr
    assert wires[0].bytes() == wires[1].bytes() == (0, 0)
    assert names_of(project.real) == names_of(other) == []


def test_a_registry_that_is_not_there_changes_nothing(project: Project, other: RealEngine) -> None:
    project.web("web", "page")
    assert project.tonnage("build").exit_code == 0
    ended = project.tonnage("ship", "--to", other.endpoint, "--through", "127.0.0.1:9/fleet", "--keep-free", "100MB")
    assert ended.exit_code == 10
    assert "127.0.0.1:9" in ended.stderr
    assert names_of(project.real) == []
