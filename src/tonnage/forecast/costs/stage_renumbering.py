"""The stages of one build as part of another one, whose image stands on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from tonnage.model.forecast.sized_effects import StageWork, StepWork


def renumbered(stage: StageWork, by: int, service: str) -> StageWork:
    """Return a stage with higher numbers, and a name that says whose it is."""
    return replace(
        stage,
        index=stage.index + by,
        name=f"{service}/{stage.name or stage.index}",
        on_stage=None if stage.on_stage is None else stage.on_stage + by,
        needs=tuple(index + by for index in stage.needs),
        steps=tuple(_step(step, by) for step in stage.steps),
    )


def _step(step: StepWork, by: int) -> StepWork:
    return replace(
        step,
        from_stage=None if step.from_stage is None else step.from_stage + by,
        mounts=tuple((index + by, path, target) for index, path, target in step.mounts),
    )
