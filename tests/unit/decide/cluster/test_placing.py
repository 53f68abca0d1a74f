from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.unit.decide.cluster.harbours import GB, RESERVE, cluster, layer, node, service, task

from tonnage.decide.cluster.placing import place
from tonnage.model.cluster.node import MEMORY, Availability, NodeState
from tonnage.model.cluster.placement import Delivery, Placement, PlacementRefusal
from tonnage.model.cluster.service import ClusterLayer, ClusterMode
from tonnage.model.forecast.estimate import UNKNOWN, Estimate, Grade, assumed, exactly
from tonnage.model.stack import SwitchOrder

if TYPE_CHECKING:
    from tonnage.model.cluster.node import Cluster
    from tonnage.model.cluster.service import ClusterService

BASE = layer("base", 3 * GB)


def placed(there: Cluster, *services: ClusterService, failover: int | None = None) -> Placement:
    found = place(there, services, stack="shop", failover=failover)
    assert isinstance(found, Placement), found
    return found


def refused(there: Cluster, *services: ClusterService, failover: int | None = None) -> PlacementRefusal:
    found = place(there, services, stack="shop", failover=failover)
    assert isinstance(found, PlacementRefusal), found
    return found


def on(placement: Placement, name: str) -> list[str]:
    return [each.hostname for each in placement.assignment(name).nodes]


def test_services_that_share_layers_stand_together_and_the_layers_come_once() -> None:
    services = [service(name, BASE, layer(name, GB)) for name in ("a", "b")]

    found = placed(cluster(node("one", 20 * GB), node("two", 20 * GB)), *services)

    assert on(found, "a") == on(found, "b")
    assert found.search.proven
    assert found.search.moved_bytes == 5 * GB
    assert found.search.bound_bytes == 5 * GB


def test_services_that_do_not_fit_together_are_apart() -> None:
    found = placed(cluster(node("one", 2 * GB + 1), node("two", 2 * GB + 1)), service("a"), service("b"))

    assert on(found, "a") != on(found, "b")


def test_six_services_go_two_to_a_node_where_no_node_holds_more() -> None:
    services = [service(f"s{number}", layer(f"own{number}", 2 * GB), layer("tiny", 1)) for number in range(6)]

    found = placed(cluster(*(node(name, 6 * GB + 2) for name in "abc")), *services)

    counts = [sum(name in on(found, each.name) for each in services) for name in "abc"]
    assert counts == [2, 2, 2]
    assert found.search.proven
    assert all((each.low_bytes or 0) >= each.reserve_bytes for each in found.nodes)


