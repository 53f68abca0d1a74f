from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.unit.decide.observed import service, stack

from tonnage.decide.deploy.remote_mounts import files_to_send, moved
from tonnage.model.stack import FileToSend, Mount

if TYPE_CHECKING:
    from tonnage.model.stack import Stack

WEIGHTS = Mount(kind="bind", source="/home/me/shop/weights", target="/weights", read_only=True)
DATA = Mount(kind="bind", source="/home/me/shop/data", target="/data")
SYSTEM = Mount(kind="bind", source="/etc/ssl", target="/ssl", read_only=True)
NAMED = Mount(kind="volume", source="cache", target="/cache")


def shop() -> Stack:
    mounts = (WEIGHTS, DATA, SYSTEM, NAMED)
    volumes = [{"type": each.kind, "source": each.source, "target": each.target} for each in mounts]
    web = replace(service(config={"volumes": volumes}), mounts=mounts)
    shared = {"secrets": {"token": {"file": "/home/me/shop/token.txt"}}, "configs": {}, "networks": {}, "volumes": {}}
    return replace(stack(web), directory="/home/me/shop", shared=shared)


def test_what_is_mounted_from_the_project_directory_is_mounted_from_the_other_one() -> None:
    web = moved(shop(), "/srv/shop/").services[0]

    sources = ["/srv/shop/weights", "/srv/shop/data", "/etc/ssl", "cache"]
    assert [mount.source for mount in web.mounts] == sources
    assert [entry["source"] for entry in web.config["volumes"]] == sources


def test_files_of_secrets_move_too() -> None:
    assert moved(shop(), "/srv/shop").shared["secrets"]["token"]["file"] == "/srv/shop/token.txt"


def test_what_has_to_be_sent_is_named_with_whether_it_is_only_read() -> None:
    assert moved(shop(), "/srv/shop").sent == (("data", False), ("token.txt", True), ("weights", True))


def test_the_project_directory_itself_can_be_mounted() -> None:
    here = Mount(kind="bind", source="/home/me/shop", target="/app", read_only=True)
    web = replace(service(), mounts=(here,))
    found = moved(replace(stack(web), directory="/home/me/shop"), "/srv/shop")

    assert found.services[0].mounts[0].source == "/srv/shop"
    assert found.sent == ((".", True),)


def test_a_file_is_sent_when_it_is_missing_or_another_one() -> None:
    here = {"a": (17, 100, True), "b": (19, 100, True), "c": (23, 100, True), "d": (29, 101, True)}
    there = {"b": (19, 100), "c": (24, 100), "d": (29, 100)}

    assert [each.path for each in files_to_send(here, there)] == ["a", "c", "d"]
    assert files_to_send(here, there)[0] == FileToSend(path="a", size_bytes=17)


def test_what_containers_may_write_is_never_replaced() -> None:
    here = {"data/db": (17, 100, False), "data/new": (19, 100, False)}

    assert [each.path for each in files_to_send(here, {"data/db": (4099, 7)})] == ["data/new"]
