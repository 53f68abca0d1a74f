"""What is said of the cluster: whether there is one, how its nodes are reached, on how many of them images lie."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.errors import UsageError
from tonnage.runtime.settings import DEFAULT_ORIGIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.flows.stack import DesiredState
    from tonnage.model.deploy.policy import Setting


def is_clustered(wanted: DesiredState) -> bool:
    """Tell whether a stack runs on a Swarm.

    Raises:
        UsageError: The setting names something else.
    """
    told = _told(wanted.settings, "cluster") or "none"
    if told not in {"none", "swarm"}:
        raise UsageError(f"cluster: {told!r} is neither swarm nor none")
    if told == "swarm" and wanted.untrusted:
        raise UsageError("--untrusted reads files only; a Swarm is asked by what they say", todo="Leave one out.")
    return told == "swarm"


def node_addresses(settings: Sequence[Setting]) -> dict[str, str]:
    """Return how the engines of nodes are reached, by host name or id.

    Raises:
        UsageError: What the environment says is no list of nodes.
    """
    told = _told(settings, "nodes")
    if not told or told == "none":
        return {}
    if told.startswith("{"):
        return {str(key): str(value) for key, value in json.loads(told).items()}
    pairs = [each.partition("=") for each in told.replace(",", " ").split()]
    if not all(name and address for name, _, address in pairs):
        raise UsageError(
            f"TONNAGE_NODES is {told!r}", todo="Write it as node2=ssh://user@node2,node3=ssh://user@node3."
        )
    return {name: address for name, _, address in pairs}


def on_nodes(wanted: DesiredState, manager: str, addresses: Mapping[str, str]) -> DesiredState:
    """Return what is wanted, on other nodes than those that the files name."""
    told = {"nodes": json.dumps(dict(addresses)), "cluster": "swarm"}
    settings = tuple(
        replace(each, value=told[each.key], origin="rehearsal") if each.key in told else each
        for each in wanted.settings
    )
    return replace(wanted, host=manager, settings=settings)


def failover_of(settings: Sequence[Setting]) -> int | None:
    """Return on how many nodes each image lies at least; None where nothing is said.

    Raises:
        UsageError: It is no number.
    """
    told = _told(settings, "failover")
    if not told or told == "none":
        return None
    if not told.isdecimal() or not int(told):
        raise UsageError(
            f"failover is {told!r}, which is not a number of nodes", todo="Write a whole number, such as 2."
        )
    return int(told)


def _told(settings: Sequence[Setting], key: str) -> str:
    return next((each.value.strip() for each in settings if each.key == key and each.origin != DEFAULT_ORIGIN), "")
