"""Stages of the build of another service among those of one: their numbers follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from tonnage.model.forecast.sized_effects import StageWork


def renumbered(stage: StageWork, by: int, service: str) -> StageWork:
    """Return a stage of another service with higher numbers, and a name that says whose it is."""
    steps = (
        replace(
            step,
            from_stage=None if step.from_stage is None else step.from_stage + by,
            mounts=tuple((index + by, path, target) for index, path, target in step.mounts),
        )
        for step in stage.steps
    )
    return replace(
        stage,
        index=stage.index + by,
        name=f"{service}/{stage.name or stage.index}",
        on_stage=None if stage.on_stage is None else stage.on_stage + by,
        needs=tuple(index + by for index in stage.needs),
        steps=tuple(steps),
    )
