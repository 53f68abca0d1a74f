"""Whether a new version may run beside the running one. Never two at once on the same state: when in doubt, no."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonnage.model.stack import Service

# Mounts of these kinds are private to each container or cannot be written.
_PRIVATE_MOUNTS = frozenset({"tmpfs", "image"})


def why_not_beside(service: Service) -> str:
    """Return why two containers of this service must not run at once; empty when they may."""
    if service.settings.beside == "never":
        return "x-tonnage.beside: never"
    if service.settings.one_shot:
        return "it runs once to its end"
    for mount in service.mounts:
        if not mount.read_only and mount.kind not in _PRIVATE_MOUNTS and (mount.source or mount.kind != "volume"):
            return f"writable {mount.kind} {mount.source} at {mount.target}"
    if service.devices:
        return f"device {service.devices[0]}"
    if service.hostname:
        return f"fixed hostname {service.hostname}"
    if service.network_mode and service.network_mode not in {"bridge", "none", "default"}:
        return f"network_mode {service.network_mode}"
    return _fixed_identity(json.loads(service.config_json))


def _fixed_identity(config: dict[str, object]) -> str:
    if config.get("volumes_from"):
        return "volumes_from shares another container's volumes"
    if config.get("mac_address"):
        return "fixed mac_address"
    networks = config.get("networks")
    if isinstance(networks, dict):
        for name, network in networks.items():
            if isinstance(network, dict):
                for key in ("ipv4_address", "ipv6_address", "mac_address", "link_local_ips"):
                    if network.get(key):
                        return f"fixed {key} on network {name}"
    return ""
