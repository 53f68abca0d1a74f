"""Volumes in which builders beside the engine keep their cache, and which of them no builder comes back to.

Such a volume is build cache and holds no data of a service. It outlives its builder where that was lost, or removed
with ``--keep-state``. In doubt a builder is there.

Source: docker/buildx, ``driver/driver.go`` (``BuilderName``) and ``driver/docker-container/driver.go``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.reclaim.candidate import NamedKind
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.inventory import Inventory, Volume
    from tonnage.model.reclaim.candidate import Builders

_PREFIX, _SUFFIX = "buildx_buildkit_", "_state"
NOT_NAMED = f"only with --only {NamedKind.BUILDER_VOLUME}"


def node_of(volume: Volume) -> str:
    """Return the node of a builder that a volume is the cache of; empty for any other volume."""
    name = volume.name
    is_one = name.startswith(_PREFIX) and name.endswith(_SUFFIX)
    return name[len(_PREFIX) : -len(_SUFFIX)] if is_one else ""


def builder_of(volume_name: str) -> str:
    """Return the name that the container of the builder has whose cache a volume is."""
    return volume_name.removesuffix(_SUFFIX)


def why_it_stays(volume: Volume, inventory: Inventory, builders: Builders) -> str:
    """Return why the volume of a builder must stay; empty where the builder is gone."""
    node, name = node_of(volume), builder_of(volume.name)
    if any(container.name == name for container in inventory.containers):
        return f"the container {name} of the builder is there"
    if volume.in_use:
        return "a container mounts it"
    if builders.unknown:
        return builders.unknown
    return f"a builder with the node {node} is configured" if node in builders.nodes else ""


def left_by_builders(inventory: Inventory, builders: Builders) -> tuple[Volume, ...]:
    """Return the volumes of builders that are gone."""
    volumes = (volume for volume in inventory.volumes if node_of(volume))
    return tuple(volume for volume in volumes if not why_it_stays(volume, inventory, builders))


def left_text(volumes: Sequence[Volume]) -> str:
    """Say what builders that are gone have left, with its bytes where they were counted."""
    sizes = [volume.size_bytes for volume in volumes if volume.size_bytes is not None]
    size = format_bytes(sum(sizes)) if len(sizes) == len(volumes) else "bytes that were not counted"
    if len(volumes) == 1:
        return f"a volume of a builder that is gone holds {size}"
    return f"{len(volumes)} volumes of builders that are gone hold {size}"
