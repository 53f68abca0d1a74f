"""Engines filled at random: what lies on them, what of it must not go, and a look at whether it is all still there.

What must stay is told by what was done to an engine, and not by the code that is tested.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import subprocess
import tarfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from tests.real_engine import BUSYBOX, busybox_archive
from tests.simulator import Heard

from tonnage.adapters.docker.acts import DockerActs
from tonnage.adapters.docker.facts import DockerFacts
from tonnage.adapters.docker.tools import Tools
from tonnage.decide.reclaim.choice import decide, decide_everything
from tonnage.decide.reclaim.engine_candidates import engine_findings
from tonnage.decide.reclaim.protection import YOUNG_S
from tonnage.runtime.clock import SystemClock
from tonnage.runtime.deploy.observe import observe
from tonnage.runtime.reclaim.engine_removal import EngineRemoval
from tonnage.runtime.reclaim.executor import carry_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.real_engine import RealEngine

    from tonnage.model.reclaim.candidate import Roots
    from tonnage.model.reclaim.outcome import ReclaimChoice, Reclaimed

OLD = "2020-02-02T00:00:00Z"
MIB = 2**20


def layer(seed: int, size_bytes: int, *, compressible: bool = False) -> bytes:
    """Return a layer with one file, the same for the same seed; it cannot be compressed, or to a half."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        entry = tarfile.TarInfo(f"file-{seed}")
        entry.size = size_bytes
        content = random.Random(seed).randbytes(size_bytes // 2 if compressible else size_bytes)
        archive.addfile(entry, io.BytesIO(content.ljust(size_bytes, b"\0")))
    return made.getvalue()


def load(engine: RealEngine, name: str, layers: Sequence[bytes], **labels: str) -> str:
    """Put an image on the engine that is not young any more; no name makes it dangling. Return its id."""
    # One that got its name long after it was made was pulled, and stays for some minutes.
    made_at = datetime.fromtimestamp(time.time() - 2 * YOUNG_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    diff_ids = [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in layers]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": made_at,
            "config": {"Cmd": ["sleep", "1000"], "Labels": {"name": name or diff_ids[-1], **labels}},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": [{"created": OLD, "created_by": f"layer {each}"} for each in diff_ids],
        }
    ).encode()
    files = {f"{digest[7:19]}/layer.tar": content for digest, content in zip(diff_ids, layers, strict=True)}
    digest = hashlib.sha256(config).hexdigest()
    manifest = [{"Config": f"{digest}.json", "RepoTags": [name] if name else None, "Layers": list(files)}]
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, content in {
            f"{digest}.json": config,
            "manifest.json": json.dumps(manifest).encode(),
            **files,
        }.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    (image,) = engine.client.images.load(made.getvalue())
    named_long_ago(engine, digest)
    return str(image.id)


def named_long_ago(engine: RealEngine, digest: str) -> None:
    """Let an image have come and got its name long ago, where the engine keeps that in files: what is young stays."""
    database = Path(engine.mount, "docker", "image", "overlay2", "imagedb")
    notes = database / "metadata" / "sha256" / digest / "lastUpdated"
    if notes.exists():
        notes.write_text(OLD)
    content = database / "content" / "sha256" / digest
    if content.exists():
        os.utime(content, (0, 0))


def available(engine: RealEngine, mount: str = "") -> int:
    """Return the available bytes of a disk, or of the one that images lie on."""
    told = os.statvfs(mount or engine.images_mount)
    return told.f_bavail * told.f_frsize


def reclaim_on(engine: RealEngine, needs: Roots, missing_bytes: int | None) -> tuple[ReclaimChoice, Reclaimed]:
    """Look, decide and remove; None is everything."""
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


@dataclass
class Peopled:
    """What lies on an engine that must not go.

    Args:
        images: By id; of each the file that only its own top layer has, and its sum.
        containers: By id; whether it runs.
        names: Of images that must stay.
    """

    engine: RealEngine
    chance: random.Random
    images: dict[str, tuple[str, str]] = field(default_factory=dict)
    kept_images: set[str] = field(default_factory=set)
    containers: dict[str, bool] = field(default_factory=dict)
    volumes: set[str] = field(default_factory=set)

    def lost(self) -> list[str]:
        """Return what is gone, or works no more, of what had to stay."""
        client = self.engine.client
        lost = []
        left = {str(image.id): set(image.tags) for image in client.images.list(all=True)}
        for image_id in self.kept_images:
            if image_id not in left:
                lost.append(f"image {image_id}")
                continue
            path, said = self.images[image_id]
            told = client.containers.run(image_id, ["sha256sum", path], remove=True, network_mode="none")
            if told.split()[0].decode() != said:
                lost.append(f"contents of {image_id}: {told!r}")
        there = {each.id: each for each in client.containers.list(all=True)}
        for container_id, runs in self.containers.items():
            if container_id not in there:
                lost.append(f"container {container_id}")
                continue
            container: Any = there[container_id]
            container.restart(timeout=1)
            container.reload()
            wanted = ("running",) if runs else ("running", "exited")
            if container.status not in wanted:
                lost.append(f"container {container_id}: it is {container.status}")
        volumes = {volume.name for volume in client.volumes.list()}
        return [*lost, *sorted(self.volumes - volumes)]


