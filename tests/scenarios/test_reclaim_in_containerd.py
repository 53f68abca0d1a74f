"""Intent: where images lie in containerd, what costs no image goes first, and what is superseded goes at once.

Steps: build and load images; take a running one its name; reclaim; deploy three versions.
State checked: what was removed, images that are left, containers that start again, bytes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scenarios.driving import Ended, Project

pytestmark = [
    pytest.mark.engine,
    pytest.mark.each_engine,
    pytest.mark.only_on("images lie in containerd", store="containerd"),
]


def build(project: Project, directory: Path, name: str, size_bytes: int) -> None:
    """Build an image with one layer that cannot be compressed."""
    directory.mkdir(exist_ok=True)
    text = f"FROM busybox:latest\nRUN head -c {size_bytes} /dev/urandom > /{size_bytes}\nCMD ['sleep', '1000']\n"
    (directory / "Dockerfile").write_text(text.replace("'", '"'))
    project.docker("build", "--quiet", "--tag", name, str(directory))


def removed(ended: Ended) -> list[tuple[str, str]]:
    """Return what was removed: kinds and names."""
    return [(each["kind"], each["name"]) for each in json.loads(ended.stdout)["removed"]]


def test_one_running_container_whose_image_lost_its_name_keeps_nothing_else_from_going(
    project: Project, tmp_path: Path
) -> None:
    client = project.real.client
    build(project, tmp_path / "one", "runs:1", 3_000_017)
    container: Any = client.containers.run("runs:1", detach=True, network_mode="none", stop_signal="SIGKILL")
    before = str(client.images.get("runs:1").id)
    build(project, tmp_path / "one", "runs:1", 2_000_003)
    assert before not in {str(image.id) for image in client.images.list()}
    build(project, tmp_path / "two", "unused:1", 5_000_011)

    ended = project.tonnage("reclaim", "--only", "image", "--free", "4MB", "--yes", "--json")

    assert ended.exit_code == 0, ended.stderr
    assert ("image", "unused:1") in removed(ended)
    container.restart(timeout=1)
    assert container.exec_run(["stat", "-c", "%s", "/3000017"]).output.strip() == b"3000017"


def test_second_copies_go_before_any_image(project: Project, tmp_path: Path) -> None:
    client = project.real.client
    build(project, tmp_path / "small", "small:1", 1_000_003)
    build(project, tmp_path / "large", "large:1", 15_000_017)
    images = {str(image.id) for image in client.images.list()}

    ended = project.tonnage("reclaim", "--free", "14MB", "--yes", "--json")

    assert ended.exit_code == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert {kind for kind, _ in removed(ended)} == {"cache"}
    came, promised = (sum(each[name] for each in told["removed"]) for name in ("freed_bytes", "promised_bytes"))
    assert came == pytest.approx(promised, rel=0.01)
    assert images == {str(image.id) for image in client.images.list()}
    said = client.containers.run("large:1", ["stat", "-c", "%s", "/15000017"], remove=True, network_mode="none")
    assert said.strip() == b"15000017"


def test_what_was_built_here_is_not_said_to_be_in_a_registry(project: Project, tmp_path: Path) -> None:
    build(project, tmp_path / "mine", "training/model:only-here", 1_000_003)
    assert "training/model@sha256:" in project.docker("inspect", "training/model:only-here")

    told = json.loads(project.tonnage("reclaim", "--only", "image", "--json").stdout)

    (mine,) = (each for each in told["chosen"] if each["name"] == "training/model:only-here")
    assert mine["cost_s"] > 600
    assert "no registry is known to have it" in mine["back"]


def test_what_a_deploy_supersedes_goes_in_that_deploy(project: Project) -> None:
    held = []
    for number in range(1, 4):
        project.web("web", f"web {number}", run=f"head -c {3_000_017 + number} /dev/urandom > /written")
        project.deploy()
        held.append(project.engine.image_id(f"{project.name}-web:latest"))
    oldest, before, now = held
    left = set(project.engine.images())
    assert {before, now} <= left
    assert oldest not in left
    project.deploy()
    assert project.step_names() == []
