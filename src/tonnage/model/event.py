"""What happens while work goes on: what every view is fed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import dataclass

if TYPE_CHECKING:
    from tonnage.model.plan import Plan, Step
    from tonnage.model.run import Run, StepOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A plan begins to be carried out."""

    plan: Plan
    run_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A step begins. ``undo`` is set when it undoes a failed one."""

    step: Step
    index: int
    total: int
    undo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """A step moved on: ``text`` says where it is (``[3/7] RUN pip install ...``, ``starting``, ``healthy 1/2``)."""

    step: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLog:
    """One line that a step's program printed."""

    step: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSampled:
    """Available bytes of one filesystem; sent at most a few times in a second."""

    mount: str
    available_bytes: int
    size_bytes: int
    line_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """A step ended."""

    outcome: StepOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The run ended."""

    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A sentence for people that belongs to no step: ``level`` is info or warning."""

    text: str
    level: str = "info"


Event = RunStarted | StepStarted | StepProgress | StepLog | DiskSampled | StepFinished | RunFinished | Notice
