"""The way of a reclaim: look, decide, tell, and only where that was asked for remove, measure and report.

An engine that does not answer is no reason to stop: what else can go goes, and people are told how to get it back.
What comes after the measuring is loaded while that goes on: whoever waits for space waits less.
"""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.adapters.interface import Unwatched
from tonnage.decide.reclaim.choice import decide, decide_everything, what_stayed
from tonnage.errors import CannotReclaimError, InterruptedRunError, UsageError
from tonnage.escapes import visible_in_line
from tonnage.flows.reclaim_context import may_begin, missing_bytes_of, reclaim_context
from tonnage.flows.state import journal_path
from tonnage.model.deploy.run import RECLAIM
from tonnage.model.reclaim.candidate import NamedKind
from tonnage.model.reclaim.outcome import ReclaimReport
from tonnage.runtime.signals import CancelOnSignal, write_at_once
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.adapters.interface import Cancel
    from tonnage.flows.ports import ReclaimPorts
    from tonnage.flows.reclaim_context import ReclaimContext
    from tonnage.flows.requests import ReclaimRequest, StackFlags
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.inventory import Engine
    from tonnage.model.reclaim.candidate import Candidate, Protected
    from tonnage.model.reclaim.outcome import ReclaimChoice, Reclaimed, Removal
    from tonnage.runtime.reclaim.engine_removal import EngineRemoval
    from tonnage.runtime.reclaim.journal import ReclaimJournal

_HOLDS = "holds"
_WORTH_TELLING_BYTES = 1_000_000
_MOST_HOLDERS = 10
_LOOKS = 3
"""Looks at most, each with a table of its own, until there is enough; more only while something could not go."""


def reclaim(
    ports: ReclaimPorts,
    flags: StackFlags,
    request: ReclaimRequest,
    *,
    tell: Callable[[str], None] = lambda _text: None,
    note: Callable[[str], None] = lambda _text: None,
    confirm: Callable[[str], bool] = lambda _name: True,
    width: int = 0,
) -> ReclaimReport:
    """Reclaim.

    Args:
        tell: Is told what is chosen, what comes of each removal, and how it ended.
        note: Is told what else there is to know.
        width: Columns of the terminal that these texts are for; 0 to leave their lines long.
        confirm: Is asked with the stack's name before everything that may go is removed.

    Returns:
        How it ended; where it is not enough, with the failure to raise.

    Raises:
        CannotReclaimError: What has to stay cannot be told, or nothing can be removed there.
        UsageError: What was asked for cannot be done, or was not confirmed.
        StalePlanError: The plan is for another engine.
        InterruptedRunError: A signal ended it.
        TonnageError: The engine does not answer and nothing else can go.
    """
    _check_kinds(request)
    plan = None
    if request.plan_file:
        from tonnage.flows.plan_files import read_plan_file  # noqa: PLC0415 - only for --for

        saved = read_plan_file(request.plan_file)
        if saved.was_changed:
            why = "Its sum is another one."
            raise UsageError("this plan file was changed since it was written", why=why, place=request.plan_file)
        plan = saved.plan
    earlier = _Earlier()
    for look in itertools.count(1):
        found = _once(ports, flags, request, plan, earlier, tell, note, confirm, last=look >= _LOOKS, width=width)
        if isinstance(found, ReclaimReport):
            return found
        earlier, target_bytes = found
        # What could not go, and what others wrote meanwhile, is made up for by a further look.
        request = replace(request, until_bytes=target_bytes, free_bytes=None)
    raise AssertionError


class _Earlier(Struct, frozen=True):
    """What the looks before have done, and what stayed in them."""

    removals: tuple[Removal, ...] = ()
    stayed: tuple[Protected, ...] = ()


