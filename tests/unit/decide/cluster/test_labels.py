from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.decide.cluster.harbours import cluster, node, service, task

from tonnage.decide.cluster.labels import forgotten, written_placement
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
