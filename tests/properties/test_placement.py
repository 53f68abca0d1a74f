"""Placements of random clusters, against every placement there is and against a rollout walked step by step."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.properties.clusters import STACK, some_cluster
from tests.properties.rollout import allowed, best, failover, figures_of, lacking, reclaimed, share

from tonnage.decide.cluster.placing import place
from tonnage.model.cluster.placement import Placement, PlacementRefusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.cluster.node import Cluster
    from tonnage.model.cluster.service import ClusterService

_FEW = range(60)


def walk(cluster: Cluster, services: Sequence[ClusterService], placement: Placement) -> None:
    """Walk the rollout of a placement on every node, in the order that it says."""
    by_name = {each.name: each for each in services}
    by_id = {node.node_id: node for node in cluster.nodes}
    chosen = [tuple(by_id[n.node_id] for n in placement.assignment(each.name).nodes) for each in services]
    for service, nodes in zip(services, chosen, strict=True):
        assert all(allowed(service, node, cluster) for node in nodes)
        if not service.is_global and service.replicas:
            assert len(nodes) >= failover(service, cluster)
            assert share(service, nodes, cluster) is not None
    outlooks = {each.node_id: each for each in placement.nodes}
    for node in cluster.nodes:
        members = [(s, share(s, c, cluster) or 0) for s, c in zip(services, chosen, strict=True) if node in c]
        if not members:
            assert node.node_id not in outlooks
            continue
        outlook = outlooks[node.node_id]
        order = [by_name[each.services[0]].image.layers for each in outlook.transfers]
        brought = {layer for each in outlook.transfers for layer in each.chain_ids}
        found = reclaimed(members, node, cluster, order)
        assert found is not None
        needs, after = found
        lacks = {layer.chain_id for image in lacking(members, after) for layer in image} - set(after.layers)
        assert brought == lacks
        assert needs <= outlook.reclaim_bytes <= node.disks[0].reclaimable_bytes


def checked(seed: int, most_nodes: int, most_services: int, *, exhaustively: bool) -> str:
    """Place one random stack, compare, and return what came out."""
    cluster, services = some_cluster(Random(seed), most_nodes=most_nodes, most_services=most_services)
    result = place(cluster, services, stack=STACK)
    if isinstance(result, Placement):
        walk(cluster, services, result)
    if not exhaustively:
        return type(result).__name__
    reference = best(cluster, services)
    if isinstance(result, PlacementRefusal):
        assert reference is None, f"seed {seed}: {result.what}, but a placement exists"
        assert result.proven
        assert result.nodes or " nodes and fits on " in result.what
        return "refused"
    assert reference is not None, f"seed {seed}: placed, but no placement exists"
    by_id = {node.node_id: node for node in cluster.nodes}
    chosen = [tuple(by_id[n.node_id] for n in result.assignment(each.name).nodes) for each in services]
    figures = figures_of(cluster, services, chosen, {})
    assert result.search.proven
    assert figures == reference, f"seed {seed}"
    assert result.search.moved_bytes == reference[2]
    assert result.search.bound_bytes <= reference[2]
    return "placed"


def test_small_clusters_get_the_best_of_all_placements_and_none_is_refused_that_has_one() -> None:
    outcomes = [checked(seed, 3, 3, exhaustively=True) for seed in _FEW]
    assert min(outcomes.count("placed"), outcomes.count("refused")) > 10


def test_no_rollout_of_a_larger_cluster_crosses_a_reserve() -> None:
    outcomes = [checked(seed, 9, 7, exhaustively=False) for seed in range(1000, 1030)]
    assert outcomes.count("Placement") > 5


@pytest.mark.long("500 clusters against every placement there is")
@pytest.mark.parametrize("part", range(10))
def test_five_hundred_small_clusters_get_the_best_of_all_placements(part: int) -> None:
    seeds = range(60 + 50 * part, 110 + 50 * part)
    outcomes = [checked(seed, 4, 3, exhaustively=True) for seed in seeds]
    assert min(outcomes.count("placed"), outcomes.count("refused")) > 5


@pytest.mark.long("500 larger clusters, each walked step by step")
@pytest.mark.parametrize("part", range(10))
def test_no_rollout_of_five_hundred_larger_clusters_crosses_a_reserve(part: int) -> None:
    seeds = range(2000 + 50 * part, 2050 + 50 * part)
    outcomes = [checked(seed, 14, 9, exhaustively=False) for seed in seeds]
    assert outcomes.count("Placement") > 5
