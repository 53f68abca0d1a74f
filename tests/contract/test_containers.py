from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.world import NEVER, PROJECT, build, containers_of, project, up, wait_for
from tests.simulator import Behaviour, Check, Heard, Instruction, Recipe

from tonnage.errors import StepFailedError
from tonnage.model.deploy.rolling import Attachment

if TYPE_CHECKING:
    from tests.contract.world import World

STEADY = Behaviour()
ONE = Instruction(text="one", kept_bytes=1_009, seconds=0.0)
TWO = Instruction(text="two", kept_bytes=1_013, seconds=0.0)


def put(world: World, behaviour: Behaviour, instruction: Instruction = ONE) -> dict[str, Any]:
    """Build an image that behaves so and return the configuration of a service that runs it."""
    build(world, "a", Recipe(instructions=(instruction,), behaviour=behaviour), "contract/a:1")
    return {"image": "contract/a:1"}


def first(world: World, web: dict[str, Any]) -> None:
    """Start a container of ``web`` first, beside those that run."""
    world.acts.start_first(PROJECT, world.directory, "web", project(web=web), "contract-web-first", cancel=NEVER)


def test_up_starts_a_container_with_its_project_service_number_and_labels(world: World) -> None:
    web = {**put(world, STEADY), "labels": {"tonnage.config": "c1"}}
    container = up(world, "web", web=web)
    assert (container.project, container.service, container.number) == (PROJECT, "web", 1)
    assert (container.state, container.health, container.exit_code) == ("running", "none", None)
    assert container.labels["tonnage.config"] == "c1"
    assert container.restart_count == 0


def test_a_container_tells_which_ports_it_holds_while_it_lives(world: World) -> None:
    port = {"target": 80, "published": "18017", "protocol": "tcp", "mode": "ingress"}
    assert up(world, "web", web={**put(world, STEADY), "ports": [port]}).published == (("", 18017, "tcp"),)
    assert up(world, "other", other=put(world, STEADY)).published == ()


def test_up_twice_does_not_recreate(world: World) -> None:
    web = put(world, STEADY)
    first = up(world, "web", web=web)
    assert up(world, "web", web=web).container_id == first.container_id


def test_up_leaves_the_other_services_alone(world: World) -> None:
    web = put(world, STEADY)
    up(world, "web", web=web, other={"image": "contract/a:1", "depends_on": ["web"]})
    assert containers_of(world, "other") == []


def test_up_recreates_when_the_image_behind_the_name_changed(world: World) -> None:
    web = put(world, STEADY)
    first = up(world, "web", web=web)
    put(world, STEADY, TWO)
    second = up(world, "web", web=web)
    assert second.container_id != first.container_id
    assert second.image_id != first.image_id
    assert len(world.facts.containers(PROJECT)) == 1


def test_up_recreates_when_the_configuration_changed(world: World) -> None:
    web = put(world, STEADY)
    first = up(world, "web", web=web)
    second = up(world, "web", web={**web, "environment": {"A": "1"}})
    assert second.container_id != first.container_id
    assert second.image_id == first.image_id


def test_up_brings_as_many_containers_as_are_wanted(world: World) -> None:
    web = put(world, STEADY)
    first = up(world, "web", web={**web, "scale": 3})
    assert [container.number for container in containers_of(world, "web")] == [1, 2, 3]
    up(world, "web", web={**web, "scale": 1})
    assert [container.container_id for container in containers_of(world, "web")] == [first.container_id]


def test_a_container_beside_the_running_one_takes_no_port_from_it(world: World) -> None:
    web = {**put(world, STEADY), "ports": ["18467:80"], "restart": "always"}
    running = up(world, "web", web=web)
    world.acts.start_first(PROJECT, world.directory, "web", project(web=web), "contract-web-candidate", cancel=NEVER)
    beside = world.facts.container("contract-web-candidate")
    assert beside is not None
    assert (beside.state, beside.one_off, beside.service) == ("running", True, "web")
    still = world.facts.container(running.container_id)
    assert still is not None
    assert still.state == "running"
    assert [container.container_id for container in containers_of(world, "web")] == [running.container_id]
    world.acts.remove_container("contract-web-candidate")
    assert world.facts.container("contract-web-candidate") is None


