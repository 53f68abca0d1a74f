"""Never two at once on the same state."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tonnage.decide.deploy.switching import why_stop_first
from tonnage.model.stack import Mount, Service, ServiceSettings, SwitchOrder


def service(**changes: object) -> Service:
    fields: dict[str, object] = {"name": "web", "image": "web:1"}
    return Service(**(fields | changes))  # type: ignore[arg-type]


def test_a_service_without_state_is_started_first() -> None:
    assert why_stop_first(service()) == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"settings": ServiceSettings(switch=SwitchOrder.STOP_FIRST)}, "x-tonnage.switch: stop-first"),
        ({"settings": ServiceSettings(one_shot=True)}, "it runs once to its end"),
        ({"mounts": (Mount(kind="volume", source="data", target="/db"),)}, "writable volume data at /db"),
        ({"mounts": (Mount(kind="bind", source="/srv", target="/srv"),)}, "writable bind /srv at /srv"),
        ({"devices": ("/dev/dri",)}, "device /dev/dri"),
        ({"hostname": "db"}, "fixed hostname db"),
        ({"network_mode": "host"}, "network_mode host"),
        ({"network_mode": "service:other"}, "network_mode service:other"),
        ({"config": {"mac_address": "02:42:ac:11:00:02"}}, "fixed mac_address"),
        ({"config": {"volumes_from": ["db"]}}, "volumes_from shares another container's volumes"),
        (
            {"config": {"networks": {"back": {"ipv4_address": "10.7.0.3"}}}},
            "fixed ipv4_address on network back",
        ),
    ],
)
def test_state_that_two_would_share_forbids_it_and_is_named(changes: dict[str, object], reason: str) -> None:
    assert why_stop_first(service(**changes)) == reason


@pytest.mark.parametrize(
    "mount",
    [
        Mount(kind="volume", source="weights", target="/weights", read_only=True),
        Mount(kind="bind", source="/etc/app.toml", target="/etc/app.toml", read_only=True),
        Mount(kind="tmpfs", source="", target="/tmp"),
        Mount(kind="volume", source="", target="/scratch"),
    ],
)
def test_what_is_read_only_or_private_to_each_container_does_not_forbid_it(mount: Mount) -> None:
    assert why_stop_first(service(mounts=(mount,))) == ""


def test_networks_without_a_fixed_address_do_not_forbid_it() -> None:
    config = {"networks": {"default": None, "back": {"aliases": ["api"]}}}
    assert why_stop_first(service(config=config)) == ""


def test_start_first_as_asked_goes_before_what_is_shared_but_not_for_what_runs_to_its_end() -> None:
    mounts = (Mount(kind="volume", source="data", target="/db"),)
    asked = ServiceSettings(switch=SwitchOrder.START_FIRST)
    assert why_stop_first(service(mounts=mounts, settings=asked)) == ""
    assert why_stop_first(service(settings=replace(asked, one_shot=True))) == "it runs once to its end"
