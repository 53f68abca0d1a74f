"""What happens while work goes on: what every view is fed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan, Step
    from tonnage.model.deploy.run import Run, StepOutcome


class RunStarted(Struct, frozen=True, kw_only=True):
    """A plan begins to be carried out."""

    plan: Plan
    run_id: int


class StepStarted(Struct, frozen=True, kw_only=True):
    """A step begins. ``undo`` is set when it undoes a failed one."""

    step: Step
    index: int
    total: int
    undo: bool = False


class StepProgress(Struct, frozen=True, kw_only=True):
    """A step moved on: ``text`` says where it is (``[3/7] RUN pip install ...``, ``starting``, ``healthy 1/2``)."""

    step: str
    text: str


class StepLog(Struct, frozen=True, kw_only=True):
    """One line that a step's program printed."""

    step: str
    line: str


class DiskSampled(Struct, frozen=True, kw_only=True):
    """Available bytes of one filesystem; sent at most a few times in a second."""

    mount: str
    available_bytes: int
    size_bytes: int
    reserve_bytes: int


class StepFinished(Struct, frozen=True, kw_only=True):
    """A step ended."""

    outcome: StepOutcome


class RunFinished(Struct, frozen=True, kw_only=True):
    """The run ended."""

    run: Run


class Notice(Struct, frozen=True, kw_only=True):
    """A sentence for people that belongs to no step: ``level`` is info or warning."""

    text: str
    level: str = "info"


Event = RunStarted | StepStarted | StepProgress | StepLog | DiskSampled | StepFinished | RunFinished | Notice
