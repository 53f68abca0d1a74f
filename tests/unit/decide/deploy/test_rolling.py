"""A rolling switch: which networks are left off, in which order, what undoes each step, and what cannot be rolled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.unit.builders import context, names
from tests.unit.decide.observed import container, image, inventory, service, stack, version

from tonnage.decide.deploy.rollback import plan_rollback
from tonnage.decide.deploy.rolling import check_rolling, rolling_steps, rolls
from tonnage.decide.deploy.service_steps import deploy_steps
from tonnage.errors import UsageError
from tonnage.model.deploy.plan import Prove, RemoveService, Switch, Tag
from tonnage.model.deploy.policy import Policy
from tonnage.model.deploy.rolling import Attachment, Connect, Drain, Retire, StartRolling
from tonnage.model.deploy.run import History
from tonnage.model.inventory import Inputs
from tonnage.model.stack import Dependency, Port, ProbeSpec, ServiceSettings, SwitchOrder

if TYPE_CHECKING:
    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.stack import Service, Stack

ROLLING = ServiceSettings(switch=SwitchOrder.ROLLING, drain_s=7.0)
NETWORKS = {"front": {"aliases": ["api.internal"], "driver_opts": {"a": "b"}}, "back": None}
RUNS = image(1, "shop-web:latest", inputs="i1")


def rolling(config: dict[str, Any] | None = None, settings: ServiceSettings = ROLLING, **changes: Any) -> Service:  # noqa: ANN401 - fields of a service
    return service(config={"networks": NETWORKS} if config is None else config, settings=settings, **changes)


def whole(web: Service) -> Stack:
    db = service("db", config={"networks": {"back": None}})
    shared = {"networks": {"front": {"name": "proxy", "external": True}, "back": {"name": "shop_back"}}}
    return replace(stack(web, db), shared=shared)


def case(web: Service) -> ServiceContext:
    seen = inventory(images=(RUNS,), containers=(container(web, RUNS),), inputs=(Inputs(service="web", digest="i9"),))
    return context(whole(web), web, seen)


def started(web: Service) -> StartRolling:
    action = rolling_steps(case(web))[0].action
    assert isinstance(action, StartRolling)
    return action


NEEDS_DB = (Dependency(service="db"),)


def test_old_containers_go_only_after_the_new_ones_were_proven_connected_and_proven_again() -> None:
    web = rolling(depends_on=NEEDS_DB)
    steps = deploy_steps(case(web))
    assert [each.name for each in steps][-6:] == [
        f"web.{name}" for name in ("start-rolling", "prove-rolling", "connect", "prove", "drain", "retire")
    ]
    assert not any("candidate" in each.name for each in steps)
    start, proof, connect, again, drain, retire = (each.action for each in steps[-6:])
    old = (container(web, RUNS).container_id,)
    assert isinstance(start, StartRolling)
    assert isinstance(proof, Prove)
    assert proof.but == old
    assert again == proof
    assert connect == Connect(
        networks=(Attachment(network="proxy", aliases=("web", "api.internal"), options=(("a", "b"),)),), old=old
    )
    assert drain == Drain(seconds=7.0)
    assert retire == Retire(containers=old)


def test_until_then_undoing_is_removing_the_new_ones_and_after_it_the_old_version_is_restored() -> None:
    steps = rolling_steps(case(rolling(depends_on=NEEDS_DB)))
    old = (container(rolling(), RUNS).container_id,)
    for step in steps[:-1]:
        remove, back, *_ = step.on_failure
        assert remove.action == RemoveService(project="shop", but=old)
        assert back.action == Tag(image=RUNS.image_id, reference="shop-web")
        assert not any(isinstance(each.action, Switch) for each in step.on_failure)
    assert any(isinstance(each.action, Switch) for each in steps[-1].on_failure)


@pytest.mark.parametrize(
    ("web", "apart"),
    [
        (rolling(depends_on=NEEDS_DB), ("proxy",)),
        (rolling(), ("proxy", "shop_back")),
        (rolling(settings=replace(ROLLING, proxy_networks=("back",))), ("shop_back",)),
        (rolling({"networks": NETWORKS, "labels": {"traefik.docker.network": "proxy"}}), ("proxy",)),
        (rolling({"networks": NETWORKS, "labels": {"caddy_ingress_network": "front"}}), ("proxy",)),
    ],
)
def test_left_off_is_what_settings_name_else_a_label_else_what_no_dependency_is_on(
    web: Service, apart: tuple[str, ...]
) -> None:
    check_rolling(whole(web), web)
    action = started(web)
    assert action.apart == apart
    assert {each.network for each in action.kept} == {"proxy", "shop_back"} - set(apart)


@pytest.mark.parametrize(
    ("web", "why"),
    [
        (rolling(ports=(Port(target=80, published="8080"),)), "it publishes ports of the host"),
        (rolling(container_name="shop"), "it has the fixed name shop"),
        (rolling(network_mode="host"), "it has network_mode host"),
        (rolling({"networks": NETWORKS, "links": ["db"]}), "it has links"),
        (
            rolling({"networks": {"front": {"ipv4_address": "10.7.0.3"}}}),
            "it has a fixed ipv4_address on network front",
        ),
        (rolling(settings=replace(ROLLING, one_shot=True)), "it runs once to its end"),
        (rolling(settings=replace(ROLLING, proxy_networks=("edge",))), "names 'edge', which is none of its networks"),
        (rolling({"networks": {"back": None}}, depends_on=NEEDS_DB), "they share all of its networks"),
        (rolling(settings=replace(ROLLING, probe=ProbeSpec(port=80))), "x-tonnage.probe cannot ask it"),
    ],
)
def test_what_cannot_be_there_twice_or_be_proven_apart_is_refused(web: Service, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        check_rolling(whole(web), web)
    check_rolling(whole(web), replace(web, settings=ServiceSettings()))


def test_where_nothing_runs_it_is_just_started() -> None:
    web = rolling(depends_on=NEEDS_DB)
    seen = inventory(images=(RUNS,), containers=(), inputs=(Inputs(service="web", digest="i9"),))
    first = context(whole(web), web, seen)
    assert not rolls(first)
    assert "switch" in names(deploy_steps(first))


def gone_back(web: Service, earlier: Service) -> Plan:
    old, new = image(1, "localhost/tonnage/shop/web:other", inputs="i1"), image(2, "shop-web:latest", inputs="i2")
    known = (version(whole(earlier), earlier, old, "i1"), version(whole(web), web, new, "i2"))
    seen = inventory(images=(old, new), containers=(container(web, new),))
    return plan_rollback(whole(web), seen, Policy(), History(versions=known), ("web",))


def test_a_rollback_rolls_as_the_deploy_did_and_names_go_back_as_long_as_what_runs_serves() -> None:
    web = rolling(depends_on=NEEDS_DB)
    earlier = rolling({"networks": NETWORKS, "environment": {"A": "earlier"}}, depends_on=NEEDS_DB)
    made = gone_back(web, earlier)
    assert names(made.steps) == [
        "withdraw-what-runs", "start-rolling", "prove-rolling", "connect", "prove", "drain", "retire", "good",
    ]  # fmt: skip
    start, retire = (
        next(each for each in made.steps if each.name == f"web.{it}") for it in ("start-rolling", "retire")
    )
    assert isinstance(start.action, StartRolling)
    assert start.action.project["services"]["web"]["environment"] == {"A": "earlier"}
    assert (start.action.image, start.action.image_name) == (image(1).image_id, "shop-web")
    assert names(start.on_failure) == ["undo-rolling", "name-back", "undo-withdraw"]
    assert start.on_failure[1].action == Tag(image=image(2).image_id, reference="shop-web")
    assert names(retire.on_failure) == ["restore", "prove-restored", "undo-withdraw"]


@pytest.mark.parametrize(
    "earlier",
    [
        {"networks": {"front": None}},
        {"networks": NETWORKS, "container_name": "one"},
        {"networks": NETWORKS, "ports": ["80:80"]},
    ],
)
def test_a_version_that_cannot_run_beside_this_one_is_gone_back_to_by_an_ordinary_switch(
    earlier: dict[str, Any],
) -> None:
    made = gone_back(rolling(depends_on=NEEDS_DB), rolling(earlier, depends_on=NEEDS_DB))
    assert names(made.steps) == ["withdraw-what-runs", "switch", "prove", "good"]
