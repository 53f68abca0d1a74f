"""What ``tonnage doctor`` tells of what was left behind on an engine's disk and goes only where it is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.reclaim.builder_volumes import left_by_builders, left_text, node_of
from tonnage.decide.reclaim.other_store import found_text, what_to_do
from tonnage.model.reclaim.candidate import NamedKind
from tonnage.views.text.checks import WARNING, Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.flows.ports import ReclaimPorts
    from tonnage.model.inventory import Inventory

_WITHIN_S = 5.0


def left_behind(ports: ReclaimPorts, host: str, inventory: Inventory) -> Iterator[Check]:
    """Yield a check for each sort of thing that an engine of this machine has and nothing uses.

    Args:
        inventory: What is on the engine; bytes of volumes are asked for only where they matter.

    Raises:
        EngineUnreachableError: The engine stops answering.
    """
    if not inventory.engine.endpoint.startswith("unix://"):
        return
    if any(map(node_of, inventory.volumes)):
        builders = ports.machine.builders()
        left = {volume.name for volume in left_by_builders(inventory, builders)}
        if left:
            with ports.engines.facts(host, sizes=True) as facts:
                counted = [volume for volume in facts.volumes() if volume.name in left]
            go = f"tonnage reclaim --only {NamedKind.BUILDER_VOLUME} --everything --yes"
            yield Check(name="builder volumes", state=WARNING, found=left_text(counted), todo=f"To remove:\n  {go}")
    store = ports.machine.other_store(inventory.engine, within_s=_WITHIN_S)
    if store is not None:
        yield Check(name="other store", state=WARNING, found=found_text(store), todo=what_to_do(store))
