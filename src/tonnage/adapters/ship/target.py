"""The engine that images are sent to: what it has, taking an archive, and seeing that what came is whole."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from tonnage.adapters.docker import object_acts, sdk, wire
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.docker.schemas import ImageDetail
from tonnage.adapters.images.layers import chain_ids
from tonnage.adapters.ship import registry_way
from tonnage.adapters.ship.engine_files import EngineFiles, remove_old
from tonnage.adapters.ship.source import CONTENT
from tonnage.decide.ship import manifests
from tonnage.decide.ship.names import is_ours
from tonnage.errors import EngineLacksError, StepFailedError
from tonnage.lazily import learned
from tonnage.model.inventory import CLASSIC, CONTAINERD
from tonnage.model.ship import LayersThere
from tonnage.small_files import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.docker.facts import DockerFacts
    from tonnage.adapters.docker.schemas import Info
    from tonnage.adapters.interface import Cancel
    from tonnage.model.inventory import Engine, Filesystem
    from tonnage.model.ship import ImageToShip, Moved, ShippableImage, StoredBlob

_PACKED = {"gzip": "application/x-gzip"}
_BROKEN = "Error unpacking image"
_MOST_LOOKED_AT = 8
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386"}


class _LoadLine(Struct):
    """One line of what the engine says to an archive."""

    stream: str = ""
    error: str = ""


class _Detailed(Struct):
    image_id: str = field(name="Id", default="")


class EngineTarget:
    """Satisfies ``ShipTarget``.

    Args:
        facts: Reads the engine.
    """

    def __init__(self, connection: DockerConnection, facts: DockerFacts) -> None:
        self.endpoint = connection.endpoint
        self._connection = connection
        self._facts = facts
        self._told: Info | None = None
        self._details: dict[str, ImageDetail | None] = {}

    def layers(self, images: Sequence[ShippableImage]) -> LayersThere:
        """Return what is there of these images.

        Raises:
            EngineLacksError: It keeps images in a way that is not known.
        """
        told = self._info()
        if told.image_store not in {CLASSIC, CONTAINERD}:
            raise EngineLacksError(
                f"images cannot be sent to the engine at {self.endpoint}", why="It is not Docker Engine."
            )
        remove_old(self._connection)
        with speaking_to(self.endpoint, "list the images"):
            listed = wire.image_summaries(self._connection.read("/images/json"))
        diff_ids = {image.id: found for image in listed if (found := self._diff_ids(image.id))}
        names = {name: image.id for image in listed for name in image.repo_tags or ()}
        blobs: dict[str, StoredBlob] = {}
        digests: frozenset[str] = frozenset()
        if told.image_store == CONTAINERD and diff_ids:
            blobs, digests = self._blobs(images, diff_ids)
        return LayersThere(
            store=told.image_store,
            version=told.server_version,
            platform=_platform(told),
            images=names,
            chains=frozenset(chain for each in diff_ids.values() for chain in chain_ids(each)),
            blobs=blobs,
            digests=digests,
            carriers=tuple(name for name in names if is_ours(name)),
        )

    def engine(self) -> Engine:
        """Return what the engine says of itself."""
        return wire.engine(self._info(), self.endpoint, self._connection.api_version)

    def filesystems(self) -> tuple[Filesystem, ...]:
        """Return the filesystems that images are written to, measured now; the one with the images first.

        Raises:
            EngineLacksError: They cannot be measured from here.
        """
        return self._facts.filesystems()

    def understood(self, digests: Iterable[str]) -> frozenset[str]:
        """Return the digests of blobs that the engine has, or of which it knows that they are layers that it has."""
        told = self._info()
        with speaking_to(self.endpoint, "list the images"):
            listed = wire.image_summaries(self._connection.read("/images/json"))
        if not listed:
            return frozenset()
        if told.image_store == CONTAINERD:
            with EngineFiles(self._connection, listed[0].id, {"blobs": self._content()}) as files:
                return frozenset(each for each in digests if files.size(_place(each)) is not None)
        tables = {"image": f"{told.data_root}/image/{told.driver}"}
        with EngineFiles(self._connection, listed[0].id, tables) as files:
            return registry_way.understood_digests(files, digests)

    def has(self, name: str) -> bool:
        """Return whether there is an image of this name."""
        with speaking_to(self.endpoint, f"look for the image {name}"):
            try:
                self._connection.read(f"/images/{name}/json")
            except sdk.NotFound:
                return False
            return True

    def pull(self, name: str, *, tell: Callable[[str], None], cancel: Cancel) -> Moved:
        """Pull an image by its digest.

        Raises:
            StepFailedError: The registry does not give it, the disk is full, or it was stopped.
        """
        return registry_way.pull_image(self._connection, name, tell=tell, cancel=cancel)

    def load(self, archive: Iterable[bytes], *, packed: str = "") -> None:
        """Take an image from an archive.

        Raises:
            StepFailedError: The engine could not take it.
        """
        headers = {"Content-Type": _PACKED.get(packed, "application/x-tar")}
        doing = f"load an image at {self.endpoint}"
        with (
            speaking_to(self.endpoint, doing),
            self._connection.ask(
                "POST",
                "/images/load",
                params={"quiet": "1"},
                headers=headers,
                body=iter(archive),
                stream=True,
                timeout_s=None,
            ) as reply,
        ):
            for line in reply.iter_lines():
                said = _line(line)
                if said.error or said.stream.startswith(_BROKEN):
                    raise StepFailedError(f"could not {doing}", why=said.error or said.stream.strip())

    def prove(self, ship: ImageToShip, name: str, expected_id: str, count: int) -> None:
        """See that an image is whole: its id, its layers, each blob of it, and a container made from it and removed.

        Args:
            count: How many of its layers it was to have.

        Raises:
            StepFailedError: It is not.
        """
        failing = f"the image {ship.image.reference} did not arrive whole at {self.endpoint}"
        with speaking_to(self.endpoint, f"look at the image {name}"):
            try:
                told = self._connection.read(f"/images/{name}/json")
            except sdk.NotFound as error:
                raise StepFailedError(
                    failing, why="The engine says that it loaded it, and does not have it."
                ) from error
        found = msgspec.convert(told, learned(_Detailed)).image_id
        layers = tuple((msgspec.convert(told, learned(ImageDetail)).root_fs or _NO_LAYERS).layers or ())
        if found != expected_id or layers != ship.image.diff_ids[:count]:
            raise StepFailedError(failing, why=f"It is {found} there, and {expected_id} was sent.")
        contained = self._info().image_store == CONTAINERD
        directories = {"blobs": self._content()} if contained else {}
        with EngineFiles(self._connection, found, directories) as files:
            if contained:
                missing = [each for each in _all_blobs(ship, expected_id, count) if files.size(_place(each)) is None]
                if missing:
                    raise StepFailedError(
                        failing, why=f"{len(missing)} of its blobs are missing, such as {missing[0]}."
                    )

    def tag(self, image_id: str, name: str) -> None:
        """Give an image a name; the name moves when another one had it."""
        object_acts.tag(self._connection, image_id, name)

    def forget(self, name: str) -> None:
        """Take a name away, and the image with it where that was its last; nothing happens when it is not there."""
        with speaking_to(self.endpoint, f"remove {name}"), contextlib.suppress(sdk.NotFound):
            self._connection.ask("DELETE", f"/images/{name}")

    def _info(self) -> Info:
        if self._told is None:
            with speaking_to(self.endpoint, "ask the engine about itself"):
                self._told = wire.info(self._connection.read("/info"))
        return self._told

    def _content(self) -> str:
        root = self._facts.images_root()
        if not root:
            raise EngineLacksError(
                f"the images of the engine at {self.endpoint} cannot be looked at",
                why="They are in containerd, and where that keeps its files is not known.",
            )
        return f"{root}/{CONTENT}"

    def _diff_ids(self, image_id: str) -> tuple[str, ...]:
        """Return the layers of an image, which never change under its id."""
        if image_id not in self._details:
            with speaking_to(self.endpoint, f"look at the image {image_id}"):
                try:
                    told = self._connection.read(f"/images/{image_id}/json")
                    self._details[image_id] = msgspec.convert(told, learned(ImageDetail))
                except sdk.NotFound:
                    self._details[image_id] = None
        detail = self._details[image_id]
        return tuple(detail.root_fs.layers or ()) if detail is not None and detail.root_fs is not None else ()

    def _blobs(
        self, images: Sequence[ShippableImage], there: Mapping[str, tuple[str, ...]]
    ) -> tuple[dict[str, StoredBlob], frozenset[str]]:
        """Return the blobs of layers that are there, by what they hold, and which of the images' blobs are there."""
        wanted = {diff_id for image in images for diff_id in image.diff_ids}
        # Those that have most of the layers come first: one of them mostly has all that there are.
        sharing = sorted(there, key=lambda one: -len(wanted & set(there[one])))
        with EngineFiles(self._connection, sharing[0], {"blobs": self._content()}) as files:
            read = lambda digest: files.read(_place(digest), MANIFEST.most_bytes)  # noqa: E731
            found: dict[str, StoredBlob] = {}
            asked = {blob.digest for image in images for blob in _offered(image)}
            for image_id in sharing[:_MOST_LOOKED_AT]:
                if not wanted & set(there[image_id]) - set(found):
                    break
                with contextlib.suppress(StepFailedError):
                    for each in manifests.stored_image(image_id, read).manifests:
                        known = zip(each.diff_ids, each.blobs, strict=True)
                        found |= {diff: blob for diff, blob in known if diff in wanted and diff not in found}
            asked |= {blob.digest for blob in found.values()}
            digests = frozenset(each for each in asked if files.size(_place(each)) is not None)
        return {diff: blob for diff, blob in found.items() if blob.digest in digests}, digests


class _NoLayers(Struct):
    layers: list[str] | None = None


_NO_LAYERS = _NoLayers()


def _place(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _offered(image: ShippableImage) -> list[StoredBlob]:
    """Return every blob under whose digest a layer of the image may be there."""
    return [layer.blob for layer in image.layers if layer.blob is not None]


def _all_blobs(ship: ImageToShip, expected_id: str, count: int) -> list[str]:
    named = [blob.digest for each in ship.layers[:count] if (blob := each.sent or each.there) is not None]
    config = [ship.image.config.blob.digest] if count == len(ship.layers) else []
    return [expected_id, *config, *dict.fromkeys(named)]


def _line(line: bytes) -> _LoadLine:
    try:
        return msgspec.json.decode(line, type=learned(_LoadLine)) if line else _LoadLine()
    except (ValueError, json.JSONDecodeError):
        return _LoadLine()


def _platform(told: Info) -> str:
    """Return the platform as images name it; an engine names its machine as the kernel does."""
    return f"{told.os_type}/{_MACHINES.get(told.architecture, told.architecture)}"
