"""The networks of an earlier version of a service: it comes back on those that are there.

Compose would make a network anew for one service that is written with another one, and stop all others on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.networks.differences import defined, differences
from tonnage.model.names_on_engine import name_on_engine

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import ComposeMapping


def on_present_networks(
    project: ComposeMapping, service: str, inventory: Inventory, others: Sequence[ComposeMapping], on: Collection[str]
) -> ComposeMapping:
    """Return a project whose networks are written as they are on the engine, as far as anything says so.

    Args:
        service: The one that is started by it.
        others: Projects that may say how these networks were made.
        on: The names of the networks that its containers are on now.
    """
    there = {network.name: network for network in inventory.networks}
    changed = {}
    for key in project["services"][service].get("networks") or {}:
        candidates = [project, *(each for each in others if key in (each.get("networks") or {}))]
        if _name(project, key) not in on:
            # It may have another name by now: what it talks to is there.
            candidates.sort(key=lambda each: _name(each, key) not in on)
        name = _name(candidates[0], key)
        candidates = [each for each in candidates if _name(each, key) == name]
        network = there.get(name)
        if network is None or defined(candidates[0], key).get("external"):
            if candidates[0] is not project:
                changed[key] = candidates[0]["networks"][key]
            continue
        fits = next(
            (
                each
                for each in candidates
                if not any(differences(defined(each, key), network, defined(other, key)) for other in candidates)
            ),
            candidates[0],
        )
        if fits is not project:
            changed[key] = fits["networks"][key]
    return project | {"networks": project["networks"] | changed} if changed else project


def _name(project: ComposeMapping, key: str) -> str:
    return name_on_engine(str(project.get("name") or ""), project, "networks", key)