def _once(
    ports: ReclaimPorts,
    flags: StackFlags,
    request: ReclaimRequest,
    plan: Plan | None,
    earlier: _Earlier,
    tell: Callable[[str], None],
    note: Callable[[str], None],
    confirm: Callable[[str], bool],
    *,
    last: bool,
    width: int,
) -> tuple[_Earlier, int] | ReclaimReport:
    """Look, decide, tell and remove; return what the next look goes on from and its target, or how it ended."""
    with reclaim_context(
        ports, flags, request, plan, earlier.stayed, meanwhile=lambda: _get_ready(ports, request)
    ) as context:
        from tonnage.views.text.error import note_text  # noqa: PLC0415
        from tonnage.views.text.reclaim import choice_text, reclaimed_text  # noqa: PLC0415

        choice = _decide(context, request, plan)
        tell(choice_text(choice, mount=context.mount, width=width, again=bool(earlier.removals)))
        if context.trouble is not None:
            note(note_text(context.trouble))
        if not request.yes:
            reasons = _held_elsewhere(ports, context) if choice.short_bytes else ()
            short = " ".join(("Removing everything removable would not be enough.", *reasons))
            ends_bytes = choice.target_bytes - choice.short_bytes
            failure = _failure(context, choice, plan, ends_bytes, note, why=short) if choice.short_bytes else None
            return ReclaimReport(mount=context.mount, choice=choice, reasons=reasons, failure=failure)
        if request.everything and any(each.kind != NamedKind.DUPLICATE_BLOCKS for each in choice.chosen):
            _confirm(ports, flags, confirm)
        done = _remove(ports, context, choice, tell, note)
    reasons = _reasons(ports, context, done)
    tell(reclaimed_text(done, mount=context.mount, before_bytes=choice.available_bytes))
    for reason in reasons:
        note(f"note: {visible_in_line(reason)}")
    every = (*earlier.removals, *done.removals)
    # What could not go is not tried again, so a look after such a one always has less to choose from.
    refused = any(each.error is not None for each in done.removals)
    if not done.enough and done.removals and (refused or not last):
        return _Earlier(every, (*earlier.stayed, *what_stayed(choice, done))), done.target_bytes
    why = " ".join(reasons)
    failure = None if done.enough else _failure(context, choice, plan, done.available_bytes, note, why=why)
    return ReclaimReport(
        mount=context.mount,
        choice=replace(choice, available_bytes=every[0].before_bytes if every else done.available_bytes),
        done=replace(done, removals=every),
        reasons=reasons,
        failure=failure,
    )


def _get_ready(ports: ReclaimPorts, request: ReclaimRequest) -> None:
    """Load what comes after the measuring, while other processes measure."""
    from tonnage.views.text import reclaim as views  # noqa: F401, PLC0415

    if request.yes:
        from tonnage.runtime.reclaim import executor as reclaiming  # noqa: F401, PLC0415
        from tonnage.runtime.reclaim import journal as reclaim_journal  # noqa: F401, PLC0415

        journal_path(ports.environment)


def _check_kinds(request: ReclaimRequest) -> None:
    if not request.only:
        return
    from tonnage.model.reclaim.candidate import named_kinds  # noqa: PLC0415

    known = named_kinds()
    for kind in request.only:
        if kind not in known:
            raise UsageError(f"--only: there is no kind {kind!r}", todo=f"The kinds: {', '.join(known)}.")


def _decide(context: ReclaimContext, request: ReclaimRequest, plan: Plan | None) -> ReclaimChoice:
    available_bytes = context.available()
    missing_bytes = missing_bytes_of(request, plan, available_bytes, context.claimed_bytes)
    if missing_bytes is None:
        return decide_everything(context.findings, available_bytes=available_bytes)
    target_bytes = available_bytes + missing_bytes
    if target_bytes > context.size_bytes:
        if plan is not None and may_begin(plan, context.size_bytes, context.claimed_bytes):
            # Nobody asked for more than there can be: it is what the plan takes where it takes the most.
            return decide(context.findings, available_bytes=available_bytes, target_bytes=context.size_bytes)
        raise UsageError(
            f"{format_bytes(target_bytes)} can never be available on {context.mount}",
            why=f"All of it is {format_bytes(context.size_bytes)}.",
            todo="Ask for less, or name another filesystem with --mount.",
        )
    return decide(context.findings, available_bytes=available_bytes, target_bytes=target_bytes)


