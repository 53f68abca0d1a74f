"""Make the plan of a deploy on a cluster: images found, services placed by bytes, the stack file. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.cluster.labels import written_placement
from tonnage.decide.cluster.placing import place
from tonnage.decide.swarm.images import chosen_image, named
from tonnage.decide.swarm.leftovers import needed_anywhere, repositories_of, with_reclaimable
from tonnage.decide.swarm.ownership import refuse_stack_of_others
from tonnage.decide.swarm.stack_file import check_names, differs, for_later, stack_file
from tonnage.decide.swarm.wishes import bound_paths, cluster_image, cluster_service
from tonnage.errors import EngineUnreachableError, TonnageError, UsageError
from tonnage.flows.cluster.observing import see_cluster
from tonnage.flows.cluster.settings import failover_of, node_addresses
from tonnage.flows.ship.through import registry_of
from tonnage.model.cluster.placement import Placement
from tonnage.model.cluster.rollout import ClusterPlan, ImageMove

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tonnage.flows.cluster.observing import SeenCluster
    from tonnage.flows.cluster.ports import ClusterPorts, SwarmAccess
    from tonnage.flows.stack import DesiredState
    from tonnage.model.cluster.rollout import ChosenImage
    from tonnage.model.cluster.service import ClusterService
    from tonnage.model.inventory import Image
    from tonnage.model.stack import Service, Stack
    from tonnage.model.swarm import StackVersion, SwarmService


def look_at(ports: ClusterPorts, access: SwarmAccess, wanted: DesiredState) -> SeenCluster:
    """Look at the Swarm and its nodes, with what a reclaim there would free.

    Raises:
        EngineLacksError: The engine is no manager.
        EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
    """
    seen = see_cluster(
        ports,
        access.facts,
        manager=wanted.host,
        addresses=node_addresses(wanted.settings),
        keep_free_bytes=wanted.policy.keep_free_bytes,
        binds=bound_paths(wanted.stack),
    )
    versions = [each for stack in _stacks(seen, wanted) for each in access.facts.versions(stack)]
    needed = needed_anywhere(seen.services, seen.tasks, versions)
    repositories = repositories_of(each.image for each in wanted.stack.services)
    nodes = tuple(
        with_reclaimable(
            node, seen.engines[node.node_id].images, seen.engines[node.node_id].containers, needed, repositories
        )
        if node.node_id in seen.engines
        else node
        for node in seen.cluster.nodes
    )
    return replace(seen, cluster=replace(seen.cluster, nodes=nodes))


def _stacks(seen: SeenCluster, wanted: DesiredState) -> list[str]:
    return sorted({wanted.stack.name, *(each.stack for each in seen.services if each.stack)} - {""})


def cluster_plan(
    ports: ClusterPorts, access: SwarmAccess, seen: SeenCluster, wanted: DesiredState, tell: Callable[[str], None]
) -> ClusterPlan:
    """Make the plan.

    Returns:
        The plan, which has a refusal where the stack finds no place.

    Raises:
        UsageError: A service cannot run on a Swarm as it is written, its image is nowhere, or the stack is another's.
        EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
    """
    stack = wanted.stack
    if wanted.services:
        raise UsageError(
            "on a Swarm a stack is deployed whole",
            why="Services that are placed together share what a node has; Swarm is given one stack file.",
            todo="Leave the names of services out.",
        )
    check_names(stack)
    versions = access.facts.versions(stack.name)
    last = next((each for each in versions if each.good), None)
    running = {each.name.removeprefix(f"{stack.name}_"): each for each in seen.services if each.stack == stack.name}
    refuse_stack_of_others(stack, running, versions, adopt=wanted.policy.adopt)
    choices, images = _images(
        ports, access.here, seen, wanted, {name: each.image for name, each in running.items()}, tell
    )
    contents = _contents(ports, stack)
    # What is compared has no constraints of ours: they say where, not what.
    plain = stack_file(stack, named(choices), {}, contents)
    before = last.document if last is not None else {}
    changed = [each.name for each in stack.services if _changes(each.name, plain.document, before, running)]
    services = [
        _to_place(stack, each, choices[each.name], images[each.name], seen, each.name in changed, versions)
        for each in stack.services
    ]
    found = place(seen.cluster, services, stack=stack.name, failover=failover_of(wanted.settings))
    names = tuple(each.name for each in stack.services)
    if not isinstance(found, Placement):
        return ClusterPlan(
            stack=stack.name, manager=access.endpoint, services=names, refusal=found, skipped=_skipped(seen)
        )  # fmt: skip
    written = written_placement(found, seen.cluster)
    document = stack_file(stack, named(choices), written.constraints, contents)
    moves, through = _moves(found, choices, seen), registry_of(wanted.settings, ports.swarms.logged_in)
    return ClusterPlan(
        stack=stack.name,
        manager=access.endpoint,
        services=names,
        placement=found,
        changed=tuple(changed),
        moves=moves,
        reclaims={each.node_id: each.reclaim_bytes for each in found.nodes if each.reclaim_bytes},
        written=written,
        document=document.document,
        notes=(*document.notes, *found.notes, *_note_of_way(moves, through)),
        skipped=_skipped(seen),
        through=through,
    )


def _images(
    ports: ClusterPorts,
    here: str,
    seen: SeenCluster,
    wanted: DesiredState,
    running: dict[str, str],
    tell: Callable[[str], None],
) -> tuple[dict[str, ChosenImage], dict[str, Image]]:
    own = next(node_id for node_id, host in seen.hosts.items() if host == wanted.host)
    engines: list[tuple[str, Sequence[Image]]] = []
    if wanted.host:
        engines += _of_this_machine(ports, here, seen, tell)
    order = sorted(seen.engines, key=lambda node_id: (node_id != own, seen.names[node_id]))
    engines += [(seen.hosts[node_id], seen.engines[node_id].images) for node_id in order]
    choices, images = {}, {}
    for service in wanted.stack.services:
        choice, image = chosen_image(wanted.stack.name, service, engines, running=running.get(service.name, ""))
        choices[service.name], images[service.name] = choice, image
    return choices, images


def _of_this_machine(
    ports: ClusterPorts, here: str, seen: SeenCluster, tell: Callable[[str], None]
) -> list[tuple[str, Sequence[Image]]]:
    """Return the images of the engine that builds here, where there is one beside the Swarm."""
    try:
        with ports.engines.facts(here) as facts:
            if facts.engine().node_id in seen.engines:
                return []
            return [(here, facts.images())]
    except TonnageError as error:
        if not isinstance(error, EngineUnreachableError):
            tell(f"images of this machine are not looked at: {error.what}")
        return []


def _contents(ports: ClusterPorts, stack: Stack) -> dict[str, str]:
    entries = (
        entry or {} for section in ("secrets", "configs") for entry in (stack.shared.get(section) or {}).values()
    )
    return {entry["file"]: ports.files.content_digest(entry["file"]) for entry in entries if entry.get("file")}


def _changes(
    name: str, document: dict[str, object], before: dict[str, object], running: dict[str, SwarmService]
) -> bool:
    told, earlier = document["services"], before.get("services") or {}
    assert isinstance(told, dict)  # noqa: S101 - it was made here
    assert isinstance(earlier, dict)  # noqa: S101 - versions are checked where they are read
    if name not in running or running[name].image != told[name]["image"]:
        return True
    return name not in earlier or differs(for_later(document), before, name)


def _to_place(
    stack: Stack,
    service: Service,
    choice: ChosenImage,
    image: Image,
    seen: SeenCluster,
    changed: bool,  # noqa: FBT001 - one of many facts about the service
    versions: Sequence[StackVersion],
) -> ClusterService:
    source = next((each for node, each in seen.engines.items() if seen.hosts[node] == choice.source), None)
    platforms = (f"{source.engine.os_type}/{source.engine.architecture}",) if source else ()
    previous = [each.images[service.name] for each in versions if each.good and service.name in each.images]
    return cluster_service(
        stack,
        service,
        cluster_image(choice.reference, image, platforms=platforms, in_registry=choice.pulled),
        changed=changed,
        previous=tuple(dict.fromkeys(each for each in previous if each != choice.reference)),
    )


def _moves(found: Placement, choices: dict[str, ChosenImage], seen: SeenCluster) -> tuple[ImageMove, ...]:
    """Return which image goes to which node, node by node in the order of its outlook."""
    moves, known = [], set()
    transfers = {
        (outlook.node_id, each.reference): (number, each)
        for outlook in found.nodes
        for number, each in enumerate(outlook.transfers)
    }
    for assignment in found.assignments:
        choice = choices[assignment.service]
        for chosen in assignment.nodes:
            key = (chosen.node_id, choice.reference)
            if key in known or choice.reference in seen.node(chosen.node_id).images:
                continue
            known.add(key)
            number, transfer = transfers.get(key, (len(transfers), None))
            move = ImageMove(
                node_id=chosen.node_id,
                hostname=chosen.hostname,
                host=seen.hosts.get(chosen.node_id, "") if chosen.node_id in seen.engines else "",
                image=choice,
            )
            if transfer is not None:
                move = replace(move, moved=transfer.moved, kept=transfer.kept)
            moves.append((number, move))
    order = [each.node_id for each in found.nodes]
    moves.sort(key=lambda each: (order.index(each[1].node_id) if each[1].node_id in order else len(order), each[0]))
    return tuple(move for _, move in moves)


def _note_of_way(moves: Sequence[ImageMove], through: str) -> tuple[str, ...]:
    """Say that images which were built are pulled, where they are."""
    ways = tuple(dict.fromkeys(move.image.service for move in moves if not move.image.pulled))
    return (f"{', '.join(ways)}: pushed to {through}, and pulled by digest on each node",) if ways and through else ()


def _skipped(seen: SeenCluster) -> tuple[tuple[str, str], ...]:
    """Return the nodes that get nothing new, with the reason."""
    found = []
    for node in seen.cluster.nodes:
        if not node.takes_new:
            why = node.why_not or (
                f"it is {node.state.value}"
                if node.state.value != "ready"
                else f"its availability is {node.availability.value}"
            )
            found.append((node.hostname, why))
    return tuple(found)
