"""Looks at what services need: paths on the engine's machine and on this one, what is in secrets and configs, ports.

Of a stranger's stack nothing is looked at: whether a file is there is for nobody else to know.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.needed import build_paths_of, newest_keys, paths_of, programs_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tonnage.flows.ports import StackPorts
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import ComposeMapping, Service, Stack

_HERE = "unix://"
_BY_SSH = "ssh://"


def with_needs(ports: StackPorts, stack: Stack, inventory: Inventory) -> Inventory:
    """Return an inventory that also knows what is missing for the services of a stack, ports taken, and the Compose.

    Raises:
        EngineUnreachableError: The engine's machine does not answer.
    """
    names = [service.name for service in stack.services]
    endpoint = inventory.engine.endpoint
    sent = _sent(stack)
    wanted = {*(need.path for need in paths_of(stack, names)), *programs_of(stack, names)}
    here = {*(need.path for need in build_paths_of(stack, names)), *(sent[path] for path in wanted & set(sent))}
    missing: Collection[str] = ports.files.missing("", sorted(here))
    gone = {path for path in sent if sent[path] in missing}
    on_engine = sorted(wanted - set(sent))
    if endpoint.startswith((_HERE, _BY_SSH)):
        there = ports.files.missing(endpoint if endpoint.startswith(_BY_SSH) else "", on_engine)
        gone |= set(there)
    held = {(number, protocol) for each in inventory.containers for _, number, protocol in each.published}
    published = any(port.published for service in stack.services for port in service.ports)
    listening: Sequence[tuple[str, int, str]] = ()
    if published and endpoint.startswith((_HERE, _BY_SSH)) and not inventory.engine.apart:
        listening = ports.files.listening(endpoint if endpoint.startswith(_BY_SSH) else "")
    return replace(
        inventory,
        missing=frozenset({*missing, *gone}),
        compose=ports.programs.compose_version() if newest_keys(stack, names) else "",
        listening=tuple(each for each in listening if each[1:] not in held),
    )


def with_contents(ports: StackPorts, stack: Stack) -> Stack:
    """Return a stack whose services know what is in their secrets and configs."""
    values, sent = dict(stack.values), _sent(stack)

    def digest(entry: ComposeMapping) -> str:
        if entry.get("file"):
            path = str(entry["file"])
            return ports.files.content_digest(sent.get(path, path))
        text = entry.get("content") or values.get(str(entry.get("environment") or ""))
        return "" if text is None else hashlib.sha256(str(text).encode()).hexdigest()

    def known(service: Service) -> Service:
        named = {
            f"{section}.{entry['source']}": (stack.shared.get(section) or {}).get(entry["source"]) or {}
            for section in ("secrets", "configs")
            for entry in service.config.get(section) or ()
        }
        contents = tuple((name, found) for name, entry in sorted(named.items()) if (found := digest(entry)))
        return replace(service, contents=contents) if contents else service

    services = tuple(map(known, stack.services))
    return stack if services == stack.services else replace(stack, services=services)


def _sent(stack: Stack) -> dict[str, str]:
    """Return what is sent to the engine's machine: where it lies there, and where here."""
    return {_there(stack, path): _here(stack, path) for path, _ in stack.sent}


def _there(stack: Stack, path: str) -> str:
    return stack.place if path == "." else f"{stack.place.rstrip('/')}/{path}"


def _here(stack: Stack, path: str) -> str:
    return stack.directory if path == "." else f"{stack.directory.rstrip('/')}/{path}"
