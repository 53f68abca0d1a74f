"""Intent: GitHub's usual set-up, a builder of buildx in a container, is forecast, used, looked at and cleaned.

Steps: select one, forecast and deploy; change a line and deploy again; reclaim its cache; name one that is not there;
build on an image that only the engine has.
State checked: containers, images, the builder's own records, bytes on the disk.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.real_engine import busybox_archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scenarios.driving import Project

PLACE = os.environ.get("TONNAGE_TEST_BUILDKIT", "")
RUNC = shutil.which("runc", path="/usr/sbin:/usr/bin")
pytestmark = [
    pytest.mark.engine,
    pytest.mark.only_on("buildx is no part of its command", since=23),
    pytest.mark.skipif(
        not PLACE or RUNC is None,
        reason="needs runc, and a static buildkitd and buildctl in the directory that TONNAGE_TEST_BUILDKIT names",
    ),
]
NAME, IMAGE = "tonnage-test", "local/buildkit:1"
BIG_BYTES = 40_000_003


def _image_of_the_builder() -> bytes:
    """Return the files of its image: BuildKit, runc with its libraries, and a shell."""
    assert RUNC is not None
    linked = subprocess.run(["ldd", RUNC], check=True, capture_output=True, text=True).stdout
    libraries = [word for word in linked.split() if word.startswith("/")]
    made = io.BytesIO(busybox_archive())
    with tarfile.open(fileobj=made, mode="a") as archive:
        for source in (Path(PLACE, "buildkitd"), Path(PLACE, "buildctl"), Path(RUNC)):
            archive.add(source.resolve(), f"usr/bin/{source.name}")
        for library in libraries:
            archive.add(Path(library).resolve(), library.lstrip("/"))
    return made.getvalue()


@pytest.fixture
def builder(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Select a builder in a container of the engine, which buildx starts with the first build."""
    monkeypatch.setitem(project.real.environment, "BUILDX_CONFIG", str(tmp_path / "buildx"))
    changes = ['ENTRYPOINT ["buildkitd"]', "ENV PATH=/usr/bin:/bin"]
    api = project.real.client.api
    api.import_image_from_data(_image_of_the_builder(), repository="local/buildkit", tag="1", changes=changes)
    options = f"image={IMAGE},network=host"
    _buildx(project, "create", "--name", NAME, "--driver", "docker-container", "--driver-opt", options, "--use")
    yield NAME
    _buildx(project, "rm", NAME)


def _buildx(project: Project, *words: str) -> str:
    return project.docker("buildx", *words)


def _records(project: Project) -> dict[str, str]:
    lines = _buildx(project, "du", "--builder", NAME, "--verbose").splitlines()
    pairs = [line.split(":", 1) for line in lines if line.startswith(("ID:", "Description:"))]
    told = [value.strip() for _, value in pairs]
    return dict(zip(told[::2], told[1::2], strict=True))


def _available(project: Project) -> int:
    os.sync()
    seen = os.statvfs(project.real.images_mount)
    return seen.f_bavail * seen.f_frsize


def _big(project: Project, line: str) -> None:
    directory = project.directory / "web"
    directory.mkdir(exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(busybox_archive())) as archive:
        archive.extractall(directory / "root", filter="tar")
    (directory / "line").write_text(line)
    (directory / "Dockerfile").write_text(
        f"FROM scratch\nCOPY root /\nRUN head -c {BIG_BYTES} /dev/urandom > /big\nCOPY line /line\nCMD sleep 1000\n"
    )
    project.services["web"] = {
        "build": "./web", "image": f"{project.name}-web", "stop_signal": "SIGKILL", "x-tonnage": {"stability": "500ms"},
    }  # fmt: skip
    project.write()


def test_the_selected_builder_is_forecast_used_and_cleaned(project: Project, builder: str) -> None:
    _big(project, "1")
    # What the container of the builder itself takes is no part of a build.
    _buildx(project, "inspect", "--bootstrap")
    told = json.loads(project.tonnage("forecast", "--json").stdout)["stack"]
    before = _available(project)
    ended = project.tonnage("deploy")
    assert ended.exit_code == 0, ended.stderr
    assert f"the builder {builder} (docker-container) builds, since it is selected" in ended.stderr
    kept_bytes = before - _available(project)
    assert kept_bytes == pytest.approx(told["disk_bytes"]["likely"], rel=0.03)
    assert kept_bytes <= told["disk_bytes"]["high"] * 1.01
    assert project.engine.cache() == {}
    assert any("head -c" in each for each in _records(project).values())
    assert f"builder {builder}: " in project.tonnage("status").stdout

    # The next build finds what this one has left, and adds next to nothing.
    records, before = _records(project), _available(project)
    _big(project, "2")
    assert project.tonnage("deploy").exit_code == 0
    assert records.keys() <= _records(project).keys()
    assert before - _available(project) < BIG_BYTES // 50

    before = _available(project)
    ended = project.tonnage("reclaim", "--only", "cache", "--free", f"{2 * BIG_BYTES}B", "--yes")
    assert ended.exit_code == 0, ended.stderr
    assert not any("head -c" in each for each in _records(project).values())
    assert 2 * BIG_BYTES <= _available(project) - before < 2.2 * BIG_BYTES


def test_a_builder_that_is_named_and_not_there_ends_plan_and_deploy_alike(
    project: Project, builder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert builder
    _big(project, "1")
    monkeypatch.setitem(project.real.environment, "BUILDX_BUILDER", "nothing")
    for words in (("plan",), ("deploy",), ("build",)):
        ended = project.tonnage(*words)
        assert ended.exit_code == 2
        assert "BUILDX_BUILDER=nothing names no builder" in ended.stderr


def test_a_base_that_only_the_engine_has_is_said_to_be_out_of_its_sight(project: Project, builder: str) -> None:
    _big(project, "1")
    (project.directory / "web" / "Dockerfile").write_text("FROM example.invalid/only-here:1\nRUN true\n")
    project.real.client.images.get("busybox:latest").tag("example.invalid/only-here", "1")
    ended = project.tonnage("deploy")
    assert ended.exit_code == 10
    assert f"push it to a registry that the builder {builder} reaches" in " ".join(ended.stderr.split())
