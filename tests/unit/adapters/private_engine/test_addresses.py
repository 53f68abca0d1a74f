from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from tonnage.adapters.private_engine.daemon import configuration
from tonnage.adapters.private_engine.layout import Layout
from tonnage.adapters.private_engine.network import Addresses, choose_block
from tonnage.errors import StepFailedError


def test_a_block_is_free_of_all_routes_and_of_other_rehearsals() -> None:
    routes = ["default", "192.168.1.0/24", "10.213.4.0/30", "10.214.7.9", "172.17.0.0/16"]
    assert choose_block(routes, ["10.215.0.0/16"]) == "10.216.0.0/16"


def test_a_route_to_all_private_addresses_of_one_kind_leaves_the_other_kind() -> None:
    assert choose_block(["10.0.0.0/8"], []) == "172.31.0.0/16"


def test_no_free_block_is_a_clear_failure() -> None:
    with pytest.raises(StepFailedError, match="no free block"):
        choose_block(["10.0.0.0/8", "172.16.0.0/12"], [])


def test_link_bridge_and_pool_do_not_overlap() -> None:
    addresses = Addresses(ipaddress.IPv4Network("10.216.0.0/16"))
    parts = [
        ipaddress.IPv4Network(addresses.link),
        ipaddress.IPv4Interface(addresses.bridge).network,
        ipaddress.IPv4Network(addresses.pool),
    ]
    assert not any(one.overlaps(other) for one in parts for other in parts if one is not other)
    assert all(part.subnet_of(addresses.block) for part in parts)
    assert ipaddress.IPv4Address(addresses.engine) in parts[0]


def test_the_engine_takes_over_registries_and_proxies_of_the_host_but_nothing_that_would_bind_it_to_the_host() -> None:
    host = {
        "registry-mirrors": ["https://mirror.example.org"],
        "data-root": "/srv/docker",
        "hosts": ["tcp://0.0.0.0:1"],
    }
    layout = Layout(Path("/var/tmp/tonnage"), "r1a2b3c")
    made = configuration(layout, Addresses(ipaddress.IPv4Network("10.216.0.0/16")), 1460, host)
    assert made["registry-mirrors"] == ["https://mirror.example.org"]
    assert made["data-root"] == "/var/tmp/tonnage/r1a2b3c/m/docker"
    assert made["hosts"] == ["unix:///var/tmp/tonnage/r1a2b3c/docker.sock", "unix:///run/docker.sock"]
    assert made["mtu"] == 1460


def test_names_outside_of_the_directory_fit_where_the_kernel_is_narrow() -> None:
    layout = Layout(Path("/var/tmp/tonnage"), "r1a2b3c")
    assert len(layout.interface) <= 15
    assert len(str(layout.exec_root / "containerd/containerd-debug.sock.ttrpc")) < 108
