"""The way of a reclaim: look, decide, show, and only with ``--yes`` remove, measure and report.

An engine that does not answer is no reason to stop: what else can go goes, and people are told how to get it back.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tonnage.adapters.space import space_under
from tonnage.cli.needing import read_needs
from tonnage.cli.places import journal_path
from tonnage.cli.signals import CancelOnSignal, write_at_once
from tonnage.cli.stacks import read_if_there
from tonnage.decide.engine_candidates import KINDS, engine_findings
from tonnage.decide.reclaiming import decide, decide_everything, narrowed
from tonnage.errors import (
    CannotReclaimError,
    EngineUnreachableError,
    InterruptedRunError,
    StalePlanError,
    StepFailedError,
    TonnageError,
    UsageError,
)
from tonnage.model.candidate import Findings
from tonnage.model.catalogue import PlaceKind
from tonnage.runtime.engine_removal import EngineRemoval
from tonnage.runtime.observe import observe
from tonnage.runtime.reclaim_journal import ReclaimJournal
from tonnage.runtime.reclaiming import carry_out
from tonnage.units import format_bytes
from tonnage.views.reclaiming import choice_text, reclaim_form, reclaimed_text, removal_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tonnage.cli.options import StackFlags
    from tonnage.cli.outside import EngineDoor
    from tonnage.cli.reclaim import ReclaimFlags
    from tonnage.cli.session import Session
    from tonnage.model.candidate import Candidate
    from tonnage.model.inventory import Inventory
    from tonnage.model.plan import Plan
    from tonnage.model.reclaim import Choice, Reclaimed, Removal
    from tonnage.model.stack import Stack

_LOCK = "(reclaim)"
"""No stack can have this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a reclaim works on.

    Args:
        mount: The filesystem.
        size_bytes: All its bytes.
        read_only: Whether nothing on it can be changed.
        available: Reads its available bytes.
        findings: What was found there.
        inventory: What the engine told; None when it did not.
        door: The engine; None when it does not answer.
        trouble: Why the engine does not answer.
    """

    mount: str
    size_bytes: int
    read_only: bool
    available: Callable[[], int]
    findings: Findings
    inventory: Inventory | None = None
    door: EngineDoor | None = None
    trouble: TonnageError | None = None


def reclaim(session: Session, flags: StackFlags, typed: ReclaimFlags) -> None:
    """Reclaim, as typed.

    Args:
        session: Where output goes.
        flags: Which stack and engine.
        typed: What is to be freed.

    Raises:
        CannotReclaimError: It is not enough, or what has to stay cannot be told.
        UsageError: What was typed cannot be used.
        StalePlanError: The plan is for another engine.
        TonnageError: The engine does not answer and nothing else can go.
    """
    _check_kinds(typed)
    plan = _plan(typed)
    with _scene(session, flags, typed, plan) as scene:
        choice = _decide(scene, typed, plan)
        session.say(choice_text(choice, mount=scene.mount))
        if scene.trouble is not None:
            session.say(f"note: {scene.trouble}")
        if not typed.yes:
            if session.json:
                session.print_document("reclaim", reclaim_form(choice, mount=scene.mount, done=None))
            if choice.short_bytes:
                raise _too_little(scene, choice, choice.short_bytes, why="All that may go would not be enough.")
            if choice.chosen:
                session.say("nothing was removed; add --yes to remove what is shown")
            return
        if typed.everything:
            _confirm(session, flags)
        done = _remove(session, scene, choice)
    reasons = _reasons(scene, done)
    session.say(reclaimed_text(done, mount=scene.mount, before_bytes=choice.available_bytes))
    for reason in reasons:
        session.say(f"note: {reason}")
    if session.json:
        session.print_document("reclaim", reclaim_form(choice, mount=scene.mount, done=done, reasons=reasons))
    if not done.enough and not done.stopped:
        missing_bytes = done.target_bytes - done.available_bytes
        raise _too_little(scene, choice, missing_bytes, why=" ".join(reasons))


def _check_kinds(typed: ReclaimFlags) -> None:
    known = [*KINDS, *(str(kind) for kind in PlaceKind)]
    for kind in typed.only:
        if kind not in known:
            raise UsageError(f"--only: there is no kind {kind!r}", todo=f"The kinds: {', '.join(known)}.")


def _plan(typed: ReclaimFlags) -> Plan | None:
    if not typed.plan_file:
        return None
    from tonnage.cli.plan_files import read_plan_file  # noqa: PLC0415 - only for --for

    return read_plan_file(typed.plan_file)


@contextlib.contextmanager
def _scene(session: Session, flags: StackFlags, typed: ReclaimFlags, plan: Plan | None) -> Iterator[Scene]:
    """Look at everything; the engine stays open while the scene is used."""
    outside = session.outside
    with contextlib.ExitStack() as opened:
        try:
            facts = opened.enter_context(outside.facts(flags.host, sizes=True))
            inventory = observe(facts)
            door = opened.enter_context(outside.engine(flags.host))
        except EngineUnreachableError as error:
            yield _without_engine(typed, error)
            return
        if plan is not None and plan.engine_id != inventory.engine.engine_id:
            raise StalePlanError(
                "the plan is for another engine; nothing was removed",
                why=f"It was made for the engine at {plan.endpoint}.",
                todo="Name that engine with -H.",
                place=typed.plan_file,
            )
        disk = _disk(inventory, typed)
        needs = read_needs(outside, inventory, _stack_here(session, flags), plan)
        found = engine_findings(inventory, needs, volumes=typed.volumes) if disk.holds_engine else Findings()
        _check_volumes(inventory, typed)
        available = disk.available
        if available is None:
            gauge = door.gauge([disk.mount])
            opened.callback(gauge.close)
            available = lambda: gauge.available()[disk.mount]  # noqa: E731 - read again and again
        yield Scene(
            mount=disk.mount,
            size_bytes=disk.size_bytes,
            read_only=disk.read_only,
            available=available,
            findings=narrowed(found, keep=typed.keep, only=typed.only),
            inventory=inventory,
            door=door,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Disk:
    mount: str
    size_bytes: int
    read_only: bool
    holds_engine: bool
    available: Callable[[], int] | None


def _disk(inventory: Inventory, typed: ReclaimFlags) -> _Disk:
    """Return the filesystem that is meant: the engine's own unless another one was named."""
    told = inventory.filesystems[0]
    directory = typed.mount or typed.root
    if not directory:
        return _Disk(mount=told.mount, size_bytes=told.size_bytes, read_only=False, holds_engine=True, available=None)
    space = space_under(directory)
    return _Disk(
        mount=space.mount,
        size_bytes=space.size_bytes,
        read_only=space.read_only,
        holds_engine=not typed.root and space.mount == told.mount,
        available=lambda: space_under(directory).available_bytes,
    )


