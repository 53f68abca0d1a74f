"""Two engines between which images are sent: layers as bytes, archives that are really read, either store of images.

The one that gets images behaves as the engines that were tried: the classic store passes over layers whose chain it
has, and refuses an archive without one that it lacks; containerd's store names an image although blobs are missing.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.unit.views.samples import INVENTORY

from tonnage.adapters.images.layers import chain_ids
from tonnage.decide.ship.manifests import CONFIG_TYPE
from tonnage.errors import EngineUnreachableError, StepFailedError
from tonnage.model.inventory import CONTAINERD, Filesystem
from tonnage.model.ship import (
    GZIP,
    TAR,
    Document,
    LayersThere,
    Moved,
    PackedLayer,
    PushedManifest,
    ShippableImage,
    ShippableLayer,
    StoredBlob,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tonnage.adapters.interface import Cancel
    from tonnage.model.inventory import Engine
    from tonnage.model.ship import ImageToShip

MOUNT = "/there"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def image_of(reference: str, layers: Sequence[bytes], *, platform: str = "linux/amd64") -> ShippableImage:
    """Return an image of a classic store with these layers."""
    diff_ids = [digest_of(layer) for layer in layers]
    os, architecture = platform.split("/")
    written = {"os": os, "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    content = json.dumps(written).encode()
    return ShippableImage(
        reference=reference,
        image_id=digest_of(content),
        config=Document(StoredBlob(digest_of(content), len(content), CONFIG_TYPE), content),
        layers=tuple(
            ShippableLayer(diff_id=diff_id, chain_id=chain)
            for diff_id, chain in zip(diff_ids, chain_ids(diff_ids), strict=True)
        ),
        platform=platform,
        size_bytes=sum(map(len, layers)),
    )


@dataclass
class SimulatedRegistry:
    """Satisfies ``ShipRegistry``.

    Args:
        forges: It has another image under each digest than the one that was pushed.
    """

    held: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[ShippableImage, PushedManifest]] = field(default_factory=dict)
    pushed_bytes: int = 0
    forges: bool = False

    def blobs(self, wanted: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
        return {each: len(self.held[each]) for each in wanted if each in self.held}

    def manifest(self, repository: str, digest: str, platform: str) -> PushedManifest:
        del repository, platform
        found = self.manifests[digest][1]
        return PushedManifest(StoredBlob("sha256:0", 1, CONFIG_TYPE), found.layers) if self.forges else found

    def take(self, image: ShippableImage, repository: str, blobs: Sequence[bytes], moved: set[str]) -> Moved:
        self.pushed_bytes += sum(len(blob) for blob in blobs if digest_of(blob) in moved)
        for blob in (*blobs, image.config.content):
            self.held[repository, digest_of(blob)] = blob
        manifest = PushedManifest(
            image.config.blob, tuple(StoredBlob(digest_of(blob), len(blob), GZIP) for blob in blobs)
        )
        digest = digest_of(repr(manifest).encode())
        self.manifests[digest] = (image, manifest)
        return Moved(digest, frozenset(each.removeprefix("sha256:")[:12] for each in moved))


@dataclass
class SimulatedSource:
    """Satisfies ``ShipSource``."""

    contents: dict[str, list[bytes]] = field(default_factory=dict)
    endpoint: str = "unix:///here"
    platform: str = "linux/amd64"
    read: list[str] = field(default_factory=list)
    registry: SimulatedRegistry = field(default_factory=SimulatedRegistry)
    known: dict[str, tuple[PackedLayer, ...]] = field(default_factory=dict)

    def packed(self, image: ShippableImage) -> Mapping[str, tuple[PackedLayer, ...]]:
        return {diff_id: self.known[diff_id] for diff_id in image.diff_ids if diff_id in self.known}

    def push(
        self, image: ShippableImage, repository: str, tag: str, *, tell: Callable[[str], None], cancel: Cancel
    ) -> Moved:
        if cancel.is_set():
            raise StepFailedError("it was stopped")
        tell(f"pushing {repository}:{tag}")
        layers = {each: gzip.compress(each, mtime=0) for each in self.contents[image.reference]}
        moved = {digest_of(blob) for blob in layers.values() if (repository, digest_of(blob)) not in self.registry.held}
        for content, blob in layers.items():
            self.known[digest_of(content)] = (PackedLayer(digest_of(blob), repository),)
        return self.registry.take(image, repository, list(layers.values()), moved)

    def insecure(self) -> tuple[str, ...]:
        return ()

    def missing(self, references: Iterable[str]) -> tuple[str, ...]:
        return tuple(each for each in references if each not in self.contents)

    def image(self, reference: str) -> ShippableImage:
        return image_of(reference, self.contents[reference], platform=self.platform)

    def counted(self, image: ShippableImage, layers: Sequence[ShippableLayer]) -> tuple[ShippableLayer, ...]:
        sizes = {digest_of(layer): len(layer) for layer in self.contents[image.reference]}
        return tuple(
            ShippableLayer(
                diff_id=each.diff_id,
                chain_id=each.chain_id,
                blob=StoredBlob(each.diff_id, sizes[each.diff_id], TAR),
                unpacked_bytes=sizes[each.diff_id],
            )
            for each in layers
        )

    def content(self, image: ShippableImage, blob: StoredBlob) -> Iterator[bytes]:
        self.read.append(blob.digest)
        yield next(layer for layer in self.contents[image.reference] if digest_of(layer) == blob.digest)


@dataclass
class SimulatedTarget:
    """Satisfies ``ShipTarget``.

    Args:
        breaks_after_bytes: The connection breaks when so many bytes have come; None for never.
        loses: Digests of blobs that do not arrive although they are sent.
    """

    store: str = "classic"
    endpoint: str = "ssh://there"
    available_bytes: int = 9_000_000_011
    images: dict[str, str] = field(default_factory=dict)
    layers_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    blobs_of: dict[str, dict[str, StoredBlob]] = field(default_factory=dict)
    blobs: set[str] = field(default_factory=set)
    breaks_after_bytes: int | None = None
    loses: set[str] = field(default_factory=set)
    came_bytes: int = 0
    asked_layers: int = 0
    registry: SimulatedRegistry = field(default_factory=SimulatedRegistry)
    notes: set[str] = field(default_factory=set)

    def understood(self, digests: Iterable[str]) -> frozenset[str]:
        return frozenset(digests) & (self.blobs if self.store == CONTAINERD else self.notes)

    def has(self, name: str) -> bool:
        return name in self.images

    def pull(self, name: str, *, tell: Callable[[str], None], cancel: Cancel) -> Moved:
        """Pull as the engines do: from the first layer on that is not known, but for blobs that containerd has."""
        tell(f"pulling {name}")
        image, manifest = self.registry.manifests[name.partition("@")[2]]
        there = {chain for each in self.images.values() for chain in chain_ids(self.layers_of[each])}
        contained, lacks, moved = self.store == CONTAINERD, False, set()
        for layer, blob in zip(image.layers, manifest.layers, strict=True):
            lacks = lacks or layer.chain_id not in there or not (contained or blob.digest in self.notes)
            if lacks and not (contained and blob.digest in self.blobs) and blob.digest not in self.loses:
                if cancel.is_set():
                    raise StepFailedError("it was stopped")
                moved.add(blob.digest)
                self.came_bytes += blob.size_bytes
        self.blobs |= moved
        self.notes |= {blob.digest for blob in manifest.layers}
        image_id = name.partition("@")[2] if contained else image.config.blob.digest
        kept = {each.diff_id: blob for each, blob in zip(image.layers, manifest.layers, strict=True)}
        self.blobs_of[image_id] = {diff: blob for diff, blob in kept.items() if blob.digest in moved | self.loses}
        self._name(name, image_id, image.diff_ids)
        return Moved("", frozenset(each.removeprefix("sha256:")[:12] for each in moved))

    def engine(self) -> Engine:
        return INVENTORY.engine

    def layers(self, images: Sequence[ShippableImage]) -> LayersThere:
        self.asked_layers += len(images)
        known = dict(self.images)
        chains = {chain for each in known.values() for chain in chain_ids(self.layers_of[each])}
        return LayersThere(
            store=self.store,
            version="26.1",
            platform="linux/amd64",
            images=known,
            chains=frozenset(chains),
            blobs={diff: blob for each in known.values() for diff, blob in self.blobs_of.get(each, {}).items()},
            digests=frozenset(self.blobs),
            carriers=tuple(name for name in known if "tonnage-ship" in name),
        )

    def filesystems(self) -> tuple[Filesystem, ...]:
        disk = Filesystem(
            mount=MOUNT, roles=("data-root",), size_bytes=10_000_000_019, available_bytes=self.available_bytes
        )
        return (disk,)

    def load(self, archive: Iterable[bytes], *, packed: str = "") -> None:
        received = bytearray()
        for piece in archive:
            received += piece
            self.came_bytes += len(piece)
            if self.breaks_after_bytes is not None and self.came_bytes > self.breaks_after_bytes:
                raise EngineUnreachableError("the connection broke")
        content = gzip.decompress(bytes(received)) if packed else bytes(received)
        with tarfile.open(fileobj=io.BytesIO(content)) as opened:
            files = {entry.name: opened.extractfile(entry) for entry in opened}
            held = {name: file.read() for name, file in files.items() if file is not None}
        self._take_layout(held) if self.store == CONTAINERD else self._take_saved(held)

    def prove(self, ship: ImageToShip, name: str, expected_id: str, count: int) -> None:
        found = self.images.get(name)
        blobs = self.blobs_of.get(found or "", {})
        whole = all(blob.digest in self.blobs for blob in blobs.values())
        if found != expected_id or self.layers_of[found] != ship.image.diff_ids[:count] or not whole:
            raise StepFailedError("it did not arrive whole")

    def tag(self, image_id: str, name: str) -> None:
        self.images[name] = image_id

    def forget(self, name: str) -> None:
        self.images.pop(name, None)

    def _take_saved(self, held: Mapping[str, bytes]) -> None:
        [listed] = json.loads(held["manifest.json"])
        config = held[listed["Config"]]
        diff_ids = json.loads(config)["rootfs"]["diff_ids"]
        there = {chain for each in self.images.values() for chain in chain_ids(self.layers_of[each])}
        for path, diff_id, chain in zip(listed["Layers"], diff_ids, chain_ids(diff_ids), strict=True):
            if chain not in there and digest_of(held.get(path, b"")) != diff_id:
                raise StepFailedError(f"open {path}: no such file or directory")
        self._name(listed["RepoTags"][0], digest_of(config), diff_ids)

    def _take_layout(self, held: Mapping[str, bytes]) -> None:
        [named] = json.loads(held["index.json"])["manifests"]
        manifest = json.loads(held[f"blobs/{named['digest'].replace(':', '/')}"])
        diff_ids = json.loads(held[f"blobs/{manifest['config']['digest'].replace(':', '/')}"])["rootfs"]["diff_ids"]
        came = {f"sha256:{name.rpartition('/')[2]}" for name in held if name.startswith("blobs/")}
        self.blobs |= came - self.loses
        image_id = named["digest"]
        blobs = [StoredBlob(each["digest"], each["size"], each["mediaType"]) for each in manifest["layers"]]
        self.blobs_of[image_id] = dict(zip(diff_ids, blobs, strict=True))
        self._name(named["annotations"]["io.containerd.image.name"], image_id, diff_ids)

    def _name(self, name: str, image_id: str, diff_ids: Sequence[str]) -> None:
        self.images[name] = image_id
        self.layers_of[image_id] = tuple(diff_ids)


@dataclass
class SimulatedGauge:
    """Satisfies ``Gauge``: a disk that something else writes to, by so many bytes with every look."""

    target: SimulatedTarget
    falls_by_bytes: int = 0

    def available(self) -> Mapping[str, int]:
        self.target.available_bytes -= self.falls_by_bytes
        return {MOUNT: self.target.available_bytes}

    def inodes(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        pass


@dataclass
class SimulatedShipEngines:
    """Satisfies ``ShipEngines``."""

    here: SimulatedSource = field(default_factory=SimulatedSource)
    there: SimulatedTarget = field(default_factory=SimulatedTarget)
    falls_by_bytes: int = 0
    logins: frozenset[str] = frozenset()

    @contextlib.contextmanager
    def registry(self, insecure: Sequence[str]) -> Iterator[SimulatedRegistry]:
        del insecure
        self.there.registry = self.here.registry
        yield self.here.registry

    @contextlib.contextmanager
    def source(self, name: str) -> Iterator[SimulatedSource]:
        del name
        yield self.here

    @contextlib.contextmanager
    def target(self, name: str) -> Iterator[SimulatedTarget]:
        del name
        yield self.there

    def logged_in(self, host: str) -> bool:
        return host in self.logins

    def gauge(self, endpoint: str, mounts: Sequence[str]) -> SimulatedGauge:
        assert (endpoint, list(mounts)) == (self.there.endpoint, [MOUNT])
        return SimulatedGauge(self.there, self.falls_by_bytes)
