"""Intent: an image comes to another engine by its missing layers alone, whole, and without leaving anything behind.

Steps: build here; ship over a real ssh connection to a second engine; change one file; build and ship again; strike
in the middle of sending; fill the disk there; ship between engines with different stores.
State checked: bytes sent, layers and configuration on both sides, what a container of the image prints, names and
containers left on both engines.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from tests.engine_root import EngineName, in_front
from tests.real_engine import BUSYBOX, real_engine
from tests.ssh_server import WHY_NONE, ssh_server

from tonnage.flows.ship.one_image import ship_image
from tonnage.wiring.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = [pytest.mark.engine, pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)]
DISK_BYTES = 1_900_000_001


@pytest.fixture
def other(engine_factory: Callable[[int], RealEngine]) -> RealEngine:
    return engine_factory(DISK_BYTES)


@pytest.fixture
def vm(project: Project, other: RealEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    where = tmp_path / "ssh"
    where.mkdir()
    with ssh_server(where, other.endpoint, address=other.address, netns=other.netns) as address:
        monkeypatch.setitem(project.real.environment, "PATH", f"{where}/bin:{os.environ['PATH']}")
        yield address


def shipped(project: Project, to: str, *arguments: str) -> dict[str, Any]:
    ended = project.tonnage("ship", "--to", to, "--keep-free", "100MB", "--json", *arguments)
    assert ended.exit_code == 0, ended.stderr
    [image] = json.loads(ended.stdout)["images"]
    return dict(image)


def left_behind(engine: RealEngine) -> list[str]:
    """Return what sending leaves on an engine when it goes wrong: containers and names of its own."""
    names = [name for image in engine.client.images.list() for name in image.tags if "tonnage-ship" in name]
    found = engine.client.containers.list(all=True, filters={"label": "tonnage.ship"})
    return [*names, *(str(each.name) for each in found)]


def printed(engine: RealEngine, image: str, *command: str) -> str:
    return bytes(engine.client.containers.run(image, list(command), network_mode="none", remove=True)).decode()


def layers(engine: RealEngine, image: str) -> list[str]:
    return list(engine.client.images.get(image).attrs["RootFS"]["Layers"])


@pytest.mark.each_engine
def test_a_changed_file_crosses_the_wire_and_the_rest_stays_where_it_is(
    project: Project, other: RealEngine, vm: str
) -> None:
    project.web("web", "first page", run="head -c 30000000 /dev/urandom >/weights")
    assert project.tonnage("build").exit_code == 0
    name = f"{project.name}-web:latest"
    first = shipped(project, vm)
    # The image of busybox is on both engines.
    assert first["layers_to_send"] == first["layers"] - 1
    assert printed(other, name, "cat", "/www/index.html") == "first page"

    project.web("web", "second page", run="head -c 30000000 /dev/urandom >/weights")
    assert project.tonnage("build").exit_code == 0
    planned = shipped(project, vm, "--dry-run")
    second = shipped(project, vm)
    assert (second["layers_to_send"], planned["layers_to_send"]) == (1, 1)
    assert second["measured_wire_bytes"] < 100_000
    assert printed(other, name, "cat", "/www/index.html") == "second page"
    assert layers(other, name) == layers(project.real, name)
    assert other.client.images.get(name).id == second["image_id"]
    assert printed(other, name, "sha256sum", "/weights") == printed(project.real, name, "sha256sum", "/weights")

    assert shipped(project, vm)["up_to_date"]
    assert left_behind(project.real) == left_behind(other) == []


@pytest.mark.long("it sends 300 MB twice")
def test_a_killed_attempt_is_continued_behind_the_last_whole_archive(
    project: Project, other: RealEngine, vm: str
) -> None:
    noise = "head -c 75000000 /dev/urandom >/noise"
    context = project.directory / "web"
    context.mkdir()
    lines = ["FROM busybox:latest", *(f"RUN {noise}{number}" for number in range(4))]
    (context / "Dockerfile").write_text("\n".join(lines) + "\n")
    project.services["web"] = {"build": "./web"}
    project.write()
    assert project.tonnage("build").exit_code == 0

    running = project.start("ship", "--to", vm, "--keep-free", "100MB")
    running.until(lambda: any("carrier" in name for name in left_behind(other)), "the first archive is there")
    running.kill()
    assert f"{project.name}-web:latest" not in [name for each in other.client.images.list() for name in each.tags]

    again = shipped(project, vm)
    assert 0 < again["layers_to_send"] < 4
    assert left_behind(other) == []
    assert layers(other, f"{project.name}-web:latest") == layers(project.real, f"{project.name}-web:latest")


def test_what_does_not_fit_there_is_refused_before_anything_is_sent(
    project: Project, other: RealEngine, vm: str
) -> None:
    project.web("web", "page", run="head -c 30000000 /dev/urandom >/weights")
    assert project.tonnage("build").exit_code == 0
    before = [image.id for image in other.client.images.list(all=True)]
    available = os.statvfs(other.mount).f_bavail * os.statvfs(other.mount).f_frsize
    ended = project.tonnage("ship", "--to", vm, "--keep-free", f"{available - 20_000_000}B")
    assert ended.exit_code == 3, ended.stderr
    assert "short" in ended.stderr
    assert [image.id for image in other.client.images.list(all=True)] == before


@pytest.mark.long("it starts engines of three Debian releases")
@pytest.mark.only_on("it brings its engines along", since=0, store="classic")
def test_every_pair_of_stores_and_versions(engine: RealEngine) -> None:
    ports = Ports(engine.environment)
    sums = ("sh", "-c", "sha256sum /[0-9]*")
    with ExitStack() as stack:
        engines = {"own": engine}
        for name in ("trixie", "trixie-containerd", "sid", "sid-containerd"):
            stack.enter_context(in_front(EngineName.read(name)))
            engines[name] = stack.enter_context(real_engine(DISK_BYTES))
        for name, each in engines.items():
            _commit(each, f"made-{name}:1", BUSYBOX, 2_000_000)
            _commit(each, f"made-{name}:2", f"made-{name}:1", 10_000)
        for (here, source), (there, target) in product(engines.items(), repeat=2):
            if here == there:
                continue
            for version in (1, 2):
                image = f"made-{here}:{version}"
                sent = ship_image(ports.ship_engines, source.endpoint, target.endpoint, image, keep_free_bytes=0)
                assert sent.layers_sent == 1, (here, there, version)
                assert layers(source, image) == layers(target, image)
                assert printed(source, image, *sums) == printed(target, image, *sums)
            assert left_behind(source) == left_behind(target) == []


def _commit(engine: RealEngine, image: str, base: str, size: int) -> None:
    made = engine.client.containers.run(base, ["sh", "-c", f"head -c {size} /dev/urandom >/{size}"], detach=True)
    made.wait()
    repository, tag = image.split(":")
    made.commit(repository=repository, tag=tag)
    made.remove()


def test_a_deploy_builds_here_sends_and_starts_there(project: Project, other: RealEngine, vm: str) -> None:
    project.web("web", "first page")
    to = ("--build-here", "--to", vm, "--keep-free", "100MB")
    first = project.tonnage("deploy", *to)
    assert first.exit_code == 0, first.stderr
    [container] = other.client.containers.list(filters={"label": f"com.docker.compose.project={project.name}"})
    assert container.exec_run(["cat", "/www/index.html"]).output == b"first page"
    assert not project.engine.containers("web")

    project.web("web", "second page")
    second = project.tonnage("deploy", *to)
    assert second.exit_code == 0, second.stderr
    [container] = other.client.containers.list(filters={"label": f"com.docker.compose.project={project.name}"})
    assert container.exec_run(["cat", "/www/index.html"]).output == b"second page"

    again = project.tonnage("deploy", *to)
    assert again.exit_code == 0, again.stderr
    assert other.client.containers.get(str(container.id)).status == "running"
    back = project.tonnage("rollback", "--to", vm)
    assert back.exit_code == 0, back.stderr
    [container] = other.client.containers.list(filters={"label": f"com.docker.compose.project={project.name}"})
    assert container.exec_run(["cat", "/www/index.html"]).output == b"first page"
    for each in other.client.containers.list(all=True):
        each.remove(force=True)
