"""What use cases about a cluster ask of the outside, besides the engines of its nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from tonnage.flows.ports import DeployPorts, RehearsalPorts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from threading import Event

    from tonnage.adapters.interface import Cancel
    from tonnage.model.swarm import StackVersion, SwarmNode, SwarmService, SwarmTask


class ReadsSwarm(Protocol):
    """Reads a Swarm. Every method raises EngineUnreachableError where it has lost its quorum."""

    def check(self) -> str:
        """Return the node of the engine that was named; raises EngineLacksError where it is no manager."""

    def nodes(self) -> tuple[SwarmNode, ...]:
        """Return all nodes."""

    def services(self, stack: str = "") -> tuple[SwarmService, ...]:
        """Return all services, or those of a stack."""

    def tasks(self, stack: str = "") -> tuple[SwarmTask, ...]:
        """Return all tasks, or those of a stack."""

    def keeps_ended_tasks(self) -> bool:
        """Return whether containers of ended tasks stay."""

    def versions(self, stack: str) -> tuple[StackVersion, ...]:
        """Return the versions of a stack that the Swarm holds, newest first."""

    def now(self) -> str:
        """Return what the manager's clock says."""

    def logs(self, task_id: str, lines: int) -> str:
        """Return the last lines that a task printed; empty where the Swarm cannot tell."""


class ChangesSwarm(Protocol):
    """Changes a Swarm. Only an executor holds one; every method raises StepFailedError where it is refused."""

    def label(self, node_id: str, changes: Mapping[str, str | None]) -> None:
        """Set labels of a node, and take away those that are None."""

    def keep_version(
        self, stack: str, number: int, document: Mapping[str, Any], *, good: bool, origin: str
    ) -> StackVersion:
        """Have the Swarm hold a version of a stack."""

    def mark_good(self, stack: str, version: StackVersion) -> None:
        """Remember that its services were healthy."""

    def forget_version(self, version: StackVersion) -> None:
        """Remove a version that is held."""

    def remove_service(self, service_id: str) -> None:
        """Remove one service."""

    def deploy(self, stack: str, document: Mapping[str, object], *, cancel: Cancel) -> None:
        """Give a stack file to the Swarm; services that it does not name go."""

    def remove(self, stack: str, *, cancel: Cancel) -> None:
        """Remove a stack."""

    def check_program(self) -> str:
        """Return the program that gives stacks to a Swarm; raises EngineLacksError where there is none."""


class SwarmAccess(Struct, frozen=True, kw_only=True):
    """A Swarm that was reached through a manager.

    Args:
        endpoint: The manager.
        acts: Makes what changes it.
        claim: Holds a stack for one run at a time; gives an event that is set when the claim was lost.
        here: The engine whose images count before those of nodes; empty for that of the environment.
    """

    endpoint: str
    facts: ReadsSwarm
    acts: Callable[[], ChangesSwarm]
    claim: Callable[[str], AbstractContextManager[Event]]
    here: str = ""


class Swarms(Protocol):
    """Swarms by the address of a manager."""

    def open(self, host: str) -> AbstractContextManager[SwarmAccess]:
        """Reach one."""

    def ship(
        self,
        source: str,
        target: str,
        reference: str,
        *,
        names: Sequence[str],
        owner: str,
        reserve_bytes: int,
        tell: Callable[[str], None],
        cancel: Cancel,
        through: str = "",
    ) -> None:
        """Send an image from engine to engine, and prove that it is whole there.

        Args:
            through: A registry that it goes through, pushed and pulled by digest; empty to send it to the engine.

        Raises:
            CannotFitError: It does not fit there.
            StepFailedError: It did not arrive.
            EngineUnreachableError: An engine does not answer.
        """

    def logged_in(self, host: str) -> bool:
        """Return whether the user has logged in to a registry.

        Args:
            host: The registry as names of images have it.
        """


class ClusterPorts(DeployPorts, Protocol):
    """What a deploy on a cluster needs."""

    @property
    def swarms(self) -> Swarms:
        """Swarms."""


class RehearsedSwarmPorts(ClusterPorts, RehearsalPorts, Protocol):
    """What a rehearsal on a cluster needs."""
