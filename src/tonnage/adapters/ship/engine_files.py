"""Files of an engine's own store, read through the engine itself, by a container that is made and never started.

The engine hands out files of any container, one that never ran included, with what is mounted in it. So the blobs of
containerd and the tables of the classic store can be read wherever the engine can be reached, as root or not, here or
by ssh. Making the container also shows that the engine has all layers of its image. It is removed in any case; one of
a run that was killed goes with the next run that is an hour later.

Source: Docker Engine API 1.41 to 1.51, "ContainerArchive", "ContainerArchiveInfo"; tried on 20.10, 26.1 and 28.5.
"""

from __future__ import annotations

import base64
import contextlib
import json
import tarfile
from typing import TYPE_CHECKING, Self

import msgspec
from msgspec import Struct

from tonnage.adapters.docker import sdk, wire
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.errors import StepFailedError
from tonnage.lazily import learned, regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tonnage.adapters.docker.connect import DockerConnection

LABEL = "tonnage.ship"
_INSIDE = "/.tonnage"
_CHUNK_BYTES = 1 << 18
_BLOCK = tarfile.BLOCKSIZE
_OLD_S = 3600.0
_JSON = {"Content-Type": "application/json"}
_SAFE = regex(r"[0-9a-z]+(?:[-./][0-9a-z]+)*")


class _Made(Struct):
    container: str = msgspec.field(name="Id", default="")


class _Listed(Struct):
    container: str = msgspec.field(name="Id", default="")
    created_s: float = msgspec.field(name="Created", default=0.0)


class _PathStat(Struct):
    size: int = 0
    mode: int = 0


class EngineFiles:
    """Files below directories of an engine's machine, which the engine reads.

    Args:
        image: An image of the engine, whose layers are all there.
        directories: Names by which they are asked for, and where each lies there; none to see only whether a container
            can be made.

    Raises:
        StepFailedError: No container can be made from the image.
        EngineUnreachableError: The engine does not answer.
    """

    def __init__(self, connection: DockerConnection, image: str, directories: Mapping[str, str]) -> None:
        self._connection = connection
        self._doing = f"look at the layers of the engine at {connection.endpoint}"
        mounts = [
            {"Type": "bind", "Source": directory, "Target": f"{_INSIDE}/{name}", "ReadOnly": True}
            for name, directory in directories.items()
        ]
        asked = {
            "Image": image,
            "Cmd": ["never-started"],
            "Entrypoint": [],
            "Labels": {LABEL: "1"},
            "HostConfig": {"NetworkMode": "none", "Mounts": mounts, "LogConfig": {"Type": "none"}},
        }
        with speaking_to(connection.endpoint, f"make a container from {image}"):
            reply = connection.ask("POST", "/containers/create", headers=_JSON, body=json.dumps(asked).encode())
            self._container = msgspec.json.decode(reply.content, type=learned(_Made)).container

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the container."""
        self.close()

    def close(self) -> None:
        """Remove the container; nothing happens when it is gone."""
        with speaking_to(self._connection.endpoint, self._doing), contextlib.suppress(sdk.NotFound):
            self._connection.ask("DELETE", f"/containers/{self._container}", params={"force": "1", "v": "1"})

    def size(self, path: str) -> int | None:
        """Return the bytes of a file; None where there is none.

        Args:
            path: The name of a directory, and where the file lies below it.
        """
        with speaking_to(self._connection.endpoint, self._doing):
            try:
                reply = self._connection.ask("HEAD", self._where, params={"path": _inside(path)})
            except sdk.NotFound:
                return None
        try:
            told = base64.b64decode(reply.headers.get("X-Docker-Container-Path-Stat", ""), validate=True)
            found = msgspec.json.decode(told, type=learned(_PathStat))
        except ValueError:
            return None
        # The type bits of a plain file are none. Source: Go, ``io/fs``, ``FileMode``.
        return found.size if found.mode >> 19 == 0 else None

    def read(self, path: str, most_bytes: int) -> bytes | None:
        """Return what a small file holds; None where there is none, or where it is larger than it may be."""
        size = self.size(path)
        if size is None or size > most_bytes:
            return None
        content = bytearray()
        for piece in self.pieces(path):
            content += piece
            if len(content) > most_bytes:
                return None
        return bytes(content)

    def pieces(self, path: str) -> Iterator[bytes]:
        """Give what a file holds, piece by piece.

        Raises:
            StepFailedError: There is no such file, or it is cut.
            EngineUnreachableError: The engine stops answering.
        """
        with (
            speaking_to(self._connection.endpoint, self._doing),
            contextlib.closing(
                self._connection.ask("GET", self._where, params={"path": _inside(path)}, stream=True, timeout_s=None)
            ) as reply,
        ):
            yield from _only_file(reply.iter_content(_CHUNK_BYTES), path)

    @property
    def _where(self) -> str:
        return f"/containers/{self._container}/archive"


def remove_old(connection: DockerConnection) -> None:
    """Remove containers of this kind that runs left which were killed an hour ago or earlier."""
    params = {"all": "1", "filters": json.dumps({"label": [f"{LABEL}=1"], "status": ["created"]})}
    with speaking_to(connection.endpoint, "look for what was left behind"):
        listed = msgspec.convert(connection.read("/containers/json", params=params), learned(list[_Listed]))
        if not listed:
            return
        now_s = wire.clock_s(wire.info(connection.read("/info")))
        for each in listed:
            if now_s is not None and now_s - each.created_s > _OLD_S:
                with contextlib.suppress(sdk.NotFound):
                    connection.ask("DELETE", f"/containers/{each.container}", params={"v": "1"})


def _inside(path: str) -> str:
    """Return where a file is in the container; names of files come from digests, and lead nowhere else."""
    if not _SAFE.fullmatch(path):
        raise StepFailedError(f"{path!r} is not a file of an engine's store")
    return f"{_INSIDE}/{path}"


def _only_file(pieces: Iterator[bytes], path: str) -> Iterator[bytes]:
    """Give the content of the one file in a tar archive."""
    waiting = b""
    missing: int | None = None
    for piece in pieces:
        waiting += piece
        while missing is None and len(waiting) >= _BLOCK:
            entry = tarfile.TarInfo.frombuf(waiting[:_BLOCK], "utf-8", "surrogateescape")
            size = -(-entry.size // _BLOCK) * _BLOCK
            if entry.isreg():
                missing, waiting = entry.size, waiting[_BLOCK:]
            elif len(waiting) < _BLOCK + size:
                break
            else:
                # A header that only belongs to the next one.
                waiting = waiting[_BLOCK + size :]
        if missing:
            given, waiting = waiting[:missing], b"" if len(waiting) < missing else waiting[missing:]
            missing -= len(given)
            yield given
    if missing is None or missing:
        raise StepFailedError(f"{path} was not read to its end")
