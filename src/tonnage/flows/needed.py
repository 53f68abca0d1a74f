"""Looks whether what services need is there: paths on the engine's machine and on this one, and ports of this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.needed import build_paths_of, paths_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from tonnage.flows.ports import StackPorts
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Stack

_HERE = "unix://"
_BY_SSH = "ssh://"


def with_needs(ports: StackPorts, stack: Stack, inventory: Inventory) -> Inventory:
    """Return an inventory that also knows what is missing for the services of a stack, and which ports are taken.

    Raises:
        EngineUnreachableError: The engine's machine does not answer.
    """
    names = [service.name for service in stack.services]
    endpoint = inventory.engine.endpoint
    sent = {_there(stack, path): _here(stack, path) for path, _ in stack.sent}
    wanted = {need.path for need in paths_of(stack, names)}
    here = {*(need.path for need in build_paths_of(stack, names)), *(sent[path] for path in wanted & set(sent))}
    missing: Collection[str] = ports.files.missing("", sorted(here))
    gone = {path for path in sent if sent[path] in missing}
    on_engine = sorted(wanted - set(sent))
    if endpoint.startswith((_HERE, _BY_SSH)):
        there = ports.files.missing(endpoint if endpoint.startswith(_BY_SSH) else "", on_engine)
        gone |= set(there)
    held = {number for each in inventory.containers for _, number, _ in each.published}
    listening = ports.files.listening() if endpoint.startswith(_HERE) and not inventory.engine.apart else ()
    return replace(
        inventory,
        missing=frozenset({*missing, *gone}),
        listening=tuple(each for each in listening if each[1] not in held),
    )


def _there(stack: Stack, path: str) -> str:
    return stack.place if path == "." else f"{stack.place.rstrip('/')}/{path}"


def _here(stack: Stack, path: str) -> str:
    return stack.directory if path == "." else f"{stack.directory.rstrip('/')}/{path}"
