"""The networks of an earlier version of a service: it comes back on those that are there.

Compose would make a network anew for one service that is written with another one, and stop all others on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.networks.differences import defined, differences, network_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import ComposeMapping


def on_present_networks(
    project: ComposeMapping, service: str, inventory: Inventory, others: Sequence[ComposeMapping]
) -> ComposeMapping:
    """Return a project whose networks are written as they are on the engine, as far as anything says so.

    Args:
        service: The one that is started by it.
        others: Projects that may say how these networks were made.
    """
    there = {network.name: network for network in inventory.networks}
    changed = {}
    for key in project["services"][service].get("networks") or {}:
        written = defined(project, key)
        network = there.get(network_name(str(project.get("name") or ""), project, key))
        if network is None or written.get("external"):
            continue
        candidates = [project, *(each for each in others if key in (each.get("networks") or {}))]
        fits = next(
            (
                each
                for each in candidates
                if not any(differences(defined(each, key), network, defined(other, key)) for other in candidates)
            ),
            project,
        )
        if fits is not project:
            changed[key] = fits["networks"][key]
    return project | {"networks": project["networks"] | changed} if changed else project
