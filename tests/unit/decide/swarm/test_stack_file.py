"""What Swarm is told of a stack, and what is refused because Swarm would pass over it in silence."""

from __future__ import annotations

from typing import Any

import pytest

from tonnage.decide.swarm.stack_file import differs, for_later, placed_again, stack_file, taken_back
from tonnage.errors import UsageError
from tonnage.model.stack import Service, ServiceSettings, Stack


def stack(
    shared: dict[str, Any] | None = None,
    /,
    *,
    name: str = "fleet",
    one_shot: bool = False,
    **config: Any,  # noqa: ANN401 - as YAML
) -> Stack:
    settings = ServiceSettings(one_shot=one_shot)
    replicas = int((config.get("deploy") or {}).get("replicas", 1))
    service = Service(name="web", image="shop/web:1", config=config, settings=settings, replicas=replicas)
    return Stack(name=name, directory="/srv/fleet", files=(), services=(service,), shared=shared or {})


def written(of: Stack, *constraints: str) -> dict[str, Any]:
    made = stack_file(of, {"web": "localhost/x:1"}, {"web": constraints}, {"/srv/fleet/tok": "ab" * 32})
    service: dict[str, Any] = made.document["services"]["web"]
    return service


def test_an_image_constraints_and_replicas_stand_where_swarm_reads_them() -> None:
    made = written(
        stack(deploy={"replicas": 3, "placement": {"constraints": ["node.role==worker"]}}), "node.labels.a==b"
    )
    assert made["image"] == "localhost/x:1"
    assert made["deploy"]["replicas"] == 3
    assert made["deploy"]["placement"]["constraints"] == ["node.role==worker", "node.labels.a==b"]


def test_what_is_not_healthy_is_taken_back_by_swarm_unless_the_file_says_otherwise() -> None:
    assert written(stack())["deploy"]["update_config"]["failure_action"] == "rollback"
    said = written(stack(deploy={"update_config": {"failure_action": "pause", "order": "start-first"}}))
    assert said["deploy"]["update_config"] == {"failure_action": "pause", "order": "start-first"}


@pytest.mark.parametrize(
    ("restart", "policy"),
    [
        ("no", {"condition": "none"}),
        ("unless-stopped", {"condition": "any"}),
        ("on-failure:4", {"condition": "on-failure", "max_attempts": 4}),
    ],
)
def test_restart_is_written_as_swarm_reads_it(restart: str, policy: dict[str, object]) -> None:
    assert written(stack(restart=restart))["deploy"]["restart_policy"] == policy


def test_a_one_shot_is_not_started_again() -> None:
    assert written(stack(one_shot=True))["deploy"]["restart_policy"] == {"condition": "none"}


def test_limits_of_a_service_are_written_as_resources() -> None:
    made = written(stack(mem_limit="104857601", cpus=0.5, mem_reservation="52428803"))
    assert made["deploy"]["resources"] == {
        "limits": {"memory": "104857601", "cpus": "0.5"},
        "reservations": {"memory": "52428803"},
    }


def test_ports_are_numbers_with_their_mode() -> None:
    ports = [{"target": 80, "published": "8081", "mode": "host", "protocol": "tcp"}, {"target": 90}]
    assert written(stack(ports=ports))["ports"] == [
        {"target": 80, "published": 8081, "protocol": "tcp", "mode": "host"},
        {"target": 90, "protocol": "tcp", "mode": "ingress"},
    ]


def test_a_port_on_one_address_is_refused_since_swarm_would_open_it_on_all() -> None:
    with pytest.raises(UsageError, match=r"'web' publishes a port on 127\.0\.0\.1 only"):
        written(stack(ports=[{"target": 80, "published": "8081", "host_ip": "127.0.0.1"}]))


@pytest.mark.parametrize(
    ("key", "value"),
    [("privileged", True), ("devices", ["/dev/fuse"]), ("network_mode", "host"), ("shm_size", 1), ("gpus", "all")],
)
def test_what_swarm_would_pass_over_is_refused_with_service_and_key(key: str, value: Any) -> None:  # noqa: ANN401 - as YAML
    config: dict[str, Any] = {key: value}
    with pytest.raises(UsageError, match=f"'web' has '{key}'"):
        written(stack(**config))


def test_what_says_nothing_is_left_out() -> None:
    made = written(stack(privileged=False, devices=[], network_mode="", environment={"A": "1", "B": None}))
    assert made["environment"] == {"A": "1"}
    assert not made.keys() & {"privileged", "devices", "network_mode"}


def test_what_has_no_effect_is_noted() -> None:
    made = stack_file(stack(depends_on={"db": {}}), {"web": "x"}, {}, {})
    assert made.notes == ("web: depends_on has no effect: Swarm starts services in any order",)
    assert "depends_on" not in made.document["services"]["web"]


@pytest.mark.parametrize("name", ["web.api", "web-", "w" * 70])
def test_names_that_swarm_refuses_are_refused_before(name: str) -> None:
    of = Stack(name="fleet", directory="/", files=(), services=(Service(name=name, image="x"),))
    with pytest.raises(UsageError, match="Swarm refuses the name"):
        stack_file(of, {}, {}, {})


def test_a_secret_is_named_after_its_content_and_only_named_in_versions() -> None:
    of = stack({"secrets": {"tok": {"file": "/srv/fleet/tok", "name": "fleet_tok"}}}, secrets=[{"source": "tok"}])
    made = stack_file(of, {"web": "x"}, {}, {"/srv/fleet/tok": "ab" * 32}).document
    assert made["secrets"] == {"tok": {"file": "/srv/fleet/tok", "name": "fleet_tok_abababababab"}}
    assert for_later(made)["secrets"] == {"tok": {"external": True, "name": "fleet_tok_abababababab"}}


def test_a_secret_from_the_environment_is_refused() -> None:
    with pytest.raises(UsageError, match="'tok' does not come from a file"):
        stack_file(stack({"secrets": {"tok": {"environment": "TOKEN"}}}), {"web": "x"}, {}, {})


def test_a_network_of_one_machine_is_refused() -> None:
    with pytest.raises(UsageError, match="driver 'bridge'"):
        stack_file(stack({"networks": {"front": {"driver": "bridge"}}}), {"web": "x"}, {}, {})


def test_where_a_service_is_placed_does_not_make_it_another_one() -> None:
    here = stack_file(
        stack(user="7"), {"web": "x"}, {"web": ("node.labels.tonnage.place.fleet.web==yes",)}, {}
    ).document
    there = stack_file(stack(user="7"), {"web": "x"}, {"web": ("node.id!=abc",)}, {}).document
    other = stack_file(stack(user="8"), {"web": "x"}, {}, {}).document
    assert not differs(here, there, "web")
    assert differs(here, other, "web")


def test_a_version_of_before_excludes_no_node_any_more() -> None:
    document = stack_file(stack(), {"web": "x"}, {"web": ("node.labels.a==b", "node.id!=abc")}, {}).document
    kept = placed_again(document)["services"]["web"]["deploy"]["placement"]["constraints"]
    assert kept == ["node.labels.a==b"]


def test_services_that_failed_are_as_before_or_gone() -> None:
    now = {"version": "3.9", "services": {"a": {"image": "a:2"}, "b": {"image": "b:2"}, "c": {"image": "c:1"}}}
    before = {"version": "3.9", "services": {"a": {"image": "a:1"}, "b": {"image": "b:1"}}, "networks": {"n": {}}}
    made = taken_back(now, before, {"a", "c"})
    assert {name: told["image"] for name, told in made["services"].items()} == {"a": "a:1", "b": "b:2"}
    assert made["networks"] == {"n": {}}
