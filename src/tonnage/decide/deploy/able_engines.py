"""With which engines Tonnage builds and deploys: those whose bytes it can follow. Others are refused before anything.

It still reads the others: what it forecasts, shows and reclaims there was tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import EngineLacksError
from tonnage.model.inventory import PODMAN, UNKNOWN_STORE

if TYPE_CHECKING:
    from tonnage.model.inventory import Engine

_TODO = (
    "Name a Docker engine:\n  export DOCKER_HOST=unix:///run/docker.sock\nWith this one these work:\n"
    "  tonnage forecast\n  tonnage status\n  tonnage reclaim"
)
_WHY = {
    PODMAN: "Podman has no BuildKit, and does not tell what its builds keep: what a step leaves could neither be"
    " forecast from earlier runs, nor frozen at the reserve, nor removed afterwards.",
    UNKNOWN_STORE: "It keeps images in a way that is not known here, so that their bytes could neither be forecast nor"
    " guarded.",
}


def refuse_unable(engine: Engine) -> None:
    """Refuse an engine that nothing is built or deployed with.

    Raises:
        EngineLacksError: It is Podman, or keeps its images in an unknown way.
    """
    why = _WHY.get(engine.image_store, "")
    if why:
        name = f"Podman {engine.version}" if engine.image_store == PODMAN else f"the engine at {engine.endpoint}"
        raise EngineLacksError(f"nothing is built or deployed with {name}", why=why, todo=_TODO)
