"""What an image in containerd consists of, read document by document from the engine's own store.

Every document is small, is what its digest says, and of an index only what is there counts: other platforms that were
not pulled are left out.

Source: OCI image specification 1.1, "Image Index", "Manifest" and "Configuration".
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct, field

from tonnage.errors import StepFailedError
from tonnage.lazily import learned, regex
from tonnage.model.ship import Document, StoredBlob
from tonnage.small_files import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DIGEST = regex(r"sha256:[0-9a-f]{64}")
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_ATTESTED = "vnd.docker.reference.type"
_DEEPEST = 3
_MOST_DOCUMENTS = 200
_MOST_LAYERS = 1000
_Form = TypeVar("_Form")


class PlatformOf(Struct):
    """What an image is made for."""

    architecture: str = ""
    os: str = ""
    variant: str = ""

    def __str__(self) -> str:
        """Return it as compose files name it, such as ``linux/arm64``."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(Struct):
    """How a document names another one, or a layer."""

    media_type: str = field(name="mediaType", default="")
    digest: str = ""
    size: int = 0
    platform: PlatformOf | None = None
    annotations: dict[str, str] | None = None

    @property
    def blob(self) -> StoredBlob:
        """What it names."""
        return StoredBlob(self.digest, self.size, self.media_type)


class Written(Struct):
    """An index or a manifest: what either has."""

    manifests: list[Descriptor] = field(default_factory=list)
    config: Descriptor | None = None
    layers: list[Descriptor] = field(default_factory=list)


class DiffIds(Struct):
    """The layers of a configuration."""

    diff_ids: list[str] = field(default_factory=list)


class Configuration(Struct):
    """What of a configuration is looked at."""

    architecture: str = ""
    os: str = ""
    variant: str = ""
    rootfs: DiffIds = field(default_factory=DiffIds)

    @property
    def platform(self) -> str:
        """What it is made for."""
        return str(PlatformOf(self.architecture, self.os, self.variant))


class StoredManifest(Struct, frozen=True):
    """One manifest of an image for a platform: its configuration and its layers, each with its blob."""

    config: Document
    diff_ids: tuple[str, ...]
    blobs: tuple[StoredBlob, ...]
    platform: str


class StoredImage(Struct, frozen=True):
    """An image in containerd.

    Args:
        root: The digest that the image has there.
        documents: Every index, manifest and configuration of it that is there, the root first.
        manifests: Those for platforms.
        attached: The blobs of manifests that a builder attached.
    """

    root: str
    documents: tuple[Document, ...]
    manifests: tuple[StoredManifest, ...]
    attached: tuple[StoredBlob, ...]


def stored_image(root: str, read: Callable[[str], bytes | None]) -> StoredImage:
    """Return what an image consists of.

    Args:
        root: The digest that the image has.
        read: Gives a small blob by its digest; None where it is not there.

    Raises:
        StepFailedError: The document of that digest is not there, or is none.
    """
    documents: dict[str, Document] = {}
    manifests: list[StoredManifest] = []
    attached: dict[str, StoredBlob] = {}
    waiting = [(Descriptor(digest=root), 0)]
    while waiting and len(documents) < _MOST_DOCUMENTS:
        named, depth = waiting.pop(0)
        content = None if named.digest in documents else document(named.digest, read)
        if content is None:
            continue
        written = _decoded(content, Written, named.digest)
        told = msgspec.json.decode(content, type=learned(Descriptor))
        media_type = told.media_type or named.media_type or (MANIFEST_TYPE if written.config else INDEX)
        documents[named.digest] = Document(StoredBlob(named.digest, len(content), media_type), content)
        if depth < _DEEPEST:
            waiting += [(each, depth + 1) for each in written.manifests]
        if written.config is None:
            continue
        config = document(written.config.digest, read)
        if config is None:
            documents.pop(named.digest)
            continue
        kept = Document(StoredBlob(written.config.digest, len(config), written.config.media_type), config)
        documents[written.config.digest] = kept
        blobs = tuple(each.blob for each in written.layers[:_MOST_LAYERS])
        if _ATTESTED in (named.annotations or {}):
            attached |= {blob.digest: blob for blob in blobs}
            continue
        about = _decoded(config, Configuration, written.config.digest)
        if len(about.rootfs.diff_ids) == len(blobs):
            manifests.append(StoredManifest(kept, tuple(about.rootfs.diff_ids), blobs, about.platform))
    if root not in documents:
        raise StepFailedError(f"the manifest {root} of an image cannot be read")
    return StoredImage(root, tuple(documents.values()), tuple(manifests), tuple(attached.values()))


def document(digest: str, read: Callable[[str], bytes | None]) -> bytes | None:
    """Return a small blob that is what its digest says; None where there is none."""
    content = read(digest) if DIGEST.fullmatch(digest) else None
    if content is None or len(content) > MANIFEST.most_bytes:
        return None
    return content if sha256(content) == digest else None


def sha256(content: bytes) -> str:
    """Return the digest of bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def configuration(content: bytes, digest: str) -> Configuration:
    """Read a configuration.

    Raises:
        StepFailedError: It is none.
    """
    return _decoded(content, Configuration, digest)


def first_layers(config: bytes, count: int) -> bytes:
    """Return the configuration of an image that has only the first layers of another one, and runs nothing."""
    told: Mapping[str, object] = msgspec.json.decode(config)
    kept = {name: told[name] for name in ("architecture", "os", "variant", "created") if told.get(name)}
    diff_ids = _decoded(config, Configuration, "").rootfs.diff_ids[:count]
    history = [{"created_by": "tonnage ship: layers on their way"}] * count
    made = {**kept, "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": history}
    return msgspec.json.encode(made)


def _decoded(content: bytes, form: type[_Form], digest: str) -> _Form:
    try:
        return msgspec.json.decode(content, type=learned(form))
    except (ValueError, RecursionError) as error:
        raise StepFailedError(f"the document {digest} of an image cannot be read", why=str(error)) from error
