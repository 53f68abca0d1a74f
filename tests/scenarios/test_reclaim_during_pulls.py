"""Intent: what somebody is pulling stays until it is all there, however long that takes.

Steps: pull a quick image and one whose registry stops in the middle, by the API, by docker and by Compose; reclaim; let
the registry go on; reclaim again.
State checked: what may go and what stays, with its reason, while the pull goes on and after it. Time is made short:
what is young for five minutes is so for a second here.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.test_reclaim import MIB, layer
from tests.slow_registry import slow_registry

from tonnage.adapters.docker.facts import DockerFacts
from tonnage.decide.reclaim import protection as protecting
from tonnage.decide.reclaim.engine_candidates import engine_findings
from tonnage.flows import roots as needing
from tonnage.model.stack import Stack
from tonnage.runtime.deploy.observe import observe
from tonnage.runtime.reclaim import pull_roots as needing_pulls
from tonnage.wiring.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.real_engine import RealEngine

pytestmark = pytest.mark.engine
PORT = 18096
QUICK, SLOW = f"127.0.0.1:{PORT}/quick", f"127.0.0.1:{PORT}/slow-one"
YOUNG_S = 1.0
COMPOSE = shutil.which("docker-compose")


@pytest.fixture
def registry(engine: RealEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A registry that stops in the middle of the slow image; yields the file that lets it go on."""
    directory = tmp_path / "registry"
    directory.mkdir()
    (directory / "quick.tar").write_bytes(layer(71, 3 * MIB))
    (directory / "slow-one.tar").write_bytes(layer(72, 4 * MIB))
    for module in (needing, protecting, needing_pulls):
        monkeypatch.setattr(module, "YOUNG_S", YOUNG_S)
    monkeypatch.setenv("TONNAGE_STATE_DIR", str(tmp_path / "state"))
    with slow_registry(directory, PORT, ["ip", "netns", "exec", engine.netns]):
        ask = ["ip", "netns", "exec", engine.netns, "wget", "-q", "-O", "-", f"http://127.0.0.1:{PORT}/v2/"]
        wait_for(lambda: subprocess.run(ask, check=False, capture_output=True).returncode == 0)
        yield directory / "go"


def wait_for(what: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_there(engine: RealEngine, name: str) -> bool:
    return any(f"{name}:1" in image.tags for image in engine.client.images.list())


def wait_for_half(engine: RealEngine) -> None:
    """Wait until one image is there, the other one is not, and neither is young."""
    wait_for(lambda: is_there(engine, QUICK))
    time.sleep(2 * YOUNG_S + 1.0)
    assert not is_there(engine, SLOW)


def stays(engine: RealEngine) -> str:
    """Return why the quick image stays; empty when it may go."""
    facts = DockerFacts(engine.connection)
    inventory = observe(facts)
    needs = needing.read_needs(Ports(), facts, inventory, Stack(name="", directory="/", files=(), services=()))
    found, name = engine_findings(inventory, needs), f"{QUICK}:1"
    reasons = [each.reason for each in found.protected if each.name == name]
    assert bool(reasons) != any(each.name == name for each in found.candidates)
    return reasons[0] if reasons else ""


def test_what_was_pulled_just_now_stays_and_may_go_later(engine: RealEngine, registry: Path) -> None:
    engine.client.images.pull(QUICK, tag="1")
    assert stays(engine) == protecting.JUST_NOW
    time.sleep(2 * YOUNG_S + 1.0)
    assert stays(engine) == ""
    assert not registry.exists()


def test_what_came_before_the_last_of_several_stays_although_nobody_is_seen_who_pulls(
    engine: RealEngine, registry: Path
) -> None:
    def pull() -> None:
        for name in (QUICK, SLOW):
            engine.client.images.pull(name, tag="1")

    pulling = threading.Thread(target=pull)
    pulling.start()
    try:
        wait_for_half(engine)
        assert stays(engine) == "it came while somebody pulls, which goes on"
    finally:
        registry.touch()
        pulling.join()
    assert is_there(engine, SLOW)
    time.sleep(2 * YOUNG_S + 1.0)
    assert stays(engine) == ""


def test_what_is_named_by_a_docker_command_that_pulls_stays(engine: RealEngine, registry: Path) -> None:
    engine.client.images.pull(QUICK, tag="1")
    time.sleep(2 * YOUNG_S + 1.0)
    assert stays(engine) == ""
    command = ["docker", "create", "--name", "not-yet", f"{SLOW}:1", "sh", f"{QUICK}:1"]
    with subprocess.Popen(command, env=engine.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as it:
        try:
            time.sleep(1.0)
            assert stays(engine) == f"docker create ({it.pid}) asks for it"
        finally:
            registry.touch()
    assert stays(engine) == ""


@pytest.mark.skipif(COMPOSE is None, reason="needs docker-compose")
@pytest.mark.parametrize("known", [True, False], ids=["its file is read", "its directory is gone"])
def test_what_compose_pulled_first_stays_until_it_has_pulled_the_last(
    engine: RealEngine, registry: Path, tmp_path: Path, *, known: bool
) -> None:
    assert COMPOSE
    project = tmp_path / "theirs"
    project.mkdir()
    (project / "compose.yaml").write_text(f"services: {{a: {{image: '{QUICK}:1'}}, b: {{image: '{SLOW}:1'}}}}\n")
    command = [COMPOSE, "-f", "compose.yaml", "pull", "--no-parallel", "--quiet"]
    environment = {**engine.environment, "PWD": str(project)}
    with subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.DEVNULL) as it:
        try:
            wait_for_half(engine)
            if not known:
                (project / "compose.yaml").unlink()
            expected = (
                "a of the stack theirs is run from it"
                if known
                else f"it came while docker-compose pull ({it.pid}) pulls, which goes on"
            )
            assert stays(engine) == expected
            assert it.poll() is None
        finally:
            registry.touch()
    assert it.returncode == 0
    assert is_there(engine, SLOW)
    time.sleep(2 * YOUNG_S + 1.0)
    assert stays(engine) == ""