def peopled(engine: RealEngine, seed: int, directory: Path) -> Peopled:
    """Fill an engine: images that share layers, with several names or none, builds, containers and volumes."""
    chance = random.Random(seed)
    place = Peopled(engine, chance)
    base = busybox_archive()
    shared = [layer(seed * 1000 + n, 2_097_169 + n * 1_048_583, compressible=chance.random() < 0.3) for n in range(3)]
    for number in range(chance.randint(2, 6)):
        own = seed * 1000 + 100 + number
        content = layer(own, _some(chance, 6), compressible=chance.random() < 0.3)
        name = chance.choice((f"image-{number}:1", f"image-{number}:1", ""))
        image_id = load(engine, name, [base, *shared[: chance.randint(0, 3)], content])
        place.images[image_id] = (f"/file-{own}", _sum_of(content))
        if name and chance.random() < 0.3:
            engine.client.images.get(image_id).tag("further", str(number))
    for number in range(chance.choice((0, 1, 1, 2))):
        build(engine, directory / str(number), chance)
    _live(place)
    return place


def _sum_of(content: bytes) -> str:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        entry = archive.extractfile(archive.next() or "")
        assert entry is not None
        return hashlib.sha256(entry.read()).hexdigest()


def _some(chance: random.Random, most_mib: int) -> int:
    """Return a number of bytes: layers of the same bytes cannot be told apart, and then less is promised."""
    return chance.randint(MIB, most_mib * MIB)


def _live(place: Peopled) -> None:
    chance, client = place.chance, place.engine.client
    for number in range(chance.randint(0, 4)):
        image, project = chance.choice(list(place.images)), chance.choice(("", "theirs"))
        labels = {"com.docker.compose.project": project, "com.docker.compose.service": "web"} if project else {}
        lives = chance.random() < 0.6
        volumes = {}
        if chance.random() < 0.3:
            volumes = {f"volume-{number}": {"bind": "/data", "mode": "rw"}}
            place.volumes.add(f"volume-{number}")
        written = f"head -c {_some(chance, 2)} /dev/urandom > /written; "
        container: Any = client.containers.run(
            image,
            ["sh", "-c", written + ("echo written; exec sleep 1000" if lives else "true")],
            detach=True,
            name=f"container-{number}",
            labels=labels,
            network_mode="none",
            stop_signal="SIGKILL",
            volumes=volumes,
        )
        if lives:
            while not container.logs():
                time.sleep(0.05)
        else:
            container.wait()
        if lives or project:
            place.containers[container.id] = lives
        place.kept_images.add(image)


def build(engine: RealEngine, directory: Path, chance: random.Random) -> None:
    """Build something of two stages, then the same with something changed, and let a build fail on top of it."""
    directory.mkdir(parents=True, exist_ok=True)
    tag = chance.choice(("built:1", f"built:{directory.name}"))
    sizes = [_some(chance, 5) for _ in range(4)]
    # An engine goes on telling how many bytes it was sent when a context came for the first time.
    context_bytes = _some(chance, 4)
    lines = [
        f"FROM {BUSYBOX} AS first",
        f"RUN head -c {sizes[0]} /dev/urandom > /a",
        f"RUN head -c {sizes[1]} /dev/zero > /z",
        f"FROM {BUSYBOX}",
        f"RUN head -c {sizes[2]} /dev/urandom > /b",
        *chance.sample(
            (
                "COPY --from=first /a /a",
                "COPY context /c",
                f"RUN --mount=type=cache,target=/k head -c {sizes[3]} /dev/urandom > /k/k && mkdir /made",
                "RUN --mount=type=bind,from=first,target=/f cat /f/z /f/a > /joined",
                "WORKDIR /deep/er",
                "RUN rm -f /b",
            ),
            chance.randint(1, 5),
        ),
    ]
    rounds: list[list[str]] = [[]]
    if chance.random() < 0.6:
        rounds.append([])
    if chance.random() < 0.5:
        rounds.append(["RUN head -c 3000017 /dev/urandom > /d", "RUN false"])
    program = Tools(engine.environment).need_build().program
    for more in rounds:
        (directory / "context").write_bytes(chance.randbytes(context_bytes))
        (directory / "Dockerfile").write_text("\n".join([*lines, *more]))
        subprocess.run(
            [program, "build", "-q", "-t", tag, "."],
            cwd=directory,
            env={**engine.environment, "DOCKER_BUILDKIT": "1"},
            capture_output=True,
            check=not more,
            timeout=600,
        )
