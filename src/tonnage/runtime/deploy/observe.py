"""One look at everything: an engine's facts, put together into one inventory. It decides and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.changes import with_recorded, written_project
from tonnage.decide.deploy.versions import records_on
from tonnage.errors import CacheUnknownError
from tonnage.model.compose_labels import config_hash_of, origin_of
from tonnage.model.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.adapters.interface import EngineFacts
    from tonnage.model.deploy.run import History
    from tonnage.model.inventory import Engine, Inputs
    from tonnage.model.stack import Stack


def observe(facts: EngineFacts, inputs: Sequence[Inputs] = (), engine: Engine | None = None) -> Inventory:
    """Look at the engine and its machine once.

    The disk comes last, so that its figures are not older than those of what lies on it.

    Args:
        facts: The engine.
        inputs: What each built service's build would read now.
        engine: What the engine has just said of itself; None to ask it.

    Returns:
        What was seen.

    Raises:
        EngineUnreachableError: The engine does not answer, or stops answering.
        EngineLacksError: The disk of this engine cannot be read from here.
    """
    engine = engine or facts.engine()
    images, containers, volumes = facts.images(), facts.containers(), facts.volumes()
    try:
        cache, cache_unknown = facts.cache(), ""
    except CacheUnknownError as unknown:
        cache, cache_unknown = (), unknown.why
    return Inventory(
        engine=engine,
        filesystems=facts.filesystems(),
        images=images,
        containers=containers,
        cache=cache,
        cache_unknown=cache_unknown,
        volumes=volumes,
        networks=facts.networks(),
        inputs=tuple(inputs),
    )


def as_known(facts: EngineFacts, stack: Stack, inventory: Inventory, history: History) -> Inventory:
    """Return an inventory with how the containers of a stack were configured, as far as anything tells it.

    Compose is asked only where containers run that it can be compared with.
    """
    known = with_recorded(stack, inventory, (*history.versions, *records_on(inventory, stack)))
    names = {service.name for service in stack.services}
    if not any(
        each.project == stack.name and each.service in names and config_hash_of(each) for each in known.containers
    ):
        return known
    told = facts.config_hashes(origin_of(stack, written_project(stack)))
    return replace(known, config_hashes=dict(told))
