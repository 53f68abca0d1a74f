from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.decide.cluster.harbours import cluster, layer, node, service, task

from tonnage.decide.cluster.kept_images import kept_images, removable_images
from tonnage.decide.cluster.labels import forgotten, placed_services, written_placement
from tonnage.decide.cluster.placing import place
from tonnage.model.cluster.placement import LabelChange, Placement

if TYPE_CHECKING:
    from tonnage.model.cluster.node import Cluster
    from tonnage.model.cluster.service import ClusterService

WEB, WORKER = "tonnage.place.shop.web", "tonnage.place.shop.worker"


def placed(there: Cluster, *services: ClusterService) -> Placement:
    found = place(there, services, stack="shop")
    assert isinstance(found, Placement), found
    return found


def test_nodes_that_get_a_service_are_labelled_before_and_those_that_lose_it_are_freed_after() -> None:
    there = cluster(
        node("a", 0, labels={WEB: "yes", "zone": "east"}, tasks=(task("shop", "web"),)),
        node("b", labels={"tonnage.place.other.web": "yes", "tonnage.place.shop.gone": "yes"}),
    )

    written = written_placement(placed(there, service("web")), there)

    assert written.before == (LabelChange(node_id="id-b", key=WEB, value="yes"),)
    assert written.constraints == {"web": (f"node.labels.{WEB}==yes", "node.id!=id-a")}
    assert written.after == (
        LabelChange(node_id="id-a", key=WEB),
        LabelChange(node_id="id-b", key="tonnage.place.shop.gone"),
    )


def test_what_is_labelled_already_is_left_alone_and_a_wrong_value_is_set_right() -> None:
    there = cluster(node("a", labels={WEB: "yes", WORKER: "no"}))

    written = written_placement(placed(there, service("web"), service("worker")), there)

    assert written.before == (LabelChange(node_id="id-a", key=WORKER, value="yes"),)
    assert written.after == ()
    assert written.constraints["web"] == (f"node.labels.{WEB}==yes",)


def test_with_the_stack_its_labels_go_and_no_others() -> None:
    labels = {WEB: "yes", "tonnage.place.shop2.web": "yes", "tonnage.place.shop": "yes", "zone": "east"}

    assert forgotten(cluster(node("a", labels=labels)), "shop") == (LabelChange(node_id="id-a", key=WEB),)


def test_labels_tell_what_is_placed_and_strange_ones_tell_nothing() -> None:
    labels = {WEB: "yes", WORKER: "no", "tonnage.place.": "yes", "tonnage.place.x": "yes", "tonnage.place..y": "yes"}

    assert placed_services(labels) == (("shop", "web"),)


def test_each_node_keeps_what_runs_there_what_a_rollback_needs_and_what_may_run_there() -> None:
    web = service("web", previous=("example.org/web:1", "example.org/web:0"), failover=2)
    there = cluster(
        node(
            "a",
            tasks=(task("shop", "web"), task("", "proxy", image="proxy:3")),
            images={"example.org/web:0": ("x",), "example.org/old:9": ("y",), "proxy:3": ("z",)},
        ),
        node("b", labels={"tonnage.place.blog.page": "yes"}),
        node("c", tasks=(task("blog", "page", image="page:7"),)),
        node("d", observed=False, images={"example.org/old:9": ("y",)}),
    )
    placement = placed(there, web)

    kept = kept_images(there, placement, [web], stack="shop")
    by_node = {name: {k.reference: k.why for k in kept if k.node_id == f"id-{name}"} for name in "abcd"}

    assert by_node["a"] == {
        "example.org/web:1": "shop_web runs it",
        "proxy:3": "proxy runs it",
        "example.org/web:2": "web may run here",
        "example.org/web:0": "a rollback of web needs it",
    }
    others = [name for name in "bc" if "example.org/web:2" in by_node[name]]
    assert len(others) == 1
    assert by_node["b"]["page:7"] == "blog_page may run here"
    assert by_node["c"]["page:7"] == "blog_page runs it"
    assert by_node["d"] == {}
    assert removable_images(there.nodes[0], kept) == ("example.org/old:9",)
    assert removable_images(there.nodes[3], kept) == ()


def test_without_a_placement_the_labels_say_what_a_node_keeps() -> None:
    there = cluster(node("a", labels={WEB: "yes"}), node("b"))

    kept = kept_images(there, None, [service("web", layer("x", 1))], stack="shop")

    assert [(each.node_id, each.reference) for each in kept] == [("id-a", "example.org/web:2")]
