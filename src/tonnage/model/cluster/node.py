"""What was observed of the nodes of a Swarm at one moment. Every number here is measured, none is predicted."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from tonnage.model.inventory import CLASSIC, CONTAINERD

NANO_CPUS, MEMORY = "nano_cpus", "memory_bytes"
"""The resources that every node has, in 10^-9 CPUs and in bytes; any other key is a generic resource, such as gpu."""


class NodeState(StrEnum):
    """What the managers know of a node, in Swarm's words."""

    READY = "ready"
    DOWN = "down"
    UNKNOWN = "unknown"
    DISCONNECTED = "disconnected"


class Availability(StrEnum):
    """What a node may be given, in Swarm's words."""

    ACTIVE = "active"
    PAUSE = "pause"
    """What runs there goes on, and nothing new comes."""
    DRAIN = "drain"


class NodeDisk(Struct, frozen=True, kw_only=True):
    """One filesystem of a node.

    Args:
        roles: What lies on it: data-root, containerd, temporary.
        available_bytes: What may still be written; None where the node did not tell.
        reserve_bytes: What must remain available at every moment.
        reclaimable_bytes: What a reclaim there would free for certain; nothing that a task of the node needs is in it.
    """

    mount: str
    roles: tuple[str, ...]
    size_bytes: int
    available_bytes: int | None
    reserve_bytes: int
    reclaimable_bytes: int = 0


class RunningTask(Struct, frozen=True, kw_only=True):
    """One task that runs on a node, or is meant to go on there.

    Args:
        stack: The stack that it belongs to; empty for none.
        service: The service within its stack; of a service without a stack its own name.
        image: The reference that it runs.
        writable_bytes: Its own writable layer; None where nobody looked.
        reserved: What it reserves, by resource.
        host_ports: Ports of the node that it holds, with protocol.
    """

    task_id: str
    stack: str
    service: str
    image: str
    writable_bytes: int | None = None
    reserved: dict[str, int] = field(default_factory=dict)
    host_ports: tuple[tuple[int, str], ...] = ()


class ClusterNode(Struct, frozen=True, kw_only=True):
    """One node.

    Args:
        node_id: As Swarm names it; host names may occur twice.
        address: How this machine reaches it by ssh (``ssh://user@host``); empty where it does not.
        role: ``manager`` or ``worker``.
        ip: As the managers see it; empty where they do not tell.
        os: As the engine names it, such as linux; ``architecture`` likewise, such as x86_64.
        observed: Whether it answered: of a node that did not, nothing but what the managers know is filled in.
        why_not: Why it did not answer, in words.
        disks: Its filesystems.
        store: ``classic`` or ``containerd``, or another word where it is none of these.
        layers: The layers that are on it, by chain id, with their unpacked bytes (None where the engine does not tell).
        images: The references that are on it, each with its chain, lowest first.
        tasks: What runs there.
        capacity: Its resources, by name; a missing one is 0.
        busy_ports: Ports that something other than a task of Swarm holds, with protocol.
        volumes: The names of its local volumes.
        paths: Of the paths that the stack's binds need, those that exist there; None where nobody looked.
        reclaimable_layers: Of its layers, those that a reclaim there removes: whatever is reclaimed, they are gone.
    """

    node_id: str
    hostname: str
    address: str = ""
    role: str = "worker"
    ip: str = ""
    os: str = "linux"
    architecture: str = "x86_64"
    state: NodeState = NodeState.READY
    availability: Availability = Availability.ACTIVE
    observed: bool = True
    why_not: str = ""
    disks: tuple[NodeDisk, ...] = ()
    store: str = CLASSIC
    layers: dict[str, int | None] = field(default_factory=dict)
    images: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tasks: tuple[RunningTask, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    engine_labels: dict[str, str] = field(default_factory=dict)
    capacity: dict[str, int] = field(default_factory=dict)
    busy_ports: tuple[tuple[int, str], ...] = ()
    volumes: frozenset[str] = frozenset()
    paths: frozenset[str] | None = None
    reclaimable_layers: frozenset[str] = frozenset()

    @property
    def image_disk(self) -> NodeDisk | None:
        """The filesystem that images and the writable layers of containers lie on; None where it is not known."""
        wanted = CONTAINERD if self.store == CONTAINERD else "data-root"
        for role in (wanted, "data-root"):
            for disk in self.disks:
                if role in disk.roles:
                    return disk
        return None

    @property
    def takes_new(self) -> bool:
        """Whether it may be given anything new at all."""
        return self.observed and self.state is NodeState.READY and self.availability is Availability.ACTIVE

    @property
    def goes_on(self) -> bool:
        """Whether what runs there goes on."""
        return self.state is not NodeState.DOWN and self.availability is not Availability.DRAIN


class Cluster(Struct, frozen=True, kw_only=True):
    """All nodes of a Swarm.

    Args:
        keeps_ended_tasks: Whether containers of ended tasks stay (Swarm's ``TaskHistoryRetentionLimit`` is above 0), so
            that a task that is replaced frees none of its bytes.
    """

    nodes: tuple[ClusterNode, ...]
    keeps_ended_tasks: bool = True
