"""The engine that images are sent from: its layers, read one by one without the engine packing whole images.

Blobs of containerd, and the lists and configurations of the classic store, are read through the engine
(:mod:`tonnage.adapters.ship.engine_files`). Files of layers in the classic store are read where they lie, which takes
root on this machine; where they cannot be, ``docker save`` gives the image (:mod:`tonnage.adapters.ship.saved`).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from tonnage.adapters.docker import sdk, wire
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.docker.schemas import ImageDetail
from tonnage.adapters.images.layers import chain_ids
from tonnage.adapters.ship import registry_way
from tonnage.adapters.ship.engine_files import EngineFiles, remove_old
from tonnage.adapters.ship.hashing import checked
from tonnage.adapters.ship.saved import SavedImage
from tonnage.adapters.ship.tar_split import TarSplit, joined
from tonnage.adapters.ship.unpacked import disk_bytes
from tonnage.decide.ship import manifests
from tonnage.errors import EngineLacksError, StepFailedError
from tonnage.lazily import learned
from tonnage.model.inventory import CLASSIC, CONTAINERD
from tonnage.model.ship import TAR, Document, PackedLayer, ShippableImage, ShippableLayer, StoredBlob
from tonnage.small_files import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.docker.facts import DockerFacts
    from tonnage.adapters.interface import Cancel
    from tonnage.model.ship import Moved

CONTENT = "io.containerd.content.v1.content/blobs"
_LIST_BYTES = 256_000_000
_WORD_BYTES = 1000
_OVERLAY = frozenset({"overlay2", "fuse-overlayfs"})


class EngineSource:
    """Satisfies ``ShipSource``. Close it when done: it holds containers that are never started.

    Args:
        facts: Reads the engine.
    """

    def __init__(self, connection: DockerConnection, facts: DockerFacts) -> None:
        self.endpoint = connection.endpoint
        self._connection = connection
        self._facts = facts
        self._opened = contextlib.ExitStack()
        self._files: dict[str, EngineFiles] = {}
        self._lists: dict[str, TarSplit] = {}
        self._places: dict[str, str] = {}
        self._saved: dict[str, SavedImage] = {}
        self._digests: dict[str, tuple[str, ...]] = {}
        self._store = ""
        self._root = ""

    def close(self) -> None:
        """Remove the containers."""
        self._opened.close()

    def missing(self, references: Iterable[str]) -> tuple[str, ...]:
        """Return those of these names that no image here has."""
        found = []
        for reference in references:
            with speaking_to(self.endpoint, f"look at the image {reference}"):
                try:
                    self._connection.read(f"/images/{reference}/json")
                except sdk.NotFound:
                    found.append(reference)
        return tuple(found)

    def image(self, reference: str) -> ShippableImage:
        """Return what an image consists of.

        Raises:
            StepFailedError: There is no such image, or not all of it is there.
            EngineLacksError: The engine keeps images in a way that is not known.
        """
        detail, image_id = self._detail(reference)
        if not self._store:
            self._know()
        if image_id not in self._files:
            directories = {"blobs": f"{self._root}/{CONTENT}"} if self._store == CONTAINERD else {"image": self._root}
            opened = EngineFiles(self._connection, image_id, directories)
            self._files[image_id] = self._opened.enter_context(opened)
        if self._store == CONTAINERD:
            return self._in_containerd(reference, image_id, detail)
        return self._in_classic(reference, image_id, detail)

    def counted(self, image: ShippableImage, layers: Sequence[ShippableLayer]) -> tuple[ShippableLayer, ...]:
        """Return these layers of it with the bytes that can be sent, and those that they take once unpacked.

        Raises:
            StepFailedError: A layer cannot be read.
        """
        return tuple(self._counted(image, layer) for layer in layers)

    def content(self, image: ShippableImage, blob: StoredBlob) -> Iterator[bytes]:
        """Give the bytes of a layer, or of what is attached to it, piece by piece.

        Raises:
            StepFailedError: It cannot be read, or is not what its digest says.
        """
        yield from checked(self._content(image, blob), blob)

    def packed(self, image: ShippableImage) -> dict[str, tuple[PackedLayer, ...]]:
        """Return the digests under which the engine knows layers of an image, by what they hold."""
        if not image.root:
            return registry_way.noted_digests(self._files[image.image_id], image.diff_ids)
        names = self._digests.get(image.image_id, ())
        repositories = ("", *(name.partition("@")[0] for name in names))
        return {
            layer.diff_id: tuple(PackedLayer(layer.blob.digest, repository) for repository in repositories)
            for layer in image.layers
            if layer.blob is not None
        }

    def push(
        self, image: ShippableImage, repository: str, tag: str, *, tell: Callable[[str], None], cancel: Cancel
    ) -> Moved:
        """Push an image under a name that it has only meanwhile.

        Raises:
            StepFailedError: The registry refused, or it was stopped.
        """
        return registry_way.push_image(
            self._connection, image.image_id, repository, tag, tell=tell, cancel=cancel
        )  # fmt: skip

    def insecure(self) -> tuple[str, ...]:
        """Return the registries that the engine was told to speak to without TLS."""
        return tuple(self._facts.registries().insecure)

    def _content(self, image: ShippableImage, blob: StoredBlob) -> Iterator[bytes]:
        files = self._files[image.image_id]
        if image.root:
            return files.pieces(f"blobs/{blob.digest.replace(':', '/')}")
        if image.image_id in self._saved:
            return self._saved[image.image_id].layer(blob.digest)
        chain = next(each.chain_id for each in image.layers if each.diff_id == blob.digest)
        return joined(self._lists[chain].pieces(self._places[chain]))

    def _counted(self, image: ShippableImage, layer: ShippableLayer) -> ShippableLayer:
        if image.root:
            if layer.unpacked_bytes is not None or layer.blob is None:
                return layer
            taken = disk_bytes(self.content(image, layer.blob), layer.blob.media_type)
            return replace(layer, unpacked_bytes=taken)
        if layer.blob is not None:
            return layer
        if image.image_id not in self._saved and not self._find_list(image, layer):
            self._saved[image.image_id] = SavedImage(self._connection, image.reference)
        saved = self._saved.get(image.image_id)
        size, taken = self._lists[layer.chain_id].sizes() if saved is None else saved.sizes(layer.diff_id)
        return replace(layer, blob=StoredBlob(layer.diff_id, size, TAR), unpacked_bytes=taken)

    def _find_list(self, image: ShippableImage, layer: ShippableLayer) -> bool:
        """Look up where the files of a layer lie, and its list; return whether both can be read."""
        where = f"image/layerdb/sha256/{layer.chain_id.removeprefix('sha256:')}"
        files = self._files[image.image_id]
        place = (files.read(f"{where}/cache-id", _WORD_BYTES) or b"").decode(errors="replace").strip()
        listed = files.read(f"{where}/tar-split.json.gz", _LIST_BYTES)
        driver = os.path.basename(self._root)  # noqa: PTH119 - text
        directory = str(Path(self._root, "..", "..", driver, place, "diff").resolve())
        if not (place.isalnum() and listed and driver in _OVERLAY and self._connection.local):
            return False
        if not os.access(directory, os.R_OK | os.X_OK) or os.geteuid() != 0:
            return False
        self._lists[layer.chain_id], self._places[layer.chain_id] = TarSplit(listed), directory
        return True

    def _know(self) -> None:
        told = wire.info(self._connection.read("/info"))
        self._store = told.image_store
        if self._store == CONTAINERD:
            self._root = self._facts.images_root()
            if not self._root:
                raise EngineLacksError(
                    f"the images of the engine at {self.endpoint} cannot be read",
                    why="They are in containerd, and where that keeps its files is not known.",
                )
        elif self._store == CLASSIC:
            self._root = f"{told.data_root}/image/{told.driver}"
        else:
            raise EngineLacksError(
                f"images cannot be sent from the engine at {self.endpoint}", why="It is not Docker Engine."
            )
        remove_old(self._connection)

    def _detail(self, reference: str) -> tuple[ImageDetail, str]:
        with speaking_to(self.endpoint, f"look at the image {reference}"):
            try:
                told = self._connection.read(f"/images/{reference}/json")
            except sdk.NotFound as error:
                raise StepFailedError(
                    f"there is no image {reference} on the engine at {self.endpoint}",
                    todo="Build or pull it there first.",
                ) from error
            self._digests[str(told["Id"])] = tuple(told.get("RepoDigests") or ())
            return msgspec.convert(told, learned(ImageDetail)), str(told["Id"])

    def _in_containerd(self, reference: str, image_id: str, detail: ImageDetail) -> ShippableImage:
        files = self._files[image_id]
        read = lambda digest: files.read(f"blobs/{digest.replace(':', '/')}", MANIFEST.most_bytes)  # noqa: E731
        stored = manifests.stored_image(image_id, read)
        wanted = tuple((detail.root_fs.layers if detail.root_fs else None) or ())
        found = next((each for each in stored.manifests if each.diff_ids == wanted), None)
        if found is None:
            raise StepFailedError(f"the image {reference} is not whole on the engine at {self.endpoint}")
        layers = tuple(
            ShippableLayer(diff_id=diff_id, chain_id=chain, blob=blob)
            for diff_id, chain, blob in zip(found.diff_ids, chain_ids(found.diff_ids), found.blobs, strict=True)
        )
        return ShippableImage(
            reference=reference, image_id=image_id, config=found.config, layers=layers, platform=found.platform,
            size_bytes=detail.size, root=image_id, documents=stored.documents, attached=stored.attached,
        )  # fmt: skip

    def _in_classic(self, reference: str, image_id: str, detail: ImageDetail) -> ShippableImage:
        where = f"image/imagedb/content/{image_id.replace(':', '/')}"
        content = self._files[image_id].read(where, MANIFEST.most_bytes)
        if content is None or manifests.sha256(content) != image_id:
            raise StepFailedError(f"the configuration of {reference} cannot be read on the engine at {self.endpoint}")
        about = manifests.configuration(content, image_id)
        chains = chain_ids(about.rootfs.diff_ids)
        layers = tuple(
            ShippableLayer(diff_id=diff_id, chain_id=chain)
            for diff_id, chain in zip(about.rootfs.diff_ids, chains, strict=True)
        )
        config = Document(StoredBlob(image_id, len(content), manifests.CONFIG_TYPE), content)
        return ShippableImage(
            reference=reference, image_id=image_id, config=config, layers=layers, platform=about.platform,
            size_bytes=detail.size,
        )  # fmt: skip