def _confirm(ports: ReclaimPorts, flags: StackFlags, confirm: Callable[[str], bool]) -> None:
    from tonnage.flows.stack import read_if_there  # noqa: PLC0415 - only where a name is asked for

    name = read_if_there(ports, flags).stack.name or "everything"
    if not confirm(name):
        raise UsageError(
            "confirmation did not match; nothing was removed",
            todo=f"Type {visible_in_line(name)} when you are asked for it.",
        )


def _remove(
    ports: ReclaimPorts,
    context: ReclaimContext,
    choice: ReclaimChoice,
    tell: Callable[[str], None],
    note: Callable[[str], None],
) -> Reclaimed:
    if context.read_only and choice.chosen:
        raise CannotReclaimError(
            f"{context.mount} is mounted read-only, so nothing on it can be removed",
            todo=f"See why, and mount it to be written:\n  mount -o remount,rw {visible_in_line(context.mount)}",
        )
    from tonnage.runtime.reclaim.executor import carry_out  # noqa: PLC0415
    from tonnage.views.text.reclaim import removal_text  # noqa: PLC0415

    with contextlib.ExitStack() as held:
        removal = _engine_removal(ports, context, held)
        journal = held.enter_context(_journal(ports, context, choice))
        signals = held.enter_context(CancelOnSignal(lambda: write_at_once("stopping after this removal\n")))

        def remove(candidate: Candidate) -> None:
            if candidate.paths or candidate.kind == NamedKind.DUPLICATE_BLOCKS:
                _remove_here(ports, context, candidate, signals.cancel)
            elif removal is not None:
                removal.remove(candidate)

        def on_end(done: Removal) -> None:
            journal.end(done)
            tell(removal_text(done))

        done = carry_out(
            choice,
            available=context.available,
            remove=remove,
            on_begin=journal.begin,
            on_end=on_end,
            cancel=signals.cancel,
            clock=ports.clock,
        )
        for said in removal.give_names_back() if removal is not None else ():
            note(f"note: {visible_in_line(said)}")
        journal.finish(done)
        for said in journal.notes:
            note(f"note: {visible_in_line(said)}")
    if signals.number:
        gone = sum(each.error is None for each in done.removals)
        raise InterruptedRunError(signals.number, f"stopped; {gone} things were removed before")
    return replace(done, available_bytes=context.available())


def _remove_here(ports: ReclaimPorts, context: ReclaimContext, candidate: Candidate, cancel: Cancel) -> None:
    """Remove what lies in files and directories of this machine, or have them share what they hold."""
    if candidate.kind == NamedKind.OTHER_STORE:
        ports.machine.remove_other_store(_still_left(ports, context), candidate, cancel)
    elif context.duplicates is not None and candidate.kind == NamedKind.DUPLICATE_BLOCKS:
        ports.machine.share_blocks(context.duplicates, cancel)
    else:
        ports.machine.remove_place(candidate, cancel)


def _still_left(ports: ReclaimPorts, context: ReclaimContext) -> Engine:
    """Return the engine after one more look right before: one that was switched back uses what it had left.

    Raises:
        CannotReclaimError: It stays.
    """
    from tonnage.decide.reclaim.other_store import why_it_stays  # noqa: PLC0415 - few machines have one

    assert context.access is not None  # noqa: S101 - an engine was asked for it
    engine = context.access.facts.engine()
    store = ports.machine.other_store(engine, within_s=0)
    reason = "the engine uses it by now" if store is None else why_it_stays(store)
    if reason:
        raise CannotReclaimError("what is in the other image store is kept", why=f"{reason}.")
    return engine


