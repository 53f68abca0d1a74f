"""What is needed of an engine beyond what it tells itself, from the compose files and the journal of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.cli.places import journal_path
from tonnage.errors import CannotReclaimError, TonnageError
from tonnage.runtime.journal_cache import left_on, worthless
from tonnage.runtime.journal_versions import build_seconds, good_versions
from tonnage.runtime.needing import Project, needs_of, paths_of, read_projects, requests_of
from tonnage.runtime.reading import load_stack
from tonnage.sources.files import HERE

if TYPE_CHECKING:
    from tonnage.cli.outside import Outside
    from tonnage.model.inventory import Inventory
    from tonnage.model.needs import Needs
    from tonnage.model.plan import Plan
    from tonnage.model.stack import Stack
    from tonnage.runtime.reading import StackRequest
    from tonnage.sources.files import Files


def read_needs(outside: Outside, inventory: Inventory, stack: Stack, plan: Plan | None = None) -> Needs:
    """Return what is needed.

    Args:
        outside: Where files are.
        inventory: What was observed.
        stack: The stack of this directory; one without a name when there is none.
        plan: The plan that bytes are freed for.

    Returns:
        The needs.

    Raises:
        CannotReclaimError: The journal or a compose file cannot be read, so nobody knows what is needed.
    """
    try:
        return _read(outside, inventory, stack, plan)
    except CannotReclaimError:
        raise
    except TonnageError as error:
        raise CannotReclaimError(
            "what has to stay cannot be told, so nothing is removed", why=str(error), todo=error.todo
        ) from error


def _read(outside: Outside, inventory: Inventory, stack: Stack, plan: Plan | None) -> Needs:
    path, engine_id = journal_path(outside.environment), inventory.engine.engine_id
    left = left_on(path, engine_id)
    projects, notes = _projects(outside, inventory)
    return needs_of(
        (*projects, *((Project(stack),) if stack.name else ())),
        good_versions(path, engine_id),
        images_needed=outside.images_needed,
        plan=plan,
        worthless=worthless(left, inventory.cache),
        build_seconds=build_seconds(path).items(),
        now_s=outside.clock.time(),
        notes=notes,
    )


def _projects(outside: Outside, inventory: Inventory) -> tuple[tuple[Project, ...], tuple[str, ...]]:
    """Return the compose projects of an engine; those of one on another machine are read there as well as here."""
    requests = requests_of(inventory)
    machines: list[Files] = [HERE]
    environment = {name: value for name, value in outside.environment.items() if not name.startswith("COMPOSE_")}
    if requests and inventory.engine.endpoint.startswith("ssh://"):
        machines.insert(0, outside.machine.files_there(inventory.engine.endpoint, paths_of(requests)))

    def read(request: StackRequest, where: Files) -> Stack:
        # What is set in this shell means nothing for files of another machine.
        variables = environment if where is HERE else {}
        return load_stack(request, environment=variables, compose=None, builds=False, where=where)

    return read_projects(requests, read, machines)


def with_needs(outside: Outside, inventory: Inventory, stack: Stack) -> tuple[Inventory, tuple[str, ...]]:
    """Return the inventory with what is needed; as it was when that cannot be told, so that nothing is reclaimed.

    Args:
        outside: Where files are.
        inventory: What was observed.
        stack: The stack that is planned.

    Returns:
        The inventory, and a note when what is needed cannot be told.
    """
    try:
        return replace(inventory, needs=read_needs(outside, inventory, stack)), ()
    except CannotReclaimError as error:
        return inventory, (f"nothing can be reclaimed for this: {error.what}. {error.why}".replace("\n", " "),)
