from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.answering import Answer, answering

from tonnage.adapters.docker.connect import connect
from tonnage.adapters.docker.facts import DockerFacts

if TYPE_CHECKING:
    from tests.answering import Answering

WIRE = Path(__file__).parents[3] / "wire"


PODMANS = ("podman-4.3", "podman-5.4")


def asked_for_pulls(served: Answering, engine: str) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Have an engine asked what was pulled; return what it was asked, and what came of it."""
    info = json.loads((WIRE / engine / "info.json").read_text()) | {"SystemTime": "2026-11-29T08:40:00Z"}
    version = {"ApiVersion": "1.41", "MinAPIVersion": "1.24", "Os": "linux"}
    served.routes |= {
        "/version": Answer(body=json.dumps(version).encode()),
        "/v1.41/info": Answer(body=json.dumps(info).encode()),
        "/v1.41/events": Answer(body=(WIRE / engine / "events.jsonl").read_bytes()),
    }
    with connect({}, f"tcp://{served.host}") as connection:
        pulled = DockerFacts(connection).pulled(300)
    return parse_qs(urlsplit(served.asked[-1].path).query), pulled


@pytest.mark.parametrize("engine", PODMANS)
def test_podman_is_told_no_end_with_which_it_leaves_pulls_out(engine: str) -> None:
    with answering() as served:
        asked, pulled = asked_for_pulls(served, engine)
    assert asked["stream"] == ["false"]
    assert "until" not in asked
    assert len(pulled) == 1


def test_docker_is_told_an_end_without_which_it_would_go_on_telling() -> None:
    with answering() as served:
        asked, pulled = asked_for_pulls(served, "28.5-classic")
    assert asked["until"] == ["1795941600.000000"]
    assert asked["since"] == ["1795941300.000000"]
    assert len(pulled) == 1


@pytest.mark.parametrize(("engine", "pod"), [*((each, "backup") for each in PODMANS), ("28.5-classic", "")])
def test_the_pod_of_a_container_is_asked_of_podman_alone(engine: str, pod: str) -> None:
    details = json.loads((WIRE / engine / "container_details.json").read_text())
    name = "in-pod" if pod else "web"
    version = {"ApiVersion": "1.41", "MinAPIVersion": "1.24", "Os": "linux"}
    with answering() as served:
        served.routes |= {
            "/version": Answer(body=json.dumps(version).encode()),
            "/v1.41/info": Answer(body=(WIRE / engine / "info.json").read_bytes()),
            "/v1.41/containers/json": Answer(body=(WIRE / engine / "containers.json").read_bytes()),
            **{
                f"/v1.41/containers/{each['Id']}/json": Answer(body=json.dumps(each).encode())
                for each in details.values()
            },
        }
        if pod:
            served.routes["/v1.41/libpod/containers/json"] = Answer(
                body=(WIRE / engine / "libpod_containers.json").read_bytes()
            )
        with connect({}, f"tcp://{served.host}") as connection:
            found = {each.name: each.pod for each in DockerFacts(connection).containers()}
    assert found[name] == pod
    assert [each for each in found.values() if each] == ([pod] if pod else [])
