"""Base images that an engine has: chain, bytes, configuration, and what lies in them, without starting anything.

Public:
    ``EngineImages(connection, images, containerd=root).base_image(reference, platform) -> BaseImage | None``
    ``EngineImages.files(reference) -> MergedRoot | None``: its files, where the engine's directories can be read here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.adapters.docker import sdk
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.images import image_config as image_traces
from tonnage.adapters.images import image_files
from tonnage.adapters.images.image_files import usual_state
from tonnage.adapters.images.layer_files import MergedRoot
from tonnage.adapters.registry.documents import base_config, platform_matches
from tonnage.adapters.registry.sizes import disk_of_files
from tonnage.model.forecast.base_image import BaseImage, BaseLayer, ReadFrom
from tonnage.model.forecast.estimate import NOTHING, UNKNOWN, exactly
from tonnage.model.references import find_image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.model.inventory import Image, Layer


class EngineImages:
    """The images of one engine as bases.

    Args:
        containerd: Where its containerd keeps files on this machine; empty where images do not lie there, or that is
            not known.
    """

    def __init__(self, connection: DockerConnection, images: Sequence[Image], *, containerd: str = "") -> None:
        self._connection = connection
        self._containerd = containerd
        self._images = tuple(images)
        self._told: dict[str, Mapping[str, object]] = {}

    def base_image(self, reference: str, platform: str = "") -> BaseImage | None:
        """Return an image that the engine has; None where it has none of this name for the platform.

        Args:
            platform: For which platform it has to be; empty for any.

        Returns:
            The image, with what lies in it as far as its files can be read here.

        Raises:
            EngineUnreachableError: The engine does not answer.
        """
        image = find_image(self._images, reference)
        told = self._inspected(image.image_id) if image else None
        if image is None or told is None:
            return None
        there = "/".join(str(told[key]) for key in ("Os", "Architecture", "Variant") if told.get(key))
        if platform and not platform_matches(there, platform):
            return None
        inner = told.get("Config")
        config = base_config(inner if isinstance(inner, dict) else {})
        found = BaseImage(
            reference=reference,
            platform=there,
            layers=tuple(map(_layer, image.layers)),
            config=config,
            origin=ReadFrom.ENGINE,
            image_id=image.image_id,
            labels=image.labels,
            history=self._history(image.image_id),
            told=exactly(image.size_bytes),
        )
        root = self._root(image, told)
        return _read(found, root) if root else _traced(found)

    def files(self, reference: str) -> MergedRoot | None:
        """Return the files of an image; None where the engine has none of this name, or they cannot be read here.

        Raises:
            EngineUnreachableError: The engine does not answer.
        """
        image = find_image(self._images, reference)
        told = self._inspected(image.image_id) if image else None
        return self._root(image, told) if image and told else None

    def _root(self, image: Image, told: Mapping[str, object]) -> MergedRoot | None:
        """Return the files of an image of the overlay2 driver, or of containerd's, on this machine."""
        if self._connection.local and self._containerd:
            from tonnage.adapters.images.snapshots import layer_directories  # noqa: PLC0415 - not for the classic store

            root = MergedRoot(layer_directories(self._containerd, [each.chain_id for each in image.layers]))
            return root if root.readable else None
        driver = told.get("GraphDriver")
        data = driver.get("Data") if isinstance(driver, dict) else None
        if not self._connection.local or not isinstance(data, dict) or not data.get("UpperDir"):
            return None
        lower = [path for path in str(data.get("LowerDir") or "").split(":") if path]
        root = MergedRoot([str(data["UpperDir"]), *lower])
        return root if root.readable else None

    def _inspected(self, image_id: str) -> Mapping[str, object] | None:
        """Return what the engine tells of an image; nothing of an image changes under its id."""
        if image_id not in self._told:
            with speaking_to(self._connection.endpoint, f"look at the image {image_id}"):
                try:
                    self._told[image_id] = self._connection.read(f"/images/{image_id}/json")
                except sdk.NotFound:
                    return None
        return self._told[image_id]

    def _history(self, image_id: str) -> tuple[str, ...]:
        with speaking_to(self._connection.endpoint, f"look at the image {image_id}"):
            try:
                told = self._connection.read(f"/images/{image_id}/history")
            except sdk.NotFound:
                return ()
        return tuple(str(each.get("CreatedBy") or "") for each in reversed(told))


def _layer(layer: Layer) -> BaseLayer:
    if layer.size_bytes is None:
        source = "not reported by the engine"
        return BaseLayer(chain_id=layer.chain_id, diff_id=layer.diff_id, image=UNKNOWN, disk=UNKNOWN, source=source)
    image = exactly(layer.size_bytes)
    disk = disk_of_files(image) if layer.size_bytes else NOTHING
    return BaseLayer(
        chain_id=layer.chain_id,
        diff_id=layer.diff_id,
        image=image,
        # Of images in containerd the engine tells blocks of the disk.
        disk=image if layer.blob_bytes else disk,
        source="the engine",
        compressed_bytes=layer.blob_bytes or None,
    )


def _read(image: BaseImage, root: MergedRoot) -> BaseImage:
    """Add what the files tell."""
    return replace(
        image,
        python=image_files.python_version(root, image.config.environment),
        distribution=image_files.distribution(root),
        apt=image_files.apt_state(root),
    )


def _traced(image: BaseImage) -> BaseImage:
    """Add what configuration and history tell."""
    system = image_traces.distribution(image.reference, image.labels, image.history)
    return replace(
        image,
        python=image_traces.python_version(image.reference, image.config.environment, image.history),
        distribution=system,
        apt=usual_state(system),
    )
