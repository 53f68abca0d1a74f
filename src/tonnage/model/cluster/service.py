"""What shall run on a Swarm: services with the layers of their images, and what they ask of a node."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.model.forecast.estimate import NOTHING
from tonnage.model.stack import SwitchOrder

if TYPE_CHECKING:
    from tonnage.model.forecast.estimate import Estimate


class ClusterMode(StrEnum):
    """How many tasks a service has: a number of them, or one on each node."""

    REPLICATED = "replicated"
    GLOBAL = "global"


class ClusterLayer(Struct, frozen=True, kw_only=True):
    """One layer of an image that shall run.

    Args:
        chain_id: Its identity on top of those below it: a node that has it needs nothing for it.
        unpacked: What it takes unpacked.
        compressed: What it takes compressed, as a registry has it: that is what a pull moves, and what containerd keeps
            besides.
        loaded: What it takes as it is sent to a node to be loaded there; None: as much as unpacked.
    """

    chain_id: str
    unpacked: Estimate
    compressed: Estimate
    loaded: Estimate | None = None

    @property
    def sent(self) -> Estimate:
        """What it takes as it is sent to be loaded."""
        return self.unpacked if self.loaded is None else self.loaded


class ClusterImage(Struct, frozen=True, kw_only=True):
    """The image of a service.

    Args:
        reference: What the tasks run: by digest, or a tag made of its content.
        layers: Its chain, lowest first.
        platforms: What it was made for, such as ``linux/amd64``; empty where that is not known.
        in_registry: Whether nodes can pull it: a node that cannot be reached by ssh gets it in no other way.
    """

    reference: str
    layers: tuple[ClusterLayer, ...]
    platforms: tuple[str, ...] = ()
    in_registry: bool = False


class ClusterService(Struct, frozen=True, kw_only=True):
    """One service of a stack, as it shall run.

    Args:
        replicas: Its tasks; without meaning where it is global.
        changed: Whether its tasks are replaced; if not, those that run stay.
        task: What one task writes into its own layer.
        constraints: ``deploy.placement.constraints``, as written.
        spread: ``deploy.placement.preferences``: the labels (``node.labels.zone``) to spread over.
        max_per_node: ``deploy.placement.max_replicas_per_node``; 0 for no limit.
        reserved: ``deploy.resources.reservations`` of one task, by resource.
        host_ports: Ports that it publishes in host mode, with protocol.
        volumes: Names of the local volumes that it mounts, as nodes know them (``STACK_VOLUME``).
        binds: Paths of the node that it mounts.
        failover: On how many nodes its image shall lie; None where nothing is said.
        order: ``update_config.order``; ``auto`` is Swarm's own, stop-first.
        parallelism: ``update_config.parallelism``; 0 replaces all tasks at the same time.
        previous: References that a rollback of it needs, newest first.
        place: Where it is written, as ``file:line``; empty where that is not known.
    """

    name: str
    image: ClusterImage
    mode: ClusterMode = ClusterMode.REPLICATED
    replicas: int = 1
    changed: bool = True
    task: Estimate = NOTHING
    constraints: tuple[str, ...] = ()
    spread: tuple[str, ...] = ()
    max_per_node: int = 0
    reserved: dict[str, int] = field(default_factory=dict)
    host_ports: tuple[tuple[int, str], ...] = ()
    volumes: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    failover: int | None = None
    order: SwitchOrder = SwitchOrder.AUTO
    parallelism: int = 1
    previous: tuple[str, ...] = ()
    place: str = ""

    @property
    def is_global(self) -> bool:
        """Whether it has one task on each node."""
        return self.mode is ClusterMode.GLOBAL

    @property
    def starts_first(self) -> bool:
        """Whether a new task runs beside the one that it replaces."""
        return self.order is SwitchOrder.START_FIRST
