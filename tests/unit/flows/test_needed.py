"""Where is looked for what services need: on the engine's machine, or on this one where it is sent from here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.unit.decide import observed

from tonnage.flows.needed import with_needs
from tonnage.model.stack import BuildSpec, Port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Stack

WEB = observed.service(
    config={
        "volumes": [
            {"type": "bind", "source": "/srv/shop/app.conf", "target": "/etc/app.conf"},
            {"type": "bind", "source": "/var/models", "target": "/models"},
        ]
    },
    build=BuildSpec(context="/srv/shop/web", secrets=("id=token,src=/home/me/token",)),
    ports=(Port(target=80, published="8017"),),
)


@dataclass
class Files:
    """Files of several machines, by endpoint; this one's is empty."""

    gone: dict[str, set[str]]
    asked: dict[str, list[str]] = field(default_factory=dict)

    def missing(self, endpoint: str, paths: Sequence[str]) -> set[str]:
        self.asked.setdefault(endpoint, []).extend(paths)
        return self.gone.get(endpoint, set()) & set(paths)

    def listening(self, endpoint: str) -> tuple[tuple[str, int, str], ...]:
        return (("", 90, "tcp"),) if endpoint else (("", 80, "tcp"), ("", 80, "udp"), ("", 8017, "tcp"))


@dataclass
class Outside:
    """What reading a stack needs, as far as it is asked."""

    files: Any
    asked: int = 0

    @property
    def programs(self) -> Outside:
        return self

    def compose_version(self) -> str:
        self.asked += 1
        return "2.26.1"


def look(stack: Stack, endpoint: str, gone: dict[str, set[str]], **engine: object) -> tuple[Inventory, Files]:
    files = Files(gone)
    inventory = observed.inventory(
        containers=(observed.container(WEB, observed.image(1), published=(("", 80, "tcp"),)),)
    )
    inventory = replace(inventory, engine=replace(inventory.engine, endpoint=endpoint, **engine))
    outside = Outside(files)
    seen = with_needs(outside, stack, inventory)  # type: ignore[arg-type]
    assert outside.asked == bool(seen.compose)
    return seen, files


def test_on_this_machine_everything_is_looked_for_here_and_ports_of_containers_are_not_other_peoples() -> None:
    seen, files = look(observed.stack(WEB), "unix:///run/docker.sock", {"": {"/var/models", "/home/me/token"}})
    assert seen.missing == {"/var/models", "/home/me/token"}
    assert list(files.asked) == [""]
    assert seen.listening == (("", 80, "udp"), ("", 8017, "tcp"))


def test_of_an_engine_in_another_network_the_ports_of_this_one_are_not_asked() -> None:
    assert look(observed.stack(WEB), "unix:///run/docker.sock", {}, apart=True)[0].listening == ()


def test_on_another_machine_mounts_are_looked_for_there_and_what_is_sent_here() -> None:
    ssh = "ssh://me@vm"
    config = {"volumes": [{**WEB.config["volumes"][0], "source": "/opt/shop/app.conf"}, WEB.config["volumes"][1]]}
    stack = replace(
        observed.stack(replace(WEB, config=config)),
        place="/opt/shop",
        sent=(("app.conf", True),),
        directory="/srv/shop",
    )
    seen, files = look(stack, ssh, {"": {"/srv/shop/app.conf"}, ssh: {"/var/models"}})
    assert seen.missing == {"/srv/shop/app.conf", "/opt/shop/app.conf", "/var/models"}
    assert files.asked == {"": ["/home/me/token", "/srv/shop/app.conf"], ssh: ["/var/models"]}
    assert seen.listening == (("", 90, "tcp"),)


def test_where_no_port_is_published_nobody_is_asked_for_ports() -> None:
    assert look(observed.stack(replace(WEB, ports=())), "unix:///run/docker.sock", {})[0].listening == ()


@pytest.mark.parametrize("endpoint", ["tcp://vm:2375"])
def test_where_no_file_can_be_looked_at_none_is_missing(endpoint: str) -> None:
    seen, files = look(observed.stack(WEB), endpoint, {"": {"/var/models"}})
    assert seen.missing == frozenset()
    assert files.asked == {"": ["/home/me/token"]}


def test_which_compose_is_there_is_asked_only_where_a_key_of_newer_versions_is_used() -> None:
    hooked = replace(WEB, config={"post_start": [{"command": ["true"]}]})
    assert look(observed.stack(hooked), "unix:///run/docker.sock", {})[0].compose == "2.26.1"
    assert look(observed.stack(WEB), "unix:///run/docker.sock", {})[0].compose == ""
