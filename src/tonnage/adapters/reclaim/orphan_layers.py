"""Directories of layers that an engine has on disk and does not know: left by pulls and builds that were torn off.

Only the overlay2 driver's. They are told and never removed: what lies below the data root is the engine's alone.
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from tonnage.adapters.reclaim.path_sizes import measure

OLD_S = 600.0
"""A layer that is younger may belong to a pull or a build that goes on."""
WITHIN_S = 3.0
"""Seconds after which it tells what it has counted so far."""
_LINKS = "l"
_NAME_FILES = ("sha256/*/cache-id", "mounts/*/mount-id", "mounts/*/init-id")


class Orphans(Struct, frozen=True):
    """Layers that nothing of the engine refers to: their directories, and their bytes as far as they were counted."""

    paths: tuple[str, ...]
    size_bytes: int


def orphan_layers(data_root: str, *, now_s: float) -> Orphans:
    """Find layers on disk that the engine does not know.

    Args:
        data_root: The engine's, on this machine.
        now_s: The time, in seconds since 1970.

    Returns:
        Them. Nothing where this user may not look, or where layers are kept in another way.

    Source: moby, layer/filestore.go: cache-id, mount-id and init-id name the directories below overlay2. The names
    that the builder uses stand in its database, in clear text; a name that occurs anywhere in it is taken for known.
    """
    store, layers = Path(data_root, "overlay2"), Path(data_root, "image", "overlay2", "layerdb")
    try:
        known = {each.read_text().strip() for pattern in _NAME_FILES for each in layers.glob(pattern)}
        databases = [each.read_bytes() for each in Path(data_root, "buildkit").glob("*.db")]
        if not known:
            return Orphans((), 0)
        found = [
            each.path
            for each in os.scandir(store)
            if each.name != _LINKS
            and each.name not in known
            and each.stat(follow_symlinks=False).st_mtime < now_s - OLD_S
            and not any(each.name.removesuffix("-init").encode() in database for database in databases)
        ]
        device = os.stat(store).st_dev  # noqa: PTH116 - beside the scan above
    except OSError:
        return Orphans((), 0)
    sizes = measure([((), (path,)) for path in found], device, within_s=WITHIN_S)
    linked_bytes = sum(each.size_bytes for each in sizes.linked.values())
    return Orphans(tuple(sorted(found)), sum(each.own_bytes for each in sizes.tallies) + linked_bytes)
