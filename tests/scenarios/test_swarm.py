"""Intent: a stack runs on a Swarm of three nodes, each image where it fits; what fails changes nothing that ran.

Steps: build on an engine beside the Swarm; deploy, look, change, fail, go back and reclaim on three private engines;
kill a node while images are sent and while tasks change; fill one from outside; two deploys at once; bad input.
State checked: tasks and labels in the Swarm, images and free bytes of every node, exit codes.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.scenarios.swarm_nodes import one_swarm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.scenarios.driving import Ended, Project, Running
    from tests.scenarios.swarm_nodes import Nodes

pytestmark = pytest.mark.engine

# The log of a Swarm takes 128 MiB of the first one.
DISKS = (400_000_007, 200_000_003, 200_000_003)
RESERVE_BYTES = 30_000_000
WEIGHT = "dd if=/dev/urandom of=/weights bs=1M count={count}"


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    with one_swarm(DISKS) as made:
        yield made


@pytest.fixture
def fleet(project: Project) -> Iterator[Project]:
    project.top.update({"x-tonnage": {"cluster": "swarm", "keep-free": f"{RESERVE_BYTES}B", "parallel": 3}})
    yield project
    project.close()


def weigh(fleet: Project, megabytes: int, *names: str, text: str = "1", **keys: Any) -> None:  # noqa: ANN401 - as YAML
    """Add or change services with so many megabytes of their own, and build them beside the Swarm."""
    for name in names:
        # The same weights are another layer each time, as with every build of a model.
        fleet.web(name, f"{name} {text}", run=f": {secrets.token_hex(4)}; {WEIGHT.format(count=megabytes)}", **keys)
        fleet.services[name]["image"] = f"{fleet.name}/{name}:1"
        fleet.services[name].setdefault("deploy", {}).setdefault("update_config", {"monitor": "1s"})
    fleet.write()
    for name in names:
        fleet.docker("build", "-q", "-t", f"{fleet.name}/{name}:1", str(fleet.directory / name))


def on(nodes: Nodes, fleet: Project, command: str, *arguments: str, within_s: float = 240.0) -> Ended:
    return fleet.tonnage(command, "-H", nodes.manager, *arguments, environment=nodes.environment, within_s=within_s)


def begin(nodes: Nodes, fleet: Project, command: str, *arguments: str) -> Running:
    return fleet.start(command, "-H", nodes.manager, *arguments, environment=nodes.environment)


def never_without_its_image(nodes: Nodes, fleet: Project) -> None:
    """Every node on which a service may run has its image."""
    services = {each["Spec"]["Name"]: each["Spec"] for each in nodes.get("/services")}
    for host, labels in nodes.labels().items():
        for key in labels:
            stack, _, service = key.removeprefix("tonnage.place.").partition(".")
            if stack == fleet.name:
                image = services[f"{stack}_{service}"]["TaskTemplate"]["ContainerSpec"]["Image"]
                assert image in nodes.images(int(host.removeprefix("node")) - 1), (host, service)


def test_a_stack_that_no_node_holds_alone_is_placed_by_bytes_deployed_and_proven(nodes: Nodes, fleet: Project) -> None:
    # Two of these fit on a node of 200 MB beside its reserve, and no third one.
    weigh(fleet, 45, "ant", "bee", "cat")
    planned = on(nodes, fleet, "plan", "--json")
    assert planned.exit_code == 0, planned.stderr
    lows = [each["low_bytes"] for each in json.loads(planned.stdout)["nodes"]]
    assert min(lows) >= RESERVE_BYTES

    ended = on(nodes, fleet, "deploy")
    assert ended.exit_code == 0, ended.stderr
    tasks = nodes.tasks(fleet)
    assert set(tasks) == {"ant", "bee", "cat"}
    assert len({host for where in tasks.values() for host, _ in where}) > 1
    never_without_its_image(nodes, fleet)
    assert all(nodes.available_bytes(number) >= RESERVE_BYTES for number in range(3))
    status = json.loads(on(nodes, fleet, "status", "--json").stdout)
    assert {each["service"]: each["running"] for each in status["services"]} == dict.fromkeys(tasks, 1)


@pytest.mark.long("it deploys five times")
def test_a_stack_is_changed_taken_back_rolled_back_and_tidied_up(nodes: Nodes, fleet: Project) -> None:
    weigh(fleet, 20, "ant", "bee")
    ended = on(nodes, fleet, "deploy")
    assert ended.exit_code == 0, ended.stderr
    first = nodes.tasks(fleet)
    assert on(nodes, fleet, "verify").exit_code == 0
    again = on(nodes, fleet, "deploy")
    assert (again.exit_code, nodes.tasks(fleet)) == (0, first), again.stderr

    healthy = fleet.services["ant"]["healthcheck"]
    weigh(fleet, 2, "ant", text="2", healthcheck={"test": ["CMD", "false"], "interval": "500ms", "retries": 1})
    failed = on(nodes, fleet, "deploy")
    assert failed.exit_code == 5, failed.stderr
    assert nodes.tasks(fleet) == first
    never_without_its_image(nodes, fleet)

    weigh(fleet, 2, "ant", text="3", healthcheck=healthy)
    changed = on(nodes, fleet, "deploy")
    assert changed.exit_code == 0, changed.stderr
    second = nodes.tasks(fleet)
    assert {name for name in first if first[name] != second[name]} == {"ant"}
    back = on(nodes, fleet, "rollback")
    assert back.exit_code == 0, back.stderr
    assert [image for _, image in nodes.tasks(fleet)["ant"]] == [image for _, image in first["ant"]]

    def left() -> set[str]:
        return {image for number in range(3) for image in nodes.images(number) if "/ant:content-" in image}

    assert len(left()) == 3
    # What Swarm took back is what its own rollback would go to.
    reclaimed = on(nodes, fleet, "reclaim", "--yes")
    assert reclaimed.exit_code == 0, reclaimed.stderr
    assert left() >= {image for _, image in first["ant"]}
    assert len(left()) == 2


def other_than(nodes: Nodes, fleet: Project, service: str, *but: int) -> int:
    """Return the number of the node that a plan gives a service to, if it is none of these."""
    plan = json.loads(on(nodes, fleet, "plan", "--json").stdout)
    [placed] = [each for each in plan["services"] if each["service"] == service]
    number = int(placed["nodes"][0]["node"].removeprefix("node")) - 1
    assert number not in but
    return number


@pytest.mark.long("the failures of nodes take minutes; the scenario above goes the same way")
def test_a_node_that_dies_while_images_are_sent_changes_no_service_and_the_next_deploy_does_without_it(
    nodes: Nodes, fleet: Project
) -> None:
    weigh(fleet, 40, "ant", "bee")
    assert on(nodes, fleet, "deploy").exit_code == 0
    before = nodes.tasks(fleet)
    weigh(fleet, 45, "cat", "dog")
    struck = max(other_than(nodes, fleet, "cat"), other_than(nodes, fleet, "dog"))
    assert struck
    free = nodes.available_bytes(struck)
    running = begin(nodes, fleet, "deploy")
    running.until(lambda: nodes.available_bytes(struck) < free - 5_000_000, "a node took bytes")
    nodes.kill(struck)
    ended = running.wait()
    assert ended.exit_code in {6, 10}, ended.stderr
    assert f"node{struck + 1}" in ended.stderr
    alive = {name: where for name, where in before.items() if where[0][0] != f"node{struck + 1}"}
    assert {name: where for name, where in nodes.tasks(fleet).items() if name in alive} == alive

    again = on(nodes, fleet, "deploy", within_s=600)
    assert again.exit_code in {0, 3}, again.stderr
    if again.exit_code == 0:
        assert set(nodes.tasks(fleet)) == {"ant", "bee", "cat", "dog"}


@pytest.mark.long("a node that dies is noticed after many seconds")
def test_a_node_that_dies_in_the_middle_of_a_rollout_leaves_a_stack_that_the_next_deploy_finishes(
    nodes: Nodes, fleet: Project
) -> None:
    weigh(fleet, 10, "ant", "bee", deploy={"replicas": 2, "placement": {"max_replicas_per_node": 1}})
    assert on(nodes, fleet, "deploy").exit_code == 0
    weigh(fleet, 10, "ant", "bee", text="2")
    where = {host for tasks in nodes.tasks(fleet).values() for host, _ in tasks}
    struck = int(max(where).removeprefix("node")) - 1
    assert struck
    running = begin(nodes, fleet, "deploy")
    running.until(lambda: any(each.get("UpdateStatus") for each in nodes.get("/services")), "Swarm began")
    nodes.kill(struck)
    ended = running.wait(within_s=600)
    assert ended.exit_code in {0, 5, 6, 10}, ended.stderr
    again = on(nodes, fleet, "deploy", within_s=600)
    assert again.exit_code == 0, again.stderr
    assert {host for tasks in nodes.tasks(fleet).values() for host, _ in tasks}.isdisjoint({f"node{struck + 1}"})
    assert {len(tasks) for tasks in nodes.tasks(fleet).values()} == {2}


@pytest.mark.long("it sends and deploys several times")
def test_a_node_that_is_filled_from_outside_gets_nothing_and_loses_nothing(nodes: Nodes, fleet: Project) -> None:
    weigh(fleet, 20, "ant")
    full = other_than(nodes, fleet, "ant")
    filler = Path(nodes.engines[full].mount, "filler")
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, nodes.available_bytes(full) - RESERVE_BYTES - 1_000_000)
    ended = on(nodes, fleet, "deploy")
    assert ended.exit_code == 0, ended.stderr
    assert [host for host, _ in nodes.tasks(fleet)["ant"]] != [f"node{full + 1}"]
    assert nodes.available_bytes(full) >= RESERVE_BYTES


@pytest.mark.long("it waits for a deploy")
def test_of_two_deploys_at_once_one_is_refused_and_after_a_kill_the_next_takes_over(
    nodes: Nodes, fleet: Project
) -> None:
    weigh(fleet, 20, "ant")
    first = begin(nodes, fleet, "deploy")
    first.until(lambda: nodes.get("/configs"), "the stack was claimed")
    second = on(nodes, fleet, "deploy")
    assert second.exit_code == 9, second.stderr
    first.kill()
    third = on(nodes, fleet, "deploy")
    assert third.exit_code == 0, third.stderr
    assert set(nodes.tasks(fleet)) == {"ant"}
    assert not [each for each in nodes.get("/configs") if each["Spec"]["Name"].startswith("tonnage-claim")]


@pytest.mark.long("each needs a Swarm, and what they refuse is held by unit tests")
def test_what_cannot_run_on_a_swarm_is_refused_and_nothing_is_placed(nodes: Nodes, fleet: Project) -> None:
    weigh(fleet, 2, "ant")
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"image": "example.org/nowhere:1"}, 2, "nowhere:1 of the service 'ant'"),
        ({"image": "example.org/unbuilt:1", "build": "./ant"}, 2, "'ant' was not built"),
        ({"privileged": True}, 2, "'privileged'"),
        ({"volumes": ["/nowhere/at/all:/data"]}, 2, "/nowhere/at/all"),
        ({"deploy": {"placement": {"constraints": ["node.labels.zone==mars"]}}}, 3, "zone"),
    ]
    good = dict(fleet.services["ant"])
    good.pop("build")
    for keys, exit_code, said in cases:
        fleet.services["ant"] = {**good, **keys}
        fleet.write()
        ended = on(nodes, fleet, "deploy")
        assert said in ended.stderr, (keys, ended.stderr)
        assert ended.exit_code in {exit_code, 3}, (keys, ended.stderr)
    assert nodes.get("/services") == []
    assert not any(nodes.labels().values())
    worker = fleet.tonnage("deploy", "-H", nodes.engines[1].endpoint)
    assert worker.exit_code == 7, worker.stderr

    # A stack of that name that somebody else gave to Swarm stays as it is.
    spec = {
        "Name": f"{fleet.name}_other",
        "Labels": {"com.docker.stack.namespace": fleet.name},
        "TaskTemplate": {"ContainerSpec": {"Image": f"{fleet.name}/ant:1"}},
        "Mode": {"Replicated": {"Replicas": 0}},
    }
    nodes.post("/services/create", spec)
    fleet.services["ant"] = good
    fleet.write()
    ended = on(nodes, fleet, "deploy")
    assert ended.exit_code == 2, ended.stderr
    assert "that tonnage did not deploy" in ended.stderr
    assert [each["Spec"]["Name"] for each in nodes.get("/services")] == [f"{fleet.name}_other"]
