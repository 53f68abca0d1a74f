#!/usr/bin/env python3
"""A whole stack on a disk that is too small for it: all at once, one after the other with prunes, and by Tonnage.

    bench/small_disk.py --base python:3.11-slim=$(script/base-image) --disk 40GB --disk 14GB --disk 8GB
    bench/small_disk.py --base ... --disk 14GB --engine trixie --engine trixie-containerd
    bench/small_disk.py --base ... --stack examples/hello --disk 4GB --disk 1300MB --keep-free 60MB

Needs Linux and root, and as much room below ``TONNAGE_REHEARSE_DIR`` as the largest disk. Each row is one strategy on a
new private engine (``tests/engine_root.py``) whose disk has that size and holds the base image. The strategies:

- at-once: ``docker compose build``, all services at the same time, then ``up -d`` (Compose 1: ``build --parallel``);
- pruned: for each service ``build``, ``up -d``, healthy, then ``docker system prune -af``; the base image is loaded
  again where that removed it, which stands for pulling it again;
- tonnage: ``tonnage deploy`` with ``x-tonnage.share: auto`` and the given reserve.

Peak and kept are the bytes that the disk held above an empty engine, the base image among them, by ``statvfs`` 50 times
a second; wall is until all services are healthy, or until it failed. The physical limit is what the files of the final
images take, each path with the same content once, in blocks of 4 KiB; bytecode counts once for each path, as
the time of its source is in it. It is computed from the first images of all services that a run has.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from naive import Lowest
from ruamel.yaml import YAML
from tests.engine_root import EngineName, in_front

from tonnage.adapters.docker.connect import connect
from tonnage.adapters.docker.tools import Tools
from tonnage.adapters.private_engine import PrivateEngine
from tonnage.units import format_bytes, format_seconds, parse_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import docker

REPOSITORY = Path(__file__).resolve().parents[1]
TONNAGE = str(Path(sys.executable).with_name("tonnage"))
BLOCK_BYTES = 4096
PIECE_BYTES = 1 << 20
HEALTHY_WITHIN_S = 180.0
RECORDS = (".dist-info/RECORD", ".dist-info/INSTALLER", ".dist-info/REQUESTED", ".pyc")


@dataclass
class Machine:
    """One engine with an empty disk, and a stack for it.

    Args:
        images: The images of the services, by service.
    """

    engine: PrivateEngine
    client: docker.DockerClient
    environment: dict[str, str]
    stack: Path
    images: dict[str, str]
    base: tuple[str, str]
    keep_free: str
    log: IO[bytes]

    def run(self, *words: str) -> bool:
        """Run a command in the directory of the stack, and tell whether it succeeded."""
        self.log.write(f"$ {' '.join(words)}\n".encode())
        self.log.flush()
        done = subprocess.run(
            words, cwd=self.stack, env=self.environment, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
            check=False,
        )  # fmt: skip
        return done.returncode == 0

    def compose(self, *words: str) -> bool:
        """Run Compose, of whichever generation there is."""
        tool = Tools(self.environment).need_compose()
        if tool.generation > 1:
            return self.run(*tool.command, *words)
        # Compose 1 wants a version, and no name.
        told = YAML(typ="safe").load(self.stack / "compose.yaml")
        name = str(told.pop("name", self.stack.name))
        file = Path(self.environment["TONNAGE_STATE_DIR"], "compose-1.json")
        file.write_text(json.dumps({"version": "3.8", **told}), encoding="utf-8")
        placed = ("--project-name", name, "--project-directory", str(self.stack), "--file", str(file))
        parallel = ("--parallel",) if words == ("build",) else ()
        return self.run(*tool.command, *placed, *words, *parallel)

    def load_base(self) -> None:
        """Load the base image where it is missing."""
        name, archive = self.base
        if not self.client.images.list(name):
            docker_program = Tools(self.environment).need_build().program
            self.run(docker_program, "load", "-q", "-i", archive)

    def are_healthy(self, *services: str) -> bool:
        """Wait until services are healthy; without any, tell which are by now."""
        until = time.monotonic() + HEALTHY_WITHIN_S
        while not set(services) <= self.healthy():
            if time.monotonic() > until:
                return False
            time.sleep(0.2)
        return True

    def healthy(self) -> set[str]:
        """Return the services that are healthy."""
        found = self.client.containers.list(filters={"health": "healthy"})
        return {each.labels.get("com.docker.compose.service", "") for each in found}

    def built(self) -> set[str]:
        """Return the services whose images are there."""
        return {service for service, image in self.images.items() if self.client.images.list(image)}


def at_once(machine: Machine) -> None:
    """Build all services at the same time."""
    if machine.compose("build") and machine.compose("up", "-d"):
        machine.are_healthy(*machine.images)


def pruned(machine: Machine) -> None:
    """Build one service after the other, and prune all that can be pruned in between."""
    for service in machine.images:
        machine.load_base()
        if machine.compose("build", service) and machine.compose("up", "-d", "--no-deps", service):
            machine.are_healthy(service)
        machine.run(Tools(machine.environment).need_build().program, "system", "prune", "-af")


def tonnage(machine: Machine) -> None:
    """Deploy with Tonnage. Where its containers answer is a network namespace of the engine."""
    inside = ("nsenter", f"--net=/run/netns/{machine.engine.netns}")
    keep_free = ("--keep-free", machine.keep_free) if machine.keep_free else ()
    machine.run(*inside, TONNAGE, "deploy", *keep_free)


STRATEGIES: dict[str, Callable[[Machine], None]] = {"at-once": at_once, "pruned": pruned, "tonnage": tonnage}


def limit_bytes(machine: Machine) -> int:
    """Return what the files of the images of all services take, each path with the same content once."""
    found: dict[tuple[str, str], int] = {}
    for image in machine.images.values():
        made = machine.client.containers.create(image)
        try:
            pieces = io.BufferedReader(_Pieces(cast("Iterator[bytes]", made.export())), PIECE_BYTES)
            with tarfile.open(fileobj=pieces, mode="r|", bufsize=PIECE_BYTES) as archive:
                for each in archive:
                    size = -(-each.size // BLOCK_BYTES) * BLOCK_BYTES if each.isfile() else BLOCK_BYTES * each.isdir()
                    found[each.name, _content(archive, each)] = size
        finally:
            made.remove()
    return sum(found.values())


def _content(archive: tarfile.TarFile, each: tarfile.TarInfo) -> str:
    if not each.isfile() or each.name.endswith(RECORDS):
        return ""
    return hashlib.file_digest(cast("Any", archive.extractfile(each)), "sha1").hexdigest()


class _Pieces(io.RawIOBase):
    """Pieces of bytes as a file that is read once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._held = pieces, memoryview(b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - as that of the class above
        """Fill a buffer, or as much of it as one piece holds; nothing at the end."""
        if not self._held:
            self._held = memoryview(next(self._pieces, b""))
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count


@dataclass
class Bench:
    """What the command line asks for, and the physical limit of the stack when it is known."""

    stack: Path
    services: dict[str, str]
    base: tuple[str, str]
    keep_free: str
    logs: Path
    limit_bytes: int = 0

    def row(self, engine: str, disk_bytes: int, strategy: str) -> str:
        """Measure one strategy on one disk."""
        log = self.logs / f"{self.stack.name}-{engine}-{disk_bytes}-{strategy}.log"
        with contextlib.ExitStack() as opened:
            private = opened.enter_context(PrivateEngine.start(disk_bytes, environment=os.environ))
            state = opened.enter_context(tempfile.TemporaryDirectory(prefix="tonnage-bench-"))
            environment = {
                **os.environ,
                "DOCKER_HOST": private.endpoint,
                "DOCKER_BUILDKIT": "1",
                "COMPOSE_DOCKER_CLI_BUILD": "1",
                "TONNAGE_STATE_DIR": state,
                "TONNAGE_SHARE": "auto",
            }
            connection = opened.enter_context(connect(environment, netns=private.netns))
            machine = Machine(
                private, connection.client, environment, self.stack, self.services, self.base, self.keep_free,
                opened.enter_context(log.open("wb")),
            )  # fmt: skip
            lowest = Lowest(private.mount)
            empty_bytes = lowest.now()
            machine.load_base()
            lowest.start()
            began_s = time.monotonic()
            STRATEGIES[strategy](machine)
            wall_s = time.monotonic() - began_s
            lowest.ended.set()
            lowest.join()
            subprocess.run(["sync", "-f", private.mount], check=True)
            kept_bytes, peak_bytes = empty_bytes - lowest.now(), empty_bytes - lowest.bytes
            built, healthy = machine.built(), machine.healthy() & set(self.services)
            print(f"{strategy}: peak {peak_bytes} B, kept {kept_bytes} B, {wall_s:.1f} s", file=sys.stderr, flush=True)
            if not self.limit_bytes and len(built) == len(self.services):
                self.limit_bytes = limit_bytes(machine)
                print(f"physical limit: {self.limit_bytes} B", file=sys.stderr, flush=True)
        each = format_bytes(kept_bytes // len(built)) if built else ""
        of_limit = f"{peak_bytes / self.limit_bytes:.2f} x" if self.limit_bytes else ""
        cells = (
            engine, format_bytes(disk_bytes), strategy, format_bytes(peak_bytes), of_limit,
            f"{len(built)} of {len(self.services)}", f"{len(healthy)} of {len(self.services)}",
            format_seconds(wall_s), format_bytes(kept_bytes), each,
        )  # fmt: skip
        return f"| {' | '.join(cells)} |"


def images_of(stack: Path) -> dict[str, str]:
    """Return the image of each service, in the order of the file."""
    told = YAML(typ="safe").load(stack / "compose.yaml")
    return {name: service["image"] for name, service in told["services"].items()}


def main() -> int:
    """Measure."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--base", required=True, metavar="NAME=ARCHIVE")
    made.add_argument("--stack", type=Path, default=REPOSITORY / "examples" / "trio")
    made.add_argument("--disk", type=parse_bytes, action="append", required=True, help="may be repeated")
    made.add_argument("--engine", type=EngineName.read, action="append", help="may be repeated; Docker 20.10 without")
    made.add_argument("--strategy", choices=[*STRATEGIES], action="append", help="may be repeated; all without")
    made.add_argument("--keep-free", default="", metavar="SIZE", help="the reserve of tonnage")
    made.add_argument("--logs", type=Path, default=Path(tempfile.gettempdir()), help="where what they print goes")
    made.add_argument("--limit", type=parse_bytes, default=0, help="the physical limit, where it is known already")
    given = made.parse_args()
    name, _, archive = given.base.partition("=")
    stack = given.stack.resolve()
    bench = Bench(stack, images_of(stack), (name, archive), given.keep_free, given.logs, given.limit)
    print("| engine | disk | strategy | peak | of the limit | built | healthy | wall | kept | per service |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for engine in given.engine or [EngineName.read("bookworm")]:
        with in_front(engine):
            for disk_bytes in given.disk:
                for strategy in given.strategy or STRATEGIES:
                    print(bench.row(str(engine), disk_bytes, strategy), flush=True)
    print(f"\nphysical limit of {stack.name}: {bench.limit_bytes} bytes" if bench.limit_bytes else "")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
