from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.ssh.test_files import instead_of_ssh
from tests.unit.runtime.test_load_stack import read

from tonnage.errors import UsageError
from tonnage.model.stack import NeededFile, Stack, WeightsFile
from tonnage.small_files import VARIABLES
from tonnage.sources.compose.files import HERE
from tonnage.wiring.ports import Ports

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.wiring.conftest import StandInEngine

DOCKERFILE = "ARG BASE=example/base:3\nFROM $BASE\nARG TORCH_INDEX_URL\nCOPY a /a\n"


def here() -> Ports:
    return Ports({"PATH": os.environ["PATH"]})


def test_the_process_tells_its_environment_directory_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOMETHING", "17")
    ports = Ports()

    assert ports.environment["SOMETHING"] == "17"
    assert ports.working_directory == str(tmp_path)
    assert abs(ports.clock.time() - time.time()) < 60


def test_space_is_that_of_the_filesystem_below_a_directory(tmp_path: Path) -> None:
    space = here().machine.space(str(tmp_path))

    assert space.size_bytes == os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize
    with pytest.raises(UsageError):
        here().machine.space(str(tmp_path / "none"))


def test_the_filesystem_of_the_working_directory_is_among_those_that_programs_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mounts = {disk.mount for disk in here().machine.filesystems()}

    assert here().machine.space(str(tmp_path)).mount in mounts


def test_containers_are_read_from_the_files_of_an_engine(engine: StandInEngine, tmp_path: Path) -> None:
    one = tmp_path / "docker" / "containers" / "1a"
    one.mkdir(parents=True)
    mounts = {"/m": {"Type": "bind", "Source": "/srv/models"}}
    (one / "config.v2.json").write_text(json.dumps({"Name": "/web", "Config": {}, "MountPoints": mounts}))

    (found,) = engine.ports().machine.containers("")
    assert (found.name, found.binds) == ("web", ("/srv/models",))


def test_what_a_tool_left_in_a_tree_is_found_and_removed(tmp_path: Path) -> None:
    ghc = tmp_path / "usr/local/.ghcup/ghc" / "9.4.8"
    ghc.mkdir(parents=True)
    (ghc / "library").write_bytes(bytes(7_000_013))
    said: list[str] = []
    machine = here().machine
    found = machine.find_places(
        mount=str(tmp_path), root=str(tmp_path), disposable=True, only=(), kept={}, missing_bytes=None,
        meanwhile=lambda: said.append("measuring"),
    )  # fmt: skip

    assert said == ["measuring"]
    (candidate,) = (each for each in found.candidates if str(ghc) in each.paths)
    machine.remove_place(candidate, threading.Event())
    assert not ghc.exists()


def test_a_program_that_holds_a_removed_file_open_is_named(tmp_path: Path) -> None:
    held = tmp_path / "held"
    code = f"f = open({str(held)!r}, 'wb'); f.write(bytes(5_000_011)); f.flush(); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        held.unlink()
        found = dict(here().machine.held_open(str(tmp_path)))
        holder.communicate(b"\n")

    (size_bytes,) = (size for name, size in found.items() if str(holder.pid) in name)
    assert size_bytes >= 5_000_011


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounting needs root")
def test_what_lies_below_a_mount_is_told_with_its_bytes(tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()
    (below / "lost").write_bytes(bytes(3_000_017))
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(below)], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        found = dict(here().machine.hidden(str(tmp_path)))
    finally:
        subprocess.run(["umount", str(below)], check=True)

    assert found[str(below)] >= 3_000_017


def test_layers_that_the_engine_does_not_know_are_counted(tmp_path: Path) -> None:
    known = tmp_path / "image" / "overlay2" / "layerdb" / "sha256" / "1a"
    known.mkdir(parents=True)
    (known / "cache-id").write_text("known")
    for name in ("known", "orphan"):
        (tmp_path / "overlay2" / name / "diff").mkdir(parents=True)
        (tmp_path / "overlay2" / name / "diff" / "file").write_bytes(bytes(2_000_003))

    count, size_bytes = here().machine.orphans(str(tmp_path), time.time() + 1_000_000)
    assert count == 1
    assert 2_000_003 <= size_bytes < 2 * 2_000_003


def test_weights_are_looked_at_and_remembered_in_the_cache(tmp_path: Path) -> None:
    content = b"weights" * 1_009
    file = tmp_path / "model.onnx"
    file.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    described = WeightsFile(file="/m/model.onnx", size_bytes=len(content), sha256=digest)
    needed = NeededFile(service="web", inside="/m/model.onnx", path=str(file), described=described, place="")
    weights = Ports({"TONNAGE_CACHE_DIR": str(tmp_path / "cache")}).weights

    seen = weights.look([needed], lambda _text: None)[str(file)]
    assert (seen.size_bytes, seen.sha256) == (len(content), digest)
    assert (tmp_path / "cache" / "checksums.json").is_file()
    assert weights.text(str(file), service="web", place="").startswith("weights")


def test_a_build_is_read_from_its_own_files(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "web" / "a").write_bytes(b"1")
    (tmp_path / "compose.yaml").write_text("name: shop\nservices: {web: {build: ./web}}\n")
    service = read(tmp_path).service("web")
    assert service.build is not None
    files = here().files

    assert files.declared_arguments(service.build) == {"BASE": "example/base:3", "TORCH_INDEX_URL": None}
    assert files.images_needed(service, HERE) == ("example/base:3",)
    before = files.inputs(service)
    (tmp_path / "web" / "a").write_bytes(b"2")
    assert files.inputs(service) != before


def test_only_what_another_machine_lacks_is_sent_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_ssh(tmp_path, monkeypatch)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for directory in (ours, theirs):
        directory.mkdir()
        (directory / "same").write_bytes(b"1")
        os.utime(directory / "same", (17, 17))
    (ours / "new").write_bytes(b"12345")
    stack = Stack(
        name="shop", directory=str(ours), files=(), services=(), place=str(theirs), sent=(("same", True), ("new", True))
    )
    files = here().files

    assert [(each.path, each.size_bytes) for each in files.to_send("ssh://vm.example.org", stack)] == [("new", 5)]
    assert files.remote("ssh://vm.example.org", [str(theirs / "same")]).read(str(theirs / "same"), VARIABLES) == b"1"


def test_how_it_was_installed_is_told_by_the_installation() -> None:
    assert "tonnage" in (here().install_command() or "tonnage, from files that no other machine has")


def test_a_comment_is_written_by_the_program_of_the_environment(tmp_path: Path) -> None:
    gh = tmp_path / "gh"
    gh.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\ncat > {tmp_path}/sent\n')
    gh.chmod(0o755)
    ports = Ports({"PATH": f"{tmp_path}:{os.environ['PATH']}"})

    assert not ports.write_comment("<!-- m --> text", marker="<!-- m -->", repository="owner/name", pull_request=17)
    assert "repos/owner/name/issues/17/comments" in (tmp_path / "calls").read_text()
