"""The lines of a run: one object for each event."""

from __future__ import annotations

from typing import Literal, TypedDict

from tonnage.views.json.shapes.parts import PlanForm, Size, StepForm


class RunStartedForm(TypedDict):
    """A plan begins to be carried out."""

    run_id: int
    plan: PlanForm


class StepStartedForm(TypedDict):
    """A step begins."""

    index: int
    total: int
    undo: bool
    step: StepForm


class StepProgressForm(TypedDict):
    """Where a step is."""

    step: str
    text: str


class StepLogForm(TypedDict):
    """A line that a step's program printed."""

    step: str
    line: str


class DiskSampledForm(TypedDict):
    """Available bytes."""

    mount: str
    available_bytes: Size
    size_bytes: Size
    reserve_bytes: Size


class NoticeForm(TypedDict):
    """A sentence for people."""

    text: str
    level: Literal["info", "warning"]
