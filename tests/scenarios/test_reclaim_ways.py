"""Intent: bytes are reclaimed for a saved plan, over ssh, on another filesystem than the engine's, and inside a deploy.

Steps: fill an engine's disk with what nobody needs; reclaim in each of these ways.
State checked: images, files, available bytes, exit codes, the journal.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.real_engine import busybox_archive
from tests.scenarios.random_engines import MIB, available, layer, load
from tests.ssh_server import WHY_NONE, ssh_server

from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine
UNUSED = "unused:1"
NAMED = "named:1"


def names(engine: RealEngine) -> set[str]:
    """Return the names of all images."""
    return {name for image in engine.client.images.list() for name in image.tags}


@pytest.fixture
def cache_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of its own with a home and pip's cache on it."""
    image, point = tmp_path / "image", tmp_path / "disk"
    point.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, point], check=True)
    try:
        cache = point / "home" / ".cache" / "pip" / "http-v2"
        cache.mkdir(parents=True)
        (cache / "wheel").write_bytes(os.urandom(11 * MIB))
        os.sync()
        yield point
    finally:
        subprocess.run(["umount", "--lazy", point], check=True)


def test_as_much_goes_as_a_saved_plan_needs(project: Project) -> None:
    project.top["x-tonnage"] = {"assume-unknown": "5MB"}
    project.web("web", "web 1")
    reserve_bytes = available(project.real) - 125 * MIB
    assert project.tonnage("plan", "--out", "plan.json", "--keep-free", f"{reserve_bytes}B").exit_code == 0
    load(project.real, UNUSED, [busybox_archive(), layer(31, 17 * MIB)])
    load(project.real, "", [busybox_archive(), layer(32, 77 * MIB)])
    ended = project.tonnage("reclaim", "--for", "plan.json", "--yes", "--json")
    assert ended.exit_code == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["enough"]
    assert len(told["removed"]) == 1
    assert told["target_bytes"] > reserve_bytes
    assert available(project.real) >= told["target_bytes"]
    assert UNUSED in names(project.real)
    assert project.tonnage("deploy", "--plan", "plan.json").exit_code == 0


@pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)
def test_an_engine_behind_ssh_is_asked_and_files_of_this_machine_stay(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, home = tmp_path / "ssh", tmp_path / "home"
    where.mkdir()
    cached = home / ".cache" / "pip" / "wheel"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"x" * 5 * MIB)
    real = project.real
    load(real, UNUSED, [busybox_archive(), layer(41, 23 * MIB)])
    load(real, NAMED, [busybox_archive(), layer(42, 21 * MIB)])
    # Another project on that machine has not run yet what its file names.
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "compose.yaml").write_text(f"services: {{web: {{image: busybox}}, worker: {{image: '{NAMED}'}}}}\n")
    real.client.containers.run(
        "busybox:latest",
        ["sleep", "1000"],
        detach=True,
        network_mode="none",
        labels={
            "com.docker.compose.project": "theirs",
            "com.docker.compose.service": "web",
            "com.docker.compose.project.working_dir": str(theirs),
            "com.docker.compose.project.config_files": str(theirs / "compose.yaml"),
        },
    )
    with ssh_server(where, real.endpoint, address=real.address, netns=real.netns) as host:
        monkeypatch.setitem(real.environment, "PATH", f"{where}/bin:{os.environ['PATH']}")
        monkeypatch.setitem(real.environment, "XDG_CACHE_HOME", str(home / ".cache"))
        ended = project.tonnage("reclaim", "-H", host, "--free", "20MB", "--yes", "--json")
    assert ended.exit_code == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert [each["kind"] for each in told["removed"]] == ["image"]
    stays = {each["name"]: each["reason"] for each in told["protected"]}
    assert stays[NAMED] == "worker of the stack theirs is run from it"
    assert UNUSED not in names(real)
    assert cached.exists()


def test_another_filesystem_than_the_engines_is_freed_by_naming_it(project: Project, cache_disk: Path) -> None:
    load(project.real, UNUSED, [busybox_archive(), layer(51, 19 * MIB)])
    home = {"HOME": str(cache_disk / "home"), "XDG_CACHE_HOME": "", "PIP_CACHE_DIR": ""}
    shown = project.tonnage("reclaim", "--json", environment=home)
    assert shown.exit_code == 0, shown.stderr
    stays = [each for each in json.loads(shown.stdout)["protected"] if str(cache_disk) in each["name"]]
    assert [("another filesystem" in each["reason"]) for each in stays] == [True]
    wanted = ("reclaim", "--mount", str(cache_disk), "--free", "10MB", "--yes", "--json")
    ended = project.tonnage(*wanted, environment=home)
    assert ended.exit_code == 0, ended.stderr
    assert [each["kind"] for each in json.loads(ended.stdout)["removed"]] == ["package-cache"]
    assert UNUSED in names(project.real)


def test_a_deploy_makes_room_with_images_of_a_stack_that_is_gone(
    engine_factory: Callable[[int], RealEngine], project_on: Callable[[RealEngine], Project]
) -> None:
    small = engine_factory(700_000_003)
    project = project_on(small)
    project.web("first", "first 1", run="head -c 20000003 /dev/urandom > /written")
    project.web("second", "second 1", run="head -c 30000001 /dev/urandom > /written")
    project.top["x-tonnage"] = {"assume-unknown": "60MB"}
    project.write()
    for number, size in enumerate((40, 70)):
        of_a_stack = {"tonnage.stack": "theirs", "tonnage.service": "web"}
        load(small, f"theirs-{number}:1", [busybox_archive(), layer(60 + number, size * MIB)], **of_a_stack)
    # Nobody knows where it came from.
    load(small, "by-hand:1", [busybox_archive(), layer(69, 10 * MIB)])
    reserve_bytes = available(small) - 50 * MIB
    ended = project.tonnage("deploy", "--keep-free", f"{reserve_bytes}B")
    assert ended.exit_code == 0, ended.stderr
    run = project.runs()[0]
    assert run.outcome is Outcome.DONE
    assert [step.name for step in run.steps if step.name.endswith(".reclaim")]
    assert {"busybox:latest", "by-hand:1"} < names(small)
    assert not {"theirs-0:1", "theirs-1:1"} <= names(small)
    assert available(small) >= reserve_bytes
