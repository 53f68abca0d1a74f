"""A placement out of what a search arranged: where each service runs and why, and what that does to each node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.cluster.eligibility import takes_nothing
from tonnage.decide.cluster.layer_sums import bits
from tonnage.decide.cluster.naming import node_names
from tonnage.model.cluster.placement import (
    AssignedNode,
    Assignment,
    Delivery,
    NodeOutlook,
    NodeTransfer,
    Placement,
)
from tonnage.model.forecast.estimate import NOTHING, total
from tonnage.model.inventory import CLASSIC, CONTAINERD
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from tonnage.decide.cluster.arrangement import Arrangement
    from tonnage.decide.cluster.problem import PlaceableNode, PlaceableService
    from tonnage.model.cluster.placement import PlacementSearch
    from tonnage.model.cluster.service import ClusterLayer
    from tonnage.model.forecast.estimate import Estimate


def placement_of(state: Arrangement, stack: str, search: PlacementSearch) -> Placement:
    """Return the placement that an arrangement is."""
    problem = state.problem
    names = node_names(problem.cluster.nodes)
    outlooks = tuple(_outlook(state, place, names) for place in problem.nodes if state.members[place.index])
    return Placement(
        stack=stack,
        assignments=tuple(_assignment(state, each, names) for each in problem.services),
        nodes=outlooks,
        search=search,
        moves=sum(each.running_count - each.stay(state.choices[each.index]) for each in problem.services),
        left_out=tuple(
            (names[place.node.node_id], why) for place in problem.nodes if (why := takes_nothing(place.node))
        ),
        notes=tuple(note for each in problem.services for note in _notes(state, each, names)),
    )


def _assignment(state: Arrangement, wanted: PlaceableService, names: dict[str, str]) -> Assignment:
    chosen = state.choices[wanted.index]
    nodes = []
    for index in chosen:
        place = state.problem.nodes[index]
        stays = index in wanted.running
        nodes.append(
            AssignedNode(
                node_id=place.node.node_id,
                hostname=names[place.node.node_id],
                tasks=len(wanted.running[index]) if index in wanted.stays_only else state.members[index][wanted.index],
                stays=stays,
                why=_why(state, wanted, place),
            )
        )
    leaves = tuple(state.problem.nodes[index].node.node_id for index in wanted.running if index not in chosen)
    return Assignment(service=wanted.service.name, nodes=tuple(nodes), leaves=leaves)


def _why(state: Arrangement, wanted: PlaceableService, place: PlaceableNode) -> str:
    """Return why a service is on a node: the weightiest reason."""
    if wanted.service.is_global:
        return "it runs on every node"
    if place.index in wanted.running:
        return "it runs there"
    if len(wanted.eligible) == 1:
        return "no other node may run it"
    costs = place.costs
    lacks = wanted.mask & ~place.have
    if not lacks:
        return "all its layers are there"
    others = 0
    for index in state.members[place.index]:
        if index != wanted.index:
            others |= state.problem.services[index].mask
    present = costs.moved.of(wanted.mask & place.have)
    shared = costs.moved.of(lacks & others)
    if present >= shared and present:
        return f"{format_bytes(present)} of its layers are there"
    if shared:
        return f"it shares {format_bytes(shared)} of layers with other services there"
    return "it has free space"


def _outlook(state: Arrangement, place: PlaceableNode, names: dict[str, str]) -> NodeOutlook:
    found = state.settled(place.index)
    there = found.have
    transfers = []
    for image in found.order:
        lacks = image & ~there
        there |= image
        if lacks:
            transfers.append(_transfer(state, place, found.have, image, lacks))
    disk = place.node.image_disk
    return NodeOutlook(
        node_id=place.node.node_id,
        hostname=names[place.node.node_id],
        mount=disk.mount if disk else "",
        available_bytes=place.available_bytes,
        reserve_bytes=place.reserve_bytes,
        reclaim_bytes=found.reclaim_bytes,
        low_bytes=found.low_bytes,
        transfers=tuple(transfers),
        task_bytes=state.written[place.index],
        moved=total(each.moved for each in transfers),
    )


def _transfer(state: Arrangement, place: PlaceableNode, have: int, image: int, lacks: int) -> NodeTransfer:
    members = [state.problem.services[index] for index in sorted(state.members[place.index])]
    users = [each for each in members if each.mask & ~have == image]
    layers = [state.problem.layers.layers[number] for number in bits(lacks)]
    pulled, store = place.costs.delivery is Delivery.PULL, place.node.store
    moved = total(_sent(layer, pulled=pulled) for layer in layers)
    unpacked = total(layer.unpacked for layer in layers)
    order = {layer.chain_id: position for position, layer in enumerate(users[0].service.image.layers)}
    return NodeTransfer(
        reference=users[0].service.image.reference,
        services=tuple(each.service.name for each in users),
        delivery=place.costs.delivery,
        chain_ids=tuple(sorted((layer.chain_id for layer in layers), key=order.__getitem__)),
        moved=moved,
        kept=unpacked if store == CLASSIC else unpacked + moved,
        temporary=NOTHING if store == CONTAINERD else moved,
    )


def _sent(layer: ClusterLayer, *, pulled: bool) -> Estimate:
    return layer.compressed if pulled else layer.sent


def _notes(state: Arrangement, wanted: PlaceableService, names: dict[str, str]) -> list[str]:
    service, chosen = wanted.service, state.choices[wanted.index]
    notes = []
    if service.is_global:
        notes += [
            f"{service.name} is global and leaves out {names[state.problem.nodes[index].node.node_id]}: {why}"
            for index, why in wanted.why.items()
            if not why.startswith("the constraint ")
        ]
        if not chosen:
            notes.append(f"{service.name} is global, and no node meets its constraints")
        return notes
    if len(chosen) < wanted.wished:
        notes.append(f"{service.name} has {service.replicas} replicas on one node: two nodes do not have space for it")
    for key, (values, count) in zip(service.spread, wanted.spreads, strict=True):
        found = len({values[node] for node in chosen})
        if found < count:
            notes.append(
                f"{service.name} is spread over {found} of {count} values of {key}: there is no space for more"
            )
    said = service.failover or 0
    if said > wanted.failover:
        notes.append(f"{service.name} is on {wanted.failover} of {said} nodes: no other node may run it")
    return notes