def _without_engine(typed: ReclaimFlags, trouble: TonnageError) -> Scene:
    directory = typed.mount or typed.root or "/"
    space = space_under(directory)
    return Scene(
        mount=space.mount,
        size_bytes=space.size_bytes,
        read_only=space.read_only,
        available=lambda: space_under(directory).available_bytes,
        findings=Findings(),
        trouble=trouble,
    )


def _stack_here(session: Session, flags: StackFlags) -> Stack:
    """Return the stack of this directory. One that is there and cannot be read may need anything."""
    try:
        return read_if_there(session.outside, flags, {}).stack
    except TonnageError as error:
        raise CannotReclaimError(
            "what has to stay cannot be told, so nothing is removed", why=str(error), todo=error.todo
        ) from error


def _check_volumes(inventory: Inventory, typed: ReclaimFlags) -> None:
    known = {volume.name: volume for volume in inventory.volumes}
    for name in typed.volumes:
        if name not in known:
            raise UsageError(f"--volume: there is no volume {name!r}", todo="See them all:\n  docker volume ls")
        if known[name].in_use:
            raise UsageError(
                f"--volume: a container mounts {name}",
                todo=f"See which one, and remove it first:\n  docker ps --all --filter volume={name}",
            )


def _decide(scene: Scene, typed: ReclaimFlags, plan: Plan | None) -> Choice:
    available_bytes = scene.available()
    if typed.everything or not (typed.until_bytes is not None or typed.free_bytes is not None or plan):
        return decide_everything(scene.findings, available_bytes=available_bytes)
    target_bytes = _target(typed, plan, available_bytes)
    if target_bytes > scene.size_bytes:
        raise UsageError(
            f"{format_bytes(target_bytes)} can never be available on {scene.mount}",
            why=f"All of it is {format_bytes(scene.size_bytes)}.",
            todo="Ask for less, or name another filesystem with --mount.",
        )
    return decide(scene.findings, available_bytes=available_bytes, target_bytes=target_bytes)


