"""One execution of a plan: what happened at each step, measured."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.lazily import regex

if TYPE_CHECKING:
    from tonnage.errors import TonnageError
    from tonnage.model.deploy.plan import Plan, Purpose, Version
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.learned import LearnedInstruction, LearnedStep
    from tonnage.model.reports.symptom import Explanation


_REHEARSED = regex(r"/r[0-9a-f]{6}/m$")


class Outcome(StrEnum):
    """How a step or a run ended; ``running`` when it has not, or when the process died in it."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    SKIPPED = "skipped"


RECLAIM = "(reclaim)"
"""Stands for the stack where something is reclaimed; no stack can have this name."""


class OtherRun(Struct, frozen=True, kw_only=True):
    """A run of another stack on the same engine.

    Args:
        stack: Its name; ``(reclaim)`` for one that reclaims and belongs to no stack.
        claimed_bytes: What it may still write.
        images: Names of images that it needs.
    """

    stack: str
    pid: int
    user: str
    command: str
    claimed_bytes: int = 0
    images: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Which run that is, for people."""
        what = "a reclaim" if self.stack == RECLAIM else f"the run of stack {self.stack}"
        return f"{what} (process {self.pid} of user {self.user}: {self.command})"


class Measured(Struct, frozen=True, kw_only=True):
    """What one filesystem did while a step ran. Source: ``statvfs``, sampled.

    Args:
        before_bytes: Available when the step began.
        after_bytes: Available when it had ended.
        samples: How many times it was looked at.
        shared: Another step or run was at work meanwhile: the figures are those of both, and say nothing of one.
    """

    mount: str
    before_bytes: int
    after_bytes: int
    lowest_bytes: int
    samples: int = 0
    shared: bool = False

    @property
    def kept_bytes(self) -> int:
        """What the filesystem keeps; negative when bytes came free."""
        return self.before_bytes - self.after_bytes

    @property
    def transient_bytes(self) -> int:
        """What was needed on top at the lowest point and given back at the end."""
        return max(0, min(self.before_bytes, self.after_bytes) - self.lowest_bytes)


class MeasuredInstruction(Struct, frozen=True, kw_only=True):
    """What was measured of one instruction of a build; None for what could not be told apart.

    Args:
        image_bytes: Its layer, as the engine counts it: in containerd unpacked and compressed.
        blob_bytes: What of that is compressed; None in the classic store.
        kept_bytes: What the data root's filesystem kept from its beginning to the next one's.
        transient_bytes: What was needed on top and given back.
        cached: The builder took it from its cache.
    """

    image_bytes: int | None = None
    blob_bytes: int | None = None
    kept_bytes: int | None = None
    transient_bytes: int | None = None
    cached: bool = False


class InstructionOutcome(Struct, frozen=True, kw_only=True):
    """One instruction of a build that was done: what was forecast of it beside what was measured.

    Args:
        image_bytes: Bytes of its layer, as the engine counts them.
        kept_bytes: Bytes that the filesystem kept.
        transient_bytes: Bytes that were needed on top.
        parts: What was forecast to lie in its layer, heaviest first, with its bytes.
    """

    run_id: int
    service: str
    stage: str
    line: int
    text: str
    forecast_image: Estimate
    forecast_disk: Estimate
    forecast_transient: Estimate
    image_bytes: int | None = None
    kept_bytes: int | None = None
    transient_bytes: int | None = None
    cached: bool = False
    parts: tuple[tuple[str, int], ...] = ()


class StepOutcome(Struct, frozen=True, kw_only=True):
    """One step, done or not.

    Args:
        measured: One entry for each filesystem; the data root's comes first.
        forecast_kept_bytes: What had been forecast as likely; None where it was unknown.
        forecast_grade: The grade of that forecast.
        log: Last lines of what it printed, when it failed.
        forecast_kept: What had been forecast that the filesystem keeps; None where the journal does not hold it.
        forecast_transient: What had been forecast on top.
    """

    name: str
    service: str
    kind: str
    outcome: Outcome
    seconds: float
    measured: tuple[Measured, ...] = ()
    forecast_kept_bytes: int | None = None
    forecast_grade: str = "unknown"
    message: str = ""
    log: str = ""
    undo: bool = False
    forecast_kept: Estimate | None = None
    forecast_transient: Estimate | None = None


class Run(Struct, frozen=True, kw_only=True):
    """One execution of a plan.

    Args:
        started_s: Seconds since the epoch.
        error: The failure that ended it. This and what follows is there while the process that ran it lives, and not
            when the run is read from the journal.
        diagnosis: What the log of the step that failed shows.
    """

    run_id: int
    stack: str
    engine_id: str
    purpose: Purpose
    started_s: float
    seconds: float
    outcome: Outcome
    filesystem: str
    reserve_bytes: int
    steps: tuple[StepOutcome, ...] = ()
    message: str = ""
    error: TonnageError | None = None
    plan: Plan | None = None
    diagnosis: tuple[Explanation, ...] = ()

    @property
    def rehearsal(self) -> bool:
        """Whether it was a rehearsal, whose disk lies below a directory of the private engine's name."""
        return bool(_REHEARSED.search(self.filesystem))

    @property
    def kept_bytes(self) -> int | None:
        """What its filesystem keeps, from before its first step to after its last one; None where none was measured."""
        disks = [step.measured[0] for step in self.steps if step.measured]
        return disks[0].before_bytes - disks[-1].after_bytes if disks else None


class BuiltLayer(Struct, frozen=True):
    """One layer that an instruction made.

    Args:
        key: Its identity.
        image_id: The image that was built.
        text: The instruction on one line.
        in_image: Whether it is a layer of that image.
    """

    key: str
    image_id: str
    text: str
    in_image: bool = True


class History(Struct, frozen=True, kw_only=True):
    """What the journal knows about one stack on one engine.

    Args:
        learned: By the step's learn key.
        versions: Good versions, oldest first.
        withdrawn: Versions that were rolled away from, oldest first.
        taught: What instructions of Dockerfiles wrote, by their learn key, whatever stack they were in.
        built: Layers that instructions made on this engine.
        gone_back: Services that the last runs had rolled back before they failed or were ended from outside.
        seconds: How long steps took the last time on this engine, by name and kind.
    """

    learned: dict[str, LearnedStep] = field(default_factory=dict)
    versions: tuple[Version, ...] = ()
    withdrawn: tuple[Version, ...] = ()
    taught: dict[str, LearnedInstruction] = field(default_factory=dict)
    built: tuple[BuiltLayer, ...] = ()
    gone_back: frozenset[str] = frozenset()
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)


class Pruned(Struct, frozen=True, kw_only=True):
    """What taking old runs out of the journal came to.

    Args:
        runs: How many were taken out.
        left: How many are left.
        before_bytes: Of its file.
        after_bytes: Of its file.
    """

    runs: int
    left: int
    before_bytes: int
    after_bytes: int
