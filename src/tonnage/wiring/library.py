"""The library: what scripts use from ``tonnage``. Each function is the use case of the command that has its name.

A script imports ``tonnage`` alone; this list is the only one of its names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping  # noqa: TC003 - as below
from contextlib import nullcontext

from tonnage.errors import (
    CannotFitError,
    CannotReclaimError,
    EngineLacksError,
    EngineUnreachableError,
    InterruptedRunError,
    LockHeldError,
    NotHealthyError,
    ReserveCrossedError,
    StalePlanError,
    StepFailedError,
    TonnageError,
    UsageError,
)
from tonnage.flows import requests
from tonnage.flows.requests import ForecastOptions, ReclaimRequest, StackFlags
from tonnage.model import inventory
from tonnage.model.builder import BuilderBeside
from tonnage.model.deploy import run as runs
from tonnage.model.deploy.event import Event  # noqa: TC001 - as below
from tonnage.model.deploy.plan import Plan, Purpose, Version
from tonnage.model.deploy.run import OtherRun, Run
from tonnage.model.forecast import fit
from tonnage.model.forecast.estimate import Estimate
from tonnage.model.forecast.fit import ForecastAnswer
from tonnage.model.forecast.learned import LearnedInstruction, LearnedStep
from tonnage.model.forecast.stack_forecast import StackForecast
from tonnage.model.inventory import Inventory
from tonnage.model.offer import OfferedImage
from tonnage.model.reclaim import outcome
from tonnage.model.reclaim.candidate import Candidate, Findings, Roots
from tonnage.model.reclaim.outcome import ReclaimReport
from tonnage.model.reports.symptom import Explanation
from tonnage.model.stack import FileToSend, Stack
from tonnage.units import format_bytes, parse_bytes
from tonnage.views.text.forecast import forecast_text
from tonnage.views.text.plan import plan_text
from tonnage.views.text.runs import run_text
from tonnage.wiring.ports import Ports

# Modules of the model import names of annotations for type checkers alone. help() and inspect look these names up.
for _module, _names in (
    (fit, {"StackForecast": StackForecast}),
    (inventory, {"BuilderBeside": BuilderBeside, "OtherRun": OtherRun, "OfferedImage": OfferedImage, "Roots": Roots}),
    (inventory, {"FileToSend": FileToSend}),
    (outcome, {"CannotReclaimError": CannotReclaimError, "TonnageError": TonnageError}),
    (outcome, {"Candidate": Candidate, "Findings": Findings}),
    (requests, {"Mapping": Mapping}),
    (runs, {"TonnageError": TonnageError, "Plan": Plan, "Purpose": Purpose, "Version": Version, "Estimate": Estimate}),
    (runs, {"LearnedInstruction": LearnedInstruction, "LearnedStep": LearnedStep, "Explanation": Explanation}),
):
    vars(_module).update(_names)

__all__ = [
    "CannotFitError",
    "CannotReclaimError",
    "EngineLacksError",
    "EngineUnreachableError",
    "ForecastAnswer",
    "ForecastOptions",
    "InterruptedRunError",
    "Inventory",
    "LockHeldError",
    "NotHealthyError",
    "Plan",
    "ReclaimReport",
    "ReclaimRequest",
    "ReserveCrossedError",
    "Run",
    "Stack",
    "StackFlags",
    "StalePlanError",
    "StepFailedError",
    "TonnageError",
    "UsageError",
    "deploy",
    "forecast",
    "forecast_text",
    "format_bytes",
    "observe",
    "parse_bytes",
    "plan",
    "plan_text",
    "reclaim",
    "run_text",
    "stack",
]

_HERE = StackFlags()
_AS_IT_IS = ForecastOptions()


def stack(which: StackFlags = _HERE) -> Stack:
    """Read a stack.

    Args:
        which: Which one; the one of the working directory unless files are named.

    Returns:
        The stack, with build arguments as a build would get them.

    Raises:
        UsageError: There is none, or it cannot be read; the message says where.
    """
    from tonnage.flows.stack import read_wanted  # noqa: PLC0415

    return read_wanted(Ports(), which).stack


def observe(which: StackFlags = _HERE) -> Inventory:
    """Look at an engine and its filesystems, as ``tonnage status`` does.

    Args:
        which: Which engine, by ``host``; the usual one unless it is named.

    Returns:
        Images, containers, volumes, build cache and filesystems; sizes are bytes.

    Raises:
        UsageError: A stack is here and cannot be read.
        EngineUnreachableError: The engine does not answer.
        EngineLacksError: Its disk cannot be read from here.
    """
    from tonnage.flows.looks import look_once  # noqa: PLC0415

    return look_once(Ports(), which)[1].inventory


def forecast(which: StackFlags = _HERE, options: ForecastOptions = _AS_IT_IS) -> ForecastAnswer:
    """Forecast what a stack will weigh and what building it needs, from metadata alone.

    Args:
        which: Which stack and engine; without an engine, or where none answers, no disk is compared with.
        options: For which platform, Python, kind of engine and disk.

    Returns:
        The forecast, and whether it fits.

    Raises:
        UsageError: What the user wrote cannot be used.
        EngineUnreachableError: The engine that was named does not answer.
        EngineLacksError: The disk of the engine that was named cannot be read from here.
        InterruptedRunError: A signal ended it.
    """
    from tonnage.flows.forecast import forecast as use_case  # noqa: PLC0415

    return use_case(Ports(), which, options)


def plan(which: StackFlags = _HERE) -> Plan:
    """Plan a deploy. Changes nothing.

    Args:
        which: Which stack, services and engine, with which settings.

    Returns:
        The plan; where it cannot fit, one with a ``refusal`` and no promise.

    Raises:
        UsageError: What the user wrote cannot be planned.
        EngineUnreachableError: The engine does not answer.
        EngineLacksError: Its disk cannot be read from here.
    """
    from tonnage.flows.deploy import make_plan  # noqa: PLC0415
    from tonnage.flows.stack import read_wanted  # noqa: PLC0415
    from tonnage.flows.state import cache_places  # noqa: PLC0415
    from tonnage.model.deploy.plan import Purpose  # noqa: PLC0415

    ports = Ports()
    wanted = read_wanted(ports, which)
    with ports.engines.facts(which.host, places=cache_places(wanted.stack, ports.working_directory)) as facts:
        return make_plan(ports, facts, Purpose.DEPLOY, wanted)


def deploy(which: StackFlags = _HERE, *, show: Callable[[Event], None] = lambda _event: None) -> Run:
    """Deploy a stack: build, check the health of each service, switch it over.

    Args:
        which: Which stack, services and engine, with which settings.
        show: Is given each event of the run; called from more than one thread.

    Returns:
        The run, which is done; bytes of its steps are forecast and measured.

    Raises:
        CannotFitError: It does not fit; nothing was touched.
        UsageError: What the user wrote cannot be used; nothing was touched.
        LockHeldError: Another run of this stack goes on; nothing was touched.
        EngineLacksError: A program is missing, or cannot do what is needed; nothing was touched.
        EngineUnreachableError: The engine does not answer.
        NotHealthyError: A service did not become healthy; it is as it was before.
        StepFailedError: A step failed and was undone.
        ReserveCrossedError: Less than the reserve was available; the step was undone.
        InterruptedRunError: A signal ended it.
    """
    from tonnage.flows.deploy import Job, carry_out  # noqa: PLC0415
    from tonnage.flows.stack import read_wanted  # noqa: PLC0415
    from tonnage.flows.state import cache_places  # noqa: PLC0415

    ports = Ports()
    ports.programs.look_ahead()
    job = Job(purpose=Purpose.DEPLOY, wanted=read_wanted(ports, which))
    with ports.engines.open(which.host, places=cache_places(job.wanted.stack, ports.working_directory)) as access:
        run = carry_out(ports, access, job, view=nullcontext(_Shown(show)), tell=lambda _text: None)
    if run.error is not None:
        raise run.error
    return run


class _Shown:
    """Gives events to a function."""

    def __init__(self, show: Callable[[Event], None]) -> None:
        self._show = show

    def show(self, event: Event) -> None:
        self._show(event)


def reclaim(
    request: ReclaimRequest, which: StackFlags = _HERE, *, tell: Callable[[str], None] = lambda _text: None
) -> ReclaimReport:
    """Free just enough disk space, removing what is cheapest to recreate first. Removes nothing unless ``request.yes``.

    Args:
        request: How much is to be freed, and what may go.
        which: Which engine; the stack of the working directory stays.
        tell: Is told what is chosen, what comes of each removal, and what stays.

    Returns:
        What was chosen and what was done.

    Raises:
        CannotReclaimError: It is not enough, or what has to stay cannot be told.
        UsageError: What was asked for cannot be done.
        StalePlanError: The plan in ``request.plan_file`` is for another engine.
        LockHeldError: Another reclaim goes on.
        InterruptedRunError: A signal ended it.
        EngineUnreachableError: The engine does not answer, and nothing of this machine may go for it.
    """
    from tonnage.flows.reclaim import reclaim as use_case  # noqa: PLC0415

    report = use_case(Ports(), which, request, tell=tell)
    if report.failure is not None:
        raise report.failure
    return report
