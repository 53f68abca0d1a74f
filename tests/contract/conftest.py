"""The worlds that the contract suite runs on: each test runs on the simulator and on a real engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contract.world import RealWorld, SimulatedWorld

from tonnage.adapters.docker.acts import DockerActs
from tonnage.adapters.docker.facts import DockerFacts
from tonnage.adapters.docker.tools import Tools
from tonnage.adapters.host.filesystem import open_gauge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.contract.world import World
    from tests.real_engine import RealEngine


@pytest.fixture(params=["simulator", pytest.param("engine", marks=[pytest.mark.engine, pytest.mark.each_engine])])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Yield an engine with ``busybox:latest`` and nothing else on it."""
    if request.param == "simulator":
        yield SimulatedWorld()
        return
    engine: RealEngine = request.getfixturevalue("engine")
    connection = engine.connection
    facts = DockerFacts(connection, sizes=True)
    gauge = open_gauge(connection.endpoint, [disk.mount for disk in facts.filesystems()])
    made = RealWorld(
        facts=facts,
        acts=DockerActs(connection, Tools(engine.environment), engine.environment),
        gauge=gauge,
        root=tmp_path,
    )
    try:
        yield made
    finally:
        made.ballast.unlink(missing_ok=True)
        gauge.close()
