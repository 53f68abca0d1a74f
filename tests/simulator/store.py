"""Images, layers and build cache: a layer is stored once, by its chain, while an image or a record holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulator.recipe import digest_of

from tonnage.model.inventory import CacheRecord, Image, Layer
from tonnage.model.references import tagged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.simulator.disk import Disk
    from tests.simulator.recipe import Behaviour


@dataclass(kw_only=True)
class StoredImage:
    """One image; names belong to the store, because they move."""

    image_id: str
    layers: tuple[Layer, ...]
    behaviour: Behaviour
    labels: dict[str, str]
    created_s: float


@dataclass(kw_only=True)
class StoredRecord:
    """One record of the build cache; it holds ``layers``, or bytes of its own when there are none."""

    record_id: str
    key: str
    layers: tuple[Layer, ...]
    description: str
    kind: str = "regular"
    parent: str = ""
    size_bytes: int = 0


@dataclass
class Store:
    """Everything that images are made of."""

    disk: Disk
    images: dict[str, StoredImage] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    records: dict[str, StoredRecord] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)
    """Records that the engine does not remove, and says nothing of it."""

    def find(self, reference_or_id: str) -> StoredImage | None:
        """Return the image of that name or id, or None."""
        image_id = self.names.get(tagged(reference_or_id), reference_or_id)
        return self.images.get(image_id)

    def names_of(self, image_id: str) -> tuple[str, ...]:
        """Return the names of an image, sorted."""
        return tuple(sorted(name for name, holder in list(self.names.items()) if holder == image_id))

    def put_image(
        self, layers: Sequence[Layer], behaviour: Behaviour, labels: Mapping[str, str], created_s: float
    ) -> StoredImage:
        """Store an image over layers that are there; equal contents and configuration are the same image."""
        image_id = digest_of(*(layer.chain_id for layer in layers), repr(behaviour), repr(sorted(labels.items())))
        image = StoredImage(
            image_id=image_id, layers=tuple(layers), behaviour=behaviour, labels=dict(labels), created_s=created_s
        )
        return self.images.setdefault(image_id, image)

    def drop_image(self, image_id: str) -> None:
        """Forget an image and free the layers that nothing else holds."""
        del self.images[image_id]
        self.free_orphans()

    def put_layer(self, below: Sequence[Layer], diff_id: str, writer: str, size_bytes: int) -> Layer:
        """Make a layer of what ``writer`` has written; what is there already is not stored twice."""
        chain_id = digest_of(below[-1].chain_id, diff_id) if below else diff_id
        owner = f"layer {chain_id}"
        if self.disk.owned_bytes(owner):
            self.disk.give_back(writer)
        else:
            self.disk.hand_over(writer, owner)
        return Layer(chain_id=chain_id, diff_id=diff_id, size_bytes=size_bytes)

    def cached(self, key: str) -> StoredRecord | None:
        """Return the record with that key, or None."""
        return next((record for record in list(self.records.values()) if record.key == key), None)

    def drop_records(self, record_ids: Sequence[str]) -> None:
        """Remove records unless another record stands on them."""
        waiting = set(record_ids) & set(self.records) - self.stuck
        while removable := waiting - {record.parent for record in self.records.values()}:
            for record_id in removable:
                del self.records[record_id]
                self.disk.give_back(f"record {record_id}")
            waiting -= removable
        self.free_orphans()

    def described_images(self) -> tuple[Image, ...]:
        """Return the images as an engine shows them."""
        holders: dict[str, int] = {}
        images = list(self.images.values())
        for image in images:
            for layer in image.layers:
                holders[layer.chain_id] = holders.get(layer.chain_id, 0) + 1
        return tuple(self._describe(image, holders) for image in images)

    def described_records(self) -> tuple[CacheRecord, ...]:
        """Return the build cache as an engine shows it."""
        in_images = {layer.chain_id for image in list(self.images.values()) for layer in image.layers}
        return tuple(
            CacheRecord(
                record_id=record.record_id,
                kind=record.kind,
                description=record.description,
                size_bytes=record.size_bytes,
                in_use=False,
                shared=bool(record.layers) and record.layers[-1].chain_id in in_images,
                parents=(record.parent,) if record.parent else (),
            )
            for record in list(self.records.values())
        )

    def _describe(self, image: StoredImage, holders: Mapping[str, int]) -> Image:
        sizes = [(layer.size_bytes or 0, holders[layer.chain_id]) for layer in image.layers]
        unique_bytes = sum(size for size, count in sizes if count == 1)
        size_bytes = sum(size for size, _ in sizes)
        return Image(
            image_id=image.image_id,
            references=self.names_of(image.image_id),
            layers=image.layers,
            size_bytes=size_bytes,
            unique_bytes=unique_bytes,
            shared_bytes=size_bytes - unique_bytes,
            labels=dict(image.labels),
            created_s=image.created_s,
            content_digest=digest_of(
                *(layer.chain_id for layer in image.layers),
                repr(image.behaviour),
                repr(sorted(pair for pair in image.labels.items() if not pair[0].startswith("tonnage."))),
            ),
        )

    def free_orphans(self) -> None:
        """Free the layers that neither an image nor a record holds."""
        held = {f"layer {layer.chain_id}" for image in self.images.values() for layer in image.layers}
        held |= {f"layer {layer.chain_id}" for record in self.records.values() for layer in record.layers}
        for owner in self.disk.owners("layer "):
            if owner not in held:
                self.disk.give_back(owner)
