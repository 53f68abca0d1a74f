"""A network of the engine."""

from __future__ import annotations

from msgspec import Struct, field


class Subnet(Struct, frozen=True, kw_only=True):
    """A range of addresses of a network; each part is empty where the engine tells none."""

    subnet: str = ""
    gateway: str = ""


class Network(Struct, frozen=True, kw_only=True):
    """What the engine tells of a network.

    Args:
        options: Of its driver.
        ipv6: Whether its containers have addresses of version 6.
    """

    name: str
    network_id: str = ""
    driver: str = ""
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    internal: bool = False
    attachable: bool = False
    ipv6: bool = False
    subnets: tuple[Subnet, ...] = ()
