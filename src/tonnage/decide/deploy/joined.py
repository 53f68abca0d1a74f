"""What a container shares with another one, and whether that is still there: pure, from what was observed.

A namespace ends with the container that it belongs to, or begins anew when that one is restarted. Whoever joined it
before goes on, healthy to look at, and reaches nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.model.inventory import Container

VOLUMES = "volumes"
_WORDS = {"network": "network", "pid": "processes", "ipc": "shared memory", VOLUMES: "volumes"}


def told(kinds: tuple[str, ...]) -> str:
    """Return in words what is shared."""
    return " and ".join(_WORDS.get(kind, f"{kind} namespace") for kind in kinds)


def what_is_gone(container: Container, find: Callable[[str], Container | None]) -> str:
    """Return what a container shares no more with the container that it joined; empty when all that is there.

    Args:
        find: Returns a container by its id or name. Mounted volumes stay without it.
    """
    for kind, name in container.joined:
        if kind == VOLUMES:
            continue
        owner = find(name)
        shared = f"the {told((kind,))} that it shares"
        if owner is None:
            return f"{shared} went with the container {name[:12]}, which is gone"
        if not owner.alive:
            return f"{shared} went with the container {owner.name}, which is {owner.state}"
        if owner.started_s > container.started_s:
            return f"{shared} went when the container {owner.name} was started again"
    return ""
