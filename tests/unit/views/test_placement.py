from __future__ import annotations

from msgspec.structs import replace
from tests.unit.decide.cluster.harbours import GB, cluster, layer, node, service, task

from tonnage.decide.cluster.placing import place
from tonnage.errors import CannotFitError, UsageError
from tonnage.model.cluster.node import Availability
from tonnage.model.cluster.placement import Placement, PlacementRefusal
from tonnage.model.forecast.estimate import Estimate, Grade
from tonnage.views.text.placement import placement_failure, placement_lines

BASE = layer("base", 2 * GB)
WIDE = replace(layer("own", GB), unpacked=Estimate(GB // 2, GB, 2 * GB, Grade.DECLARED))
THERE = cluster(
    node("one", 7 * GB, layers={"base": None}, tasks=(task("shop", "web"),)),
    node("two", 3 * GB, address="", reclaimable_bytes=GB),
    node("three", availability=Availability.DRAIN, tasks=(task("shop", "worker"),)),
)


def refused(*services: object) -> PlacementRefusal:
    found = place(THERE, services, stack="shop")  # type: ignore[arg-type]
    assert isinstance(found, PlacementRefusal), found
    return found


def test_a_placement_is_explained_by_services_nodes_and_how_it_was_found() -> None:
    web = service("web", BASE, layer("web-own", GB))
    worker = service("worker", layer("small", GB), constraints=("node.hostname==two",))
    found = place(THERE, [web, worker], stack="shop")
    assert isinstance(found, Placement)

    assert placement_lines(found) == [
        "web on one: it runs there",
        "worker on two: no other node may run it",
        "one gets web: 1 layer sent by ssh, 1.00 GB (exact) moved, 1.00 GB kept, 1.00 GB temporary",
        "two gets worker: 1 layer pulled, 500 MB (exact) moved, 1.00 GB kept, 500 MB temporary",
        "No placement is better: it moves 1.50 GB (exact search).",
    ]


def test_tasks_that_move_and_the_distance_from_the_best_are_told() -> None:
    there = cluster(node("old", 0, tasks=(task("shop", "s0"),)), *(node(f"n{number}", 12 * GB) for number in range(13)))
    found = place(there, [service(f"s{number}", layer(f"own{number}", GB)) for number in range(14)], stack="shop")
    assert isinstance(found, Placement)

    lines = placement_lines(found)

    assert "s0 leaves id-old" in lines
    assert lines[-1] == (
        "Moves 14.0 GB, 1 running task to another node; any placement moves 14.0 GB or more, "
        "so this is at most 0 B from the best."
    )


def test_figures_that_are_not_exact_show_what_is_planned_with() -> None:
    tight = cluster(node("two", 2 * GB, reclaimable_bytes=2 * GB))
    found = place(tight, [service("worker", WIDE), service("idle", replicas=0)], stack="shop")
    assert isinstance(found, Placement)

    lines = placement_lines(found)

    assert any("1.00 GB, at most 2.00 GB (declared) moved, 2.00 GB kept, 2.00 GB temporary" in line for line in lines)


def test_a_refusal_is_a_failure_with_every_node_and_its_exit_code() -> None:
    short = placement_failure(refused(service("huge", layer("x", 50 * GB))))
    wrong = placement_failure(refused(service("-rf")))

    assert isinstance(short, CannotFitError)
    assert short.what == "huge fits on no node"
    assert short.why.splitlines() == [
        "  one    93.0 GB are missing on its disk",
        "  two    71.0 GB are missing on its disk",
        "  three  the node is drained",
    ]
    assert "  tonnage forecast huge" in short.todo
    assert isinstance(wrong, UsageError)
    assert "'shop_-rf'" in wrong.what


def test_many_nodes_are_told_by_reason() -> None:
    many = cluster(*(node(f"n{number}", number) for number in range(30)))
    found = place(many, [service("web")], stack="shop")
    assert isinstance(found, PlacementRefusal)

    assert placement_failure(found).why == "  30 nodes  its disk is too small: 2.00 GB are missing at least, on n29"


def test_hostile_names_stay_in_their_line() -> None:
    there = cluster(node("a\n  b\x1b[31m"))
    found = place(there, [service("web")], stack="shop")
    assert isinstance(found, Placement)

    assert not [line for line in placement_lines(found) if "\n" in line or "\x1b" in line]
