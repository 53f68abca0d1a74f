"""What sending an image asks of both engines. Reading the one and changing the other are different types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tonnage.adapters.interface import Cancel
    from tonnage.model.inventory import Engine, Filesystem
    from tonnage.model.ship import (
        ImageToShip,
        LayersThere,
        Moved,
        PackedLayer,
        PushedManifest,
        ShippableImage,
        ShippableLayer,
        StoredBlob,
    )


class ShipSource(Protocol):
    """The engine that images are sent from. Nothing here changes one of its images.

    Every method raises EngineUnreachableError when the engine stops answering.
    """

    endpoint: str

    def missing(self, references: Iterable[str]) -> tuple[str, ...]:
        """Return those of these names that no image here has."""

    def image(self, reference: str) -> ShippableImage:
        """Return what an image consists of.

        Raises:
            StepFailedError: There is no such image, or not all of it is there.
        """

    def counted(self, image: ShippableImage, layers: Sequence[ShippableLayer]) -> tuple[ShippableLayer, ...]:
        """Return these layers of it with the bytes that can be sent, and those that they take once unpacked.

        Raises:
            StepFailedError: A layer cannot be read.
        """

    def content(self, image: ShippableImage, blob: StoredBlob) -> Iterator[bytes]:
        """Give the bytes of a layer, or of what is attached to it, piece by piece.

        Raises:
            StepFailedError: It cannot be read, or is not what its digest says.
        """

    def packed(self, image: ShippableImage) -> Mapping[str, tuple[PackedLayer, ...]]:
        """Return the digests under which the engine knows layers of an image, by what they hold."""

    def push(
        self, image: ShippableImage, repository: str, tag: str, *, tell: Callable[[str], None], cancel: Cancel
    ) -> Moved:
        """Push an image under a name that it has only meanwhile.

        Args:
            repository: Where to, with its registry.

        Returns:
            The manifest, and the layers that the engine said it sent.

        Raises:
            StepFailedError: The registry refused, or it was stopped.
        """

    def insecure(self) -> tuple[str, ...]:
        """Return the registries that the engine was told to speak to without TLS."""


class ShipRegistry(Protocol):
    """The registry that images go through, as this machine sees it.

    Every method raises CannotFetchError when it cannot be reached, refuses, or is not understood.
    """

    def blobs(self, wanted: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
        """Return the bytes of those blobs that are there, each by repository and digest."""

    def manifest(self, repository: str, digest: str, platform: str) -> PushedManifest:
        """Return an image that was pushed."""


class ShipTarget(Protocol):
    """The engine that images are sent to.

    Every method raises EngineUnreachableError when the engine stops answering.
    """

    endpoint: str

    def layers(self, images: Sequence[ShippableImage]) -> LayersThere:
        """Return what is there of these images.

        In containerd this makes a container that is never started, and removes it: no other question tells blobs.
        """

    def engine(self) -> Engine:
        """Return what the engine says of itself."""

    def filesystems(self) -> tuple[Filesystem, ...]:
        """Return the filesystems that images are written to, measured now; the one with the images first.

        Raises:
            EngineLacksError: They cannot be measured from here.
        """

    def understood(self, digests: Iterable[str]) -> frozenset[str]:
        """Return the digests of blobs that the engine has, or of which it knows that they are layers that it has."""

    def has(self, name: str) -> bool:
        """Return whether there is an image of this name."""

    def pull(self, name: str, *, tell: Callable[[str], None], cancel: Cancel) -> Moved:
        """Pull an image by its digest, and return the layers that the engine said it fetched.

        Raises:
            StepFailedError: The registry does not give it, the disk is full, or it was stopped.
        """

    def load(self, archive: Iterable[bytes], *, packed: str = "") -> None:
        """Take an image from an archive.

        Args:
            archive: What the engine is to load, piece by piece. What it raises is raised here, and ends the load.
            packed: How the whole archive is compressed: ``gzip``, or empty.

        Raises:
            StepFailedError: The engine could not take it.
        """

    def prove(self, ship: ImageToShip, name: str, expected_id: str, count: int) -> None:
        """See that an image is whole: its id, its layers, each blob of it, and a container made from it and removed.

        Args:
            count: How many of its layers it was to have.

        Raises:
            StepFailedError: It is not.
        """

    def tag(self, image_id: str, name: str) -> None:
        """Give an image a name; the name moves when another one had it."""

    def forget(self, name: str) -> None:
        """Take a name away, and the image with it where that was its last; nothing happens when it is not there."""
