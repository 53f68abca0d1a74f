"""A network that is written otherwise is made anew with all services on it, or not at all."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.simulator import Instruction, Recipe
from tests.simulator.deploying import PROJECT, Described, changed, stack_of
from tests.simulator.recipe import Behaviour
from tests.unit.builders import harbour
from tests.unit.decide import observed

from tonnage.decide.deploy.networks.differences import defined, differences
from tonnage.decide.deploy.networks.fitting import on_present_networks
from tonnage.errors import UsageError
from tonnage.model.deploy.plan import StartFirst
from tonnage.model.deploy.renewal import RemoveNetworks
from tonnage.model.deploy.run import Outcome
from tonnage.model.network import Network, Subnet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.simulator.deploying import Harbour

    from tonnage.model.inventory import Container
    from tonnage.model.stack import Stack

MTU = "com.docker.network.driver.mtu"
ONE = Recipe(instructions=(Instruction(text="RUN one", kept_bytes=1_000_003),))
TWO = Recipe(instructions=(Instruction(text="RUN two", kept_bytes=1_000_033),))
BAD = Recipe(
    instructions=(Instruction(text="RUN bad", kept_bytes=1_000_037),),
    behaviour=Behaviour(exits_after_s=1.0, exit_code=3),
)
DB = Described(name="db", image="busybox")
WEB = Described(name="web", recipe=ONE, depends_on=("db",))
ASIDE = Described(name="aside", image="busybox")
ALL = (DB, WEB, ASIDE)
NETWORK = f"{PROJECT}_back"


def on_networks(place: Harbour, services: Sequence[Described], mtu: str) -> Stack:
    """Return a stack of which db and web are on a network with this option."""
    stack = stack_of(place.engine, services)
    own = tuple(
        each if each.name == "aside" else replace(each, config=each.config | {"networks": {"back": None}})
        for each in stack.services
    )
    return replace(stack, services=own, shared={**stack.shared, "networks": {"back": {"driver_opts": {MTU: mtu}}}})


@pytest.fixture
def place(tmp_path: Path) -> Harbour:
    """Return an engine on which the whole stack runs, proven."""
    found = harbour(tmp_path)
    assert found.carry_out(found.plan(on_networks(found, ALL, "1400"))).outcome is Outcome.DONE
    return found


def container(place: Harbour, service: str) -> Container:
    (only,) = (each for each in place.engine.facts.containers(PROJECT) if each.service == service)
    return only


def mtu(place: Harbour) -> str:
    return place.engine.networks[NETWORK].options[MTU]


def test_all_services_on_it_are_replaced_after_one_step_that_makes_way_for_it(place: Harbour) -> None:
    aside = container(place, "aside")
    plan = place.plan(on_networks(place, changed(ALL, "web", recipe=TWO), "1300"))
    names = [step.name for step in plan.steps]
    assert names[: names.index("db.prove") + 1] == [
        "web.build", "remove-networks", "db.switch", "db.prove",
    ]  # fmt: skip
    assert not any(isinstance(step.action, StartFirst) for step in plan.steps)
    away = plan.steps[1]
    assert away.action == RemoveNetworks(project=PROJECT, networks=(NETWORK,), services=("web", "db"))
    assert away.cause == (
        f"the network back has changed in the compose file (driver_opts.{MTU}), and a network cannot be changed"
    )
    # Good is none of them before all of them are.
    assert names.index("db.good") > names.index("web.prove")
    assert place.carry_out(plan).outcome is Outcome.DONE
    assert mtu(place) == "1300"
    assert container(place, "aside") == aside
    assert place.plan(on_networks(place, changed(ALL, "web", recipe=TWO), "1300")).steps == ()


def test_what_fails_brings_all_of_them_back_on_the_network_that_they_had(place: Harbour) -> None:
    image = container(place, "web").image_id
    run = place.carry_out(place.plan(on_networks(place, changed(ALL, "web", recipe=BAD), "1300")))
    assert run.outcome is Outcome.FAILED
    assert mtu(place) == "1400"
    assert container(place, "web").image_id == image
    assert {each.service: each.state for each in place.engine.facts.containers(PROJECT)} == dict.fromkeys(
        ("db", "web", "aside"), "running"
    )
    assert place.plan(on_networks(place, ALL, "1400")).steps == ()


def test_a_signal_between_two_of_them_brings_both_back(place: Harbour) -> None:
    plan = place.plan(on_networks(place, ALL, "1300"))
    cancel = threading.Event()
    watched = place.events.append

    def stop(event: Any) -> None:  # noqa: ANN401 - any event
        watched(event)
        if getattr(getattr(event, "step", None), "name", "") == "db.prove":
            cancel.set()

    place.events = type("Watching", (list,), {"append": staticmethod(stop)})()
    assert place.carry_out(plan, cancel).outcome is not Outcome.DONE
    assert mtu(place) == "1400"
    assert all(each.state == "running" for each in place.engine.facts.containers(PROJECT))


def test_it_is_refused_where_something_is_on_it_that_is_not_replaced(place: Harbour) -> None:
    with pytest.raises(UsageError, match="the network back has changed in the compose file, and web is on it") as error:
        place.plan(on_networks(place, ALL, "1300"), ["db"])
    assert error.value.todo.endswith("tonnage deploy db web")
    guest = place.engine.add_container("guest", "busybox")
    guest.networks = (NETWORK,)
    with pytest.raises(UsageError, match="the container guest is on it") as error:
        place.plan(on_networks(place, ALL, "1300"))
    assert error.value.todo.endswith(f"docker network disconnect {NETWORK} guest")


def test_a_network_that_somebody_else_made_under_that_name_stays(place: Harbour) -> None:
    network = place.engine.networks[NETWORK]
    place.engine.networks[NETWORK] = replace(network, labels={"com.docker.compose.project": "another"})
    plan = place.plan(on_networks(place, ALL, "1300"))
    assert not any(isinstance(step.action, RemoveNetworks) for step in plan.steps)


def test_what_compose_made_anew_meanwhile_is_not_made_again(place: Harbour) -> None:
    place.engine.networks[NETWORK] = replace(place.engine.networks[NETWORK], options={MTU: "1300"})
    assert place.plan(on_networks(place, ALL, "1300")).steps == ()


SEEN = Network(
    name=NETWORK,
    driver="bridge",
    options={"com.docker.network.enable_ipv4": "true", MTU: "1400"},
    labels={"com.docker.compose.network": "back", "tier": "one"},
    attachable=True,
    subnets=(Subnet(subnet="10.77.7.0/24", gateway="10.77.7.1"),),
)


@pytest.mark.parametrize(
    ("written", "earlier", "expected"),
    [
        ({}, None, ()),
        ({"driver_opts": {MTU: 1400}}, None, ()),
        ({"driver_opts": {MTU: 1300}}, None, (f"driver_opts.{MTU}",)),
        ({}, {"driver_opts": {MTU: "1400"}}, (f"driver_opts.{MTU}",)),
        ({}, {"driver_opts": {MTU: "1200"}}, ()),
        ({"driver": "macvlan"}, None, ("driver",)),
        ({"internal": True}, None, ("internal",)),
        ({}, {"attachable": True}, ("attachable",)),
        ({"labels": {"tier": "two"}}, None, ("labels.tier",)),
        ({"labels": ["tier=one"]}, None, ()),
        ({"ipam": {"config": [{"subnet": "10.77.7.0/24"}]}}, None, ()),
        ({"ipam": {"config": [{"subnet": "10.77.7.9/24"}]}}, None, ()),
        ({"ipam": {"config": [{"subnet": "10.77.8.0/24"}]}}, None, ("ipam.config",)),
        ({"ipam": {"config": [{"subnet": "10.77.7.0/24", "gateway": "10.77.7.9"}]}}, None, ("ipam.config",)),
        ({"ipam": {"config": [{"subnet": "not one"}]}}, None, ("ipam.config",)),
        ({}, {"ipam": {"config": [{"subnet": "10.77.7.0/24"}]}}, ("ipam.config",)),
    ],
)
def test_only_what_is_written_now_or_was_before_is_compared(
    written: dict[str, Any], earlier: dict[str, Any] | None, expected: tuple[str, ...]
) -> None:
    assert differences(written, SEEN, earlier) == expected


def test_an_earlier_version_comes_back_on_the_networks_that_are_there() -> None:
    def project(options: dict[str, str]) -> dict[str, Any]:
        return {
            "name": PROJECT,
            "services": {"web": {"networks": {"back": None}}},
            "networks": {"back": {"driver_opts": options}},
        }

    inventory = replace(observed.inventory(images=()), networks=(SEEN,))
    old, now, later = project({MTU: "1300"}), project({MTU: "1400"}), project({MTU: "1500"})
    assert defined(on_present_networks(old, "web", inventory, [later, now], ()), "back") == {
        "driver_opts": {MTU: "1400"}
    }
    assert on_present_networks(now, "web", inventory, [later, old], ()) == now
    # Where nothing fits it is left as it was.
    assert on_present_networks(old, "web", inventory, [later], ()) == old
    # Nothing is said of it now, and another version says what the network has.
    assert defined(on_present_networks(project({}), "web", inventory, [now], ()), "back") == {
        "driver_opts": {MTU: "1400"}
    }