def test_further_containers_are_apart_until_they_are_connected_and_the_running_one_stays(world: World) -> None:
    web = {**put(world, STEADY), "networks": {"front": {"aliases": ["api.internal"]}, "back": None}}
    whole = project(web=web) | {"networks": {"front": {}, "back": {}}}
    names = {key: f"{PROJECT}_{key}" for key in ("front", "back")}
    world.acts.up(PROJECT, world.directory, "web", whole, progress=Heard(), cancel=NEVER)
    (running,) = containers_of(world, "web")
    kept = Attachment(network=names["back"], aliases=("web",))
    world.acts.start_apart(
        PROJECT, world.directory, "web", whole,
        count=1, apart=(names["front"],), kept=(kept,), progress=Heard(), cancel=NEVER,
    )  # fmt: skip
    (new,) = (each for each in containers_of(world, "web") if each.container_id != running.container_id)
    assert (new.state, new.number, new.one_off, new.image_id) == ("running", 2, False, running.image_id)
    for _ in range(2):
        world.acts.connect(new.container_id, Attachment(network=names["front"], aliases=("web", "api.internal")))
    world.acts.remove_container(running.container_id, None)
    world.acts.up(PROJECT, world.directory, "web", whole, progress=Heard(), cancel=NEVER)
    assert [each.container_id for each in containers_of(world, "web")] == [new.container_id]


def test_a_network_makes_way_only_when_nothing_runs_on_it_and_a_container_keeps_its_volumes(world: World) -> None:
    options = {"com.docker.network.driver.mtu": "1400"}
    web = {**put(world, STEADY), "networks": {"back": None}, "volumes": ["/kept"]}
    whole = project(web=web) | {"networks": {"back": {"driver_opts": options}}}
    name = f"{PROJECT}_back"
    world.acts.up(PROJECT, world.directory, "web", whole, progress=Heard(), cancel=NEVER)
    (running,) = containers_of(world, "web")
    (seen,) = (each for each in world.facts.networks() if each.name == name)
    assert (seen.driver, seen.options["com.docker.network.driver.mtu"]) == ("bridge", "1400")
    assert running.networks == (name,)
    with pytest.raises(StepFailedError, match="active endpoints"):
        world.acts.remove_network(name)
    for _ in range(2):
        world.acts.stop_container(running.container_id)
        world.acts.remove_network(name)
    assert name not in {each.name for each in world.facts.networks()}
    before = {each.name for each in world.facts.volumes()}
    other = project(web=web) | {"networks": {"back": {"driver_opts": {next(iter(options)): "1300"}}}}
    world.acts.up(PROJECT, world.directory, "web", other, progress=Heard(), cancel=NEVER, recreate=True)
    (anew,) = containers_of(world, "web")
    (seen,) = (each for each in world.facts.networks() if each.name == name)
    assert anew.state == "running"
    assert anew.container_id != running.container_id
    assert seen.options["com.docker.network.driver.mtu"] == "1300"
    assert {each.name for each in world.facts.volumes()} == before
    world.acts.stop_container("contract-is-not-there")
    world.acts.remove_network("contract-is-not-there")


def test_a_port_that_another_service_has_is_refused_and_named(world: World) -> None:
    web = {**put(world, STEADY), "ports": ["18469:80"]}
    up(world, "web", web=web)
    with pytest.raises(StepFailedError) as failure:
        up(world, "other", web=web, other=web)
    assert "already allocated" in f"{failure.value}{failure.value.log}"
    assert "18469" in f"{failure.value}{failure.value.log}"


def test_up_of_an_image_that_is_not_there_fails_and_names_it(world: World) -> None:
    with pytest.raises(StepFailedError) as failure:
        up(world, "web", web={"image": "localhost:9/contract/nowhere:1"})
    assert "contract/nowhere" in f"{failure.value}{failure.value.log}"


def test_what_runs_is_left_alone_when_the_image_of_the_next_version_is_not_there(world: World) -> None:
    running = up(world, "web", web=put(world, STEADY))
    missing = {"image": "localhost:9/contract/nowhere:1"}
    # It is missed before anything is begun, and not because it could not be pulled.
    with pytest.raises(StepFailedError, match=r"no (such )?image:? localhost:9/contract/nowhere:1"):
        up(world, "web", web=missing)
    with pytest.raises(StepFailedError, match=r"no (such )?image:? localhost:9/contract/nowhere:1"):
        first(world, missing)
    assert [(each.container_id, each.state) for each in world.facts.containers()] == [(running.container_id, "running")]


def test_a_container_that_is_started_first_is_not_restarted_when_it_ends(world: World) -> None:
    web = {**put(world, Behaviour(exits_after_s=0.2, exit_code=3)), "restart": "always"}
    first(world, web)
    wait_for(world, "contract-web-first", lambda now: now.state == "exited")
    world.sleep(2.0)
    ended = world.facts.container("contract-web-first")
    assert ended is not None
    assert (ended.state, ended.exit_code, ended.restart_count) == ("exited", 3, 0)


