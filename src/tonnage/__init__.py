"""Tonnage loads container stacks onto small disks, up to the line and never past it.

The public names of the library, each loaded when it is first used. What is not named here may change at any time::

    import os
    import tonnage

    request = tonnage.StackRequest(working_directory=os.getcwd())
    stack = tonnage.load_stack(request, environment=os.environ, compose=None)
    with tonnage.connect(os.environ) as connection:
        inventory = tonnage.observe(tonnage.DockerFacts(connection), [tonnage.build_inputs(s) for s in stack.services])
    print(tonnage.plan_text(tonnage.plan_deploy(stack, inventory, tonnage.Policy(), tonnage.History())))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonnage.adapters.context.inputs_digest import build_inputs
    from tonnage.adapters.docker.acts import DockerActs
    from tonnage.adapters.docker.connect import connect
    from tonnage.adapters.docker.facts import DockerFacts
    from tonnage.adapters.docker.tools import find_tools
    from tonnage.adapters.host.filesystem import open_gauge
    from tonnage.decide.deploy.planning import plan_build, plan_deploy
    from tonnage.decide.deploy.reserve import line_bytes
    from tonnage.decide.deploy.rollback import plan_rollback
    from tonnage.decide.deploy.staleness import why_stale
    from tonnage.errors import (
        CannotFitError,
        CannotReclaimError,
        EngineLacksError,
        EngineUnreachableError,
        InterruptedRunError,
        LineCrossedError,
        LockHeldError,
        NotHealthyError,
        StalePlanError,
        StepFailedError,
        TonnageError,
        UsageError,
    )
    from tonnage.model.deploy.history import History
    from tonnage.model.deploy.plan import Plan, Refusal, Step
    from tonnage.model.deploy.policy import Policy
    from tonnage.model.deploy.run import Measured, Outcome, Run, StepOutcome
    from tonnage.model.forecast.estimate import Estimate, Grade
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Service, Stack
    from tonnage.runtime.clock import SystemClock
    from tonnage.runtime.deploy.execute import execute
    from tonnage.runtime.deploy.observe import observe
    from tonnage.runtime.journal.writer import Journal
    from tonnage.runtime.load_stack import StackRequest, load_stack
    from tonnage.runtime.lock import StackLock
    from tonnage.units import format_bytes, parse_bytes
    from tonnage.views.json.saved_plan import read_plan, save_plan
    from tonnage.views.text.plan import plan_text
    from tonnage.views.text.runs import run_text

__version__ = "0.1.0"

_HOMES = {
    "tonnage.adapters.context.inputs_digest": ("build_inputs",),
    "tonnage.adapters.docker.acts": ("DockerActs",),
    "tonnage.adapters.docker.connect": ("connect",),
    "tonnage.adapters.docker.facts": ("DockerFacts",),
    "tonnage.adapters.docker.tools": ("find_tools",),
    "tonnage.adapters.host.filesystem": ("open_gauge",),
    "tonnage.decide.deploy.reserve": ("line_bytes",),
    "tonnage.decide.deploy.planning": ("plan_build", "plan_deploy"),
    "tonnage.decide.deploy.rollback": ("plan_rollback",),
    "tonnage.decide.deploy.staleness": ("why_stale",),
    "tonnage.errors": (
        "CannotFitError",
        "CannotReclaimError",
        "EngineLacksError",
        "EngineUnreachableError",
        "InterruptedRunError",
        "LineCrossedError",
        "LockHeldError",
        "NotHealthyError",
        "StalePlanError",
        "StepFailedError",
        "TonnageError",
        "UsageError",
    ),
    "tonnage.model.forecast.estimate": ("Estimate", "Grade"),
    "tonnage.model.inventory": ("Inventory",),
    "tonnage.model.deploy.plan": ("Plan", "Refusal", "Step"),
    "tonnage.model.deploy.history": ("History",),
    "tonnage.model.deploy.policy": ("Policy",),
    "tonnage.model.deploy.run": ("Measured", "Outcome", "Run", "StepOutcome"),
    "tonnage.model.stack": ("Service", "Stack"),
    "tonnage.runtime.clock": ("SystemClock",),
    "tonnage.runtime.deploy.execute": ("execute",),
    "tonnage.runtime.journal.writer": ("Journal",),
    "tonnage.runtime.lock": ("StackLock",),
    "tonnage.runtime.deploy.observe": ("observe",),
    "tonnage.runtime.load_stack": ("StackRequest", "load_stack"),
    "tonnage.units": ("format_bytes", "parse_bytes"),
    "tonnage.views.text.plan": ("plan_text",),
    "tonnage.views.text.runs": ("run_text",),
    "tonnage.views.json.saved_plan": ("read_plan", "save_plan"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "CannotFitError",
    "CannotReclaimError",
    "DockerActs",
    "DockerFacts",
    "EngineLacksError",
    "EngineUnreachableError",
    "Estimate",
    "Grade",
    "History",
    "InterruptedRunError",
    "Inventory",
    "Journal",
    "LineCrossedError",
    "LockHeldError",
    "Measured",
    "NotHealthyError",
    "Outcome",
    "Plan",
    "Policy",
    "Refusal",
    "Run",
    "Service",
    "Stack",
    "StackLock",
    "StackRequest",
    "StalePlanError",
    "Step",
    "StepFailedError",
    "StepOutcome",
    "SystemClock",
    "TonnageError",
    "UsageError",
    "__version__",
    "build_inputs",
    "connect",
    "execute",
    "find_tools",
    "format_bytes",
    "line_bytes",
    "load_stack",
    "observe",
    "open_gauge",
    "parse_bytes",
    "plan_build",
    "plan_deploy",
    "plan_rollback",
    "plan_text",
    "read_plan",
    "run_text",
    "save_plan",
    "why_stale",
]


def __getattr__(name: str) -> object:
    """Load a public name from its home."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'tonnage' has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return list(__all__)
