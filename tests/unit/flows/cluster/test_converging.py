from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.simulator.clock import VirtualClock

from tonnage.flows.cluster.converging import converge
from tonnage.model.stack import Service, Stack
from tonnage.model.swarm import SwarmService, SwarmTask

if TYPE_CHECKING:
    from tonnage.model.swarm import SwarmNode

IMAGE = "localhost/x:2"
DOCUMENT = {"services": {"web": {"image": IMAGE, "deploy": {"replicas": 1}}}}
PENDING = SwarmTask(
    task_id="t", service_id="s", slot=1, state="pending", desired="running", image=IMAGE, created="2",
    error="no suitable node (1 node not available for new tasks)",
)  # fmt: skip
RUNNING = SwarmTask(
    task_id="t", service_id="s", node_id="n", slot=1, state="running", desired="running", image=IMAGE, created="2"
)


@dataclass
class FakeSwarm:
    """A Swarm whose one task waits for a node until a moment."""

    clock: VirtualClock
    placed_s: float
    told: list[str] = field(default_factory=list)

    def nodes(self) -> tuple[SwarmNode, ...]:
        return ()

    def services(self, stack: str = "") -> tuple[SwarmService, ...]:
        return (SwarmService(service_id="s", name=f"{stack}_web", version=1, stack=stack, image=IMAGE),)

    def tasks(self, stack: str = "") -> tuple[SwarmTask, ...]:
        del stack
        return (RUNNING if self.clock.monotonic() >= self.placed_s else PENDING,)

    def logs(self, task_id: str, lines: int) -> str:
        del task_id, lines
        return ""


def ended(placed_s: float) -> tuple[list[str], float]:
    """Return which services failed, and after how long."""
    clock = VirtualClock()
    began = clock.monotonic()
    swarm: Any = FakeSwarm(clock, began + placed_s)
    stack = Stack(name="shop", directory="/srv", files=(), services=(Service(name="web", image="shop/web:1"),))
    failed = converge(
        clock, swarm, stack, DOCUMENT, since="1", names={}, tell=swarm.told.append, cancel=threading.Event()
    )  # fmt: skip
    return [f"{name}: {error.why}" for name, error in failed.items()], clock.monotonic() - began


def test_a_task_that_finds_no_node_is_given_up_after_a_minute() -> None:
    failed, seconds = ended(10_000)
    assert failed == ["web: 0 of 1 running; pending: no suitable node (1 node not available for new tasks)"]
    assert 60 <= seconds < 65


def test_one_that_finds_a_node_in_that_minute_is_waited_for() -> None:
    failed, seconds = ended(50)
    assert failed == []
    assert 50 <= seconds < 60
