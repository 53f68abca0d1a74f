"""What a Swarm tells through one of its managers: nodes, services, tasks, and stacks as they were deployed before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from tonnage.model.stack import ComposeMapping

TASK_LABEL = "com.docker.swarm.task.id"
"""The label by which an engine says of a container which task of a Swarm it is."""
RUNNING = "running"
ENDED = frozenset({"complete", "failed", "shutdown", "rejected", "orphaned", "remove"})
"""States of a task that never runs again."""


class SwarmNode(Struct, frozen=True, kw_only=True):
    """One node.

    Args:
        node_id: Its identity in the Swarm.
        host_name: What its machine is called.
        state: ready, down, disconnected or unknown.
        availability: active, pause or drain.
        version: Counts changes of it: a change is refused where another came first.
        address: Where the others reach it.
        memory_bytes: Its memory; ``cpus`` its processors, in billionths.
    """

    node_id: str
    host_name: str
    state: str
    availability: str
    version: int
    role: str = "worker"
    address: str = ""
    architecture: str = ""
    os_type: str = "linux"
    labels: dict[str, str] = field(default_factory=dict)
    engine_labels: dict[str, str] = field(default_factory=dict)
    engine_version: str = ""
    memory_bytes: int = 0
    nano_cpus: int = 0

    @property
    def takes_tasks(self) -> bool:
        """Whether Swarm gives it new tasks."""
        return self.state == "ready" and self.availability == "active"


class SwarmTask(Struct, frozen=True, kw_only=True):
    """One task: one container that Swarm wants somewhere.

    Args:
        slot: Its number among the replicas; 0 for the task of a global service.
        state: As Swarm calls it: new, pending, assigned, preparing, starting, running, complete, failed, ...
        desired: What Swarm wants of it: running, shutdown, ...
        error: Why it failed, in Swarm's words.
        image: What it runs.
        container_id: Its container on the node; empty before there is one.
        exit_code: Of its container; None while there is none that ended.
    """

    task_id: str
    service_id: str
    node_id: str = ""
    slot: int = 0
    state: str = ""
    desired: str = ""
    error: str = ""
    image: str = ""
    container_id: str = ""
    exit_code: int | None = None
    created: str = ""

    @property
    def alive(self) -> bool:
        """Whether it runs, or is meant to."""
        return self.desired == RUNNING and self.state not in ENDED

    @property
    def holds(self) -> bool:
        """Whether its container may still be on its node's disk in use."""
        return self.state not in ENDED and self.state not in {"new", "pending"}


class SwarmService(Struct, frozen=True, kw_only=True):
    """One service as Swarm has it.

    Args:
        name: Its whole name, with that of its stack.
        stack: The stack it belongs to; empty for none.
        replicas: How many tasks are wanted; None for a global one.
        update: State of its last update: updating, completed, paused, rollback_started, ...; empty for none.
        update_said: What Swarm says of that update.
    """

    service_id: str
    name: str
    version: int
    stack: str = ""
    image: str = ""
    previous_image: str = ""
    replicas: int | None = 1
    update: str = ""
    update_said: str = ""
    update_started: str = ""
    published: tuple[tuple[int, str, str], ...] = ()
    constraints: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)


class StackVersion(Struct, frozen=True, kw_only=True):
    """One stack as it was given to Swarm, which keeps it as a config of its own.

    Args:
        config_id: The config that holds it.
        number: Counts from 1.
        good: Whether its services were healthy.
        origin: The repository that it was deployed from and where in it, the same in every checkout; empty for none.
        document: The stack file.
        created: When, by the managers' clock.
    """

    config_id: str
    number: int
    good: bool
    document: ComposeMapping
    origin: str = ""
    created: str = ""

    @property
    def images(self) -> dict[str, str]:
        """What the tasks of each service run."""
        services = self.document["services"]
        return {
            name: str(told["image"]) for name, told in services.items() if isinstance(told, dict) and "image" in told
        }
