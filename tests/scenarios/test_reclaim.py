"""Reclaiming on a real engine: nothing that is needed goes, services restart, bytes come as promised."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import shlex
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from tests.real_engine import busybox_archive
from tests.simulator import Heard

import tonnage
from tonnage.adapters.docker.acts import DockerActs
from tonnage.adapters.docker.facts import DockerFacts
from tonnage.adapters.docker.tools import Tools
from tonnage.decide.reclaim.choice import decide, decide_everything
from tonnage.decide.reclaim.engine_candidates import engine_findings
from tonnage.model.reclaim.candidate import Root, Roots
from tonnage.runtime.clock import SystemClock
from tonnage.runtime.deploy.observe import observe
from tonnage.runtime.reclaim.engine_removal import EngineRemoval
from tonnage.runtime.reclaim.executor import carry_out

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

    from tonnage.model.reclaim.outcome import ReclaimChoice, Reclaimed

pytestmark = pytest.mark.engine
TONNAGE = str(Path(sys.executable).with_name("tonnage"))
OLD = "2020-02-02T00:00:00Z"
MIB = 2**20
NEARLY = 0.01
"""The share by which what comes free may differ from what was promised."""


def layer(seed: int, size_bytes: int) -> bytes:
    """Return a layer with one file that cannot be compressed, the same for the same seed."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        entry = tarfile.TarInfo(f"file-{seed}")
        entry.size = size_bytes
        archive.addfile(entry, io.BytesIO(random.Random(seed).randbytes(size_bytes)))
    return made.getvalue()


def load(engine: RealEngine, name: str, layers: Sequence[bytes]) -> str:
    """Put an image on the engine that says it is old; no name makes it dangling. Return its id."""
    diff_ids = [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in layers]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": OLD,
            "config": {"Cmd": ["sleep", "1000"], "Labels": {"name": name or diff_ids[-1]}},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": [{"created": OLD, "created_by": f"layer {each}"} for each in diff_ids],
        }
    ).encode()
    files = {f"{digest[7:19]}/layer.tar": content for digest, content in zip(diff_ids, layers, strict=True)}
    image_id = hashlib.sha256(config).hexdigest()
    manifest = [{"Config": f"{image_id}.json", "RepoTags": [name] if name else None, "Layers": list(files)}]
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, content in {
            f"{image_id}.json": config,
            "manifest.json": json.dumps(manifest).encode(),
            **files,
        }.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    api: Any = engine.client.api
    for _ in api.load_image(made.getvalue()):
        pass
    named_long_ago(engine, image_id)
    return f"sha256:{image_id}"


def named_long_ago(engine: RealEngine, image_id: str) -> None:
    """Let an image have come and got its name long ago: what came just now stays."""
    database = Path(engine.mount, "docker", "image", "overlay2", "imagedb")
    notes = database / "metadata" / "sha256" / image_id / "lastUpdated"
    if notes.exists():
        notes.write_text(OLD)
    content = database / "content" / "sha256" / image_id
    if content.exists():
        os.utime(content, (0, 0))


def reclaim_on(engine: RealEngine, needs: Roots, missing_bytes: int | None) -> tuple[ReclaimChoice, Reclaimed]:
    """Look, decide and remove."""
    facts = DockerFacts(engine.connection, sizes=True)
    acts = DockerActs(engine.connection, Tools(engine.environment), engine.environment)
    findings = engine_findings(observe(facts), needs)
    available_bytes = available(engine)
    if missing_bytes is None:
        choice = decide_everything(findings, available_bytes=available_bytes)
    else:
        choice = decide(findings, available_bytes=available_bytes, target_bytes=available_bytes + missing_bytes)
    removal = EngineRemoval(facts, acts, Heard())
    done = carry_out(
        choice,
        available=lambda: available(engine),
        remove=removal.remove,
        on_begin=lambda _candidate: None,
        on_end=lambda _removal: None,
        cancel=Event(),
        clock=SystemClock(),
    )
    assert removal.give_names_back() == ()
    return choice, done


def available(engine: RealEngine) -> int:
    """Return the available bytes of the engine's disk."""
    told = os.statvfs(engine.mount)
    return told.f_bavail * told.f_frsize


