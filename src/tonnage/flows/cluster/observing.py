"""Look at all nodes at the same time, each through its own engine; who does not answer in time gets nothing new."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tonnage.decide.deploy.expectations import reserves_of
from tonnage.errors import EngineUnreachableError, TonnageError
from tonnage.model.cluster.node import (
    MEMORY,
    NANO_CPUS,
    Availability,
    Cluster,
    ClusterNode,
    NodeDisk,
    NodeState,
    RunningTask,
)
from tonnage.model.swarm import TASK_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.flows.cluster.ports import ClusterPorts, ReadsSwarm
    from tonnage.model.inventory import Container, Engine, Filesystem, Image, Volume
    from tonnage.model.swarm import SwarmNode, SwarmService, SwarmTask

ANSWERS_WITHIN_S = 45.0


class SeenEngine(Struct, frozen=True, kw_only=True):
    """What the engine of one node told."""

    engine: Engine
    filesystems: tuple[Filesystem, ...]
    images: tuple[Image, ...]
    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...]
    missing: frozenset[str] = frozenset()

    def image(self, reference: str) -> Image | None:
        """Return the image of this name or digest; None for none."""
        return next((each for each in self.images if reference in (*each.references, *each.digests)), None)


class SeenCluster(Struct, frozen=True, kw_only=True):
    """A Swarm at one moment.

    Args:
        hosts: How the engine of each node is reached, by the node's id.
        engines: What these told, by the node's id.
    """

    cluster: Cluster
    nodes: tuple[SwarmNode, ...]
    services: tuple[SwarmService, ...]
    tasks: tuple[SwarmTask, ...]
    hosts: dict[str, str] = field(default_factory=dict)
    engines: dict[str, SeenEngine] = field(default_factory=dict)

    @property
    def names(self) -> dict[str, str]:
        """The host name of each node, by its id."""
        return {node.node_id: node.host_name for node in self.nodes}

    def node(self, node_id: str) -> ClusterNode:
        """Return a node.

        Raises:
            KeyError: There is none of this id.
        """
        return next(each for each in self.cluster.nodes if each.node_id == node_id)


def see_cluster(
    ports: ClusterPorts,
    swarm: ReadsSwarm,
    *,
    manager: str,
    addresses: Mapping[str, str],
    keep_free_bytes: int | None,
    binds: Sequence[str] = (),
    within_s: float = ANSWERS_WITHIN_S,
) -> SeenCluster:
    """Look at a Swarm and at every node of it that can be reached.

    Args:
        manager: The engine through which the Swarm is spoken to; it is a node as well.
        addresses: How the engines of further nodes are reached, by host name or id.
        keep_free_bytes: The reserve; None for the default of each disk.
        binds: Paths of which it matters whether they are on a node.
        within_s: Seconds for all engines together.

    Returns:
        All nodes; of those that did not answer, only what the managers tell.

    Raises:
        EngineLacksError: The engine is no manager.
        EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
    """
    own = swarm.check()
    nodes, services, tasks = swarm.nodes(), swarm.services(), swarm.tasks()
    hosts = {own: manager}
    for node in nodes:
        address = addresses.get(node.node_id) or addresses.get(node.host_name)
        if address and node.node_id != own:
            hosts[node.node_id] = address
    asked = {node.node_id for node in nodes if node.state != NodeState.DOWN} & hosts.keys()
    told = _ask_all(ports, {node_id: hosts[node_id] for node_id in asked}, binds, within_s)
    engines = {node_id: seen for node_id, seen in told.items() if isinstance(seen, SeenEngine)}
    found = []
    for node in nodes:
        seen = told.get(node.node_id) or _not_asked(node, hosts)
        plain = _plain(node, tasks=_running(node.node_id, services, tasks))
        found.append(
            _filled(plain, seen, hosts[node.node_id], keep_free_bytes, binds)
            if isinstance(seen, SeenEngine)
            else replace(plain, observed=False, why_not=seen)
        )
    cluster = Cluster(nodes=tuple(found), keeps_ended_tasks=swarm.keeps_ended_tasks())
    return SeenCluster(
        cluster=cluster, nodes=nodes, services=services, tasks=tasks, hosts=hosts, engines=engines
    )  # fmt: skip


def _not_asked(node: SwarmNode, hosts: Mapping[str, str]) -> str:
    if node.node_id in hosts:
        return f"it is {node.state}"
    return "no address: write it under x-tonnage.nodes"


def _ask_all(
    ports: ClusterPorts, hosts: Mapping[str, str], binds: Sequence[str], within_s: float
) -> dict[str, SeenEngine | str]:
    """Ask all engines at once; return of each what it told, or why it did not."""
    told: dict[str, SeenEngine | str] = {}

    def ask(node_id: str, host: str) -> None:
        try:
            told[node_id] = _ask(ports, node_id, host, binds)
        except TonnageError as error:
            told[node_id] = error.what + (f" ({error.why})" if error.why else "")

    # A way that hangs is left behind: nobody could end it from here.
    threads = [threading.Thread(target=ask, args=each, daemon=True) for each in hosts.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + within_s
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return {node_id: told.get(node_id, f"no answer within {within_s:g} s") for node_id in hosts}


def _ask(ports: ClusterPorts, node_id: str, host: str, binds: Sequence[str]) -> SeenEngine:
    with ports.engines.facts(host) as facts:
        engine = facts.engine()
        if engine.node_id != node_id:
            raise EngineUnreachableError(
                f"the engine at {host} is another node", why="Its address stands at the wrong node in x-tonnage.nodes."
            )
        endpoint = host if host.startswith("ssh://") else ""
        return SeenEngine(
            engine=engine,
            filesystems=facts.filesystems(),
            images=facts.images(),
            containers=facts.containers(),
            volumes=facts.volumes(),
            missing=frozenset(ports.files.missing(endpoint, binds)) if binds else frozenset(),
        )


def _plain(node: SwarmNode, tasks: tuple[RunningTask, ...]) -> ClusterNode:
    states = {each.value for each in NodeState}
    return ClusterNode(
        node_id=node.node_id,
        hostname=node.host_name,
        role=node.role,
        ip=node.address,
        os=node.os_type,
        architecture=node.architecture or "x86_64",
        state=NodeState(node.state) if node.state in states else NodeState.UNKNOWN,
        availability=Availability(node.availability),
        labels=node.labels,
        engine_labels=node.engine_labels,
        capacity={NANO_CPUS: node.nano_cpus, MEMORY: node.memory_bytes},
        tasks=tasks,
    )


def _filled(
    node: ClusterNode, seen: SeenEngine, host: str, keep_free_bytes: int | None, binds: Sequence[str]
) -> ClusterNode:
    reserves = reserves_of(seen.filesystems, keep_free_bytes)
    disks = tuple(
        NodeDisk(
            mount=disk.mount,
            roles=disk.roles,
            size_bytes=disk.size_bytes,
            available_bytes=disk.available_bytes,
            reserve_bytes=reserves[disk.mount],
        )
        for disk in seen.filesystems
    )
    layers = {layer.chain_id: layer.size_bytes for image in seen.images for layer in image.layers}
    images = {name: image.chain for image in seen.images for name in (*image.references, *image.digests)}
    busy = {
        (port, protocol)
        for container in seen.containers
        if container.alive and TASK_LABEL not in container.labels
        for _, port, protocol in container.published
    }
    return replace(
        node,
        address=host,
        disks=disks,
        store=seen.engine.image_store,
        layers=layers,
        images=images,
        busy_ports=tuple(sorted(busy)),
        volumes=frozenset(volume.name for volume in seen.volumes),
        paths=frozenset(binds) - seen.missing,
    )


def _running(node_id: str, services: Sequence[SwarmService], tasks: Sequence[SwarmTask]) -> tuple[RunningTask, ...]:
    known = {each.service_id: each for each in services}
    found = []
    for task in tasks:
        service = known.get(task.service_id)
        if task.node_id != node_id or not task.holds or service is None:
            continue
        published = tuple((port, protocol) for port, protocol, mode in service.published if mode == "host" and port)
        found.append(
            RunningTask(
                task_id=task.task_id,
                stack=service.stack,
                service=service.name.removeprefix(f"{service.stack}_") if service.stack else service.name,
                image=task.image,
                host_ports=published,
            )
        )
    return tuple(found)
