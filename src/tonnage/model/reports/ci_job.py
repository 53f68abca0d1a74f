"""What a job of continuous integration left in files: the parts of the documented JSON forms that a summary needs.

Fields that are not named here are not read; those that are named here are documented in ``docs/json.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.known_engine import RunnerImage


class Figures(msgspec.Struct, frozen=True):
    """A forecast figure; null where nothing is known and nothing assumed."""

    likely: int | None = None
    grade: str = "unknown"


class ForecastOfService(msgspec.Struct, frozen=True, kw_only=True):
    """The forecast of one service.

    Args:
        broken: It cannot be built as it is written; its figures are of what could be read.
        failures: Why figures are missing, each with its place.
    """

    service: str
    image_bytes: Figures
    disk_bytes: Figures
    transient_bytes: Figures
    broken: bool = False
    failures: tuple[str, ...] = ()


class ForecastOfFilesystem(msgspec.Struct, frozen=True, kw_only=True):
    """What a stack is forecast to need of one filesystem, its services built one after the other."""

    role: str
    one_after_the_other_bytes: Figures


class ForecastOfStack(msgspec.Struct, frozen=True, kw_only=True):
    """The forecast of a stack."""

    name: str
    image_bytes: Figures
    disk_bytes: Figures
    filesystems: tuple[ForecastOfFilesystem, ...] = ()


class JobFit(msgspec.Struct, frozen=True, kw_only=True):
    """How a stack is forecast to fit one filesystem."""

    mount: str
    available_bytes: int
    reserve_bytes: int
    fit: str
    missing_bytes: int = 0


class ForecastOfDeploy(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan of a deploy is forecast to need of the engine's disk."""

    peak_bytes: Figures
    mount: str = ""
    missing_bytes: int = 0


class FixOfJob(msgspec.Struct, frozen=True):
    """How a finding is fixed."""

    safety: str = ""


class LintOfJob(msgspec.Struct, frozen=True, kw_only=True):
    """One finding of ``lint``."""

    rule: str
    file: str
    line: int | None = None
    text: str = ""
    fix: FixOfJob | None = None
    price_bytes: Figures | None = None


class JobLint(msgspec.Struct, frozen=True, kw_only=True):
    """What ``lint --json`` printed."""

    document: str
    findings: tuple[LintOfJob, ...] = ()
    removable_bytes: Figures | None = None


class JobForecast(msgspec.Struct, frozen=True, kw_only=True):
    """What ``forecast --json`` printed."""

    document: str
    stack: ForecastOfStack
    services: tuple[ForecastOfService, ...] = ()
    fits: tuple[JobFit, ...] = ()
    deploy: ForecastOfDeploy | None = None

    @property
    def broken(self) -> tuple[ForecastOfService, ...]:
        """The services that cannot be built as they are written."""
        return tuple(each for each in self.services if each.broken)

    @property
    def peak(self) -> Figures:
        """What a deploy is forecast to need at its worst moment, of the engine's disk.

        Where its plan is not known it is what building one service after the other needs.
        """
        if self.deploy is not None:
            return self.deploy.peak_bytes
        return self.stack.filesystems[0].one_after_the_other_bytes if self.stack.filesystems else Figures()


class MeasuredOf(msgspec.Struct, frozen=True, kw_only=True):
    """What a step was measured to do to one filesystem."""

    mount: str
    kept_bytes: int
    transient_bytes: int
    lowest_bytes: int


class JobStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step that ended: the event ``step-finished``."""

    name: str
    service: str
    kind: str
    outcome: str
    undo: bool = False
    seconds: float = 0.0
    forecast_kept_bytes: int | None = None
    forecast_grade: str = "unknown"
    measured: tuple[MeasuredOf, ...] = ()
    message: str = ""


class DiskMoment(msgspec.Struct, frozen=True, kw_only=True):
    """Available bytes at one moment: the event ``disk-sampled``."""

    mount: str
    available_bytes: int
    reserve_bytes: int
    size_bytes: int
    at_s: float = 0.0


class JobRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as its events told it.

    Args:
        purpose: What it was for; empty when it did not begin.
        mount: The filesystem of the engine; empty when it did not begin.
        before_bytes: Available there before the first step; None when it did not begin.
        expected: What its plan was forecast to need at its worst moment.
        outcome: How it ended; empty when nothing tells.
        steps: The steps that ended, in their order.
        failure: What ended the command, and why; empty when it succeeded.
    """

    purpose: str = ""
    mount: str = ""
    before_bytes: int | None = None
    expected: Figures = Figures()
    outcome: str = ""
    seconds: float = 0.0
    steps: tuple[JobStep, ...] = ()
    moments: tuple[DiskMoment, ...] = ()
    failure: str = ""

    @property
    def peak_bytes(self) -> int | None:
        """Measured: how much less was available at the worst moment than before; None when that was not measured."""
        lowest = [each.available_bytes for each in self.moments]
        # Steps are measured more often than the disk is told of.
        lowest += [one.lowest_bytes for step in self.steps for one in step.measured if one.mount == self.mount]
        if self.before_bytes is None or not lowest:
            return None
        return max(0, self.before_bytes - min(lowest))