def one_random_engine(engine: RealEngine, seed: int, directory: Path) -> None:
    """Fill an engine at random, reclaim at random, and check what must hold."""
    chance = random.Random(seed)
    base = busybox_archive()
    shared = [layer(seed * 1000 + n, (4 + n) * MIB) for n in range(3)]
    ids: list[str] = []
    for number in range(chance.randint(2, 6)):
        own = layer(seed * 1000 + 100 + number, chance.randint(5, 15) * MIB)
        name = chance.choice((f"image-{number}:1", f"image-{number}:1", ""))
        ids.append(load(engine, name, [base, *shared[: chance.randint(0, 3)], own]))
        if name and chance.random() < 0.3:
            engine.client.images.get(ids[-1]).tag("further", str(number))
    if chance.random() < 0.7:
        build(engine, directory, chance)
    stays: set[str] = set()
    running = []
    for number in range(chance.randint(0, 3)):
        image, project = chance.choice(ids), chance.choice(("", "theirs"))
        labels = {"com.docker.compose.project": project, "com.docker.compose.service": "web"} if project else {}
        lives = chance.random() < 0.6
        container: Any = engine.client.containers.run(
            image,
            ["sleep", "1000"] if lives else ["true"],
            detach=True,
            name=f"container-{number}",
            labels=labels,
            network_mode="none",
            stop_signal="SIGKILL",
        )
        if lives:
            running.append(container)
        else:
            container.wait()
        stays.add(image)
    needed = chance.choice([*ids, "busybox:latest"])
    stays.add(str(engine.client.images.get(needed).id))
    names = {name for image in engine.client.images.list() if image.id in stays for name in image.tags}
    needs = Roots(images=(Root(needed, "a test needs it"),), now_s=time.time())
    missing_bytes = chance.choice((None, chance.randint(1, 60) * MIB))

    choice, done = reclaim_on(engine, needs, missing_bytes)

    left = {str(image.id) for image in engine.client.images.list(all=True)}
    assert stays <= left, seed
    assert names <= {name for image in engine.client.images.list() for name in image.tags}, seed
    assert [each.error for each in done.removals if each.error] == [], seed
    for container in running:
        container.restart(timeout=1)
        container.reload()
        assert container.status == "running", seed
    promised = sum(each.promised_bytes for each in done.removals)
    came = done.available_bytes - choice.available_bytes
    assert abs(came - promised) <= NEARLY * promised + 64 * 1024, (seed, promised, came)
    assert done.enough or choice.short_bytes, seed


