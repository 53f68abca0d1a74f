"""One look at the engine and the stack, for status and watch. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.deploy.reserve import reserve_bytes
from tonnage.flows.stack import read_if_there
from tonnage.runtime.deploy.observe import observe

if TYPE_CHECKING:
    from tonnage.adapters.interface import EngineFacts
    from tonnage.flows.ports import EnginePorts
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.model.inventory import Inventory


class Snapshot(Struct, frozen=True, kw_only=True):
    """What was seen: the inventory, and the reserve of each filesystem in bytes, by mount."""

    inventory: Inventory
    reserves: dict[str, int]


def look_once(ports: EnginePorts, flags: StackFlags) -> tuple[DesiredState, Snapshot]:
    """Read the stack if there is one here, and look at the engine once, with the bytes of volumes and containers.

    Returns:
        The stack, without a name when there is none; and what was seen.

    Raises:
        UsageError: What the user wrote cannot be used.
        EngineUnreachableError: The engine does not answer.
        EngineLacksError: The disk of this engine cannot be read from here.
    """
    wanted = read_if_there(ports, flags)
    with ports.engines.facts(flags.host, sizes=True) as facts:
        return wanted, look(facts, wanted)


def look(facts: EngineFacts, wanted: DesiredState) -> Snapshot:
    """Look once.

    Raises:
        UsageError: The reserve leaves nothing of the data root's filesystem.
        EngineUnreachableError: The engine does not answer.
        EngineLacksError: The disk of this engine cannot be read from here.
    """
    inventory = observe(facts)
    keep_free_bytes = wanted.policy.keep_free_bytes
    data_root, *others = inventory.filesystems
    reserves = {data_root.mount: reserve_bytes(data_root, keep_free_bytes)}
    for disk in others:
        # A size that suits the data root may exceed another filesystem as a whole.
        usable = keep_free_bytes is not None and keep_free_bytes < disk.size_bytes
        reserves[disk.mount] = reserve_bytes(disk, keep_free_bytes if usable else None)
    return Snapshot(inventory=inventory, reserves=reserves)