def test_a_container_that_is_started_first_runs_what_its_project_says(world: World) -> None:
    old = up(world, "web", web=put(world, STEADY))
    build(world, "b", Recipe(instructions=(TWO,), behaviour=STEADY), "contract/b:1")
    first(world, {"image": "contract/b:1", "labels": {"tonnage.config": "c2"}})
    started = world.facts.container("contract-web-first")
    assert started is not None
    assert started.image_id != old.image_id
    assert started.labels["tonnage.config"] == "c2"
    with pytest.raises(StepFailedError):
        first(world, {"image": "contract/b:1"})
    assert len(world.facts.containers(PROJECT)) == 2


def test_a_container_is_found_by_its_name_and_by_its_id_and_in_its_own_project_alone(world: World) -> None:
    container = up(world, "web", web=put(world, STEADY))
    for known in (container.name, container.container_id):
        found = world.facts.container(known)
        assert found is not None
        assert found.container_id == container.container_id
    assert world.facts.container("contract-nothing") is None
    assert len(world.facts.containers()) == 1
    assert world.facts.containers("another") == ()


def test_a_container_becomes_healthy(world: World) -> None:
    container = up(world, "web", web=put(world, Behaviour(check=Check(), passes_after_s=2.0)))
    assert container.health == "starting"
    wait_for(world, container.name, lambda now: now.health == "healthy")


def test_a_container_becomes_unhealthy_after_its_retries(world: World) -> None:
    container = up(world, "web", web=put(world, Behaviour(check=Check(retries=2), passes_after_s=None)))
    assert container.health == "starting"
    assert wait_for(world, container.name, lambda now: now.health == "unhealthy").state == "running"


def test_checks_that_fail_in_the_start_period_do_not_count(world: World) -> None:
    slow = Behaviour(check=Check(retries=1, start_period_s=10.0), passes_after_s=3.0)
    container = up(world, "web", web=put(world, slow))
    world.sleep(1.7)
    early = world.facts.container(container.name)
    assert early is not None
    assert early.health == "starting"
    wait_for(world, container.name, lambda now: now.health == "healthy")


def test_a_one_shot_container_ends_with_its_exit_code(world: World) -> None:
    container = up(world, "job", job=put(world, Behaviour(exits_after_s=0.5, exit_code=7)))
    ended = wait_for(world, container.name, lambda now: now.state == "exited")
    assert (ended.exit_code, ended.restart_count) == (7, 0)


def test_the_restart_count_of_a_crash_loop_grows(world: World) -> None:
    web = {**put(world, Behaviour(exits_after_s=0.2, exit_code=3)), "restart": "always"}
    container = up(world, "web", web=web)
    looping = wait_for(world, container.name, lambda now: now.restart_count >= 2)
    assert looping.state in {"running", "restarting"}


def test_the_last_lines_that_a_container_printed_are_its_log(world: World) -> None:
    container = up(world, "web", web=put(world, Behaviour(prints=("forty-one", "forty-three", "forty-seven"))))
    world.sleep(0.5)
    assert world.facts.logs(container.container_id, 2).splitlines() == ["forty-three", "forty-seven"]


def test_a_container_is_asked_by_http_once_it_answers(world: World) -> None:
    container = up(world, "web", web=put(world, Behaviour(http=((8089, 200),), http_after_s=2.0)))
    assert isinstance(world.facts.http_status(container, 8089, "/", 1.0), str)
    world.sleep(3.0)
    assert world.facts.http_status(container, 8089, "/", 1.0) == 200


def test_a_container_that_answers_with_an_error_says_which(world: World) -> None:
    container = up(world, "web", web=put(world, Behaviour(http=((8089, 404),))))
    world.sleep(1.0)
    assert world.facts.http_status(container, 8089, "/", 1.0) == 404


def test_removing_a_container_that_is_not_there_does_nothing(world: World) -> None:
    world.acts.remove_container("contract-nothing")


def test_removing_a_container_takes_its_anonymous_volumes_and_leaves_the_named_ones(world: World) -> None:
    web = {**put(world, STEADY), "volumes": ["data:/data", "/scratch"]}
    document = {**project(web=web), "volumes": {"data": {"name": "contract-data"}}}
    world.acts.up(PROJECT, world.directory, "web", document, progress=Heard(), cancel=NEVER)
    assert len(world.facts.volumes()) == 2
    world.acts.remove_container(containers_of(world, "web")[0].container_id)
    assert [volume.name for volume in world.facts.volumes()] == ["contract-data"]


