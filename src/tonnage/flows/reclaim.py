"""The way of a reclaim: look, decide, show, and only with ``--yes`` remove, measure and report.

An engine that does not answer is no reason to stop: what else can go goes, and people are told how to get it back.
What comes after the measuring is loaded while that goes on: whoever waits for space waits less.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.reclaim.choice import decide, decide_everything, what_stayed
from tonnage.errors import (
    CannotReclaimError,
    InterruptedRunError,
    UsageError,
)
from tonnage.flows.directories import journal_path
from tonnage.flows.reclaim_context import missing_bytes_of, scene_of
from tonnage.runtime.signals import CancelOnSignal, write_at_once
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from tonnage.cli.session import Session
    from tonnage.flows.reclaim_context import ReclaimContext
    from tonnage.flows.requests import ReclaimFlags, StackFlags
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.reclaim.candidate import Candidate, Protected
    from tonnage.model.reclaim.outcome import ReclaimChoice, Reclaimed, Removal
    from tonnage.runtime.reclaim.engine_removal import EngineRemoval
    from tonnage.runtime.reclaim.journal import ReclaimJournal

_LOCK = "(reclaim)"
"""No stack can have this name."""
_LOOKS = 3
"""Looks at most, each with a table of its own, until there is enough; more only while something could not go."""


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
    earlier = _Earlier()
    for look in itertools.count(1):
        found = _once(session, flags, typed, plan, earlier, last=look >= _LOOKS)
        if found is None:
            return
        earlier, target_bytes = found
        # What could not go, and what others wrote meanwhile, is made up for by a further look.
        typed = replace(typed, until_bytes=target_bytes, free_bytes=None)


class _Earlier(Struct, frozen=True):
    """What the looks before have done, and what stayed in them."""

    removals: tuple[Removal, ...] = ()
    stayed: tuple[Protected, ...] = ()


def _once(
    session: Session,
    flags: StackFlags,
    typed: ReclaimFlags,
    plan: Plan | None,
    earlier: _Earlier,
    *,
    last: bool,
) -> tuple[_Earlier, int] | None:
    """Look, decide, show and remove; return what the next look goes on from and its target, None when it is over."""
    with scene_of(session, flags, typed, plan, earlier.stayed, meanwhile=lambda: _get_ready(session, typed)) as scene:
        from tonnage.views.text.reclaim import choice_text, reclaim_form, reclaimed_text  # noqa: PLC0415

        choice = _decide(scene, typed, plan)
        session.say(choice_text(choice, mount=scene.mount))
        if scene.trouble is not None:
            session.say(f"note: {scene.trouble}")
        if not typed.yes:
            _only_show(session, scene, choice)
            return None
        if typed.everything:
            _confirm(session, flags)
        done = _remove(session, scene, choice)
    reasons = _reasons(session, scene, done)
    session.say(reclaimed_text(done, mount=scene.mount, before_bytes=choice.available_bytes))
    for reason in reasons:
        session.say(f"note: {reason}")
    every = (*earlier.removals, *done.removals)
    # What could not go is not tried again, so a look after such a one always has less to choose from.
    refused = any(each.error is not None for each in done.removals)
    if not done.enough and done.removals and (refused or not last):
        return _Earlier(every, (*earlier.stayed, *what_stayed(choice, done))), done.target_bytes
    if session.json:
        whole = replace(done, removals=every)
        first = replace(choice, available_bytes=every[0].before_bytes if every else done.available_bytes)
        session.print_document("reclaim", reclaim_form(first, mount=scene.mount, done=whole, reasons=reasons))
    if not done.enough:
        raise _too_little(scene, choice, done.target_bytes - done.available_bytes, why=" ".join(reasons))
    return None


def _get_ready(session: Session, typed: ReclaimFlags) -> None:
    """Load what comes after the measuring, while other processes measure."""
    from tonnage.views.text import reclaim as views  # noqa: F401, PLC0415

    if typed.yes:
        from tonnage.adapters.reclaim import path_removal as removing  # noqa: F401, PLC0415
        from tonnage.runtime.reclaim import executor as reclaiming  # noqa: F401, PLC0415
        from tonnage.runtime.reclaim import journal as reclaim_journal  # noqa: F401, PLC0415

        journal_path(session.outside.environment)


def _only_show(session: Session, scene: ReclaimContext, choice: ReclaimChoice) -> None:
    from tonnage.views.text.reclaim import reclaim_form  # noqa: PLC0415

    if session.json:
        session.print_document("reclaim", reclaim_form(choice, mount=scene.mount, done=None))
    if choice.short_bytes:
        raise _too_little(scene, choice, choice.short_bytes, why="All that may go would not be enough.")
    if choice.chosen:
        session.say("nothing was removed; add --yes to remove what is shown")


def _check_kinds(typed: ReclaimFlags) -> None:
    if not typed.only:
        return
    from tonnage.model.reclaim.candidate import ENGINE_KINDS  # noqa: PLC0415
    from tonnage.model.reclaim.catalogue import PlaceKind  # noqa: PLC0415

    known = [*ENGINE_KINDS, *(str(kind) for kind in PlaceKind)]
    for kind in typed.only:
        if kind not in known:
            raise UsageError(f"--only: there is no kind {kind!r}", todo=f"The kinds: {', '.join(known)}.")


def _plan(typed: ReclaimFlags) -> Plan | None:
    if not typed.plan_file:
        return None
    from tonnage.flows.plan_files import read_plan_file  # noqa: PLC0415 - only for --for

    return read_plan_file(typed.plan_file)


def _decide(scene: ReclaimContext, typed: ReclaimFlags, plan: Plan | None) -> ReclaimChoice:
    available_bytes = scene.available()
    missing_bytes = missing_bytes_of(typed, plan, available_bytes)
    if missing_bytes is None:
        return decide_everything(scene.findings, available_bytes=available_bytes)
    target_bytes = available_bytes + missing_bytes
    if target_bytes > scene.size_bytes:
        raise UsageError(
            f"{format_bytes(target_bytes)} can never be available on {scene.mount}",
            why=f"All of it is {format_bytes(scene.size_bytes)}.",
            todo="Ask for less, or name another filesystem with --mount.",
        )
    return decide(scene.findings, available_bytes=available_bytes, target_bytes=target_bytes)


def _confirm(session: Session, flags: StackFlags) -> None:
    from tonnage.flows.stack import read_if_there  # noqa: PLC0415 - only where a name is asked for

    name = read_if_there(session.outside, flags, {}).stack.name or "everything"
    session.say(f"This removes everything that is shown above. To go on, type the name of the stack: {name}")
    if sys.stdin.readline().strip() != name:
        raise UsageError("that was not the name; nothing was removed", todo=f"Type {name} when you are asked for it.")


def _remove(session: Session, scene: ReclaimContext, choice: ReclaimChoice) -> Reclaimed:
    if scene.read_only and choice.chosen:
        raise CannotReclaimError(
            f"{scene.mount} is mounted read-only, so nothing on it can be removed",
            todo=f"See why, and mount it to be written:\n  mount -o remount,rw {scene.mount}",
        )
    from tonnage.runtime.reclaim.executor import carry_out  # noqa: PLC0415
    from tonnage.views.text.reclaim import removal_text  # noqa: PLC0415

    with contextlib.ExitStack() as held:
        removal = _engine_removal(session, scene, held)
        journal = held.enter_context(_journal(session, scene, choice))
        signals = held.enter_context(CancelOnSignal(lambda: write_at_once("stopping after this removal\n")))

        def remove(candidate: Candidate) -> None:
            if candidate.paths:
                session.outside.machine.remove_place(candidate, signals.cancel)
            elif removal is not None:
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
        gone = sum(each.error is None for each in done.removals)
        raise InterruptedRunError(signals.number, f"stopped; {gone} things were removed before")
    return replace(done, available_bytes=scene.available())


def _journal(session: Session, scene: ReclaimContext, choice: ReclaimChoice) -> ReclaimJournal:
    from tonnage.runtime.reclaim.journal import ReclaimJournal  # noqa: PLC0415

    path = journal_path(session.outside.environment)
    return ReclaimJournal(path, scene.mount, scene.inventory, choice, session.outside.clock)


def _engine_removal(session: Session, scene: ReclaimContext, held: contextlib.ExitStack) -> EngineRemoval | None:
    if scene.door is None or scene.inventory is None:
        return None
    from tonnage.runtime.reclaim.engine_removal import EngineRemoval  # noqa: PLC0415

    held.enter_context(session.outside.lock(scene.inventory.engine, _LOCK))
    return EngineRemoval(scene.door.facts, scene.door.acts(), _Quiet())


class _Quiet:
    """Progress that nobody looks at: each removal has a line of its own."""

    def at(self, text: str) -> None:
        del text

    def log(self, line: str) -> None:
        del line


def _reasons(session: Session, scene: ReclaimContext, done: Reclaimed) -> tuple[str, ...]:
    """Return why less came free than was promised, when that matters."""
    if not done.missing_bytes or (done.enough and done.target_bytes):
        return ()
    told = [f"{format_bytes(done.missing_bytes)} of what was promised did not come free."]
    remote = scene.inventory is not None and scene.inventory.engine.endpoint.startswith("ssh://")
    held = () if remote else session.outside.machine.held_open(scene.mount)
    told += [
        f"{name} holds {format_bytes(size)} of removed files open: they come free when it ends." for name, size in held
    ]
    if not held:
        told.append("The filesystem may give them back later, or somebody else has written meanwhile.")
    if not remote:
        told += _unseen(session, scene)
    return tuple(told)


def _unseen(session: Session, scene: ReclaimContext) -> list[str]:
    """Return what takes bytes of the filesystem and was no candidate, because nobody sees it or knows of it."""
    machine = session.outside.machine
    told = [
        f"{format_bytes(size)} lie in {path}, below what is mounted there: they are seen when it is unmounted."
        for path, size in machine.hidden(scene.mount)
    ]
    if scene.inventory is not None:
        count, size = machine.orphans(scene.inventory.engine.data_root, session.outside.clock.time())
        if count:
            told.append(
                f"The engine has {count} layers on disk that it does not know, {format_bytes(size)}."
                " Only the engine may remove what is below its data root."
            )
    return told


def _too_little(scene: ReclaimContext, choice: ReclaimChoice, missing_bytes: int, *, why: str) -> CannotReclaimError:
    parts = [why, f"{format_bytes(missing_bytes)} are missing to {format_bytes(choice.target_bytes)}."]
    todo = "Name volumes that may go with --volume, or use a larger disk."
    if scene.trouble is not None:
        parts.append(f"The engine was not asked: {scene.trouble.what}.")
        todo = f"{scene.trouble.todo}\nThen run it again."
    return CannotReclaimError(
        f"not enough can be reclaimed on {scene.mount}", why=" ".join(part for part in parts if part), todo=todo
    )