def _journal(ports: ReclaimPorts, context: ReclaimContext, choice: ReclaimChoice) -> ReclaimJournal:
    from tonnage.runtime.reclaim.journal import ReclaimJournal  # noqa: PLC0415

    path = journal_path(ports.environment)
    return ReclaimJournal(path, context.mount, context.inventory, choice, ports.clock)


def _engine_removal(ports: ReclaimPorts, context: ReclaimContext, held: contextlib.ExitStack) -> EngineRemoval | None:
    if context.access is None or context.inventory is None:
        return None
    from tonnage.runtime.reclaim.engine_removal import EngineRemoval  # noqa: PLC0415

    lock = held.enter_context(ports.engines.lock(context.inventory.engine, RECLAIM))
    return EngineRemoval(context.access.facts, context.access.acts({}, None, ()), Unwatched(), lock)


def _reasons(ports: ReclaimPorts, context: ReclaimContext, done: Reclaimed) -> tuple[str, ...]:
    """Return why less came free than was promised, or where bytes are that are missing, when that matters."""
    if done.enough and (done.target_bytes or not done.missing_bytes):
        return ()
    elsewhere = _held_elsewhere(ports, context)
    if not done.missing_bytes:
        return elsewhere
    told = f"{format_bytes(done.missing_bytes)} less was freed than expected."
    unknown = "The filesystem may free them later, or another program wrote at the same time."
    return (told, *elsewhere) if any(_HOLDS in each for each in elsewhere) else (told, unknown, *elsewhere)


def _held_elsewhere(ports: ReclaimPorts, context: ReclaimContext) -> tuple[str, ...]:
    """Return who holds bytes of the filesystem that no removal gives back."""
    if context.inventory is not None and context.inventory.engine.endpoint.startswith("ssh://"):
        return ()
    held = [
        f"{name} {_HOLDS} {format_bytes(size)} of removed files open: they are freed when it ends."
        for name, size in ports.machine.held_open(context.mount)
        if size >= _WORTH_TELLING_BYTES
    ]
    return (*held[:_MOST_HOLDERS], *_unseen(ports, context))


def _unseen(ports: ReclaimPorts, context: ReclaimContext) -> list[str]:
    """Return what takes bytes of the filesystem and was no candidate, because nobody sees it or knows of it."""
    machine = ports.machine
    told = [
        f"{format_bytes(size)} are in {path}, hidden below a mount: unmount it to see them."
        for path, size in machine.hidden(context.mount)
    ]
    if context.inventory is not None:
        count, size = machine.orphans(context.inventory.engine.data_root, ports.clock.time())
        if count:
            told.append(
                f"The engine has {count} layers on disk that it does not know, {format_bytes(size)}."
                " Only the engine may remove what is below its data root."
            )
    return told


def _failure(
    context: ReclaimContext,
    choice: ReclaimChoice,
    plan: Plan | None,
    available_bytes: int,
    note: Callable[[str], None],
    *,
    why: str,
) -> CannotReclaimError | None:
    """Return what to raise where it is not enough; None for a plan that is doubtful, but may begin."""
    missing_bytes = choice.target_bytes - available_bytes
    if plan is not None and may_begin(plan, available_bytes, context.claimed_bytes):
        note(f"note: the plan may begin, and up to {format_bytes(missing_bytes)} may be missing at its worst moment")
        return None
    return _too_little(context, choice, missing_bytes, why=why)


def _too_little(context: ReclaimContext, choice: ReclaimChoice, missing_bytes: int, *, why: str) -> CannotReclaimError:
    parts = [why, f"{format_bytes(missing_bytes)} are missing to {format_bytes(choice.target_bytes)}."]
    todo = "Name volumes to remove with --volume, or use a larger disk."
    if context.trouble is not None:
        parts.append(f"The engine was not asked: {context.trouble.what}.")
        todo = f"{context.trouble.todo}\nThen run it again."
    return CannotReclaimError(
        f"not enough can be reclaimed on {context.mount}", why=" ".join(part for part in parts if part), todo=todo
    )
