"""A real private engine for tests, with one image in it: ``busybox:latest``, made from a static busybox program."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import docker.errors
from tests.engine_root import APART_VARIABLE, disk_for_containerd

from tonnage.adapters.docker.connect import connect
from tonnage.adapters.private_engine import PrivateEngine
from tonnage.adapters.private_engine.programs import check_machine
from tonnage.errors import TonnageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.adapters.docker.connect import DockerConnection

BUSYBOX = "busybox:latest"
BUSYBOX_VARIABLE = "TONNAGE_TEST_BUSYBOX"


@dataclass(frozen=True, slots=True)
class RealEngine:
    """One private engine as a test sees it.

    ``environment`` is that of this process with ``DOCKER_HOST`` set to the engine, for commands that a test starts;
    ``apart`` is where images lie when that is another filesystem than the one with the data root.
    """

    private: PrivateEngine
    connection: DockerConnection
    environment: dict[str, str]
    apart: str = ""

    @property
    def endpoint(self) -> str:
        return self.private.endpoint

    @property
    def netns(self) -> str:
        return self.private.netns

    @property
    def address(self) -> str:
        return self.private.address

    @property
    def mount(self) -> str:
        return self.private.mount

    @property
    def images_mount(self) -> str:
        """Where the filesystem is mounted on which images lie."""
        return self.apart or self.mount

    @property
    def client(self) -> docker.DockerClient:
        return self.connection.client

    def wipe(self) -> None:
        """Remove everything but the busybox image."""
        for container in self.client.containers.list(all=True):
            with contextlib.suppress(docker.errors.NotFound):
                container.remove(force=True, v=True)
        self.client.networks.prune()
        for volume in self.client.volumes.list():
            volume.remove(force=True)
        kept = self.client.images.get(BUSYBOX).id
        for image in self.client.images.list(all=False):
            if image.id and image.id != kept:
                with contextlib.suppress(docker.errors.NotFound):
                    self.client.images.remove(image.id, force=True)
                continue
            for name in image.tags:
                if name != BUSYBOX:
                    self.client.images.remove(name)
        api: Any = self.client.api
        api.prune_builds(all=True)


@contextlib.contextmanager
def real_engine(size_bytes: int) -> Iterator[RealEngine]:
    """Start an engine with the busybox image on a disk of ``size_bytes``."""
    archive = busybox_archive()
    with contextlib.ExitStack() as stack:
        environment = dict(os.environ)
        if APART_VARIABLE in environment:
            environment[APART_VARIABLE] = str(stack.enter_context(disk_for_containerd(size_bytes)))
        private = stack.enter_context(PrivateEngine.start(size_bytes, environment=environment))
        environment["DOCKER_HOST"] = private.endpoint
        environment.pop("DOCKER_CONTEXT", None)
        connection = stack.enter_context(connect(environment, netns=private.netns))
        name, tag = BUSYBOX.split(":")
        connection.client.api.import_image_from_data(archive, repository=name, tag=tag)
        yield RealEngine(private, connection, environment, environment.get(APART_VARIABLE, ""))


def command_lines() -> list[str]:
    """Return the command line of every process of this machine, its arguments joined by blanks."""
    lines = []
    for found in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(found.read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace"))
    return lines


def why_there_is_none() -> str:
    """Return why there can be no real engine here; empty when there can."""
    try:
        check_machine(os.environ.get("PATH", ""))
    except TonnageError as error:
        return error.why
    return "" if _busybox() else f"no static busybox (package busybox-static, or {BUSYBOX_VARIABLE})"


def busybox_archive() -> bytes:
    """Return the root filesystem of the busybox image as a tar archive."""
    program = _busybox()
    assert program is not None, why_there_is_none()
    applets = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.split()
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for directory, mode in (("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777), ("root", 0o700)):
            entry = tarfile.TarInfo(directory)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)
        _add_file(archive, "bin/busybox", Path(program).read_bytes(), 0o755)
        _add_file(archive, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n", 0o644)
        _add_file(archive, "etc/group", b"root:x:0:\nuser:x:1000:\n", 0o644)
        for applet in applets:
            if applet != "busybox":
                entry = tarfile.TarInfo(f"bin/{applet}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(entry)
    return made.getvalue()


def _add_file(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _busybox() -> str | None:
    """Return a busybox that needs no library; one that is linked dynamically names its loader."""
    for found in (os.environ.get(BUSYBOX_VARIABLE), shutil.which("busybox", path="/bin:/usr/bin")):
        if found and Path(found).is_file() and b"/ld-linux" not in Path(found).read_bytes()[:4096]:
            return found
    return None
