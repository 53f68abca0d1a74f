"""Finds what an engine of this machine has left in the image store that it does not use any more. Only root may look.

Nothing of it is open in such an engine, and nothing is shared with it but the directory of containers: of each the
engine's own file says in which store it was made.

Source: moby, ``daemon/daemon.go`` (``NewDaemon``: ``layerStore``; ``restore``: a container of another driver is passed
over), ``builder/builder-next/controller.go`` (``newGraphDriverController``, ``newSnapshotterController``); checked with
Docker 26.1 and 28.5.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, field

from tonnage.adapters.docker.containerd_root import ProcessesHere, containerd_of, may_be_shared
from tonnage.adapters.docker.schemas import Info
from tonnage.adapters.host.mount_table import is_within, read_mounts
from tonnage.adapters.reclaim import containerd_store
from tonnage.adapters.reclaim.path_sizes import measure
from tonnage.errors import CannotReclaimError
from tonnage.lazily import learned
from tonnage.model.inventory import CLASSIC, CONTAINERD
from tonnage.model.reclaim.other_store import OtherStore

if TYPE_CHECKING:
    from tonnage.adapters.docker.containerd_root import Containerd
    from tonnage.model.inventory import Engine

_LAYERS, _IMAGES = "overlay2", "image/overlay2"
# Records of the build cache first: without their layers they would be wrong for an engine that is switched back.
_PARTS = (
    "buildkit/metadata_v2.db",
    "buildkit/snapshots.db",
    "buildkit/containerdmeta.db",
    "buildkit/content",
    _IMAGES,
    _LAYERS,
)
_LINKS = "l"
# Of names and leases in containerd nobody can tell which engine made them.
_SHARED = "another engine runs here that may use the same containerd"
# Of an engine that once kept images in containerd.
_CACHE_IN_CONTAINERD = "buildkit/containerd-overlayfs"


class _ContainerFile(Struct):
    name: str = field(name="Name", default="")
    driver: str = field(name="Driver", default="")


class _Repositories(Struct):
    repositories: dict[str, dict[str, str]] = field(name="Repositories", default_factory=dict)


def find_other_store(engine: Engine, *, within_s: float) -> OtherStore | None:
    """Find and measure it.

    Args:
        engine: One of this machine.
        within_s: Seconds after which what was counted so far is told.

    Returns:
        None where there is nothing, or this user may not look.
    """
    root = Path(os.path.realpath(engine.data_root))
    if engine.image_store == CONTAINERD and _has_layers(root):
        return _classic(root, engine, within_s)
    if engine.image_store == CLASSIC and os.path.lexists(root / _CACHE_IN_CONTAINERD):
        return _in_containerd(root, engine)
    return None


def let_go(engine: Engine) -> None:
    """Let containerd remove what an engine of the classic store has left there; nothing happens for any other one.

    Raises:
        CannotReclaimError: containerd refuses.
    """
    containerd = _containerd(engine) if engine.image_store == CLASSIC else None
    if containerd is None:
        return
    if _is_shared(engine):
        raise CannotReclaimError("containerd was not asked", why=_SHARED.capitalize() + ".")
    containerd_store.let_go(containerd)


def _containerd(engine: Engine) -> Containerd | None:
    return containerd_of(Info(data_root=engine.data_root), ProcessesHere())


def _is_shared(engine: Engine) -> bool:
    return may_be_shared(Info(data_root=engine.data_root), ProcessesHere())


def _in_containerd(root: Path, engine: Engine) -> OtherStore | None:
    containerd = _containerd(engine)
    unasked = _SHARED if _is_shared(engine) else containerd_store.why_unasked(containerd)
    left = None if unasked or containerd is None else containerd_store.look_into(containerd)
    if left is not None and not (left.images or left.leases):
        return None
    containers, unread = _made_elsewhere(root / "containers", engine.storage_driver)
    paths = (str(root / _CACHE_IN_CONTAINERD),)
    return OtherStore(
        store=CONTAINERD,
        place=containerd.root if containerd is not None else str(root),
        size_bytes=left.size_bytes if left is not None else 0,
        counted=left is not None,
        images=left.images if left is not None else (),
        containers=containers,
        obstacle=unasked or unread,
        paths=paths,
    )


def _classic(root: Path, engine: Engine, within_s: float) -> OtherStore:
    paths = tuple(str(path) for each in _PARTS if os.path.lexists(path := root / each))
    device = os.stat(root / _LAYERS).st_dev  # noqa: PTH116 - beside what was looked at above
    sizes = measure([((), paths)], device, within_s=within_s)
    containers, unread = _made_elsewhere(root / "containers", engine.storage_driver)
    return OtherStore(
        store=CLASSIC,
        place=str(root / _LAYERS),
        size_bytes=sizes.total_bytes,
        counted=not any(each.unread for each in sizes.tallies),
        images=_images(root / _IMAGES / "repositories.json"),
        containers=containers,
        obstacle=unread or _why_in_the_way(paths, device),
        paths=paths,
    )


def _has_layers(root: Path) -> bool:
    try:
        return any(name != _LINKS for name in os.listdir(root / _LAYERS))  # noqa: PTH208 - names are asked for
    except OSError:
        return False


def _made_elsewhere(directory: Path, driver: str) -> tuple[tuple[str, ...], str]:
    """Return the containers that the engine of now passes over, or why that cannot be told."""
    found = []
    try:
        for each in sorted(directory.iterdir()):
            told = msgspec.json.decode((each / "config.v2.json").read_bytes(), type=learned(_ContainerFile))
            if told.driver != driver:
                found.append(told.name.removeprefix("/") or each.name)
    except FileNotFoundError:
        # A container that is removed at this very moment, or a directory that has nothing in it yet.
        return tuple(found), "" if not directory.exists() else f"{directory} has a container whose file is missing"
    except (OSError, msgspec.DecodeError) as error:
        return tuple(found), f"the containers in {directory} cannot be read: {error}"
    return tuple(found), ""


def _why_in_the_way(paths: tuple[str, ...], device: int) -> str:
    for mount in read_mounts():
        if any(is_within(mount.path, path) for path in paths):
            return f"{mount.path} is mounted in it"
    for path in paths:
        told = os.lstat(path)
        if told.st_dev != device or os.path.realpath(path) != path:
            return f"{path} leads to another place"
    return ""


def _images(file: Path) -> tuple[str, ...]:
    """Return the names of images; those by digest are left out."""
    try:
        told = msgspec.json.decode(file.read_bytes(), type=learned(_Repositories))
    except (OSError, msgspec.DecodeError):
        return ()
    return tuple(sorted(name for names in told.repositories.values() for name in names if "@" not in name))
