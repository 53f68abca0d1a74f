"""What could not be seen of an engine and matters, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.inventory import CONTAINERD, PODMAN, UNKNOWN_STORE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.model.inventory import Filesystem, Inventory

_SOMEWHERE = (
    "images lie in containerd, and where that keeps its files cannot be seen from here:"
    " what is written there is neither planned nor guarded"
)
_AS_FORECAST = frozenset({"overlay2", "overlay", "fuse-overlayfs"})
_PODMANS = (
    "Podman does not tell of build caches, nor of what Buildah and other programs keep in its storage:"
    " that is neither counted nor freed"
)
_UNKNOWN_WAY = "keeps images in a way that is not known here: how many bytes they take, and where, is unknown"


def unknowns(inventory: Inventory) -> tuple[str, ...]:
    """What could not be seen and matters, for people."""
    if not inventory.cache_unknown:
        return _of_images(inventory)
    cure = f"stop the engine, remove {inventory.engine.data_root}/buildkit, and start it again"
    cache = f"the engine cannot tell its build cache, which is neither counted nor freed: {inventory.cache_unknown}"
    return (*_of_images(inventory), f"{cache}; to have it back, {cure}")


def _of_images(inventory: Inventory) -> tuple[str, ...]:
    store, driver = inventory.engine.image_store, inventory.engine.storage_driver
    if store == CONTAINERD:
        return () if any(CONTAINERD in each.roles for each in inventory.filesystems) else (_SOMEWHERE,)
    if store == UNKNOWN_STORE:
        return (f"the engine {_UNKNOWN_WAY} ({driver or 'it names no storage driver'})",)
    other = () if driver in _AS_FORECAST else (f"layers are counted as overlay2 keeps them, {driver} keeps others",)
    return (*other, _PODMANS) if store == PODMAN else other


def few_inodes(filesystems: Iterable[Filesystem]) -> tuple[str, ...]:
    """Say which filesystems have so few inodes left that a build can hardly make its files."""
    return tuple(
        f"{disk.mount} has {disk.available_inodes} of {disk.inodes} inodes left: a build that makes many files fails,"
        " whatever the bytes"
        for disk in filesystems
        if disk.available_inodes < disk.reserve_inodes
    )
