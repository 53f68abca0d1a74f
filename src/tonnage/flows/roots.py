"""What is needed of an engine beyond what it tells itself, from the compose files and the journal of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.reclaim.protection import YOUNG_S
from tonnage.decide.reclaim.pulls import asked_by, going_on, is_asked
from tonnage.errors import CannotReclaimError, TonnageError
from tonnage.flows.directories import journal_path
from tonnage.model.reclaim.roots import Root
from tonnage.runtime.journal.build_cache import left_on, worthless
from tonnage.runtime.journal.versions import build_seconds, good_versions
from tonnage.runtime.load_stack import load_stack
from tonnage.runtime.reclaim.pull_roots import client_needs, pull_needs, requests_of_clients
from tonnage.runtime.reclaim.roots import Project, needs_of, paths_of, read_projects, requests_of
from tonnage.sources.compose.files import HERE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.adapters.interface import EngineFacts
    from tonnage.flows.ports import ReclaimPorts
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.inventory import Container, Inventory
    from tonnage.model.reclaim.pulls import Asked
    from tonnage.model.reclaim.roots import Roots
    from tonnage.model.stack import Stack
    from tonnage.runtime.load_stack import StackRequest
    from tonnage.sources.compose.files import Files


def read_needs(
    ports: ReclaimPorts, facts: EngineFacts, inventory: Inventory, stack: Stack, plan: Plan | None = None
) -> Roots:
    """Return what is needed.

    Args:
        ports: Where files are.
        facts: The engine.
        inventory: What was observed.
        stack: The stack of this directory; one without a name when there is none.
        plan: The plan that bytes are freed for.

    Returns:
        The needs.

    Raises:
        CannotReclaimError: The journal or a compose file cannot be read, so nobody knows what is needed.
    """
    try:
        return _read(ports, facts, inventory, stack, plan)
    except CannotReclaimError:
        raise
    except TonnageError as error:
        raise CannotReclaimError(
            "what has to stay cannot be told, so nothing is removed", why=str(error), todo=error.todo
        ) from error


def _read(ports: ReclaimPorts, facts: EngineFacts, inventory: Inventory, stack: Stack, plan: Plan | None) -> Roots:
    path, engine_id, now_s = journal_path(ports.environment), inventory.engine.engine_id, ports.clock.time()
    left = left_on(path, engine_id)
    traffic = ports.machine.traffic(inventory.engine, now_s)
    asked = tuple(
        each
        for client in traffic.clients
        if (each := asked_by(client)) is not None and is_asked(inventory.engine.endpoint, each)
    )
    pulling = going_on(traffic, asked, now_s)
    pulled = facts.pulled(max(YOUNG_S, now_s - pulling.since_s if pulling else 0.0))
    projects, notes = _projects(ports, inventory, asked)
    return needs_of(
        (*projects, *((Project(stack),) if stack.name else ())),
        good_versions(path, engine_id),
        images_needed=ports.files.images_needed,
        plan=plan,
        worthless=worthless(left, inventory.cache),
        build_seconds=build_seconds(path).items(),
        pulls=(*pull_needs(pulled, pulling), *client_needs(asked)),
        pulling=pulling,
        now_s=now_s,
        notes=notes,
    )


def _projects(
    ports: ReclaimPorts, inventory: Inventory, asked: Sequence[Asked]
) -> tuple[tuple[Project, ...], tuple[str, ...]]:
    """Return the compose projects of an engine; those of one on another machine are read there as well as here.

    What Compose is about to run has no container yet: it is known by the program that runs.
    """
    return _read_on(ports, (*requests_of(inventory.containers), *requests_of_clients(asked)), inventory.engine.endpoint)


def _read_on(
    ports: ReclaimPorts, requests: Sequence[StackRequest], endpoint: str
) -> tuple[tuple[Project, ...], tuple[str, ...]]:
    machines: list[Files] = [HERE]
    environment = {name: value for name, value in ports.environment.items() if not name.startswith("COMPOSE_")}
    if requests and endpoint.startswith("ssh://"):
        machines.insert(0, ports.files.remote(endpoint, paths_of(requests)))

    def read(request: StackRequest, where: Files) -> Stack:
        # What is set in this shell means nothing for files of another machine.
        variables = environment if where is HERE else {}
        return load_stack(request, environment=variables, compose=None, builds=False, where=where)

    return read_projects(requests, read, machines)


def paths_needed(
    ports: ReclaimPorts, containers: Sequence[Container], stack: Stack
) -> tuple[tuple[Root, ...], tuple[str, ...]]:
    """Return the files and directories that must stay for an engine of this machine that does not answer.

    Args:
        ports: Where files are.
        containers: Its containers, by its own files.
        stack: The stack of this directory; one without a name when there is none.

    Returns:
        What containers mount, and what the compose projects mount that they belong to; and notes.

    Raises:
        CannotReclaimError: A compose file cannot be read, so nobody knows what is needed.
    """
    projects, notes = _read_on(ports, requests_of(containers), "")
    known = (*projects, *((Project(stack),) if stack.name else ()))
    needs = needs_of(known, (), images_needed=lambda _service, _where: (), now_s=ports.clock.time())
    mounted = (Root(path, f"the container {each.name} mounts it") for each in containers for path in each.binds)
    return (*mounted, *needs.paths), notes


def with_needs(
    ports: ReclaimPorts, facts: EngineFacts, inventory: Inventory, stack: Stack
) -> tuple[Inventory, tuple[str, ...]]:
    """Return the inventory with what is needed; as it was when that cannot be told, so that nothing is reclaimed.

    Args:
        ports: Where files are.
        facts: The engine.
        inventory: What was observed.
        stack: The stack that is planned.

    Returns:
        The inventory, and a note when what is needed cannot be told.
    """
    try:
        return replace(inventory, needs=read_needs(ports, facts, inventory, stack)), ()
    except CannotReclaimError as error:
        return inventory, (f"nothing can be reclaimed for this: {error.what}. {error.why}".replace("\n", " "),)
