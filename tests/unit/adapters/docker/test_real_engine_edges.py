"""What only a real engine shows and the contract suite has no word for: networks, pauses, a full disk, a death."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.docker import object_acts as objects
from tonnage.adapters.docker import transfer
from tonnage.adapters.docker.facts import DockerFacts
from tonnage.adapters.host.filesystem import open_gauge
from tonnage.errors import EngineUnreachableError, StepFailedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real_engine import RealEngine

pytestmark = pytest.mark.engine
BUSYBOX = "busybox:latest"
SERVE = ["sh", "-c", "echo ok > /tmp/index.html; exec httpd -f -p 8017 -h /tmp"]


class Quiet:
    def at(self, text: str) -> None:
        pass

    def log(self, line: str) -> None:
        pass


def status_of(facts: DockerFacts, name: str) -> int | str:
    """Ask until it answers, for at most 10 s."""
    said: int | str = ""
    for _ in range(100):
        container = facts.container(name)
        assert container is not None
        said = facts.http_status(container, 8017, "/", 1.0)
        if isinstance(said, int):
            break
        time.sleep(0.1)
    return said


def test_containers_on_the_hosts_and_on_anothers_network_are_asked(engine: RealEngine) -> None:
    facts = DockerFacts(engine.connection)
    engine.client.containers.run(BUSYBOX, SERVE, name="own", detach=True)
    engine.client.containers.run(BUSYBOX, SERVE, name="hosts", network_mode="host", detach=True)
    engine.client.containers.run(BUSYBOX, ["sleep", "97"], name="sharing", network_mode="container:own", detach=True)
    assert [status_of(facts, name) for name in ("own", "hosts", "sharing")] == [200, 200, 200]


def test_a_stopped_container_has_no_address(engine: RealEngine) -> None:
    facts = DockerFacts(engine.connection)
    engine.client.containers.run(BUSYBOX, ["sh", "-c", "exit 3"], name="ended", detach=True).wait()
    container = facts.container("ended")
    assert container is not None
    assert (container.state, container.exit_code) == ("exited", 3)
    assert facts.http_status(container, 8017, "/", 1.0) == "the container has no address yet"


def test_a_paused_container_is_removed(engine: RealEngine) -> None:
    engine.client.containers.run(BUSYBOX, ["sleep", "97"], name="paused", detach=True).pause()
    objects.remove_container(engine.connection, "paused", 0.1)
    assert DockerFacts(engine.connection).container("paused") is None


def test_a_name_that_moves_in_the_middle_of_a_removal_stays_with_its_new_image(
    engine: RealEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids: list[str] = []
    for number in range(2):
        made = engine.client.containers.run(BUSYBOX, ["sh", "-c", f"echo {number} > /x"], detach=True)
        made.wait()
        ids.append(str(made.commit("moving" if number == 0 else None, "1" if number == 0 else None).id))
        made.remove()
    connection, requests = engine.connection, engine.connection.client.api
    request = requests.request

    def move_first(method: str, url: str, **more: object) -> object:
        if method == "DELETE":
            objects.tag(connection, ids[1], "moving:1")
        return request(method, url, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(requests, "request", move_first)
    objects.remove_image(connection, ids[0], ("moving:1",))
    left = {image.image_id: image.references for image in DockerFacts(connection).images()}
    assert ids[0] not in left
    assert left[ids[1]] == ("moving:1",)


def test_the_disk_is_the_engines_own_with_the_figures_of_statvfs(engine: RealEngine) -> None:
    first, *others = DockerFacts(engine.connection).filesystems()
    told = os.statvfs(engine.mount)
    assert (first.mount, first.roles[0]) == (engine.mount, "data-root")
    assert first.size_bytes == told.f_blocks * told.f_frsize
    assert first.reserved_bytes > 0
    assert "temporary" in {role for other in others for role in other.roles}
    assert first.available_bytes == open_gauge(engine.endpoint, [first.mount]).available()[first.mount]


@pytest.mark.only_on("what is told of shared bytes leaves out blobs where images lie in containerd", store="classic")
def test_unique_and_shared_bytes_are_those_that_the_engine_tells(engine: RealEngine) -> None:
    api = engine.client.api
    for name, size in (("one", 300_007), ("two", 500_009)):
        made = engine.client.containers.run(BUSYBOX, ["sh", "-c", f"head -c {size} /dev/urandom > /x"], detach=True)
        made.wait()
        made.commit(name, "1")
    told = {image["Id"]: (image["Size"], image["SharedSize"]) for image in api.df()["Images"]}
    found = DockerFacts(engine.connection).images()
    assert {image.image_id: (image.size_bytes, image.shared_bytes) for image in found} == told
    assert sorted(image.unique_bytes for image in found) == [0, 300_007, 500_009]


def test_a_cancelled_pull_ends_at_once(engine: RealEngine) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(StepFailedError, match="could not pull") as caught:
        transfer.pull(engine.connection, "example.org/none:1", progress=Quiet(), cancel=cancel)
    assert caught.value.why == "It was stopped."


def test_an_engine_that_is_killed_is_unreachable_in_words(engine_factory: Callable[[int], RealEngine]) -> None:
    engine = engine_factory(500_000_003)
    facts = DockerFacts(engine.connection)
    assert facts.images()
    config = f"{Path(engine.endpoint.removeprefix('unix://')).parent}/daemon.json".encode()
    (daemon,) = [
        int(entry.parent.name)
        for entry in Path("/proc").glob("[0-9]*/cmdline")
        if (words := entry.read_bytes().split(b"\0"))[0].endswith(b"dockerd") and config in words
    ]
    os.kill(daemon, signal.SIGKILL)
    time.sleep(0.3)
    with pytest.raises(EngineUnreachableError, match="connection refused on the engine's socket"):
        facts.containers()
