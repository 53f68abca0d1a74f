"""One look at everything: an engine's facts, put together into one inventory. It decides and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.inventory import Inventory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.adapters.interface import EngineFacts
    from tonnage.model.inventory import Inputs


def observe(facts: EngineFacts, inputs: Sequence[Inputs] = ()) -> Inventory:
    """Look at the engine and its machine once.

    The disk comes last, so that its figures are not older than those of what lies on it.

    Args:
        facts: The engine.
        inputs: What each built service's build would read now.

    Returns:
        What was seen.

    Raises:
        EngineUnreachableError: The engine does not answer, or stops answering.
        EngineLacksError: The disk of this engine cannot be read from here.
    """
    engine = facts.engine()
    images, containers, cache, volumes = facts.images(), facts.containers(), facts.cache(), facts.volumes()
    return Inventory(
        engine=engine,
        filesystems=facts.filesystems(),
        images=images,
        containers=containers,
        cache=cache,
        volumes=volumes,
        inputs=tuple(inputs),
    )
