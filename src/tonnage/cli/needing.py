"""What is needed of an engine beyond what it tells itself, from the compose files and the journal of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.cli.places import journal_path
from tonnage.errors import CannotReclaimError, TonnageError
from tonnage.runtime.journal_cache import left_on, worthless
from tonnage.runtime.journal_versions import build_seconds, good_versions
from tonnage.runtime.needing import needs_of, read_projects, requests_of
from tonnage.runtime.reading import load_stack

if TYPE_CHECKING:
    from tonnage.cli.outside import Outside
    from tonnage.model.inventory import Inventory
    from tonnage.model.needs import Needs
    from tonnage.model.plan import Plan
    from tonnage.model.stack import Stack


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
    path = journal_path(outside.environment)
    engine_id = inventory.engine.engine_id
    try:
        versions, seconds, left = good_versions(path, engine_id), build_seconds(path), left_on(path, engine_id)
    except TonnageError as error:
        raise CannotReclaimError(
            "what has to stay cannot be told, so nothing is removed", why=str(error), todo=error.todo
        ) from error
    stacks, notes = _projects(outside, inventory)
    return needs_of(
        (*stacks, *((stack,) if stack.name else ())),
        versions,
        images_needed=outside.images_needed,
        plan=plan,
        worthless=worthless(left, inventory.cache),
        build_seconds=seconds.items(),
        now_s=outside.clock.time(),
        notes=notes,
    )


def _projects(outside: Outside, inventory: Inventory) -> tuple[tuple[Stack, ...], tuple[str, ...]]:
    """Return the compose projects of an engine; the files of one on another machine are not on this one."""
    requests = requests_of(inventory)
    if not inventory.engine.endpoint.startswith("unix://"):
        names = dict.fromkeys(request.project_name for request in requests if request.files)
        return (), tuple(
            f"the compose files of {name} are on the engine's machine and are not read: of the images that they name"
            " only those stay that containers use"
            for name in names
        )
    environment = {name: value for name, value in outside.environment.items() if not name.startswith("COMPOSE_")}
    return read_projects(
        requests, lambda request: load_stack(request, environment=environment, compose=None, builds=False)
    )


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
