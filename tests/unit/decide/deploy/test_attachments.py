"""Services whose networks or volumes have other names by now, which Compose does not count to their configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.simulator import Instruction, Recipe
from tests.simulator.deploying import PROJECT, Described, changed, stack_of
from tests.simulator.recipe import Behaviour
from tests.unit.builders import harbour
from tests.unit.decide import observed

from tonnage.decide.deploy.changes import as_of_now, change_of, config_digest, with_recorded
from tonnage.decide.deploy.networks.attachments import networks_it_is_not_on, notes_of_volumes, volume_it_lacks
from tonnage.errors import UsageError
from tonnage.model.deploy.plan import StartFirst
from tonnage.model.deploy.renewal import RemoveNetworks
from tonnage.model.deploy.run import Outcome
from tonnage.model.inventory import Volume
from tonnage.model.names_on_engine import name_on_engine, renamed_volumes
from tonnage.model.network import Network

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.simulator.deploying import Harbour

    from tonnage.model.stack import Stack

BAD = Recipe(
    instructions=(Instruction(text="RUN bad", kept_bytes=1_000_037),),
    behaviour=Behaviour(exits_after_s=1.0, exit_code=3),
)
DB = Described(name="db", image="busybox")
WEB = Described(name="web", recipe=Recipe(instructions=(Instruction(text="RUN one", kept_bytes=1_000_003),)))
ASIDE = Described(name="aside", image="busybox")
ALL = (DB, WEB, ASIDE)


def called(place: Harbour, services: Sequence[Described], name: str, **more: Any) -> Stack:  # noqa: ANN401 - as YAML
    """Return a stack of which db and web are on a network of this name."""
    stack = stack_of(place.engine, services)
    own = tuple(
        each if each.name == "aside" else replace(each, config=each.config | {"networks": {"back": None, **more}})
        for each in stack.services
    )
    top = {"back": {"name": name}, **{key: {} for key in more}}
    return replace(stack, services=own, shared={**stack.shared, "networks": top})


@pytest.fixture
def place(tmp_path: Path) -> Harbour:
    """Return an engine on which the whole stack runs, proven."""
    found = harbour(tmp_path)
    assert found.carry_out(found.plan(called(found, ALL, "net-a"))).outcome is Outcome.DONE
    return found


def networks(place: Harbour) -> dict[str, tuple[str, ...]]:
    return {each.service: each.networks for each in place.engine.facts.containers(PROJECT)}


def test_services_go_to_a_network_of_another_name_together(place: Harbour) -> None:
    plan = place.plan(called(place, ALL, "net-b"))
    away = plan.steps[0]
    assert away.action == RemoveNetworks(project=PROJECT, networks=(), services=("web", "db"))
    assert away.cause == "db, web are not on the network net-b, which back names"
    assert plan.steps[1].cause.startswith("its network back is another one")
    assert place.carry_out(plan).outcome is Outcome.DONE
    assert networks(place) == {"db": ("net-b",), "web": ("net-b",), "aside": ()}
    assert place.plan(called(place, ALL, "net-b")).steps == ()


def test_what_fails_on_the_way_brings_all_of_them_back_to_where_they_were(place: Harbour) -> None:
    run = place.carry_out(place.plan(called(place, changed(ALL, "web", recipe=BAD), "net-b")))
    assert run.outcome is Outcome.FAILED
    assert networks(place) == {"db": ("net-a",), "web": ("net-a",), "aside": ()}
    assert {each.state for each in place.engine.facts.containers(PROJECT)} == {"running"}
    assert place.plan(called(place, ALL, "net-a")).steps == ()


def test_one_of_them_does_not_go_there_alone(place: Harbour) -> None:
    with pytest.raises(UsageError, match="the network back is another one in the compose file, and db is on") as error:
        place.plan(called(place, ALL, "net-b"), ["web"])
    assert error.value.todo.endswith("tonnage deploy db web")
    # Who is not on it is not asked.
    assert place.plan(called(place, ALL, "net-b"), ["aside"]).steps == ()


def test_a_container_that_was_taken_off_its_network_comes_back_there(place: Harbour) -> None:
    web = next(each for each in place.engine.living() if each.service == "web")
    web.networks = ("bridge",)
    plan = place.plan(called(place, ALL, "net-a"))
    assert [step.service for step in plan.steps if step.name.endswith(".switch")] == ["web"]
    assert place.carry_out(plan).outcome is Outcome.DONE
    assert networks(place)["web"] == ("net-a",)


def test_a_further_network_is_a_change_of_the_service_alone(place: Harbour) -> None:
    plan = place.plan(called(place, ALL, "net-a", front=None))
    assert not any(isinstance(step.action, RemoveNetworks) for step in plan.steps)
    assert any(isinstance(step.action, StartFirst) for step in plan.steps)


def test_a_rollback_stays_on_the_network_that_is_there(place: Harbour) -> None:
    other = changed(ALL, "web", setting="two")
    assert place.carry_out(place.plan(called(place, other, "net-b"))).outcome is Outcome.DONE
    stack = called(place, other, "net-b")
    assert place.carry_out(place.plan_rollback(stack, ["web"])).outcome is Outcome.DONE
    assert networks(place) == {"db": ("net-b",), "web": ("net-b",), "aside": ()}


def test_a_network_by_its_id_is_the_one_that_it_names() -> None:
    web = observed.service(config={"networks": {"back": None}})
    stack = replace(
        observed.stack(web), shared={"networks": {"back": {"name": "0a1b", "external": True}}}, services=(web,)
    )
    on = observed.container(web, observed.image(1), networks=("proxy",))
    seen = replace(observed.inventory(), networks=(Network(name="proxy", network_id="0a1b"),))
    assert networks_it_is_not_on(stack, web, on, seen) == ()
    assert networks_it_is_not_on(stack, web, on, observed.inventory()) == (("back", "0a1b"),)
    assert networks_it_is_not_on(stack, web, replace(on, state="exited"), observed.inventory()) == ()


def mounting(name: str) -> tuple[Stack, Any]:
    mounts = [{"type": "volume", "source": "data", "target": "/data"}, {"type": "volume", "target": "/more"}]
    shared = {"volumes": {"data": {"name": name}}}
    config = {"volumes": mounts}
    web = observed.service(build=None, config=config, renamed_volumes=renamed_volumes("shop", shared, config))
    return replace(observed.stack(web), shared=shared), web


def test_a_volume_of_another_name_is_another_configuration() -> None:
    (before, web), (now, other), (default, plain) = mounting("old"), mounting("new"), mounting("shop_data")
    image = observed.image(1, "shop-web:latest")
    runs = observed.container(web, image, volumes=("more", "old"), config="")
    known = observed.version(before, web, image)
    seen = observed.inventory(images=(image,), containers=(runs,))
    seen = with_recorded(before, seen, [replace(known, containers=(runs.container_id,))])
    assert change_of(before, web, seen).switch == ""
    assert change_of(now, other, seen).switch == "its configuration changed"
    assert change_of(default, plain, seen).switch == "its configuration changed"
    assert as_of_now(now, other, known) == (known, "")


def test_how_versions_were_known_before_names_counted_is_still_known() -> None:
    (stack, web), (now, other) = mounting("old"), mounting("new")
    image = observed.image(1, "shop-web:latest")
    plain = config_digest(replace(web, renamed_volumes=()))
    assert plain != config_digest(web)
    runs = observed.container(web, image, volumes=("more", "old"), config=plain)
    seen = observed.inventory(images=(image,), containers=(runs,))
    assert change_of(stack, web, seen).switch == ""
    assert change_of(now, other, seen).switch == "it does not mount the volume new"


@pytest.mark.parametrize(("volumes", "expected"), [(None, ""), (("more", "old"), ""), (("more",), "old"), ((), "old")])
def test_a_container_mounts_its_volumes_or_nobody_looked(volumes: tuple[str, ...] | None, expected: str) -> None:
    stack, web = mounting("old")
    assert volume_it_lacks(stack, web, observed.container(web, observed.image(1), volumes=volumes)) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [({}, "shop_data"), (None, "shop_data"), ({"name": "x"}, "x"), ({"external": True}, "data")],
)
def test_names_follow_from_the_project_where_none_is_written(written: dict[str, Any] | None, expected: str) -> None:
    assert name_on_engine("shop", {"volumes": {"data": written}}, "volumes", "data") == expected


@pytest.mark.parametrize(
    ("written", "there", "expected"),
    [
        ({}, {"driver": "local"}, ""),
        (None, {"driver": "local"}, ""),
        ({"driver_opts": {"size": 10}}, {"driver": "local", "options": {"size": "10"}}, ""),
        ({"driver_opts": {"size": 20}}, {"driver": "local", "options": {"size": "10"}}, "driver_opts.size"),
        ({}, {"driver": "local", "options": {"o": "bind", "type": "none"}}, "driver_opts.o, driver_opts.type"),
        ({"driver": "nfs"}, {"driver": "local"}, "driver"),
        ({"external": True, "name": "shop_data", "driver": "nfs"}, {"driver": "local"}, ""),
    ],
)
def test_a_volume_that_is_written_otherwise_stays_and_that_is_said(
    written: dict[str, Any] | None, there: dict[str, Any], expected: str
) -> None:
    stack, web = mounting("")
    stack = replace(stack, shared={"volumes": {"data": written}})
    seen = replace(observed.inventory(), volumes=(Volume(name="shop_data", **there),))
    notes = list(notes_of_volumes(stack, [web.name], seen))
    found = [f"({expected})" in note and note.endswith("docker volume rm shop_data") for note in notes]
    assert found == [True] * bool(expected)
    assert list(notes_of_volumes(stack, [], seen)) == []
