"""Intent: a test that names an engine gets that one, with the programs of its release and with images where it says.

Steps: ask the engine and its programs for their versions; build an image; start a second engine.
State checked: versions, the store, and on which filesystem an image takes its bytes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.engine_root import EngineName

if TYPE_CHECKING:
    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = [pytest.mark.engine, pytest.mark.each_engine]


@pytest.fixture
def name(pytestconfig: pytest.Config) -> EngineName:
    """Return the engine that was asked for."""
    found: EngineName = pytestconfig.getoption("--engine")
    if not found.suite:
        pytest.skip("this machine's own engine has whatever version and store it has")
    return found


def test_engine_command_and_store_are_those_of_the_release(engine: RealEngine, name: EngineName) -> None:
    told = engine.client.info()
    command = subprocess.run(
        ["docker", "--version"], env=engine.environment, capture_output=True, text=True, check=True
    )
    assert command.stdout.removeprefix("Docker version ").split(",")[0] == told["ServerVersion"]
    assert name.store.startswith("containerd") == ("snapshotter" in str(told["DriverStatus"]))


def test_an_image_takes_its_bytes_where_images_lie(project: Project, name: EngineName) -> None:
    places = {"": project.real.mount, "apart": project.real.apart}
    place = places[name.store.removeprefix("containerd").removeprefix("classic").removeprefix("-")]
    others = {each for each in places.values() if each} - {place}
    before = {each: os.statvfs(each).f_bavail for each in (place, *others)}
    project.web("web", "web 1", run="head -c 20000003 /dev/urandom > /big")
    project.docker("build", "--quiet", "web")
    os.sync()
    grown = {each: (before[each] - os.statvfs(each).f_bavail) * os.statvfs(each).f_frsize for each in before}
    assert grown.pop(place) > 20_000_003
    assert all(grown_bytes < 1_000_003 for grown_bytes in grown.values())


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(
        argparse.ArgumentTypeError, match="none of own, bookworm, trixie, trixie-containerd, trixie-containerd-apart"
    ):
        EngineName.read("bookworm-containerd")
