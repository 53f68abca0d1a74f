"""Finds files of image layers with the same content in blocks of their own, and has the filesystem store them once.

Only layers of images are looked at, which nobody writes to: what containers have written lies elsewhere. A file is
opened below its layer name by name, and no link is followed. Only root may look.

Source: moby, ``layer/filestore.go`` (``cache-id``) and ``daemon/graphdriver/overlay2``; checked with Docker 20.10 and
28.5 on XFS and on btrfs.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters.host.mount_table import mount_under, read_mounts
from tonnage.adapters.reclaim.shared_extents import extents, share, written_down
from tonnage.lazily import regex
from tonnage.model.inventory import CLASSIC, CONTAINERD
from tonnage.model.reclaim.duplicate_blocks import DuplicateBlocks
from tonnage.small_files import SETTINGS, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tonnage.adapters.interface import Cancel
    from tonnage.model.inventory import Engine

_SHARING = ("xfs", "btrfs")
_DRIVER = "overlay2"
_LEFT_OUT = "containerd's snapshots are left out: only its own database tells which of them containers write to"
_LEAST_BYTES = 32 << 10
"""Smaller files are many, and hold little."""
_HEAD_BYTES = 64 << 10
_PIECE_BYTES = 1 << 20
_BLOCK_BYTES = 512
_DEEPEST = 200
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CACHE_ID = regex(r"[0-9a-z-]{1,128}")


class _LayerFile(Struct, frozen=True):
    """One file: the directory of its layer, and its name below it."""

    layer: str
    name: str
    taken_bytes: int

    @property
    def path(self) -> str:
        return os.path.join(self.layer, self.name)  # noqa: PTH118 - names are bytes of any kind


def find_duplicate_blocks(engine: Engine) -> DuplicateBlocks:
    """Find and count them; reads every file that has as many bytes as another one.

    Args:
        engine: One of this machine.

    Returns:
        What can be shared, or why nothing can.
    """
    root = os.path.realpath(engine.data_root)
    place = f"{root}/{_DRIVER}"
    mount = mount_under(read_mounts(), root)
    kind = mount.kind if mount is not None else ""
    if engine.image_store == CONTAINERD:
        return DuplicateBlocks(place=root, filesystem=kind, obstacle=_LEFT_OUT)
    if engine.image_store != CLASSIC or engine.storage_driver != _DRIVER:
        return DuplicateBlocks(place=root, filesystem=kind, obstacle="only layers of overlay2 are looked at")
    if kind not in _SHARING:
        return DuplicateBlocks(place=place, filesystem=kind, obstacle=f"{kind or 'its filesystem'} shares no blocks")
    if os.geteuid():
        return DuplicateBlocks(place=place, filesystem=kind, obstacle="only root may look at the files of layers")
    groups: list[tuple[str, ...]] = []
    size_bytes = 0
    for alike in _same_content(_by_size(_layers(root))):
        kept, *others = sorted(alike, key=len, reverse=True)
        groups.append((kept[0].path, *(each.path for stored in others for each in stored)))
        size_bytes += sum(stored[0].taken_bytes for stored in others)
    return DuplicateBlocks(place=place, filesystem=kind, size_bytes=size_bytes, groups=tuple(groups))


def share_blocks(found: DuplicateBlocks, cancel: Cancel) -> None:
    """Have the files of each group use the blocks of its first one; what is gone or is another file is passed over.

    Args:
        cancel: Ends it between two files.

    Raises:
        CannotReclaimError: The filesystem cannot share blocks.
    """
    for group in found.groups:
        with contextlib.ExitStack() as opened:
            source = _opened(found.place, group[0], opened)
            for path in group[1:] if source is not None else ():
                if cancel.is_set():
                    break
                with contextlib.ExitStack() as held:
                    target = _opened(found.place, path, held)
                    if source is not None and target is not None:
                        size_bytes = os.fstat(source).st_size
                        if os.fstat(target).st_size == size_bytes:
                            share(source, target, size_bytes)
        if cancel.is_set():
            break
    with contextlib.ExitStack() as opened:
        handle = _below(found.place, "", _DIRECTORY, opened)
        if handle is not None:
            written_down(handle, found.filesystem)


def _layers(root: str) -> list[str]:
    """Return the directories of the layers of images; those that containers write to are not among them."""
    known = Path(root) / "image" / _DRIVER / "layerdb" / "sha256"
    found = []
    for layer in sorted(known.iterdir()) if known.is_dir() else ():
        with contextlib.suppress(OSError, ValueError):
            name = read_text(layer / "cache-id", SETTINGS).strip()
            if _CACHE_ID.fullmatch(name):
                found.append(f"{root}/{_DRIVER}/{name}/diff")
    return found


def _by_size(layers: Iterable[str]) -> list[list[_LayerFile]]:
    """Return the files that have as many bytes as another one; names of one file count once."""
    found: dict[int, list[_LayerFile]] = {}
    seen: set[int] = set()
    for layer in layers:
        for name, told in _files(layer):
            if told.st_size >= _LEAST_BYTES and told.st_ino not in seen:
                seen.add(told.st_ino)
                found.setdefault(told.st_size, []).append(_LayerFile(layer, name, told.st_blocks * _BLOCK_BYTES))
    return [files for files in found.values() if len(files) > 1]


def _files(layer: str) -> Iterator[tuple[str, os.stat_result]]:
    """Give the plain files of a layer by their names below it; what lies very deep is left out."""
    waiting = [""]
    while waiting:
        below = waiting.pop()
        with contextlib.ExitStack() as opened:
            handle = _below(layer, below, _DIRECTORY, opened)
            for name in os.listdir(handle) if handle is not None else ():  # noqa: PTH208 - of a descriptor
                try:
                    told = os.stat(name, dir_fd=handle, follow_symlinks=False)
                except OSError:
                    continue
                path = f"{below}/{name}" if below else name
                if stat.S_ISREG(told.st_mode):
                    yield path, told
                elif stat.S_ISDIR(told.st_mode) and path.count("/") < _DEEPEST:
                    waiting.append(path)


def _same_content(sizes: Iterable[list[_LayerFile]]) -> Iterator[list[list[_LayerFile]]]:
    """Give files of the same content, those that share all their blocks already together."""
    for files in sizes:
        for begun_alike in _grouped(files, _HEAD_BYTES):
            if len(begun_alike) < 2:  # noqa: PLR2004 - one alone has no other one
                continue
            whole: dict[bytes, list[list[_LayerFile]]] = {}
            for stored in _by_blocks(begun_alike):
                digest = _digest(stored[0], None)
                if digest is not None:
                    whole.setdefault(digest, []).append(stored)
            yield from (alike for alike in whole.values() if len(alike) > 1)


def _grouped(files: Iterable[_LayerFile], first_bytes: int) -> Iterable[list[_LayerFile]]:
    found: dict[bytes, list[_LayerFile]] = {}
    for file in files:
        digest = _digest(file, first_bytes)
        if digest is not None:
            found.setdefault(digest, []).append(file)
    return found.values()


def _by_blocks(files: Iterable[_LayerFile]) -> Iterable[list[_LayerFile]]:
    """Group files by the blocks that they lie in; of those that nothing is told of each has its own."""
    found: dict[object, list[_LayerFile]] = {}
    for file in files:
        with contextlib.ExitStack() as opened:
            handle = _opened(file.layer, file.path, opened)
            where = extents(handle) if handle is not None else None
        found.setdefault(where or file.path, []).append(file)
    return found.values()


def _digest(file: _LayerFile, first_bytes: int | None) -> bytes | None:
    """Return the digest of a file's content, or of how it begins; None where it cannot be read."""
    digest = hashlib.blake2b(digest_size=32)
    with contextlib.ExitStack() as opened:
        handle = _opened(file.layer, file.path, opened)
        if handle is None:
            return None
        try:
            if first_bytes is not None:
                digest.update(os.pread(handle, first_bytes, 0))
            else:
                while piece := os.read(handle, _PIECE_BYTES):
                    digest.update(piece)
        except OSError:
            return None
    return digest.digest()


def _opened(root: str, path: str, opened: contextlib.ExitStack) -> int | None:
    """Open a plain file below a directory of the engine; None where it is gone or is another thing."""
    handle = _below(root, os.path.relpath(path, root), _FILE, opened)
    return handle if handle is not None and stat.S_ISREG(os.fstat(handle).st_mode) else None


def _below(root: str, below: str, flags: int, opened: contextlib.ExitStack) -> int | None:
    """Open what lies below a directory, name by name; None where that does not go."""
    *directories, name = below.split("/") if below else ["."]
    try:
        above = os.open(root, _DIRECTORY)
        opened.callback(os.close, above)
        for each in directories:
            above = os.open(each, _DIRECTORY, dir_fd=above)
            opened.callback(os.close, above)
        handle = os.open(name, flags, dir_fd=above)
    except OSError:
        return None
    opened.callback(os.close, handle)
    return handle
