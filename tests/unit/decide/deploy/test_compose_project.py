"""What Compose is given for a switch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.changes import compose_project, config_digest
from tonnage.model.stack import Service, Stack

if TYPE_CHECKING:
    from tonnage.model.stack import ComposeMapping

WEB = Service(
    name="web",
    image="shop-web",
    config={
        "build": {"context": "/srv"},
        "environment": {"PRICE": "5$"},
        "labels": {"own": "1"},
        "networks": {"default": None},
    },
)
DB = Service(name="db", image="postgres:16", config={"image": "postgres:16"})
STACK = Stack(
    name="shop",
    directory="/srv",
    files=(),
    services=(WEB, DB),
    shared={"networks": {"default": {"name": "shop_default"}}},
)


def written(**options: str) -> ComposeMapping:
    return compose_project(STACK, WEB, "f00d", **options)


def test_nothing_is_left_to_build_and_every_image_is_named() -> None:
    services = written()["services"]
    assert "build" not in services["web"]
    assert services["web"]["image"] == "shop-web"
    assert services["db"]["image"] == "postgres:16"


def test_the_switched_service_is_labelled_and_keeps_its_own_labels() -> None:
    assert written()["services"]["web"]["labels"] == {
        "own": "1",
        "tonnage.config": config_digest(WEB),
        "tonnage.inputs": "f00d",
    }
    assert "labels" not in written()["services"]["db"]


def test_another_image_can_be_named_for_a_container_that_is_not_proven_yet() -> None:
    services = written(image="localhost/tonnage/shop/web:candidate")["services"]
    assert services["web"]["image"] == "localhost/tonnage/shop/web:candidate"
    assert services["db"]["image"] == "postgres:16"


def test_networks_come_along() -> None:
    assert written()["networks"] == {"default": {"name": "shop_default"}}


def test_the_stack_itself_is_not_changed() -> None:
    written()
    assert WEB.config["labels"] == {"own": "1"}
