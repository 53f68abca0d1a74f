"""An image as ``docker save`` gives it: read twice, and never kept. For layers that cannot be read where they lie.

The first time says which layers there are, and how large; the second time gives the one that is asked for, and the
rest is passed over. A classic store writes a copy of the whole image below its data root each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import tarfile
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.ship.unpacked import as_file, disk_bytes
from tonnage.errors import StepFailedError
from tonnage.model.ship import TAR

if TYPE_CHECKING:
    from collections.abc import Iterator
    from hashlib import _Hash as Sum

    from tonnage.adapters.docker.connect import DockerConnection

_CHUNK_BYTES = 1 << 20


class _SavedLayer(Struct, frozen=True):
    """Where a layer stands in the archive, and how large it is, there and unpacked."""

    path: str
    size_bytes: int
    taken_bytes: int


class SavedImage:
    """The layers of one image, in the archive that the engine makes of it."""

    def __init__(self, connection: DockerConnection, reference: str) -> None:
        self._connection = connection
        self._reference = reference
        self._layers: dict[str, _SavedLayer] = {}

    def sizes(self, diff_id: str) -> tuple[int, int]:
        """Return the bytes of a layer, and those that its files take on a disk.

        Raises:
            StepFailedError: The image has no such layer, or cannot be saved.
        """
        if not self._layers:
            self._look()
        found = self._layers.get(diff_id)
        if found is None:
            raise StepFailedError(f"docker save of {self._reference} does not give the layer {diff_id}")
        return found.size_bytes, found.taken_bytes

    def layer(self, diff_id: str) -> Iterator[bytes]:
        """Give the archive of a layer, piece by piece.

        Raises:
            StepFailedError: The image has no such layer, or cannot be saved.
        """
        self.sizes(diff_id)
        wanted = self._layers[diff_id].path
        for entry, content in self._entries():
            if entry.name == wanted:
                while piece := content.read(_CHUNK_BYTES):
                    yield piece
                return
        raise StepFailedError(f"docker save of {self._reference} gave the layer {diff_id} only once")

    def _look(self) -> None:
        for entry, content in self._entries():
            told = hashlib.sha256()
            if entry.size < tarfile.BLOCKSIZE or not (entry.name.endswith("/layer.tar") or "blobs/" in entry.name):
                continue
            pieces = _told(content, told)
            try:
                taken = disk_bytes(pieces, TAR)
            except StepFailedError:
                # A configuration or a manifest, which is no layer.
                continue
            for _ in pieces:
                pass
            self._layers[f"sha256:{told.hexdigest()}"] = _SavedLayer(entry.name, entry.size, taken or 0)

    def _entries(self) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
        with (
            speaking_to(self._connection.endpoint, f"save the image {self._reference}"),
            contextlib.closing(
                self._connection.ask(
                    "GET", "/images/get", params={"names": self._reference}, stream=True, timeout_s=None
                )
            ) as reply,
            tarfile.open(fileobj=as_file(reply.iter_content(_CHUNK_BYTES)), mode="r|") as archive,
        ):
            for entry in archive:
                content = archive.extractfile(entry) if entry.isreg() else None
                if content is not None:
                    yield entry, content
                archive.members = []  # type: ignore[attr-defined]


def _told(content: IO[bytes], told: Sum) -> Iterator[bytes]:
    while piece := content.read(_CHUNK_BYTES):
        told.update(piece)
        yield piece