@pytest.mark.parametrize(
    ("store", "reached", "needed"),
    # Layers of 1 GB, which are 0.5 GB compressed.
    [("classic", True, 2 * GB), ("classic", False, GB + GB // 2), ("containerd", True, 2 * GB),
     ("containerd", False, GB + GB // 2)],
)  # fmt: skip
def test_copies_of_loads_and_pulls_count_on_both_stores(store: str, *, reached: bool, needed: int) -> None:
    more = {"store": store, "address": "ssh://one" if reached else ""}

    found = placed(cluster(node("one", needed, **more)), service("a"))
    lacks = refused(cluster(node("one", needed - 1, **more)), service("a"))

    assert found.nodes[0].low_bytes == RESERVE
    assert found.nodes[0].transfers[0].delivery is (Delivery.LOAD if reached else Delivery.PULL)
    assert lacks.missing_bytes == 1
    assert lacks.proven


def test_tasks_stay_where_they_run_and_leave_a_node_that_is_full() -> None:
    one = node("one", 9 * GB, tasks=(task("shop", "a"),))
    two = node("two", 90 * GB, layers={"a-layer": None})

    assert on(placed(cluster(one, two), service("a")), "a") == ["one"]
    moved = placed(cluster(node("one", 0, tasks=one.tasks), two), service("a"))
    assert on(moved, "a") == ["two"]
    assert moved.moves == 1
    assert moved.assignment("a").leaves == ("id-one",)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": NodeState.DOWN}, "the node is down"),
        ({"availability": Availability.DRAIN}, "the node is drained"),
        ({"availability": Availability.PAUSE}, "the node is paused"),
        ({"observed": False, "why_not": "no route to host"}, "the node did not answer: no route to host"),
        ({"disks": ()}, "the node did not tell what is available on its disk"),
        ({"architecture": "aarch64"}, "the image is for linux/amd64 and the node is linux/aarch64"),
    ],
)
def test_a_node_that_takes_nothing_new_is_named_with_the_reason(change: dict[str, Any], why: str) -> None:
    web = service("web")
    web = replace(web, image=replace(web.image, platforms=("linux/amd64",)))
    bad = node("bad", 90 * GB, **change)

    assert on(placed(cluster(bad, node("good")), web), "web") == ["good"]
    assert [(each.hostname, each.why) for each in refused(cluster(bad), web).nodes] == [("bad", why)]


@pytest.mark.parametrize("change", [{"availability": Availability.PAUSE}, {"observed": False}])
def test_what_does_not_change_stays_also_on_a_node_that_gets_nothing_new(change: dict[str, Any]) -> None:
    there = cluster(node("a", tasks=(task("shop", "web"),), **change), node("b"))

    stays = placed(there, service("web", changed=False))
    goes = placed(there, service("web"))

    assert (on(stays, "web"), stays.search.moved_bytes) == (["a"], 0)
    assert on(goes, "web") == ["b"]


def test_a_volume_keeps_a_service_on_its_node_also_with_failover() -> None:
    there = cluster(node("a", 2 * GB, volumes=frozenset({"shop_data"})), node("b", 90 * GB))

    found = placed(there, service("db", volumes=("shop_data",), failover=2))

    assert on(found, "db") == ["a"]
    assert found.notes == ("db is on 1 of 2 nodes: no other node may run it",)


def test_a_volume_on_a_silent_node_starts_nowhere_else_with_empty_data() -> None:
    silent = node("a", observed=False, tasks=(task("shop", "db"),))

    found = refused(cluster(silent, node("b")), service("db", volumes=("shop_data",)))

    assert [each.why for each in found.nodes] == ["the node did not answer", "the volume shop_data is on another node"]


def test_a_bind_needs_its_path_on_the_node() -> None:
    web = service("web", binds=("/srv/models",))

    found = placed(cluster(node("a"), node("b", paths=frozenset({"/srv/models"})), node("c", paths=None)), web)

    assert on(found, "web") == ["b"]
    assert refused(cluster(node("a")), web).nodes[0].why == "the path /srv/models is not there"


def test_a_host_port_is_had_once_and_start_first_moves_it_to_another_node() -> None:
    port = ((80, "tcp"),)
    there = cluster(node("a", tasks=(task("shop", "web", host_ports=port),)), node("b"))

    apart = placed(cluster(node("a"), node("b")), service("x", host_ports=port), service("y", host_ports=port))
    first = placed(there, service("web", host_ports=port, order=SwitchOrder.START_FIRST))
    last = placed(there, service("web", host_ports=port))
    alone = refused(cluster(there.nodes[0]), service("web", host_ports=port, order=SwitchOrder.START_FIRST))

    assert on(apart, "x") != on(apart, "y")
    assert on(first, "web") == ["b"]
    assert on(last, "web") == ["a"]
    assert "stop-first" in alone.todo
    assert refused(cluster(node("a", busy_ports=port)), service("web", host_ports=port)).nodes[0].why == (
        "port 80/tcp is taken"
    )


def test_reservations_hold_for_old_and_new_tasks_beside_each_other() -> None:
    running = task("shop", "web", reserved={MEMORY: 3})
    there = cluster(node("a", tasks=(running,), capacity={MEMORY: 5}))

    refusal = refused(there, service("web", reserved={MEMORY: 3}, order=SwitchOrder.START_FIRST))

    assert refusal.nodes[0].why == "it lacks memory_bytes that is not reserved: 2 of 3"
    assert on(placed(there, service("web", reserved={MEMORY: 3})), "web") == ["a"]


def test_replicas_that_start_first_need_as_much_beside_as_are_replaced_at_once() -> None:
    running = tuple(replace(task("shop", "web", reserved={MEMORY: 2}), task_id=f"{number}") for number in range(4))
    there = cluster(node("a", tasks=running, capacity={MEMORY: 12}))
    web = service("web", replicas=4, failover=1, reserved={MEMORY: 2}, order=SwitchOrder.START_FIRST)

    assert on(placed(there, replace(web, parallelism=2)), "web") == ["a"]
    assert isinstance(place(there, [replace(web, parallelism=0)], stack="shop"), PlacementRefusal)


def test_replicas_are_on_two_nodes_where_that_fits_and_else_a_note_says_so() -> None:
    web = service("web", replicas=3)

    assert len(on(placed(cluster(node("a"), node("b"), node("c")), web), "web")) == 2
    short = placed(cluster(node("a"), node("b", GB)), web)
    assert on(short, "web") == ["a"]
    assert short.notes == ("web has 3 replicas on one node: two nodes do not have space for it",)


def test_failover_holds_an_image_on_more_nodes_or_refuses() -> None:
    there = cluster(node("a"), node("b"), node("c", GB))

    assert len(on(placed(there, service("web"), failover=2), "web")) == 2
    assert refused(there, service("web"), failover=3).what == "web needs 3 nodes and fits on 2 nodes"


def test_preferences_spread_over_the_values_of_a_label() -> None:
    zones = [node(name, labels={"zone": zone}) for name, zone in (("a", "1"), ("b", "1"), ("c", "2"))]

    found = placed(cluster(*zones), service("web", replicas=2, spread=("node.labels.zone",)))

    assert "c" in on(found, "web")
    assert len(on(found, "web")) == 2


def test_a_global_service_is_on_every_node_that_it_asks_for_or_nowhere() -> None:
    everywhere = service("agent", mode=ClusterMode.GLOBAL)
    there = cluster(node("a"), node("b"), node("c", state=NodeState.DOWN))

    found = placed(there, everywhere)

    assert on(found, "agent") == ["a", "b"]
    assert found.notes == ("agent is global and leaves out c: the node is down",)
    full = refused(cluster(node("a"), node("b", 0)), everywhere)
    assert full.what == "agent needs every node that its constraints allow and fits on 1 node"
    assert [(each.hostname, each.missing_bytes) for each in full.nodes] == [("b", 2 * GB)]
    none = placed(cluster(node("a")), replace(everywhere, constraints=("node.labels.gpu==yes",)))
    assert none.notes == ("agent is global, and no node meets its constraints",)


def test_figures_that_are_not_known_never_make_anything_fit() -> None:
    def web(unpacked: Estimate) -> ClusterService:
        return service("web", ClusterLayer(chain_id="x", unpacked=unpacked, compressed=exactly(1)))

    unknown = refused(cluster(node("a", 900 * GB)), web(UNKNOWN))
    assert unknown.nodes[0].why == "the bytes of its image are not known"
    assert "tonnage forecast web" in unknown.todo
    assert on(placed(cluster(node("a", layers={"x": None})), web(UNKNOWN)), "web") == ["a"]
    # The high figure counts, also of what was assumed.
    assert isinstance(place(cluster(node("a", 4 * GB - 1)), [web(assumed(2 * GB))], stack="shop"), PlacementRefusal)
    wide = Estimate(1, 2, 3 * GB, Grade.DECLARED)
    assert refused(cluster(node("a", 5 * GB)), web(wide)).missing_bytes == GB
    nothing = replace(service("web"), image=replace(service("web").image, layers=()))
    assert refused(cluster(node("a")), nothing).what == "the layers of its image are not known"
    assert refused(cluster(node("a")), service("web", task=UNKNOWN)).what == "what its tasks write is not known"


def test_a_node_reclaims_before_anything_comes_and_never_more_than_it_has() -> None:
    found = placed(cluster(node("a", GB, reclaimable_bytes=GB)), service("web"))

    assert found.nodes[0].reclaim_bytes == GB
    assert found.nodes[0].low_bytes == RESERVE
    assert refused(cluster(node("a", GB - 1, reclaimable_bytes=GB)), service("web")).missing_bytes == 1
    # A node with enough space is taken before one that has to reclaim.
    assert on(placed(cluster(node("a", GB, reclaimable_bytes=GB), node("b", 2 * GB)), service("web")), "web") == ["b"]


def test_a_layer_that_a_reclaim_removes_is_of_use_only_where_nothing_is_reclaimed() -> None:
    web = service("web", layer("old", GB), layer("new", GB))
    leftovers = {"layers": {"old": None}, "reclaimable_layers": frozenset({"old"}), "reclaimable_bytes": 2 * GB}

    plenty = placed(cluster(node("a", 2 * GB, **leftovers)), web)
    tight = placed(cluster(node("a", 2 * GB - 1, **{**leftovers, "reclaimable_bytes": 2 * GB + 1})), web)

    assert (plenty.nodes[0].reclaim_bytes, plenty.search.moved_bytes) == (0, GB)
    # Both layers are sent: each is copied and kept.
    assert (tight.nodes[0].reclaim_bytes, tight.search.moved_bytes) == (2 * GB + 1, 2 * GB)
    assert tight.nodes[0].transfers[0].chain_ids == ("old", "new")
    assert refused(cluster(node("a", 2 * GB - 1, **leftovers)), web).missing_bytes == 1


def test_a_node_that_is_full_keeps_what_it_runs_and_gets_nothing() -> None:
    full = node("a", -GB, layers={"web-layer": None, "new-layer": None}, tasks=(task("shop", "web"),))

    found = placed(cluster(full, node("b")), service("web", changed=False), service("new"))

    assert on(found, "web") == ["a"]
    assert on(found, "new") == ["b"]
    assert refused(cluster(full), service("new")).nodes[0].why == "1.00 GB are missing on its disk"


def test_a_service_larger_than_any_node_names_the_bytes_that_each_lacks() -> None:
    found = refused(cluster(node("a", 5 * GB), node("b", 7 * GB)), service("small"), service("big", layer("x", 9 * GB)))

    assert found.service == "big"
    assert [each.missing_bytes for each in found.nodes] == [13 * GB, 11 * GB]
    assert found.proven
    assert not found.usage


def test_constraints_that_contradict_each_other_name_the_one_that_rules_a_node_out() -> None:
    both = service("web", constraints=("node.hostname==a", "node.hostname==b"))

    found = refused(cluster(node("a"), node("b")), both)

    assert [each.why for each in found.nodes] == [
        "the constraint node.hostname==b is not met",
        "the constraint node.hostname==a is not met",
    ]


def test_two_nodes_of_one_host_name_are_told_apart_by_their_ids() -> None:
    twins = [replace(node("a", 2 * GB), node_id=each) for each in ("id1", "id2")]

    found = placed(cluster(*twins), service("x"), service("y"))

    assert sorted(on(found, "x") + on(found, "y")) == ["a (id1)", "a (id2)"]


@pytest.mark.parametrize(
    "name", ["-rf", "--label-add", "web\n", "we\nb", "", "a b", "web;ls", "ä", "a.b", "w" * 60, "web-", "$(x)", "_web"]
)
def test_a_name_that_swarm_refuses_is_refused_before_anything_is_asked(name: str) -> None:
    found = refused(cluster(node("a")), service(name, layer("x", 1)))

    assert found.usage
    assert found.service == name


@pytest.mark.parametrize(
    ("there", "services"),
    [
        (cluster(node("a")), [service("web", constraints=("node.labels.a=={x}",))]),
        (cluster(node("a")), [service("web"), service("web")]),
        (cluster(node("a"), node("a")), [service("web")]),
        (cluster(node("a")), [service("web", replicas=-1)]),
        (cluster(node("a")), [service("web", failover=0)]),
    ],
)
def test_what_no_cluster_could_take_is_wrong_usage(there: Cluster, services: list[ClusterService]) -> None:
    assert refused(there, *services).usage


def test_no_nodes_no_services_and_no_replicas_are_answers_too() -> None:
    assert placed(cluster(node("a"))).assignments == ()
    assert on(placed(cluster(), service("web", replicas=0)), "web") == []
    assert refused(cluster(), service("web")).what == "web fits on no node"


def test_an_image_in_no_registry_only_goes_where_ssh_goes() -> None:
    built = service("web")
    built = replace(built, image=replace(built.image, in_registry=False))

    found = refused(cluster(node("a", address="")), built)

    assert "x-tonnage.nodes" in found.todo
    assert on(placed(cluster(node("a", address=""), node("b")), built), "web") == ["b"]


def test_the_order_of_sending_with_the_lowest_moment_is_found() -> None:
    # The large layer comes with the smaller image, so that only its own is copied when the larger one follows.
    large = layer("large", 10 * GB)
    services = [service("larger", large, layer("rest", GB)), service("smaller", large)]

    found = placed(cluster(node("a", 20 * GB)), *services)

    assert [each.services for each in found.nodes[0].transfers] == [("smaller",), ("larger",)]
    assert found.nodes[0].low_bytes == RESERVE


def test_the_answer_is_the_same_each_time() -> None:
    services = [service(f"s{number}", BASE, layer(f"own{number}", (1 + number % 3) * GB)) for number in range(9)]
    there = cluster(*(node(f"n{number}", (7 + number) * GB) for number in range(14)))

    assert place(there, services, stack="shop") == place(there, services, stack="shop")


def test_a_search_that_is_not_exhaustive_tells_how_far_it_may_be_from_the_best() -> None:
    services = [service(f"s{number}", BASE, layer(f"own{number}", GB)) for number in range(14)]

    found = placed(cluster(*(node(f"n{number}", 12 * GB) for number in range(14))), *services)

    assert not found.search.proven
    assert found.search.bound_bytes == 3 * GB + 14 * GB
    assert found.search.gap_bytes == found.search.moved_bytes - found.search.bound_bytes


def test_a_stack_that_cannot_be_proven_not_to_fit_says_so() -> None:
    services = [service(f"s{number}", layer(f"own{number}", GB)) for number in range(15)]

    found = refused(cluster(*(node(f"n{number}", 2 * GB) for number in range(14))), *services)

    assert not found.proven
    assert "not proven" in found.why
