"""One look at everything: an engine's facts, put together into one inventory. It decides and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import CacheUnknownError
from tonnage.model.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.adapters.interface import EngineFacts
    from tonnage.model.inventory import Engine, Inputs


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