def _target(typed: ReclaimFlags, plan: Plan | None, available_bytes: int) -> int:
    if typed.until_bytes is not None:
        return typed.until_bytes
    if plan is not None:
        return _needed_by(plan)
    return available_bytes + (typed.free_bytes or 0)


def _needed_by(plan: Plan) -> int:
    """Return what has to be available before a plan begins: the line, and the most that it is expected to take."""
    taken = [plan.available_bytes - step.lowest.low_bytes for step in plan.steps if step.lowest.known]
    return plan.line_bytes + max([0, *taken])


def _confirm(session: Session, flags: StackFlags) -> None:
    name = read_if_there(session.outside, flags, {}).stack.name or "everything"
    session.say(f"This removes everything that is shown above. To go on, type the name of the stack: {name}")
    if sys.stdin.readline().strip() != name:
        raise UsageError("that was not the name; nothing was removed", todo=f"Type {name} when you are asked for it.")


def _remove(session: Session, scene: Scene, choice: Choice) -> Reclaimed:
    if scene.read_only and choice.chosen:
        raise CannotReclaimError(
            f"{scene.mount} is mounted read-only, so nothing on it can be removed",
            todo=f"See why, and mount it to be written:\n  mount -o remount,rw {scene.mount}",
        )
    with contextlib.ExitStack() as held:
        removal = _engine_removal(session, scene, held)
        journal = held.enter_context(_journal(session, scene, choice))
        signals = held.enter_context(CancelOnSignal(lambda: write_at_once("stopping after this removal\n")))

        def remove(candidate: Candidate) -> None:
            if removal is None or candidate.kind not in KINDS:
                raise StepFailedError(f"{candidate.name} cannot be removed here")
            removal.remove(candidate)

        def on_end(done: Removal) -> None:
            journal.end(done)
            session.say(removal_text(done))

        done = carry_out(
            choice,
            available=scene.available,
            remove=remove,
            on_begin=journal.begin,
            on_end=on_end,
            cancel=signals.cancel,
            clock=session.outside.clock,
        )
        for said in removal.give_names_back() if removal is not None else ():
            session.say(f"note: {said}")
        journal.finish(done)
        for note in journal.notes:
            session.say(f"note: {note}")
    if signals.number:
        raise InterruptedRunError(signals.number, f"stopped; {len(done.removals)} things were removed before")
    return replace(done, available_bytes=scene.available())


def _journal(session: Session, scene: Scene, choice: Choice) -> ReclaimJournal:
    path = journal_path(session.outside.environment)
    return ReclaimJournal(path, scene.mount, scene.inventory, choice, session.outside.clock)


def _engine_removal(session: Session, scene: Scene, held: contextlib.ExitStack) -> EngineRemoval | None:
    if scene.door is None or scene.inventory is None:
        return None
    held.enter_context(session.outside.lock(scene.inventory.engine, _LOCK))
    return EngineRemoval(scene.door.facts, scene.door.acts(), _Quiet())


class _Quiet:
    """Progress that nobody looks at: each removal has a line of its own."""

    def at(self, text: str) -> None:
        del text

    def log(self, line: str) -> None:
        del line


def _reasons(scene: Scene, done: Reclaimed) -> tuple[str, ...]:
    del scene
    if not done.missing_bytes or done.enough:
        return ()
    return (f"{format_bytes(done.missing_bytes)} of what was promised did not come free.",)


def _too_little(scene: Scene, choice: Choice, missing_bytes: int, *, why: str) -> CannotReclaimError:
    parts = [why, f"{format_bytes(missing_bytes)} are missing to {format_bytes(choice.target_bytes)}."]
    todo = "Name volumes that may go with --volume, or use a larger disk."
    if scene.trouble is not None:
        parts.append(f"The engine was not asked: {scene.trouble.what}.")
        todo = f"{scene.trouble.todo}\nThen run it again."
    return CannotReclaimError(
        f"not enough can be reclaimed on {scene.mount}", why=" ".join(part for part in parts if part), todo=todo
    )
