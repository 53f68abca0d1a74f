"""What Compose is given for a switch."""

from __future__ import annotations

import json

from tonnage.decide.deploy.compose_project import config_digest, project_json
from tonnage.model.stack import Service, Stack

WEB = Service(
    name="web",
    image="shop-web",
    config_json=json.dumps(
        {
            "build": {"context": "/srv"},
            "environment": {"PRICE": "5$"},
            "labels": {"own": "1"},
            "networks": {"default": None},
        }
    ),
)
DB = Service(name="db", image="postgres:16", config_json=json.dumps({"image": "postgres:16"}))
STACK = Stack(
    name="shop",
    directory="/srv",
    files=(),
    services=(WEB, DB),
    shared_json=json.dumps({"networks": {"default": {"name": "shop_default"}}}),
)


def written(**options: str) -> dict[str, dict[str, dict[str, object]]]:
    read: dict[str, dict[str, dict[str, object]]] = json.loads(project_json(STACK, WEB, "f00d", **options))
    return read


def test_nothing_is_left_to_build_and_every_image_is_named() -> None:
    services = written()["services"]
    assert "build" not in services["web"]
    assert services["web"]["image"] == "shop-web"
    assert services["db"]["image"] == "postgres:16"


def test_a_dollar_is_doubled_so_that_compose_substitutes_nothing_again() -> None:
    assert written()["services"]["web"]["environment"] == {"PRICE": "5$$"}


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


def test_the_same_stack_is_written_the_same_way_every_time() -> None:
    assert project_json(STACK, WEB, "f00d") == project_json(STACK, WEB, "f00d")
