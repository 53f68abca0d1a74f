"""The checks of ``tonnage doctor``, in the order in which a deploy would meet them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.planning import asked_for
from tonnage.errors import TonnageError
from tonnage.flows.directories import journal_path
from tonnage.flows.history import opened_journal
from tonnage.flows.snapshot import look
from tonnage.flows.stack import read_if_there, read_inputs
from tonnage.flows.weights import check_weights
from tonnage.units import format_bytes
from tonnage.views.text.checks import FAILED, OK, WARNING, Check

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.flows.ports import Process, RehearsalPorts
    from tonnage.flows.requests import StackFlags


def check_all(ports: RehearsalPorts, flags: StackFlags) -> tuple[list[Check], TonnageError | None]:
    """Carry every check out; none depends on another one's success more than it must."""
    failures: list[TonnageError] = []

    def checked(name: str, look_at: Callable[[], str], *, needed: bool = True) -> Check:
        try:
            return Check(name=name, state=OK, found=look_at())
        except TonnageError as error:
            if needed:
                failures.append(error)
            found = f"{error.place}: {error.what}" if error.place else error.what
            return Check(name=name, state=FAILED if needed else WARNING, found=found, todo=error.todo or error.why)

    checks = [
        checked("stack", lambda: _stack(ports, flags)),
        *_weights_checks(ports, flags, checked),
        checked("engine", lambda: _engine(ports, flags)),
        checked("disk", lambda: _disk(ports, flags)),
        checked("builder", ports.programs.builder_found),
        checked("compose", ports.programs.compose_found),
        checked("journal", lambda: _journal(ports)),
        checked("rehearse", ports.rehearsals.check, needed=False),
    ]
    return checks, failures[0] if failures else None


def _stack(ports: RehearsalPorts, flags: StackFlags) -> str:
    wanted = read_if_there(ports, flags)
    if not wanted.stack.name:
        return "no compose file here"
    inputs = read_inputs(ports, wanted.stack)
    return f"{wanted.stack.name}: {len(wanted.stack.services)} services, {len(inputs)} of them built"


def _weights_checks(
    ports: RehearsalPorts,
    flags: StackFlags,
    checked: Callable[[str, Callable[[], str]], Check],
) -> list[Check]:
    """Check weights where there are any; a stack that cannot be read was told already."""
    try:
        wanted = read_if_there(ports, flags)
    except TonnageError:
        return []
    names = asked_for(wanted.stack, wanted.services)
    if not any(service.settings.weights for service in wanted.stack.services if service.name in names):
        return []

    unknown: list[str] = []

    def look_at() -> str:
        count, notes = check_weights(
            ports.weights, wanted.stack, names, local=_is_here(ports, flags), tell=lambda _text: None
        )
        unknown.extend(notes)
        return "; ".join([*([f"{count} files are there, as described"] if count else []), *notes])

    check = checked("weights", look_at)
    return [replace(check, state=WARNING) if unknown else check]


def _is_here(ports: RehearsalPorts, flags: StackFlags) -> bool:
    """Return whether the engine is this machine's own, as far as that can be known while it does not answer."""
    try:
        with ports.engines.facts(flags.host) as facts:
            endpoint = facts.engine().endpoint
    except TonnageError:
        endpoint = flags.host or ports.environment.get("DOCKER_HOST", "")
    return not endpoint or endpoint.startswith("unix://")


def _engine(ports: RehearsalPorts, flags: StackFlags) -> str:
    with ports.engines.facts(flags.host) as facts:
        engine = facts.engine()
    return f"{engine.version} at {engine.endpoint}, {engine.storage_driver}, {engine.image_store} image store"


def _disk(ports: RehearsalPorts, flags: StackFlags) -> str:
    wanted = read_if_there(ports, flags)
    with ports.engines.facts(flags.host) as facts:
        seen = look(facts, wanted)
    disk = seen.inventory.filesystems[0]
    return (
        f"{disk.mount}: {format_bytes(disk.available_bytes)} available of {format_bytes(disk.size_bytes)},"
        f" reserve {format_bytes(seen.reserves[disk.mount])}"
    )


def _journal(ports: Process) -> str:
    path = journal_path(ports.environment)
    with opened_journal(ports.environment) as journal:
        if journal is None:
            return f"{path}: none yet"
        last = journal.runs(1)
    return f"{path}: last run {last[0].run_id}" if last else f"{path}: no run yet"
