"""What is needed of an engine beyond what it tells itself, from the compose files and the journal of this machine."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.reclaim.builder_volumes import node_of
from tonnage.decide.reclaim.protection import JUST_NOW, YOUNG_S, needed_by
from tonnage.errors import CannotReclaimError, TonnageError
from tonnage.flows.state import opened_journal
from tonnage.model.reclaim.candidate import Builders, Root
from tonnage.runtime.journal.engine_records import EngineRecords, worthless
from tonnage.runtime.load_stack import load_stack
from tonnage.runtime.reclaim.roots import Project, needs_of, paths_of, read_projects, requests_of
from tonnage.sources.compose.files import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.adapters.interface import EngineFacts
    from tonnage.flows.ports import ReclaimPorts
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.inventory import Container, Inventory
    from tonnage.model.reclaim.candidate import HostedRunner, Roots
    from tonnage.model.stack import Stack
    from tonnage.runtime.journal.writer import Journal
    from tonnage.runtime.load_stack import StackRequest
    from tonnage.sources.compose.files import Files

_ELSEWHERE = "which builders are configured on the engine's machine cannot be seen from here"


def read_needs(
    ports: ReclaimPorts, facts: EngineFacts, inventory: Inventory, stack: Stack, plan: Plan | None = None
) -> Roots:
    """Return what is needed.

    Args:
        stack: The stack of this directory; one without a name when there is none.

    Raises:
        CannotReclaimError: The journal or a compose file cannot be read, so nobody knows what is needed.
    """
    with refusing_to_reclaim(), opened_journal(ports.environment) as journal:
        return roots_for_plan(ports, facts, inventory, stack, journal, plan)


def roots_for_plan(
    ports: ReclaimPorts,
    facts: EngineFacts,
    inventory: Inventory,
    stack: Stack,
    journal: Journal | None,
    plan: Plan | None = None,
) -> Roots:
    """Return what is needed, by a journal that is open.

    Raises:
        CannotReclaimError: The journal or a compose file cannot be read, so nobody knows what is needed.
    """
    with refusing_to_reclaim():
        now_s = ports.clock.time()
        records = journal.engine_records(inventory.engine.engine_id) if journal is not None else EngineRecords()
        projects, notes = _read_on(ports, requests_of(inventory.containers), inventory.engine.endpoint)
        needs = needs_of(
            (*projects, *((Project(stack),) if stack.name else ())),
            records.versions,
            images_needed=ports.files.images_needed,
            plan=plan,
            worthless=worthless(records.leftovers, inventory.cache),
            build_seconds=records.build_seconds.items(),
            named=[
                *(Root(name, JUST_NOW) for name in facts.pulled(YOUNG_S)),
                *(Root(name, needed_by(run)) for run in inventory.others for name in run.images),
            ],
            now_s=now_s,
            notes=notes,
        )
        here = inventory.engine.endpoint.startswith("unix://")
        return replace(
            needs,
            builders=_builders(ports, inventory) if here else Builders(unknown=_ELSEWHERE),
            runner=_runner(ports, facts, now_s) if here else None,
        )


def images_of_stack(ports: ReclaimPorts, stack: Stack) -> tuple[str, ...]:
    """Return the names of the images that a stack needs, those that it is built on among them."""
    needs = needs_of((Project(stack),), (), images_needed=ports.files.images_needed, now_s=0.0)
    return tuple(dict.fromkeys(root.what for root in needs.images if root.what))


def _builders(ports: ReclaimPorts, inventory: Inventory) -> Builders:
    """Return the builders that are configured here, where something depends on it."""
    return ports.machine.builders() if any(map(node_of, inventory.volumes)) else Builders()


def _runner(ports: ReclaimPorts, facts: EngineFacts, now_s: float) -> HostedRunner | None:
    runner = ports.machine.runner()
    return None if runner is None else replace(runner, pulled=frozenset(facts.pulled(now_s - runner.booted_s)))


@contextlib.contextmanager
def refusing_to_reclaim() -> Iterator[None]:
    """Turn whatever cannot be read into a refusal.

    Raises:
        CannotReclaimError: Something could not be read.
    """
    try:
        yield
    except CannotReclaimError:
        raise
    except TonnageError as error:
        raise CannotReclaimError(
            "cannot determine what must be kept; nothing removed", why=str(error), todo=error.todo
        ) from error


def _read_on(
    ports: ReclaimPorts, requests: Sequence[StackRequest], endpoint: str
) -> tuple[tuple[Project, ...], tuple[str, ...]]:
    """Read compose projects; those of an engine on another machine are read there as well as here."""
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
        stack: The stack of this directory; one without a name when there is none.

    Returns:
        What the compose projects mount that the containers belong to; and notes.

    Raises:
        CannotReclaimError: A compose file cannot be read, so nobody knows what is needed.
    """
    projects, notes = _read_on(ports, requests_of(containers), "")
    known = (*projects, *((Project(stack),) if stack.name else ()))
    needs = needs_of(known, (), images_needed=lambda _service, _where: (), now_s=ports.clock.time())
    return needs.paths, notes
