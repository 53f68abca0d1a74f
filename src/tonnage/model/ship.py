"""Images on their way from one engine to another: what of them can be sent, what is there, what is sent.

Layers of both kinds of stores are compared by the digests of their contents (``diff_id``): the one identity that a
layer has in either. What lies in containerd is named by the digest of the compressed blob besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.errors import CannotFitError
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.inventory import Engine, Filesystem

TAR = "application/vnd.oci.image.layer.v1.tar"
GZIP = f"{TAR}+gzip"
ZSTD = f"{TAR}+zstd"


class StoredBlob(Struct, frozen=True):
    """Bytes with a name made of them.

    Args:
        digest: ``sha256:...`` of the bytes as they are sent or kept.
        size_bytes: How many they are.
        media_type: What they are, in the words of the OCI image specification.
    """

    digest: str
    size_bytes: int
    media_type: str


class ShippableLayer(Struct, frozen=True, kw_only=True):
    """One layer as its engine can give it.

    Args:
        diff_id: Identity of its contents.
        chain_id: Identity of the layer on top of all those below it.
        blob: The bytes that can be sent; None until somebody counted them.
        unpacked_bytes: What its files take on a disk; None where nobody counted.
    """

    diff_id: str
    chain_id: str
    blob: StoredBlob | None = None
    unpacked_bytes: int | None = None


class Document(Struct, frozen=True):
    """A manifest, an index or a configuration: a blob that is small enough to be held."""

    blob: StoredBlob
    content: bytes


class ShippableImage(Struct, frozen=True, kw_only=True):
    """An image on the engine that it is sent from.

    Args:
        reference: What the user calls it.
        image_id: Its id there.
        config: Its configuration, to the byte.
        layers: Its layers, lowest first.
        root: Digest of the index or manifest that names it in containerd; empty for a classic store.
        documents: What lies in containerd besides layers: indexes, manifests, configurations.
        attached: Blobs that manifests of attestations name.
    """

    reference: str
    image_id: str
    config: Document
    layers: tuple[ShippableLayer, ...]
    platform: str
    size_bytes: int
    root: str = ""
    documents: tuple[Document, ...] = ()
    attached: tuple[StoredBlob, ...] = ()

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The digests of the contents of its layers, lowest first."""
        return tuple(layer.diff_id for layer in self.layers)


class LayersThere(Struct, frozen=True, kw_only=True):
    """What the engine that is sent to has.

    Args:
        store: Where it keeps images: classic or containerd.
        version: Its version.
        platform: What it runs, such as ``linux/amd64``.
        images: The images there: id by name.
        chains: Chain ids of the layers of its images.
        blobs: The blob of each layer there, by what it holds; empty for a classic store.
        digests: Every blob that was looked for there and found.
        carriers: Names of images that hold what arrived of others in earlier attempts.
    """

    store: str
    version: str
    platform: str
    images: Mapping[str, str] = field(default_factory=dict)
    chains: frozenset[str] = frozenset()
    blobs: Mapping[str, StoredBlob] = field(default_factory=dict)
    digests: frozenset[str] = frozenset()
    carriers: tuple[str, ...] = ()


class ShippedLayer(Struct, frozen=True, kw_only=True):
    """What is done with one layer: it is sent as ``sent``, or it is there, in containerd as ``there``."""

    layer: ShippableLayer
    sent: StoredBlob | None = None
    there: StoredBlob | None = None


class RegistryRoute(Struct, frozen=True, kw_only=True):
    """How an image goes through a registry: pushed by the one engine, pulled by digest by the other one.

    Args:
        repository: Where it is pushed, with its registry.
        tag: What it is called there: a push needs a name.
        pushed: Bytes of blobs that the registry lacks.
        pulled: Bytes of blobs that the other engine pulls.
        digest: The manifest by which it is pulled; empty until that is known.
        own: Whether the image has its own name in this repository.
    """

    repository: str
    tag: str
    pushed: Estimate
    pulled: Estimate
    digest: str = ""
    own: bool = False

    @property
    def by_digest(self) -> str:
        """What the other engine pulls."""
        return f"{self.repository}@{self.digest}"