def build(engine: RealEngine, directory: Path, chance: random.Random) -> None:
    """Build something, and let a build fail on top of it."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "context").write_bytes(chance.randbytes(2 * MIB))
    text = (
        "FROM busybox:latest AS first\nRUN dd if=/dev/urandom of=/a bs=1M count=6\n"
        "FROM busybox:latest\nRUN dd if=/dev/urandom of=/b bs=1M count=9\nCOPY --from=first /a /a\nCOPY context /c\n"
    )
    program = Tools(engine.environment).need_build().program
    for tag, more in (("built:1", ""), ("failed:1", "RUN dd if=/dev/urandom of=/d bs=1M count=5\nRUN false\n")):
        (directory / "Dockerfile").write_text(text + more)
        subprocess.run(
            [program, "build", "-q", "-t", tag, "."],
            cwd=directory,
            env={**engine.environment, "DOCKER_BUILDKIT": "1"},
            capture_output=True,
            check=not more,
            timeout=60,
        )


@pytest.mark.parametrize("seed", range(4))
def test_a_random_engine(engine: RealEngine, tmp_path: Path, seed: int) -> None:
    one_random_engine(engine, seed, tmp_path / "build")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 150))
def test_fifty_random_engines(engine: RealEngine, tmp_path: Path, seed: int) -> None:
    one_random_engine(engine, seed, tmp_path / "build")


def test_it_works_on_a_disk_without_a_free_byte(
    engine_factory: Callable[[int], RealEngine], project_on: Callable[[RealEngine], Project]
) -> None:
    small = engine_factory(400_000_000)
    load(small, "unused:1", [busybox_archive(), layer(1, 50 * MIB)])
    load(small, "", [busybox_archive(), layer(2, 70 * MIB)])
    with open(f"{small.mount}/filling", "wb") as filling:  # noqa: PTH123 - written until nothing more can be
        try:
            while True:
                filling.write(b"\0" * MIB)
                filling.flush()
        except OSError:
            pass
    assert available(small) == 0
    project = project_on(small)
    ended = project.tonnage("reclaim", "--until", "20MB", "--yes", "--json")
    assert ended.exit_code == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["after_bytes"] >= 20_000_000
    assert [each["kind"] for each in told["removed"]] == ["image"]
    assert small.client.images.get("unused:1")


def fill_up(directory: str) -> None:
    """Write until not one more byte can be written."""
    with open(f"{directory}/filling", "wb", buffering=0) as filling:  # noqa: PTH123 - written until nothing more can be
        for piece in (MIB, 4096, 1):
            with contextlib.suppress(OSError):
                while filling.write(b"\0" * piece) == piece:
                    pass


def test_it_works_when_nothing_can_be_written_anywhere(
    engine_factory: Callable[[int], RealEngine], project_on: Callable[[RealEngine], Project], tmp_path: Path
) -> None:
    """The engine's disk is full, the journal is on it, and so are /tmp and the directory of locks."""
    small = engine_factory(400_000_000)
    load(small, "unused:1", [busybox_archive(), layer(1, 50 * MIB)])
    load(small, "", [busybox_archive(), layer(2, 70 * MIB)])
    state = Path(small.mount, "state")
    state.mkdir()
    fill_up(small.mount)
    assert available(small) == 0
    project = project_on(small)
    # In mounts of its own, so that nobody else's /tmp is full. What it says goes where it can be written.
    said, told = tmp_path / "said", tmp_path / "told"
    with said.open("wb") as errors, told.open("wb") as output:
        steps = []
        for number, each in enumerate(("/run/lock", "/tmp")):
            new = tmp_path / f"full-{number}"
            new.mkdir()
            steps.append(f"mount -t tmpfs -o size=64k,mode=1777 none {shlex.quote(str(new))}")
            # The program may lie in what is mounted over.
            for place in (sys.prefix, sys.base_prefix, str(Path(tonnage.__file__).parents[1])):
                if place.startswith(f"{each}/"):
                    there = shlex.quote(f"{new}{place.removeprefix(each)}")
                    steps.append(f"mkdir -p {there}; mount --bind {shlex.quote(place)} {there}")
            filling = shlex.quote(str(new / "filling"))
            steps.append(f"{{ dd if=/dev/zero of={filling} bs=4096 2>/dev/null || true; }}")
            steps.append(f"mount --rbind {shlex.quote(str(new))} {each}")
        full = "; ".join(steps)
        look = "for each in /tmp /run/lock; do test $(stat -f -c %a $each) = 0 || exit 99; done"
        arguments = ["reclaim", "--until", "20MB", "--yes", "--json"]
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", f'set -e; {full}; {look}; exec "$@"', "sh", TONNAGE, *arguments],
            env={**project.environment, "TONNAGE_STATE_DIR": str(state)},
            cwd="/",
            stdout=output,
            stderr=errors,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0, said.read_text()
    document = json.loads(told.read_text())
    assert document["after_bytes"] >= 20_000_000
    assert [each["kind"] for each in document["removed"]] == ["image"]
    assert not any(each["error"] for each in document["removed"])
    assert small.client.images.get("unused:1")


def test_enough_is_told_at_once_and_a_dead_engine_does_not_matter(project: Project) -> None:
    ended = project.tonnage("reclaim", "--until", "1MB", "--yes")
    assert ended.exit_code == 0
    assert "nothing to do" in ended.stderr
    dead = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    again = project.tonnage("reclaim", "--until", "1MB", "--yes", "--mount", project.real.mount, environment=dead)
    assert again.exit_code == 0
    assert project.tonnage("reclaim", "--free", "1MB", "--mount", project.real.mount, environment=dead).exit_code == 4


def test_the_log_of_a_running_container_is_emptied_where_it_is(project: Project) -> None:
    engine = project.real
    load(engine, "talks:1", [busybox_archive()])
    container: Any = engine.client.containers.run(
        "talks:1",
        ["sh", "-c", "while true; do head -c 200000 /dev/zero | tr '\\0' 'x'; echo; sleep 0.01; done"],
        detach=True,
        network_mode="none",
        stop_signal="SIGKILL",
    )
    container.reload()
    log = Path(container.attrs["LogPath"])
    while log.stat().st_size < 9 * MIB:
        time.sleep(0.1)
    container.pause()
    ended = project.tonnage("reclaim", "--free", "5MB", "--only", "container-log", "--yes", "--json")
    assert ended.exit_code == 0, ended.stderr
    assert [each["kind"] for each in json.loads(ended.stdout)["removed"]] == ["container-log"]
    container.unpause()
    container.reload()
    assert container.status == "running"
