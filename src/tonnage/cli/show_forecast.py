"""The command ``forecast``: engine or not, disk or not, and what is shown of the answer."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.deploy.order import in_order
from tonnage.decide.deploy.planning import asked_for
from tonnage.decide.deploy.reserve import line_bytes
from tonnage.errors import EngineLacksError, EngineUnreachableError, InterruptedRunError, UsageError
from tonnage.flows.forecast import ForecastRequest, gather
from tonnage.flows.history import read_history
from tonnage.flows.snapshot import look
from tonnage.flows.stack import read_wanted
from tonnage.forecast.costs.fit import fit_into
from tonnage.forecast.costs.stack_costs import forecast_stack
from tonnage.lazily import regex
from tonnage.model.forecast.estimate import EngineKind
from tonnage.model.forecast.fit import Room
from tonnage.model.inventory import Filesystem
from tonnage.runtime.signals import CancelOnSignal
from tonnage.views.json.forecast import forecast_form
from tonnage.views.text.forecast import explain_text, forecast_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.adapters.interface import EngineFacts
    from tonnage.cli.session import Session
    from tonnage.flows.ports import World
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.snapshot import Snapshot
    from tonnage.flows.stack import DesiredState
    from tonnage.model.forecast.estimate import ServiceForecast

_PYTHON = regex(r"\d+\.\d+(\.\d+)?")
_WRITTEN = frozenset({"data-root", "containerd", "temporary"})


class ForecastFlags(Struct, frozen=True, kw_only=True):
    """What was typed.

    Args:
        explain: The service to explain; empty for none.
        platform: The platform; empty for the engine's.
        python: The version of Python; empty for the image's.
        engine: The kind of engine; empty for the one that is here.
        disk_bytes: The size of an empty disk; None for the engine's.
        assume: The bound for what nobody knows; None when it was not typed.
        probe: Base images may be started.
        offline: Ask no server.
        keep_free: The line; None when it was not typed.
    """

    explain: str = ""
    platform: str = ""
    python: str = ""
    engine: str = ""
    disk_bytes: int | None = None
    assume: str | None = None
    probe: bool = False
    offline: bool = False
    keep_free: str | None = None


def forecast(session: Session, flags: StackFlags, wish: ForecastFlags) -> None:
    """Forecast a stack and show it.

    Raises:
        UsageError: What the user wrote cannot be used.
        EngineUnreachableError: The engine that was named does not answer.
        EngineLacksError: The disk of the engine that was named cannot be read from here.
        InterruptedRunError: A signal ended it.
    """
    if wish.python and not _PYTHON.fullmatch(wish.python):
        raise UsageError(f"--python: {wish.python!r} is no version", todo="Write it like 3.11 or 3.11.9.")
    if wish.platform and wish.platform.count("/") not in {1, 2}:
        raise UsageError(f"--platform: {wish.platform!r} is no platform", todo="Write it like linux/arm64.")
    wanted = read_wanted(session.outside, flags, {"keep-free": wish.keep_free, "assume-unknown": wish.assume})
    chosen = asked_for(wanted.stack, (*wanted.services, *((wish.explain,) if wish.explain else ())))
    with _engine(session.outside, flags.host) as facts, CancelOnSignal(lambda: None) as signals:
        seen = look(facts, wanted) if facts is not None else None
        engine = seen.inventory.engine if seen else None
        kind = EngineKind(wish.engine) if wish.engine else session.outside.engine_kind(engine)
        found = gather(
            session.outside,
            in_order(wanted.stack, chosen),
            kind,
            ForecastRequest(
                assume_bytes=wanted.policy.assume_unknown_bytes,
                platform=wish.platform,
                python=wish.python,
                offline=wish.offline,
                probe=wish.probe,
                stack=wanted.stack.name,
                builders=wanted.stack.built,
                refuses_circles=True,
            ),
            facts=facts,
            inventory=seen.inventory if seen else None,
            history=read_history(session.outside, wanted.stack.name, engine.engine_id if engine else ""),
            cancel=signals.cancel,
        )
    if signals.number:
        raise InterruptedRunError(signals.number, "stopped; nothing was changed")
    whole = forecast_stack(wanted.stack.name, kind, found)
    rooms = _rooms(wanted, seen, wish.disk_bytes)
    fittings = fit_into(whole, rooms)
    if session.json:
        session.print_document("forecast", forecast_form(whole, fittings))
    elif wish.explain:
        session.say(explain_text(next(each for each in found if each.service == wish.explain), width=session.width))
    else:
        session.say(forecast_text(whole, fittings, width=session.width, disk_known=bool(rooms)))
    _refuse_broken([each for each in found if each.broken])


def _refuse_broken(services: Sequence[ServiceForecast]) -> None:
    """End with a failure where a build cannot succeed as it is written; the rest of the stack was forecast.

    Raises:
        UsageError: There is such a build.
    """
    if services:
        names = ", ".join(each.service for each in services)
        raise UsageError(
            f"{names}: what is written cannot be built", todo="Correct what is named above by file and line."
        )


@contextlib.contextmanager
def _engine(outside: World, host: str) -> Iterator[EngineFacts | None]:
    """Reach the engine; None when there is none, unless one was named."""
    with contextlib.ExitStack() as opened:
        facts: EngineFacts | None = None
        try:
            facts = opened.enter_context(outside.facts(host))
            facts.filesystems()
        except (EngineUnreachableError, EngineLacksError):
            if host:
                raise
            facts = None
        yield facts


def _rooms(wanted: DesiredState, seen: Snapshot | None, disk_bytes: int | None) -> list[Room]:
    if disk_bytes is not None:
        disk = Filesystem(mount="the disk", roles=("data-root",), size_bytes=disk_bytes, available_bytes=disk_bytes)
        line = line_bytes(disk, wanted.policy.keep_free_bytes)
        return [_room(disk, line)]
    if seen is None:
        return []
    return [_room(disk, seen.lines[disk.mount]) for disk in seen.inventory.filesystems if _WRITTEN & set(disk.roles)]


def _room(disk: Filesystem, line: int) -> Room:
    return Room(
        mount=disk.mount,
        roles=disk.roles,
        available_bytes=disk.available_bytes,
        line_bytes=line,
        size_bytes=disk.size_bytes,
    )
