"""What the networks and volumes of a project are called on the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.model.stack import ComposeMapping


def name_on_engine(project: str, shared: ComposeMapping, section: str, key: str) -> str:
    """Return the name of a network or volume.

    Args:
        project: The name of the project.
        shared: Where its ``networks`` and ``volumes`` are defined.
        section: Which of these two.
        key: What the project calls it.
    """
    written = (shared.get(section) or {}).get(key) or {}
    return str(written.get("name") or (key if written.get("external") else f"{project}_{key}"))


def volumes_of(service: ComposeMapping) -> Iterator[str]:
    """Yield the volumes that a service mounts, as its project calls them."""
    for mount in service.get("volumes") or ():
        if isinstance(mount, dict) and mount.get("type") == "volume" and mount.get("source"):
            yield str(mount["source"])


def renamed_volumes(project: str, shared: ComposeMapping, service: ComposeMapping) -> tuple[tuple[str, str], ...]:
    """Return the volumes of a service that are not named after the project, each with its name."""
    named = {key: name_on_engine(project, shared, "volumes", key) for key in volumes_of(service)}
    return tuple(sorted((key, name) for key, name in named.items() if name != f"{project}_{key}"))
