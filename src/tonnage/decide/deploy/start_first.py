"""Whether a new version starts before the running one is stopped. Never two at once on the same state: in doubt, no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.stack import SwitchOrder

if TYPE_CHECKING:
    from tonnage.model.stack import ComposeMapping, Service

# Mounts of these kinds are private to each container or cannot be written.
_PRIVATE_MOUNTS = frozenset({"tmpfs", "image"})


def why_stop_first(service: Service) -> str:
    """Return why the running containers have to be stopped first; empty when both versions may run at once."""
    if service.settings.switch is SwitchOrder.STOP_FIRST:
        return "x-tonnage.switch: stop-first"
    if service.settings.one_shot:
        return "it runs once to its end"
    if service.settings.switch is SwitchOrder.START_FIRST:
        return ""
    for mount in service.mounts:
        if not mount.read_only and mount.kind not in _PRIVATE_MOUNTS and (mount.source or mount.kind != "volume"):
            return f"writable {mount.kind} {mount.source} at {mount.target}"
    if service.devices:
        return f"device {service.devices[0]}"
    if service.hostname:
        return f"fixed hostname {service.hostname}"
    if service.network_mode and service.network_mode not in {"bridge", "none", "default"}:
        return f"network_mode {service.network_mode}"
    return _fixed_identity(service.config)


def _fixed_identity(config: ComposeMapping) -> str:
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
