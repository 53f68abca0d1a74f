"""What Compose is given for a switch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.changes import compose_project
from tonnage.model.deploy.image_names import image_in
from tonnage.model.stack import BuildSpec, Service, Stack

if TYPE_CHECKING:
    from tonnage.model.stack import ComposeMapping

WEB = Service(
    name="web",
    image="shop-web",
    build=BuildSpec(context="/srv", dockerfile="/srv/Dockerfile"),
    config={
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
    return compose_project(STACK, WEB, **options)


def test_the_project_is_as_it_is_written_so_that_compose_finds_nothing_to_change() -> None:
    services = written()["services"]
    # Compose names what is built, and does not count a name that nobody wrote.
    assert services["web"] == {**WEB.config, "build": {"context": "/srv"}}
    assert image_in(written(), "web") == "shop-web"
    assert services["db"] == {"image": "postgres:16"}


def test_another_image_can_be_named_for_a_container_that_is_not_proven_yet() -> None:
    services = written(image="localhost/tonnage/shop/web:candidate")["services"]
    assert services["web"]["image"] == "localhost/tonnage/shop/web:candidate"
    assert services["db"]["image"] == "postgres:16"


def test_networks_come_along() -> None:
    assert written()["networks"] == {"default": {"name": "shop_default"}}


def test_the_stack_itself_is_not_changed() -> None:
    written()
    assert WEB.config["labels"] == {"own": "1"}
