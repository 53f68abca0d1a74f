"""The way from what the user wants to a finished run: lock, observe, plan, refuse or execute, report.

Deploy, build, rollback and rehearsal all go this way; they differ in their planner only.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.planning import asked_for, plan_build, plan_deploy
from tonnage.errors import CannotFitError, InterruptedRunError, LineCrossedError, StalePlanError, TonnageError
from tonnage.flows.directories import journal_path
from tonnage.flows.history import read_history
from tonnage.flows.roots import with_needs
from tonnage.flows.stack import read_inputs
from tonnage.model.deploy.event import Notice
from tonnage.model.deploy.plan import Build, StartFirst, Switch
from tonnage.model.deploy.run import Outcome
from tonnage.runtime.deploy.execute import execute
from tonnage.runtime.deploy.observe import observe
from tonnage.runtime.journal.writer import Journal
from tonnage.runtime.signals import CancelOnSignal, write_at_once
from tonnage.views.text.plan import unchanged_text
from tonnage.views.text.runs import run_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.adapters.interface import EngineFacts
    from tonnage.cli.session import Session
    from tonnage.flows.ports import DeployPorts, EngineAccess
    from tonnage.flows.stack import DesiredState
    from tonnage.model.deploy.history import History
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.deploy.run import Run
    from tonnage.model.inventory import Engine, Inventory

PLANNED = {"deploy": plan_deploy, "build": plan_build}


class Job(Struct, frozen=True, kw_only=True):
    """What is to be carried out.

    Args:
        purpose: deploy, build or rollback.
        wanted: What the user wants.
        saved: A plan to be carried out exactly, unless it is stale; None to carry out a fresh one.
        saved_place: The file that it was read from.
    """

    purpose: str
    wanted: DesiredState
    saved: Plan | None = None
    saved_place: str = ""


def make_plan(
    ports: DeployPorts,
    facts: EngineFacts,
    purpose: str,
    wanted: DesiredState,
    history: History | None = None,
    *,
    forecasts: bool = True,
    tell: Callable[[str], None] = lambda _text: None,
    engine: Engine | None = None,
) -> Plan:
    """Observe and plan. Changes nothing.

    Args:
        ports: Where build contexts and the journal are.
        facts: The engine.
        purpose: deploy, build or rollback.
        wanted: What the user wants.
        history: What is known from earlier runs; None to read it from the journal, if there is one.
        forecasts: Forecast the builds of the plan.
        tell: Is told what takes a while.
        engine: What the engine has just said of itself; None to ask it.

    Returns:
        The plan, perhaps a refused one.

    Raises:
        UsageError: What the user wrote cannot be planned.
        EngineUnreachableError: The engine does not answer.
        EngineLacksError: The disk of this engine cannot be read from here.
    """
    # Going back needs nothing of what a build would read now; it may even be broken.
    inventory = observe(facts, () if purpose == "rollback" else read_inputs(ports, wanted.stack), engine)
    inventory, notes = with_needs(ports, facts, inventory, wanted.stack)
    if wanted.stack.sent and purpose == "deploy":
        inventory = replace(inventory, to_send=ports.files.to_send(wanted.host, wanted.stack))
    if history is None:
        history = read_history(ports, wanted.stack.name, inventory.engine.engine_id)
    if purpose == "rollback":
        from tonnage.decide.deploy.rollback import plan_rollback  # noqa: PLC0415 - builds do without it

        plan = plan_rollback(wanted.stack, inventory, wanted.policy, history, wanted.services)
    else:
        plan = PLANNED[purpose](wanted.stack, inventory, wanted.policy, history, wanted.services)
    if purpose == "deploy":
        names = asked_for(wanted.stack, wanted.services) | {step.service for step in plan.steps}
        notes += _weights(ports, inventory.engine, wanted, names, tell)
    if forecasts:
        plan = _with_forecasts(ports, facts, plan, inventory, wanted, history)
    return msgspec.structs.replace(plan, notes=(*plan.notes, *notes))


def _weights(
    ports: DeployPorts, engine: Engine, wanted: DesiredState, names: set[str], tell: Callable[[str], None]
) -> tuple[str, ...]:
    """Refuse a deploy whose weights are missing or damaged; return what cannot be known about them from here."""
    from tonnage.flows.weights import check_weights  # noqa: PLC0415 - builds do without it

    local = engine.endpoint.startswith("unix://")
    return check_weights(ports.weights, wanted.stack, names, local=local, tell=tell)[1]


def _with_forecasts(
    ports: DeployPorts, facts: EngineFacts, plan: Plan, inventory: Inventory, wanted: DesiredState, history: History
) -> Plan:
    """Plan once more with what the builds of a plan are forecast to do; a plan without builds asks nobody."""
    names = list(dict.fromkeys(step.service for step in plan.steps if isinstance(step.action, Build)))
    if not names or not wanted.policy.forecast:
        return plan
    from tonnage.flows.forecast import PLAN_WITHIN_S, ForecastRequest, builds_of, gather  # noqa: PLC0415 - only for builds

    services = tuple(wanted.stack.service(name) for name in names)
    # An image of the stack that this plan does not build is taken from the engine.
    asked = ForecastRequest(
        assume_bytes=wanted.policy.assume_unknown_bytes,
        within_s=PLAN_WITHIN_S,
        stack=wanted.stack.name,
        builders=services,
    )
    kind = ports.engines.kind(inventory.engine)
    found = gather(ports, services, kind, asked, facts=facts, inventory=inventory, history=history)
    if not found:
        return plan
    fresh = PLANNED[plan.purpose](
        wanted.stack, inventory, wanted.policy, history, wanted.services, builds_of(found, inventory)
    )
    notes = [f"{each.service}: not known: {failure}" for each in found for failure in each.failures]
    notes += [f"{each.service}: {finding.place}: {finding.text}" for each in found for finding in each.findings]
    return msgspec.structs.replace(fresh, notes=(*fresh.notes, *notes))


def carry_out(session: Session, door: EngineAccess, job: Job) -> Run:
    """Carry a job out and show it, from taking the lock to the report.

    Args:
        session: Where output goes.
        door: The engine.
        job: What is to be carried out.

    Returns:
        The run, which is done.

    Raises:
        CannotFitError: The plan was refused; nothing was touched.
        StalePlanError: The saved plan is stale; nothing was touched.
        LockHeldError: Another run holds the lock; nothing was touched.
        EngineLacksError: A program that the plan needs is missing, or cannot do it; nothing was touched.
        InterruptedRunError: A signal ended the run.
        TonnageError: What ended the run.
    """
    engine = door.facts.engine()
    stack = job.wanted.stack.name
    if job.purpose == "deploy":
        # What takes long is read while nobody has to wait for the lock and Ctrl-C ends it; planning looks once more.
        _weights(session.ports, engine, job.wanted, asked_for(job.wanted.stack, job.wanted.services), session.say)
    with (
        session.ports.engines.lock(engine, stack),
        Journal(journal_path(session.ports.environment)) as journal,
        CancelOnSignal(lambda: _stop(session)) as signals,
    ):
        fresh = make_plan(
            session.ports,
            door.facts,
            job.purpose,
            job.wanted,
            journal.history(stack, engine.engine_id),
            forecasts=job.saved is None,
            tell=session.say,
            engine=engine,
        )
        plan = _plan_to_carry_out(job, fresh)
        if plan.refusal is not None:
            raise CannotFitError(plan.refusal.what, why=plan.refusal.why, todo=plan.refusal.todo)
        if signals.number:
            raise InterruptedRunError(signals.number, "stopped before anything was changed")
        _need_programs(session.ports, plan)
        door.check(plan)
        acts = door.acts()
        gauge = door.gauge([disk.mount for disk in door.facts.filesystems()])
        try:
            with session.event_view() as view:
                for note in (*job.wanted.stack.notes, *plan.notes):
                    view.show(Notice(text=note))
                run = execute(
                    plan,
                    facts=door.facts,
                    acts=acts,
                    gauge=gauge,
                    journal=journal,
                    emit=view.show,
                    cancel=signals.cancel,
                    clock=session.ports.clock,
                )
                for notice in journal.take_notices():
                    view.show(notice)
        finally:
            gauge.close()
    _report(session, plan, run)
    with suppress(TonnageError):
        _explain(session, door, plan, run)
    if signals.number and run.outcome is not Outcome.DONE:
        what = run.error.what if isinstance(run.error, InterruptedRunError) else "stopped"
        raise InterruptedRunError(signals.number, what)
    if run.error is not None:
        raise run.error
    return run


def _stop(session: Session) -> None:
    session.stopping = True
    if session.json or not session.terminal:
        write_at_once("stopping: the running step is being ended and undone; once more to stop at once\n")


def _need_programs(ports: DeployPorts, plan: Plan) -> None:
    """Find the programs that the plan needs before its first step changes anything."""
    if any(isinstance(step.action, Build) for step in plan.steps):
        ports.programs.builder_found()
    if any(isinstance(step.action, StartFirst | Switch) for step in plan.steps):
        ports.programs.compose_found()


def _plan_to_carry_out(job: Job, fresh: Plan) -> Plan:
    if job.saved is None:
        return fresh
    from tonnage.decide.deploy.staleness import why_stale  # noqa: PLC0415 - only for saved plans

    why = why_stale(job.saved, fresh)
    if why:
        raise StalePlanError(
            "the plan is stale; nothing was changed",
            why=f"{why[0].upper()}{why[1:]}.",
            todo=f"Make it anew:\n  tonnage plan --out {job.saved_place}",
            place=job.saved_place,
        )
    return job.saved


def _report(session: Session, plan: Plan, run: Run) -> None:
    if session.json:
        return
    session.say("")
    if run.steps:
        session.say(run_text(replace(run, message=""), width=session.width))
    if plan.unchanged:
        session.say(unchanged_text(plan, width=session.width if session.stderr.isatty() else 0))


def _explain(session: Session, door: EngineAccess, plan: Plan, run: Run) -> None:
    """Say what the log of a failed step shows, when that is a full disk: other failures speak for themselves."""
    if session.json or run.error is None or isinstance(run.error, LineCrossedError):
        return
    from tonnage.decide.reports.diagnosis import Machine, explain  # noqa: PLC0415 - only where something failed
    from tonnage.decide.reports.log_patterns import find_symptoms  # noqa: PLC0415
    from tonnage.model.reports.symptom import SymptomKind  # noqa: PLC0415
    from tonnage.views.text.explanation import explanations_text  # noqa: PLC0415

    told = "\n".join((run.error.what, run.error.why, run.error.log, *(step.log for step in run.steps)))
    symptoms = find_symptoms(told)
    if not symptoms:
        return
    disks = door.facts.filesystems()
    machine = Machine(filesystems=disks, lines=((plan.filesystem, plan.line_bytes),), run=run)
    found = [each for each in explain(symptoms, machine) if each.kind is SymptomKind.DISK_FULL]
    if found:
        session.say("\n" + explanations_text(found, width=session.width))