def test_removing_an_ended_container_leaves_all_its_volumes(world: World) -> None:
    web = {**put(world, Behaviour(exits_after_s=0.5)), "volumes": ["data:/data", "/scratch"]}
    document = {**project(web=web), "volumes": {"data": {"name": "contract-data"}}}
    world.acts.up(PROJECT, world.directory, "web", document, progress=Heard(), cancel=NEVER)
    world.sleep(3.0)
    world.acts.remove_ended_container(containers_of(world, "web")[0].container_id)
    assert not containers_of(world, "web")
    assert len(world.facts.volumes()) == 2


def test_a_container_that_runs_is_not_removed_as_an_ended_one(world: World) -> None:
    container = up(world, "web", web=put(world, STEADY))
    with pytest.raises(StepFailedError):
        world.acts.remove_ended_container(container.container_id)
    world.sleep(0.5)
    assert [each.state for each in containers_of(world, "web")] == ["running"]
    world.acts.remove_ended_container("contract-nothing")


def test_an_emptied_log_is_empty_and_its_container_runs_on(world: World) -> None:
    container = up(world, "web", web=put(world, Behaviour(prints=("forty-one", "forty-three"))))
    other = up(world, "other", other=put(world, Behaviour(prints=("forty-seven",)), TWO))
    world.sleep(0.7)
    world.acts.empty_log(container.container_id)
    world.acts.empty_log("contract-nothing")
    # Newer engines answer a question for this log when something is written to it again: the file itself is looked at.
    (still,) = containers_of(world, "web")
    assert (still.state, still.log_bytes) == ("running", 0)
    assert world.facts.logs(other.container_id, 5).splitlines() == ["forty-seven"]


def test_a_volume_goes_alone_and_never_while_a_container_mounts_it_running_or_not(world: World) -> None:
    web = {**put(world, Behaviour(exits_after_s=0.5)), "volumes": ["data:/data", "more:/more"]}
    volumes = {"data": {"name": "contract-data"}, "more": {"name": "contract-more"}}
    document = {**project(web=web), "volumes": volumes}
    world.acts.up(PROJECT, world.directory, "web", document, progress=Heard(), cancel=NEVER)
    world.sleep(2.0)
    assert {(each.name, each.in_use, each.project) for each in world.facts.volumes()} == {
        ("contract-data", True, PROJECT),
        ("contract-more", True, PROJECT),
    }
    with pytest.raises(StepFailedError):
        world.acts.remove_volume("contract-data")
    assert len(world.facts.volumes()) == 2
    world.acts.remove_container(containers_of(world, "web")[0].container_id)
    assert {each.in_use for each in world.facts.volumes()} == {False}
    for _ in range(2):
        world.acts.remove_volume("contract-data")
    assert [each.name for each in world.facts.volumes()] == ["contract-more"]


def test_a_container_is_removed_whatever_its_state(world: World) -> None:
    web = put(world, Behaviour(exits_after_s=0.2, exit_code=3))
    for name, restart in (("ended", "no"), ("looping", "always")):
        container = up(world, name, **{name: {**web, "restart": restart}})
        world.sleep(1.5)
        world.acts.remove_container(container.name)
        assert world.facts.container(container.name) is None
    assert world.facts.containers() == ()


@pytest.mark.each_engine
def test_a_container_tells_whose_namespaces_and_volumes_it_has_and_when_it_was_made_and_started(world: World) -> None:
    web = {**put(world, STEADY), "ipc": "shareable"}
    owner = up(world, "web", web=web)
    shares = {"image": "contract/a:1", "network_mode": "service:web", "pid": "service:web", "ipc": "service:web"}
    member = up(world, "member", web=web, member=shares)
    assert set(member.joined) == {(kind, owner.container_id) for kind in ("network", "pid", "ipc")}
    assert owner.joined == ()
    assert 0 < owner.created_s <= owner.started_s <= member.created_s <= member.started_s


def test_up_that_makes_anew_does_so_although_nothing_changed(world: World) -> None:
    web = put(world, STEADY)
    before = up(world, "web", web=web)
    world.acts.up(PROJECT, world.directory, "web", project(web=web), progress=Heard(), cancel=NEVER, recreate=True)
    (after,) = containers_of(world, "web")
    assert after.container_id != before.container_id
    assert after.state == "running"


def test_a_container_that_is_restarted_is_the_same_and_started_later(world: World) -> None:
    before = up(world, "web", web={**put(world, STEADY), "stop_signal": "SIGKILL"})
    world.sleep(0.1)
    world.acts.restart_container(before.container_id)
    (after,) = containers_of(world, "web")
    assert (after.container_id, after.state) == (before.container_id, "running")
    assert after.started_s > before.started_s
    assert after.created_s == before.created_s
    with pytest.raises(StepFailedError):
        world.acts.restart_container("nobody")
