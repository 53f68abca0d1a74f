"""Stacks on a simulated engine, carried out by the real observing, planning and executing."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tonnage.decide.deploy.planning import plan_build, plan_deploy
from tonnage.decide.deploy.rollback import plan_rollback
from tonnage.model.deploy.policy import Policy
from tonnage.model.stack import Dependency, Mount, Port, Service, ServiceSettings, Stack
from tonnage.runtime.deploy.execute import execute
from tonnage.runtime.deploy.observe import as_known, observe
from tonnage.runtime.journal.writer import Journal
from tonnage.runtime.ledger import ALONE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.simulator.engine import Simulator
    from tests.simulator.recipe import Recipe

    from tonnage.model.deploy.event import Event
    from tonnage.model.deploy.plan import Plan
    from tonnage.model.deploy.run import History, Run
    from tonnage.model.inventory import Inventory
    from tonnage.runtime.ledger import Ledger

PROJECT = "shop"
DIRECTORY = "/srv/shop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One service as a test describes it: a recipe when it is built, else the image that it pulls.

    ``volume`` is a writable volume, so that two containers must never run at once; ``setting`` is in its environment.
    It lives in the network of the service ``inside``, and is restarted after those in ``restarts_with``.
    """

    name: str
    recipe: Recipe | None = None
    image: str = ""
    depends_on: tuple[str, ...] = ()
    replicas: int = 1
    port: str = ""
    volume: str = ""
    one_shot: bool = False
    setting: str = ""
    restart: str = "no"
    inside: str = ""
    restarts_with: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The name that its containers run."""
        return self.image or f"{PROJECT}-{self.name}"


def stack_of(engine: Simulator, services: Sequence[Described]) -> Stack:
    """Return the stack of these services, and put their build contexts there."""
    volumes: dict[str, dict[str, str]] = {each.volume: {} for each in services if each.volume}
    return Stack(
        name=PROJECT,
        directory=DIRECTORY,
        files=(f"{DIRECTORY}/compose.yaml",),
        services=tuple(_service(engine, each) for each in services),
        shared={"volumes": volumes} if volumes else {},
    )


@dataclass(kw_only=True)
class Harbour:
    """A simulated engine with the journal of what was done on it."""

    engine: Simulator
    journal: Path
    policy: Policy = field(default_factory=lambda: Policy(keep_free_bytes=0))
    events: list[Event] = field(default_factory=list)

    def inventory(self, stack: Stack) -> Inventory:
        """Return what is observed now."""
        inputs = [self.engine.inputs_of(each.name, each.build) for each in stack.services if each.build]
        return as_known(self.engine.facts, stack, observe(self.engine.facts, inputs), self.history())

    def history(self) -> History:
        """Return what the journal knows."""
        with Journal(self.journal) as journal:
            return journal.history(PROJECT, self.engine.identity.engine_id)

    def plan(self, stack: Stack, services: Sequence[str] = (), history: History | None = None) -> Plan:
        """Plan a deploy."""
        return plan_deploy(stack, self.inventory(stack), self.policy, history or self.history(), services)

    def plan_build(self, stack: Stack, services: Sequence[str] = ()) -> Plan:
        """Plan a build."""
        return plan_build(stack, self.inventory(stack), self.policy, self.history(), services)

    def plan_rollback(self, stack: Stack, services: Sequence[str] = ()) -> Plan:
        """Plan a rollback."""
        return plan_rollback(stack, self.inventory(stack), self.policy, self.history(), services)

    def carry_out(self, plan: Plan, cancel: threading.Event | None = None, ledger: Ledger = ALONE) -> Run:
        """Execute a plan."""
        with Journal(self.journal) as journal:
            return execute(
                plan,
                facts=self.engine.facts,
                acts=self.engine.acts,
                gauge=self.engine.gauge,
                journal=journal,
                emit=self.events.append,
                cancel=cancel or threading.Event(),
                clock=self.engine.clock,
                ledger=ledger,
            )

    def deploy(self, services: Sequence[Described]) -> Run:
        """Plan a deploy of these services and execute it."""
        return self.carry_out(self.plan(stack_of(self.engine, services)))


def changed(
    services: Sequence[Described], name: str, *, recipe: Recipe | None = None, setting: str | None = None
) -> tuple[Described, ...]:
    """Return the services with another recipe or setting for one of them."""
    return tuple(
        replace(
            each,
            recipe=each.recipe if recipe is None else recipe,
            setting=each.setting if setting is None else setting,
        )
        if each.name == name
        else each
        for each in services
    )


def _service(engine: Simulator, described: Described) -> Service:
    config: dict[str, Any] = {"image": described.reference, "environment": {"SETTING": described.setting}}
    if described.replicas > 1:
        config["deploy"] = {"replicas": described.replicas}
    if described.port:
        config["ports"] = [{"target": 80, "published": described.port, "protocol": "tcp", "mode": "ingress"}]
    if described.volume:
        config["volumes"] = [{"type": "volume", "source": described.volume, "target": "/data"}]
    if described.inside:
        config["network_mode"] = f"service:{described.inside}"
    if described.restart != "no":
        config["restart"] = described.restart
    context = f"{DIRECTORY}/{described.name}"
    return Service(
        name=described.name,
        image=described.reference,
        config=config,
        build=engine.describe(context, described.recipe) if described.recipe else None,
        depends_on=(
            *(Dependency(service=name) for name in described.depends_on),
            *(Dependency(service=name, restart=True) for name in described.restarts_with),
            *((Dependency(service=described.inside, shares=("network",)),) if described.inside else ()),
        ),
        network_mode=f"service:{described.inside}" if described.inside else "",
        ports=(Port(target=80, published=described.port),) if described.port else (),
        mounts=(Mount(kind="volume", source=described.volume, target="/data"),) if described.volume else (),
        replicas=described.replicas,
        settings=ServiceSettings(one_shot=described.one_shot),
    )
