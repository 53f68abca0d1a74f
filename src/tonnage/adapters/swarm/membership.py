"""Engines become one Swarm: the first is its manager, the others join as workers. Only rehearsals and tests do so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.errors import EngineLacksError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.adapters.docker.connect import DockerConnection

_JSON = {"Content-Type": "application/json"}
_PORT = 2377
_WITHIN_S = 60


def form(engines: Sequence[tuple[DockerConnection, str]], *, pool: str) -> None:
    """Make one Swarm of engines that are in none.

    Args:
        engines: Each engine with the address by which the others reach it; the first becomes the manager.
        pool: Block of addresses that networks of the Swarm are taken from.

    Raises:
        StepFailedError: An engine refused.
        EngineUnreachableError: One does not answer.
        EngineLacksError: The manager gives no token to join with.
    """
    (manager, first), *others = engines
    _post(
        manager,
        "/swarm/init",
        {
            "ListenAddr": f"{first}:{_PORT}",
            "AdvertiseAddr": first,
            "DefaultAddrPool": [pool],
            "SubnetSize": 24,
        },
        "make a Swarm",
    )
    with speaking_to(manager.endpoint, "ask how nodes join"):
        told = manager.read("/swarm")
    token = told.get("JoinTokens", {}).get("Worker", "") if isinstance(told, dict) else ""
    if not token:
        raise EngineLacksError(f"the manager at {manager.endpoint} gives no token to join its Swarm with")
    for worker, address in others:
        _post(
            worker,
            "/swarm/join",
            {
                "ListenAddr": f"{address}:{_PORT}",
                "AdvertiseAddr": address,
                "RemoteAddrs": [f"{first}:{_PORT}"],
                "JoinToken": token,
            },
            "join a Swarm",
        )


def _post(connection: DockerConnection, path: str, body: Mapping[str, object], doing: str) -> None:
    with speaking_to(connection.endpoint, doing):
        connection.ask("POST", path, headers=_JSON, body=json.dumps(body).encode(), timeout_s=_WITHIN_S)