class RemovedOne(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a reclaim removed, or could not."""

    kind: str
    name: str
    freed_bytes: int
    error: str = ""


class JobReclaim(msgspec.Struct, frozen=True, kw_only=True):
    """What ``reclaim --json`` printed."""

    document: str
    mount: str
    available_bytes: int
    after_bytes: int
    enough: bool
    target_bytes: int | None = None
    removed: tuple[RemovedOne, ...] = ()

    @property
    def freed_bytes(self) -> int:
        """Measured: how much more was available afterwards."""
        return max(0, self.after_bytes - self.available_bytes)


class PeakOnRunners(Struct, frozen=True, kw_only=True):
    """What building something is forecast to need at its worst moment on two images of a runner; None: not known."""

    name: str
    here: Estimate | None
    there: Estimate | None


class NextRunner(Struct, frozen=True, kw_only=True):
    """What a stack would need on the runner image after the one that it is built on.

    Args:
        whole: The stack, one service after the other.
        services: Its services that are built, each alone.
        runner_bytes: What is available on a runner at the least.
        left_out: Services that could not be forecast, and why.
    """

    here: RunnerImage
    there: RunnerImage
    whole: PeakOnRunners
    services: tuple[PeakOnRunners, ...]
    runner_bytes: int
    left_out: tuple[tuple[str, str], ...] = ()


class RunnerService(Struct, frozen=True, kw_only=True):
    """One service.

    Args:
        registry: Host of the registry that its image belongs to; empty for the engine's default one.
        pulled: Nothing forbids to pull it.
        needs: The built services that it depends on, through others as well.
        peak_bytes: Forecast: what its build needs at its worst moment, alone on an empty disk; None when unknown.
        grade: How that is known.
    """

    name: str
    built: bool
    registry: str = ""
    image: str = ""
    pushed: bool = False
    pulled: bool = True
    needs: tuple[str, ...] = ()
    peak_bytes: int | None = None
    grade: str = "unknown"

    @property
    def is_of_runner(self) -> bool:
        """Whether its registry is on the runner, where no other machine reaches it."""
        return self.registry.startswith(("localhost", "127."))


class RunnerStack(Struct, frozen=True, kw_only=True):
    """A stack that is built and deployed by a runner.

    Args:
        directory: Where its compose files are, relative to the repository; ``.`` for its root.
        flags: What says which stack it is, as typed in ``directory``: ``--file`` and the like; none for the usual one.
        services: All its services, dependencies first.
        runner: Labels of the runner, at least one.
        runner_bytes: What is available on its disk at the least.
        install: The command that installs Tonnage there.
        successor: Label of the hosted image after the runner's; empty where none is known.
        written_by: The command that writes the workflows anew.
        together: Why one runner builds all services on every push; empty where each has one of its own.
    """

    name: str
    directory: str
    flags: tuple[str, ...]
    services: tuple[RunnerService, ...]
    runner: tuple[str, ...] = ("ubuntu-24.04",)
    runner_bytes: int = 14_000_000_000
    install: str = ""
    branch: str = "main"
    successor: str = ""
    written_by: str = "tonnage ci github --write"
    together: str = ""

    @property
    def built(self) -> tuple[RunnerService, ...]:
        """The services that are built."""
        return tuple(service for service in self.services if service.built)

    def done_with(self, turn: str) -> tuple[str, ...]:
        """Return the built services that nothing needs any more after the turn of one of them."""
        order = [service.name for service in self.built]
        at = order.index(turn)
        later = [service for service in self.built if order.index(service.name) > at]
        free = [name for name in order[: at + 1] if not any(name in each.needs for each in later)]
        before = [service for service in self.built if order.index(service.name) >= at]
        return tuple(name for name in free if name == turn or any(name in each.needs for each in before))

    @property
    def is_pulled(self) -> bool:
        """Whether another machine can pull all that is built here."""
        return all(each.pushed and each.pulled and not each.is_of_runner for each in self.built)

    @property
    def registries(self) -> tuple[str, ...]:
        """The registries that built images belong to, each once; the default one is an empty text."""
        return tuple(dict.fromkeys(service.registry for service in self.built if service.pushed))

    @property
    def too_large(self) -> tuple[RunnerService, ...]:
        """The services that the runner cannot hold even alone."""
        return tuple(
            service
            for service in self.built
            if service.peak_bytes is not None and service.peak_bytes > self.runner_bytes
        )


class DoneElsewhere(Struct, frozen=True, kw_only=True):
    """One line of a workflow of the user's own.

    Args:
        does: ``cleans`` or ``builds``.
        image: The image of the stack that the workflow names; empty where it names none.
    """

    file: str
    line: int
    does: str
    text: str
    image: str = ""
