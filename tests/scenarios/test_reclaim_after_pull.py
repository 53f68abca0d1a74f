"""Intent: what was pulled just now stays, and goes like anything else later.

Steps: pull an image from a registry; look at what may go, at once and after a while.
State checked: whether the image may go, and the reason why not. Time is made short: what is young for five minutes is
so for a second here.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.layer_registry import layer_registry
from tests.scenarios.random_engines import MIB, layer
from tests.scenarios.watching import soon

from tonnage.adapters.docker.facts import DockerFacts
from tonnage.decide.reclaim import protection
from tonnage.decide.reclaim.engine_candidates import engine_findings
from tonnage.flows import roots
from tonnage.model.stack import Stack
from tonnage.runtime.deploy.observe import observe
from tonnage.wiring.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.real_engine import RealEngine

pytestmark = pytest.mark.engine
PORT = 18096
PULLED = f"127.0.0.1:{PORT}/pulled"


@pytest.fixture
def registry(engine: RealEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry in the engine's network."""
    (tmp_path / "pulled.tar").write_bytes(layer(71, 3 * MIB))
    monkeypatch.setenv("TONNAGE_STATE_DIR", str(tmp_path / "state"))
    with layer_registry(tmp_path, PORT, ["ip", "netns", "exec", engine.netns]):
        asking = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{PORT}/v2/')"
        ask = ["ip", "netns", "exec", engine.netns, sys.executable, "-c", asking]
        assert soon(lambda: not subprocess.run(ask, check=False, capture_output=True).returncode)
        yield


def why_it_stays(engine: RealEngine) -> str:
    """Return why the image stays; empty when it may go."""
    facts = DockerFacts(engine.connection)
    inventory = observe(facts)
    needs = roots.read_needs(Ports(), facts, inventory, Stack(name="", directory="/", files=(), services=()))
    found, name = engine_findings(inventory, needs), f"{PULLED}:1"
    reasons = [each.reason for each in found.protected if each.name == name]
    assert bool(reasons) != any(each.name == name for each in found.candidates)
    return reasons[0] if reasons else ""


@pytest.mark.usefixtures("registry")
def test_what_was_pulled_just_now_stays_and_may_go_later(engine: RealEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.client.images.pull(PULLED, tag="1")
    assert why_it_stays(engine) == protection.JUST_NOW
    for module in (roots, protection):
        monkeypatch.setattr(module, "YOUNG_S", 0.0)
    assert why_it_stays(engine) == ""
