"""Where what an instruction writes is no part of its layer: on a mount, or in a volume of the builder before BuildKit.

That builder runs each instruction in a container, which gets the volumes of the image so far; what is written there
is thrown away with the container. ``COPY`` and ``ADD`` write past it. BuildKit knows no volumes while it builds.

Source: docs.docker.com/reference/dockerfile (VOLUME); Docker 20.10 with both, measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.forecast.estimate import EngineKind

if TYPE_CHECKING:
    from tonnage.model.forecast.recipe import InstructionEnvironment, RunInstruction


def places_beside(
    action: RunInstruction, around: InstructionEnvironment, engine: EngineKind
) -> tuple[tuple[str, str], ...]:
    """Return such places, each with the cache that keeps what is written there; empty for none."""
    mounts = (
        (mount.target, mount.identity if mount.kind == "cache" else "")
        for mount in action.mounts
        if mount.target and mount.kind in {"bind", "cache", "tmpfs"}
    )
    return (*mounts, *((place, "") for place in around.volumes if engine is EngineKind.CLASSIC))
