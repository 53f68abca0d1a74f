"""What tells a proxy to send traffic to a container, and a project that tells none."""

from __future__ import annotations

from tests.unit.builders import context
from tests.unit.decide.observed import container, image, inventory, service, stack

from tonnage.decide.deploy.routing import routed_by, unrouted
from tonnage.decide.deploy.switching import start_first_steps, switch_steps
from tonnage.model.deploy.plan import StartFirst, Switch
from tonnage.model.deploy.policy import Policy
from tonnage.model.inventory import Inputs

LABELS = {
    "traefik.enable": "true",
    "traefik.http.routers.web.rule": "Host(`web.example.org`)",
    "caddy": "web.example.org",
    "caddy.reverse_proxy": "{{upstreams 8080}}",
    "caddy_1": "www.example.org",
    "caddy_ingress_network": "front",
    "com.example.gateway.port": "8080",
    "com.example.team": "maps",
    "my.traefik.note": "none",
}
VARIABLES = {"VIRTUAL_HOST": "web.example.org", "VIRTUAL_PORT": "8080", "LETSENCRYPT_HOST": "x", "PORT": "8080"}
CONFIG = {"labels": LABELS, "environment": VARIABLES}
KNOWN = [*list(LABELS)[:6], "VIRTUAL_HOST", "VIRTUAL_PORT", "LETSENCRYPT_HOST"]


def test_labels_and_variables_of_known_proxies_are_found_and_no_others() -> None:
    assert list(routed_by(CONFIG)) == KNOWN


def test_what_the_user_names_is_found_too_among_labels_and_variables() -> None:
    found = routed_by(CONFIG, ("com.example.gateway.*", "PORT"))
    assert set(found) - set(KNOWN) == {"com.example.gateway.port", "PORT"}


def test_a_pattern_is_no_regular_expression() -> None:
    assert "com.example.team" not in routed_by(CONFIG, (".*", "com.example.[", "(team"))


def test_a_service_without_labels_and_variables_has_nothing_to_leave_off() -> None:
    assert routed_by({}) == ()
    assert unrouted({"services": {"web": {"image": "web"}}}, "web") == {
        "services": {"web": {"image": "web", "labels": {"traefik.enable": "false"}, "environment": {}}}
    }


def test_only_the_container_beside_goes_without_them_and_the_plan_names_them() -> None:
    web = service(config=CONFIG)
    runs = image(1, "shop-web:latest", inputs="i1")
    seen = inventory(images=(runs,), containers=(container(web, runs),), inputs=(Inputs(service="web", digest="i9"),))
    wanted = context(stack(web), web, seen, policy=Policy(proxy_labels=("com.example.gateway.*",)))
    start, *_ = start_first_steps(wanted)
    assert isinstance(start.action, StartFirst)
    beside = start.action.project["services"]["web"]
    assert {"com.example.team", "my.traefik.note"} <= set(beside["labels"])
    assert beside["labels"]["traefik.enable"] == "false"
    assert not set(routed_by(beside, ("com.example.gateway.*",))) - {"traefik.enable"}
    assert beside["environment"] == {"PORT": "8080"}
    assert "traefik.http.routers.web.rule, caddy" in start.changes
    assert "com.example.gateway.port, VIRTUAL_HOST" in start.changes
    switch, *_ = switch_steps(wanted)
    assert isinstance(switch.action, Switch)
    in_place = switch.action.project["services"]["web"]
    assert in_place["labels"].items() >= LABELS.items()
    assert in_place["environment"] == VARIABLES
