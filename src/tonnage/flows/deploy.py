"""From what the user wants to a finished run: lock, observe, forecast, plan, refuse or execute.

Deploy, build, rollback and rehearsal all go this way; they differ in their planner only. A plan is made once: which
services are built is found first, then forecast, then planned. What other stacks need is looked at only when the plan
would cross the reserve.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.able_engines import refuse_unable
from tonnage.decide.deploy.changes import written_project
from tonnage.decide.deploy.expectations import claimed_bytes, claims_of
from tonnage.decide.deploy.ownership import other_places
from tonnage.decide.deploy.planning import asked_for, plan_build, plan_deploy
from tonnage.decide.deploy.pulls import with_pulls
from tonnage.decide.deploy.reclaim_steps import needs_reclaim, with_reclaim_steps
from tonnage.decide.schedule.expected_time import with_times
from tonnage.decide.schedule.services import with_cache_cleaned, with_time_saved
from tonnage.errors import (
    CannotFitError,
    CannotReclaimError,
    DamagedJournalError,
    InterruptedRunError,
    ReserveCrossedError,
    StalePlanError,
    TonnageError,
)
from tonnage.flows.guard.ballast_gauge import with_ballast
from tonnage.flows.needed import with_contents, with_needs
from tonnage.flows.plan_forecasts import assumed_too_large, expected_of, with_whole_refusal
from tonnage.flows.pulls import with_offers
from tonnage.flows.roots import images_of_stack, roots_for_plan
from tonnage.flows.stack import read_inputs
from tonnage.flows.state import journal_to_write, opened_journal
from tonnage.model.compose_labels import origin_of
from tonnage.model.deploy.event import Notice
from tonnage.model.deploy.plan import Purpose, Reclaim
from tonnage.model.deploy.policy import AtReserve
from tonnage.model.deploy.run import History, Outcome
from tonnage.own_files import sweep
from tonnage.runtime.checkout import same_places
from tonnage.runtime.deploy.execute import execute
from tonnage.runtime.deploy.observe import as_known, observe
from tonnage.runtime.guard.brake import Brakes
from tonnage.runtime.signals import CancelOnSignal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from contextlib import AbstractContextManager

    from tonnage.adapters.interface import Cancel, EngineActs, EngineFacts
    from tonnage.flows.guard.making_room import RoomMaking
    from tonnage.flows.ports import DeployPorts, EngineAccess
    from tonnage.flows.stack import DesiredState
    from tonnage.model.deploy.event import Event
    from tonnage.model.deploy.expected_build import ExpectedBuild
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.deploy.policy import Policy
    from tonnage.model.deploy.run import Run
    from tonnage.model.inventory import Engine, Inventory
    from tonnage.model.stack import Stack
    from tonnage.runtime.guard.pause import MakeRoom
    from tonnage.runtime.journal.writer import Journal
    from tonnage.runtime.ledger import Ledger


_TRIES = 3
"""How often a plan is made anew because others claimed bytes meanwhile."""


class EventView(Protocol):
    """Shows events."""

    def show(self, event: Event) -> None:
        """Show one event; called from more than one thread."""


class CheckedWeights(Struct, frozen=True):
    """Services whose weights were looked at already, and what could not be known about them."""

    services: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


class Job(Struct, frozen=True, kw_only=True):
    """What is to be carried out.

    Args:
        saved: A plan that the one of now must be, step by step; None to carry out whatever is planned.
        saved_place: The file that it was read from.
        saved_changed: Whether that file is not as it was written.
        weights: What was looked at before.
        to: The version that a rollback goes to; empty for the one before.
        explains_sharing: Find out what services could share also where that is off.
    """

    purpose: Purpose
    wanted: DesiredState
    saved: Plan | None = None
    saved_place: str = ""
    saved_changed: bool = False
    weights: CheckedWeights = CheckedWeights()
    to: str = ""
    explains_sharing: bool = False


def make_plan(
    ports: DeployPorts,
    facts: EngineFacts,
    purpose: Purpose,
    wanted: DesiredState,
    *,
    to: str = "",
    explains_sharing: bool = False,
    tell: Callable[[str], None] = lambda _text: None,
) -> Plan:
    """Observe and plan. Changes nothing.

    Args:
        to: The version that a rollback goes to; empty for the one before.
        explains_sharing: Find out what services could share also where that is off.
        tell: Is told what takes a while before that.

    Returns:
        The plan, which may be refused.

    Raises:
        UsageError: What the user wrote cannot be planned, a setting names a program or a builder that is not there, or
            weights are missing or damaged.
        EngineUnreachableError: The engine does not answer.
        EngineLacksError: Nothing is built with this engine, its disk cannot be read from here, or a program that the
            plan needs is missing or cannot do it.
    """
    engine = facts.engine()
    refuse_unable(engine)
    job = _with_weights(
        ports, engine, Job(purpose=purpose, wanted=wanted, to=to, explains_sharing=explains_sharing), tell
    )
    ledger = ports.engines.ledger(engine, wanted.stack.name)
    try:
        with opened_journal(ports.environment) as journal:
            plan = _plan(ports, facts, engine, job, journal, ledger, tell)
    except DamagedJournalError as error:
        plan = _plan(ports, facts, engine, job, None, ledger, tell)
        plan = replace(plan, notes=(*plan.notes, f"{error.what}: the next run sets it aside"))
    if plan.refusal is not None:
        return plan
    return replace(plan, notes=(*plan.notes, *ports.programs.ready(plan)))


def carry_out(
    ports: DeployPorts,
    access: EngineAccess,
    job: Job,
    *,
    view: AbstractContextManager[EventView],
    tell: Callable[[str], None],
    on_stop: Callable[[], None] = lambda: None,
) -> Run:
    """Carry a job out, from taking the lock to the last step.

    Args:
        view: Is opened when the run begins, given its events, and closed at its end.
        tell: Is told what takes a while before that.

    Returns:
        The run. What ended it stands in its ``error``, a signal as an InterruptedRunError.

    Raises:
        CannotFitError: The plan was refused; nothing was touched.
        StalePlanError: The saved plan is stale; nothing was touched.
        LockHeldError: Another run holds the lock; nothing was touched.
        UsageError: A setting names a program or a builder that is not there; nothing was touched.
        EngineLacksError: Nothing is built with this engine, or a program that the plan needs is missing or cannot do
            it; nothing was touched.
        InterruptedRunError: A signal came before anything was touched.
        TonnageError: The plan cannot be made, or the journal cannot be written; nothing was touched.
    """
    engine = access.facts.engine()
    refuse_unable(engine)
    # What takes long is read while nobody has to wait for the lock and Ctrl-C ends it.
    job = _with_weights(ports, engine, job, tell)
    sweep()
    with (
        ports.engines.lock(engine, job.wanted.stack.name, images_of_stack(ports, job.wanted.stack)) as lock,
        journal_to_write(ports.environment, job.wanted.stack.name, engine.engine_id, tell) as journal,
        CancelOnSignal(on_stop) as signals,
    ):
        plan = _claimed(
            lock, lambda: _plan_to_carry_out(job, _plan(ports, access.facts, engine, job, journal, lock, tell))
        )
        if plan.refusal is not None:
            raise CannotFitError(plan.refusal.what, why=plan.refusal.why, todo=plan.refusal.todo)
        if signals.number:
            raise InterruptedRunError(signals.number, "stopped before anything was changed")
        told = ports.programs.ready(plan)
        origin = origin_of(job.wanted.stack, written_project(job.wanted.stack))
        acts = access.acts(dict(job.wanted.stack.values), origin, lock.descriptors)
        filesystems = access.facts.filesystems()
        gauge = access.gauge([disk.mount for disk in filesystems])
        ballast = None
        try:
            with view as opened:
                make_room, brakes = _room_making(ports, access.facts, acts, plan, job.wanted.stack, lock, opened)
                ballast = with_ballast(gauge, ports.machine, engine, filesystems, opened.show)
                for note in dict.fromkeys((*job.wanted.stack.notes, *plan.notes, *told)):
                    opened.show(Notice(text=note))
                run = execute(
                    plan,
                    facts=access.facts,
                    acts=acts,
                    gauge=ballast or gauge,
                    journal=journal,
                    emit=opened.show,
                    cancel=signals.cancel,
                    clock=ports.clock,
                    ledger=lock,
                    groups=access.groups(engine)
                    if access.groups is not None and plan.policy.guard is not AtReserve.STOP
                    else None,
                    make_room=make_room,
                    brakes=brakes,
                )
                for notice in journal.take_notices():
                    opened.show(notice)
        finally:
            if ballast is not None:
                ballast.close()
            gauge.close()
    if run.error is not None and not isinstance(run.error, ReserveCrossedError):
        from tonnage.flows.diagnose import full_disk  # noqa: PLC0415 - only where something failed

        with suppress(TonnageError):
            run = replace(run, diagnosis=full_disk(access.facts, run, run.error))
    if signals.number and run.outcome is not Outcome.DONE:
        what = run.error.what if isinstance(run.error, InterruptedRunError) else "stopped"
        run = replace(run, error=InterruptedRunError(signals.number, what))
    return run


def _room_making(
    ports: DeployPorts,
    facts: EngineFacts,
    acts: EngineActs,
    plan: Plan,
    stack: Stack,
    ledger: Ledger,
    view: EventView,
) -> tuple[MakeRoom, Brakes | None]:
    @cache
    def room() -> RoomMaking:
        from tonnage.flows.guard.making_room import RoomMaking  # noqa: PLC0415 - few runs need it

        return RoomMaking(ports, facts, acts, plan, stack, ledger, view.show)

    def make_room(missing_bytes: int, cancel: Cancel) -> int:
        return room()(missing_bytes, cancel)

    hard = plan.policy.guard is AtReserve.HARD
    return make_room, Brakes(lambda: not ledger.others(), lambda: room().prepare()) if hard else None


def _plan(
    ports: DeployPorts,
    facts: EngineFacts,
    engine: Engine,
    job: Job,
    journal: Journal | None,
    ledger: Ledger,
    tell: Callable[[str], None],
) -> Plan:
    purpose, wanted = job.purpose, job.wanted
    if purpose is not Purpose.BUILD and not wanted.untrusted:
        wanted = replace(wanted, stack=with_contents(ports, wanted.stack))
    if purpose is not Purpose.ROLLBACK:
        wanted = replace(wanted, stack=with_pulls(wanted.stack, wanted.policy, purpose))
    job, stack = replace(job, wanted=wanted), wanted.stack
    # Going back needs nothing of what a build would read now; it may even be broken.
    inventory = observe(facts, () if purpose is Purpose.ROLLBACK else read_inputs(ports, stack), engine)
    inventory = replace(inventory, others=tuple(ledger.others()))
    if stack.sent and purpose is Purpose.DEPLOY:
        inventory = replace(inventory, to_send=ports.files.to_send(wanted.host, stack))
    if purpose is Purpose.DEPLOY and not wanted.untrusted:
        inventory = with_needs(ports, stack, inventory)
    history = journal.history(stack.name, engine.engine_id) if journal is not None else History()
    inventory = as_known(facts, stack, inventory, history)
    if engine.endpoint.startswith("unix://") and not stack.place and (others := other_places(stack, inventory)):
        stack = replace(stack, same_places=same_places(stack.directory, stack.origin, others))
        job = replace(job, wanted=replace(job.wanted, stack=stack))
    inventory = with_offers(ports, facts, purpose, wanted, inventory)
    expected = expected_of(ports, facts, purpose, job.wanted, inventory, history, explains_sharing=job.explains_sharing)
    notes = expected.notes

    def plan_of(stack: Stack, policy: Policy) -> Plan:
        ordered = replace(job, wanted=replace(job.wanted, stack=stack, policy=policy))
        return replace(_planned(ordered, inventory, history, expected.builds(stack, policy)), sharing=expected.sharing)

    policy = job.wanted.policy
    plan = (
        plan_of(stack, policy) if purpose is Purpose.ROLLBACK else with_cache_cleaned(stack, policy, inventory, plan_of)
    )
    if needs_reclaim(plan, inventory.others) or _reclaims(job.saved):
        try:
            roots = roots_for_plan(ports, facts, inventory, stack, journal)
            plan = with_reclaim_steps(plan, stack, replace(inventory, needs=roots))
        except CannotReclaimError as error:
            why = f"nothing can be reclaimed for this: {error.what}. {error.why}".replace("\n", " ")
            notes = (*notes, why)
    plan = with_whole_refusal(ports, facts, job.wanted, plan, inventory, history, expected)
    notes = (*notes, *assumed_too_large(plan, expected.forecasts))
    if purpose is Purpose.DEPLOY:
        job = _with_weights(ports, engine, job, tell, {step.service for step in plan.steps})
    plan = with_times(with_time_saved(plan, history, inventory), history)
    return replace(plan, notes=(*plan.notes, *notes, *job.weights.notes))


def _claimed(ledger: Ledger, make: Callable[[], Plan]) -> Plan:
    """Return a plan that has claimed what it may write, made anew where others claimed more while it was made."""
    for tries_left in reversed(range(_TRIES)):
        known_bytes = claimed_bytes(ledger.others())
        plan = make()
        wants_bytes = next(iter(claims_of(plan)), 0)
        if plan.refusal is not None or ledger.claim(wants_bytes, known_bytes if tries_left else None):
            break
    return plan


def _planned(job: Job, inventory: Inventory, history: History, builds: Mapping[str, ExpectedBuild]) -> Plan:
    purpose, wanted = job.purpose, job.wanted
    if purpose is Purpose.ROLLBACK:
        from tonnage.decide.deploy.rollback import plan_rollback  # noqa: PLC0415 - builds do without it

        return plan_rollback(wanted.stack, inventory, wanted.policy, history, wanted.services, job.to)
    planner = plan_deploy if purpose is Purpose.DEPLOY else plan_build
    return planner(wanted.stack, inventory, wanted.policy, history, wanted.services, builds)


def _with_weights(
    ports: DeployPorts, engine: Engine, job: Job, tell: Callable[[str], None], services: Collection[str] = ()
) -> Job:
    """Refuse a deploy whose weights are missing or damaged: those of services asked for, and of these.

    What was looked at before is not looked at again.
    """
    if job.purpose is not Purpose.DEPLOY:
        return job
    from tonnage.flows.weights import check_weights  # noqa: PLC0415 - builds do without it

    stack, checked = job.wanted.stack, job.weights
    names = (asked_for(stack, job.wanted.services) | set(services)) - checked.services
    local = engine.endpoint.startswith("unix://")
    _, notes = check_weights(ports.weights, stack, names, local=local, tell=tell)
    return replace(job, weights=CheckedWeights(checked.services | names, (*checked.notes, *notes)))


def _reclaims(plan: Plan | None) -> bool:
    return plan is not None and any(isinstance(step.action, Reclaim) for step in plan.steps)


def _plan_to_carry_out(job: Job, fresh: Plan) -> Plan:
    """Return the plan of now, when the saved one has the same steps: what a file says is never carried out itself."""
    if job.saved is None:
        return fresh
    from tonnage.decide.deploy.staleness import why_stale  # noqa: PLC0415 - only for saved plans

    why = why_stale(job.saved, fresh)
    if not why and job.saved_changed:
        why = "the file was changed since it was written: its sum is another one"
    if why:
        raise StalePlanError(
            "the plan is stale; nothing was changed",
            why=f"{why[0].upper()}{why[1:]}.",
            todo=f"Make it again:\n  tonnage plan --out {job.saved_place}",
            place=job.saved_place,
        )
    # One that was refused when it was made stays so, although it fits by now: nobody was shown that.
    return fresh if job.saved.refusal is None else replace(fresh, refusal=job.saved.refusal)
