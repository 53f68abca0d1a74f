"""Images of one engine as streams of bytes: from engine to engine, or from a file, without a copy in between."""

from __future__ import annotations

import contextlib
import json
import tarfile
from typing import TYPE_CHECKING

from tonnage.adapters.docker import sdk, wire
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.docker.object_acts import tag
from tonnage.errors import StepFailedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tonnage.adapters.docker.connect import DockerConnection

_CHUNK_BYTES = 1 << 20
_ARCHIVE = frozenset({"manifest.json", "oci-layout", "index.json", "blobs"})
_ROOT = frozenset({"bin", "etc", "usr", "lib", "var", "tmp"})
_LOADED = ("Loaded image ID: ", "Loaded image: ")
_BROKEN = "Error unpacking image"


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
        before = self._names()
        told: list[str] = []
        try:
            self._take(reference, archive, told)
        except StepFailedError:
            # What came in part has a name all the same, and whoever asks for that would get it.
            for name in dict.fromkeys((reference, *_loaded(told))):
                self._give_back(name, before.get(name, ""))
            raise

    def _take(self, reference: str, archive: Iterable[bytes], told: list[str]) -> None:
        doing = f"load the image {reference}"
        self._send("/images/load", {"quiet": "1"}, archive, doing, told)
        self._refuse_broken(told, doing)
        loaded = _loaded(told)
        if not self.has(reference):
            if not loaded:
                raise StepFailedError(f"the archive for {reference} holds no image", why="\n".join(told))
            tag(self._connection, loaded[0], reference)

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
        self._send("/images/create", options, _pieces(path), f"import the image {reference}", [])

    def _send(self, path: str, options: Mapping[str, str], body: Iterable[bytes], doing: str, told: list[str]) -> None:
        """Send a stream and note what the engine says to it; it says failures in the middle of a good answer."""
        with (
            speaking_to(self._connection.endpoint, doing),
            self._connection.ask("POST", path, params=options, body=body, stream=True, timeout_s=None) as reply,
        ):
            for line in reply.iter_lines():
                said = json.loads(line)
                if "error" in said:
                    raise StepFailedError(f"could not {doing}", why=str(said["error"]))
                told += str(said.get("stream", "")).splitlines()

    def _names(self) -> dict[str, str]:
        """Return the image of each name."""
        with speaking_to(self._connection.endpoint, "list the images"):
            listed = wire.image_summaries(self._connection.read("/images/json"))
        return {name: image.id for image in listed for name in image.repo_tags or ()}

    def _refuse_broken(self, told: Sequence[str], doing: str) -> None:
        """Refuse an image that the engine calls loaded, and of which it lacks layers.

        An engine with the store of containerd names such an image, says so in the middle of its answer and ends well.

        Source: recorded from Docker 28.5; moby ``daemon/containerd/image_exporter.go``, ``LoadImage``.
        """
        broken = next((line for line in told if line.startswith(_BROKEN)), "")
        why = broken or next((missing for name in _loaded(told) if (missing := self._missing(name))), "")
        if why:
            raise StepFailedError(
                f"could not {doing}: layers of it are missing",
                why=why,
                todo="Make the archive again, with all layers:\n  docker save --output FILE IMAGE",
            )

    def _missing(self, name: str) -> str:
        """Say that an image has all its contents for no platform; empty where it has, or where that is not told."""
        if not self._connection.tells_manifests:
            return ""
        params = {"manifests": "1", "filters": json.dumps({"reference": [name]})}
        with speaking_to(self._connection.endpoint, f"look at the image {name}"):
            listed = wire.image_summaries(self._connection.read("/images/json", params=params))
        manifests = [each for image in listed for each in image.manifests or () if each.kind == "image"]
        whole = not manifests or any(each.available for each in manifests)
        return "" if whole else f"The engine lists {name}, and has its contents for no platform."

    def _give_back(self, name: str, image_id: str) -> None:
        """Have a name lead where it led before; away with one that was not there."""
        with contextlib.suppress(StepFailedError):
            if image_id:
                tag(self._connection, image_id, name)
                return
            with (
                speaking_to(self._connection.endpoint, f"take the name {name} away"),
                contextlib.suppress(sdk.NotFound),
            ):
                self._connection.ask("DELETE", f"/images/{name}")


def _loaded(told: Sequence[str]) -> list[str]:
    return [line.removeprefix(start).strip() for line in told for start in _LOADED if line.startswith(start)]


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
