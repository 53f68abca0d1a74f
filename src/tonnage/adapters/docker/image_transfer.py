"""Images of one engine as streams of bytes: from engine to engine, or from a file, without a copy in between."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

from tonnage.adapters.docker import sdk
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.docker.object_acts import tag
from tonnage.errors import StepFailedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tonnage.adapters.docker.connect import DockerConnection

_CHUNK_BYTES = 1 << 20
_ARCHIVE = frozenset({"manifest.json", "oci-layout", "index.json", "blobs"})
_ROOT = frozenset({"bin", "etc", "usr", "lib", "var", "tmp"})
_LOADED = ("Loaded image ID: ", "Loaded image: ")


class ImageStore:
    """The images of one engine."""

    def __init__(self, connection: DockerConnection) -> None:
        self._connection = connection

    def has(self, reference: str) -> bool:
        """Return whether there is an image of this name.

        Raises:
            EngineUnreachableError: The engine does not answer.
        """
        with speaking_to(self._connection.endpoint, f"look for the image {reference}"):
            try:
                self._connection.read(f"/images/{reference}/json")
            except sdk.NotFound:
                return False
            return True

    def stream(self, reference: str) -> Iterator[bytes]:
        """Give an image as an archive, piece by piece.

        Raises:
            StepFailedError: There is no such image, or the engine cannot give it.
            EngineUnreachableError: The engine does not answer.
        """
        with (
            speaking_to(self._connection.endpoint, f"read the image {reference}"),
            self._connection.ask(
                "GET", "/images/get", params={"names": reference}, stream=True, timeout_s=None
            ) as reply,
        ):
            yield from reply.iter_content(_CHUNK_BYTES)

    def load(self, reference: str, archive: Iterable[bytes]) -> None:
        """Take an image from an archive.

        Args:
            reference: Name that it shall have, whatever name it has in the archive.
            archive: What :meth:`stream` or ``docker save`` gives.

        Raises:
            StepFailedError: It is no archive of an image, or the disk filled.
            EngineUnreachableError: The engine does not answer.
        """
        told = self._send("/images/load", {"quiet": "1"}, archive, f"load the image {reference}")
        if not self.has(reference):
            loaded = [line.removeprefix(start) for line in told for start in _LOADED if line.startswith(start)]
            if not loaded:
                raise StepFailedError(f"the archive for {reference} holds no image", why="\n".join(told))
            tag(self._connection, loaded[0].strip(), reference)

    def take_file(self, reference: str, path: Path) -> None:
        """Take an image from a file: an image archive as of ``docker save``, or the root filesystem of an image.

        Args:
            path: A tar file, compressed or not.

        Raises:
            UsageError: The file cannot be read, or is neither.
            StepFailedError: The engine cannot take it.
            EngineUnreachableError: The engine does not answer.
        """
        if is_image_archive(path):
            self.load(reference, _pieces(path))
            return
        repository, name = sdk.parse_repository_tag(reference)
        options = {"fromSrc": "-", "repo": repository, "tag": name or "latest"}
        self._send("/images/create", options, _pieces(path), f"import the image {reference}")

    def _send(self, path: str, options: Mapping[str, str], body: Iterable[bytes], doing: str) -> list[str]:
        """Send a stream and return what the engine says to it; it says failures in the middle of a good answer."""
        told: list[str] = []
        with (
            speaking_to(self._connection.endpoint, doing),
            self._connection.ask("POST", path, params=options, body=body, stream=True, timeout_s=None) as reply,
        ):
            for line in reply.iter_lines():
                said = json.loads(line)
                if "error" in said:
                    raise StepFailedError(f"could not {doing}", why=str(said["error"]))
                told += str(said.get("stream", "")).splitlines()
        return told


def is_image_archive(path: Path) -> bool:
    """Return whether a tar file is an image archive; otherwise it is the root filesystem of one.

    Raises:
        UsageError: It cannot be read, or is neither.
    """
    try:
        with tarfile.open(path) as archive:
            for entry in archive:
                top = entry.name.removeprefix("./").partition("/")[0]
                if top in _ARCHIVE or entry.name.endswith("/layer.tar"):
                    return True
                if top in _ROOT:
                    return False
    except (OSError, tarfile.TarError) as error:
        raise UsageError(f"{path} cannot be read as a tar file", why=str(error)) from error
    raise UsageError(
        f"{path} is neither an image archive nor a root filesystem",
        todo="Make one with\n  docker save --output FILE IMAGE",
    )


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            yield piece