class ImageToShip(Struct, frozen=True, kw_only=True):
    """What is sent of one image, and what that takes.

    Args:
        names: What it is to be called on the engine that it is sent to.
        layers: All its layers, lowest first.
        expected_id: The id that it will have there.
        present: Whether an image of that id has all these names there already: nothing is done.
        route: The way through a registry; None where it is sent by the connection to the engine.
        wire_bytes: Bytes that cross the wire, before any compression on it: those of the archives, to the byte.
        kept: What the disk there keeps.
        highest: What the disk there needs at most meanwhile, what is kept included.
    """

    image: ShippableImage
    names: tuple[str, ...]
    layers: tuple[ShippedLayer, ...]
    store: str
    wire_bytes: int
    kept: Estimate
    highest: Estimate
    expected_id: str = ""
    present: bool = False
    route: RegistryRoute | None = None

    @property
    def sent(self) -> tuple[ShippedLayer, ...]:
        """The layers that cross the wire."""
        return tuple(each for each in self.layers if each.sent is not None)


class Shipped(Struct, frozen=True, kw_only=True):
    """An image that was sent and is proven to be whole there. Every figure is measured.

    Args:
        image_id: Its id there.
        names: What it is called there.
        wire_bytes: Bytes that crossed the wire, as they were sent.
        layers_sent: Layers that were sent.
        layers_there: Layers that were there before.
        seconds: How long it took.
        pushed_bytes: Blobs that were pushed to a registry on the way; None where there was none.
        pulled_bytes: Blobs that were pulled from it.
        digest: The manifest by which it was pulled.
    """

    reference: str
    image_id: str
    names: tuple[str, ...]
    wire_bytes: int
    layers_sent: int
    layers_there: int
    seconds: float
    compressed: bool = False
    pushed_bytes: int | None = None
    pulled_bytes: int | None = None
    digest: str = ""


class PackedLayer(Struct, frozen=True):
    """The digest under which a registry may have a layer, and a repository where it was seen; empty for none."""

    digest: str
    repository: str = ""


class Moved(Struct, frozen=True):
    """What an engine said of a push or a pull.

    Args:
        digest: The manifest that was pushed; empty for a pull.
        layers: The beginnings of the digests of what really moved, as it shows them.
    """

    digest: str
    layers: frozenset[str]

    def has(self, *digests: str) -> bool:
        """Return whether a blob or layer moved that has these digests."""
        return any(digest.removeprefix("sha256:")[:12] in self.layers for digest in digests)


class PushedManifest(Struct, frozen=True):
    """An image as a registry has it: its configuration, and the blob of each layer, lowest first."""

    config: StoredBlob
    layers: tuple[StoredBlob, ...]


class ShipLook(Struct, frozen=True, kw_only=True):
    """What is sent, and the disk that it goes to.

    Args:
        ships: The images, in the order in which they are sent.
        engine: The engine that it goes to.
        disk: The filesystem that images are written to, as measured before.
        reserve_bytes: What must remain available on it.
        leftovers: Names of ours that earlier attempts left there.
    """

    ships: tuple[ImageToShip, ...]
    engine: Engine
    disk: Filesystem
    reserve_bytes: int
    leftovers: tuple[str, ...] = ()

    @property
    def lowest_bytes(self) -> int:
        """What remains available there at the lowest point, at worst."""
        kept = lowest = 0
        for ship in self.ships:
            lowest = max(lowest, kept + ship.highest.high_bytes)
            kept += ship.kept.high_bytes
        return self.disk.available_bytes - lowest

    @property
    def missing_bytes(self) -> int:
        """How many bytes are too few; 0 where it fits."""
        sends = any(not ship.present for ship in self.ships)
        return max(0, self.reserve_bytes - self.lowest_bytes) if sends else 0


class ShipReport(Struct, frozen=True, kw_only=True):
    """What was looked at, and what was done of it.

    Args:
        services: The services of each image, by what it is called.
        shipped: What was sent; None where it was only looked at.
        refusal: Why it does not fit there; None where it does.
    """

    stack: str
    endpoint: str
    services: Mapping[str, tuple[str, ...]]
    looked: ShipLook
    shipped: tuple[Shipped, ...] | None = None
    refusal: CannotFitError | None = None
