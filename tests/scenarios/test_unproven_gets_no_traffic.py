"""Intent: who finds containers by their labels, or by names on a network, finds none that is not proven.

Steps: deploy a service with labels of proxies, change it, deploy again.
State checked: every container of the service 20 times a second: labels, variables, names on its networks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import docker.errors
import pytest
from tests.scenarios.seeing import PROJECT, SERVICE
from tests.scenarios.watching import watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scenarios.driving import Project

pytestmark = pytest.mark.engine

LABELS = {
    "traefik.enable": "true",
    "traefik.http.routers.web.rule": "Host(`web.example.org`)",
    "caddy": "web.example.org",
    "com.example.gateway": "8080",
    "com.example.team": "maps",
}


def looks(project: Project, service: str) -> Callable[[], list[dict[str, Any]]]:
    """Return a look at all that the engine tells of the containers of a service."""
    api = project.real.client.api
    labels = [f"{PROJECT}={project.name}", f"{SERVICE}={service}"]

    def look() -> list[dict[str, Any]]:
        found = []
        for each in api.containers(all=True, filters={"label": labels}):
            try:
                found.append(api.inspect_container(each["Id"]))
            except docker.errors.NotFound:  # it has just gone
                continue
        return found

    return look


def test_the_one_beside_has_no_label_variable_or_name_by_which_it_is_reached(project: Project) -> None:
    project.top["x-tonnage"] = {"proxy-labels": ["com.example.gateway*"]}
    started_first: dict[str, Any] = {"x-tonnage": {"stability": "500ms", "switch": "start-first"}}
    project.web(
        "web",
        "web 1",
        labels=LABELS,
        environment={"VIRTUAL_HOST": "web.example.org", "COLOUR": "red"},
        networks={"default": {"aliases": ["api.internal"]}},
        hostname="harbour",
        **started_first,
    )
    project.deploy()
    project.web("web", "web 2")
    with watching(looks(project, "web")) as seen:
        project.deploy()
    beside = [each for look in seen.seen for each in look if each["Name"].endswith("-web-candidate")]
    assert any(each["State"]["Running"] for each in beside)
    for each in beside:
        config = each["Config"]
        assert config["Labels"]["traefik.enable"] == "false"
        assert not (LABELS.keys() - {"traefik.enable", "com.example.team"}) & config["Labels"].keys()
        assert config["Labels"]["com.example.team"] == "maps"
        assert [line for line in config["Env"] if line.startswith(("VIRTUAL", "COLOUR"))] == ["COLOUR=red"]
        assert config["Hostname"] != "harbour"
        for network in each["NetworkSettings"]["Networks"].values():
            names = {*(network["Aliases"] or ()), *(network.get("DNSNames") or ())}
            # Compose 1.29 makes it with the name of its service, and takes that off before it starts.
            assert each["State"]["Status"] == "created" or not names & {"web", "api.internal", "harbour"}
    final = project.engine.details("web")
    assert final["Config"]["Labels"].items() >= LABELS.items()
    assert "VIRTUAL_HOST=web.example.org" in final["Config"]["Env"]
    assert final["Config"]["Hostname"] == "harbour"
    (network,) = final["NetworkSettings"]["Networks"].values()
    assert {"web", "api.internal"} <= set(network["Aliases"])
