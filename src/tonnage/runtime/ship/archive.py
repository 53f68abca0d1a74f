"""The archive that an engine loads, made while it is sent: nothing of it lies on a disk, and what is there is left out.

For the classic store it is the form of ``docker save`` up to Docker 24, whose layers the engine passes over where it
has their chains; for containerd it is an OCI layout, whose manifest names blobs that are there already.

Source: moby 20.10 to 28, ``image/tarexport/load.go`` (``setupLoad``, the layer's chain is asked first); containerd 1.7,
``images/archive/importer.go``; tried on 20.10, 26.1 and 28.5.
"""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tonnage.decide.ship import manifests
from tonnage.decide.ship.manifests import CONFIG_TYPE, INDEX, MANIFEST_TYPE
from tonnage.model.inventory import CONTAINERD
from tonnage.model.ship import Document, StoredBlob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tonnage.model.ship import ImageToShip, ShippableImage, ShippedLayer

_END = b"\0" * tarfile.BLOCKSIZE * 2
_DOCKER_TYPES = {
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
}


class Parcel(Struct, frozen=True, kw_only=True):
    """One archive: an image, or the first layers of one, under a name.

    Args:
        name: What the image is called when it has arrived.
        expected_id: The id that the engine gives it.
        documents: Where each thing besides layers lies in the archive, and what it is.
        layers: The blobs that are sent, and where each lies.
    """

    name: str
    expected_id: str
    documents: tuple[tuple[str, bytes], ...]
    layers: tuple[tuple[str, StoredBlob], ...]

    @property
    def size_bytes(self) -> int:
        """The bytes of the archive."""
        sizes = [len(content) for _, content in self.documents] + [blob.size_bytes for _, blob in self.layers]
        return sum(tarfile.BLOCKSIZE + _padded(size) for size in sizes) + len(_END)


def parcel(ship: ImageToShip, name: str, *, first: int = 0, count: int | None = None) -> Parcel:
    """Return the archive for the layers of an image from one on.

    Args:
        first: Layers that an earlier parcel of it brought, or that are there.
        count: How many of its layers, from the lowest, the image in the archive has; None for the whole image.
    """
    whole = count is None or count == len(ship.layers)
    layers = ship.layers if count is None else ship.layers[:count]
    content = ship.image.config.content
    config = content if whole else manifests.first_layers(content, len(layers))
    sent = [each for each in layers[first:] if each.sent is not None]
    make = _for_containerd if ship.store == CONTAINERD else _for_classic
    return make(ship.image, name, config, layers, sent, whole=whole)


def pieces(parcel: Parcel, read: Callable[[StoredBlob], Iterator[bytes]]) -> Iterator[bytes]:
    """Give the archive, piece by piece.

    Args:
        read: Gives the bytes of a blob.
    """
    for path, content in parcel.documents:
        yield _header(path, len(content)) + content + _padding(len(content))
    for path, blob in parcel.layers:
        yield _header(path, blob.size_bytes)
        yield from read(blob)
        yield _padding(blob.size_bytes)
    yield _END


def own_manifest(ship: ImageToShip) -> bool:
    """Return whether a manifest is sent as it lies in containerd here, so that the image has the same id there."""
    as_here = all((each.sent or each.there) == each.layer.blob for each in ship.layers)
    return bool(ship.image.root) and ship.store == CONTAINERD and as_here


def _for_classic(
    image: ShippableImage,
    name: str,
    config: bytes,
    layers: tuple[ShippedLayer, ...],
    sent: list[ShippedLayer],
    *,
    whole: bool,
) -> Parcel:
    config_id = image.config.blob.digest if whole else manifests.sha256(config)
    config_path = f"{_hex(config_id)}.json"
    listed = [
        {"Config": config_path, "RepoTags": [name], "Layers": [_classic_path(each.layer.diff_id) for each in layers]}
    ]
    documents = ((config_path, config), ("manifest.json", msgspec.json.encode(listed)))
    # The same contents twice in one image are sent once.
    blobs = {_classic_path(each.layer.diff_id): each.sent for each in sent if each.sent is not None}
    return Parcel(name=name, expected_id=config_id, documents=documents, layers=tuple(blobs.items()))


def _for_containerd(
    image: ShippableImage,
    name: str,
    config: bytes,
    layers: tuple[ShippedLayer, ...],
    sent: list[ShippedLayer],
    *,
    whole: bool,
) -> Parcel:
    as_here = all((each.sent or each.there) == each.layer.blob for each in layers)
    attached: tuple[StoredBlob, ...] = ()
    if whole and image.root and as_here:
        documents, root, attached = list(image.documents), image.documents[0].blob, image.attached
    else:
        told = Document(StoredBlob(manifests.sha256(config), len(config), CONFIG_TYPE), config)
        written = _manifest(told.blob, [blob for each in layers if (blob := each.sent or each.there) is not None])
        documents, root = [written, told], written.blob
    reference, tag = name.rsplit(":", 1)
    annotations = {"io.containerd.image.name": f"{reference}:{tag}", "org.opencontainers.image.ref.name": tag}
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{**_named(root), "annotations": annotations}],
    }
    files = [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", msgspec.json.encode(index))]
    files += [(_oci_path(each.blob.digest), each.content) for each in documents]
    blobs = {_oci_path(each.sent.digest): each.sent for each in sent if each.sent is not None}
    blobs |= {_oci_path(blob.digest): blob for blob in attached}
    return Parcel(name=name, expected_id=root.digest, documents=tuple(files), layers=tuple(blobs.items()))


def _manifest(config: StoredBlob, layers: list[StoredBlob]) -> Document:
    written = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _named(config),
        "layers": [_named(StoredBlob(each.digest, each.size_bytes, _oci_type(each.media_type))) for each in layers],
    }
    content = msgspec.json.encode(written)
    return Document(StoredBlob(manifests.sha256(content), len(content), MANIFEST_TYPE), content)


def _oci_type(media_type: str) -> str:
    """Return what OCI calls the same bytes: a manifest names all its layers in the words of one specification."""
    return _DOCKER_TYPES.get(media_type, media_type)


def _named(blob: StoredBlob) -> dict[str, str | int]:
    return {"mediaType": blob.media_type, "digest": blob.digest, "size": blob.size_bytes}


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _classic_path(diff_id: str) -> str:
    return f"{_hex(diff_id)}/layer.tar"


def _oci_path(digest: str) -> str:
    return f"blobs/sha256/{_hex(digest)}"


def _header(path: str, size: int) -> bytes:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = size, 0o644
    return entry.tobuf(tarfile.GNU_FORMAT)


def _padded(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _padding(size: int) -> bytes:
    return b"\0" * (_padded(size) - size)
