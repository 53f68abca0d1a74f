"""All that changes a Swarm, behind one door: the interface of its managers, and the docker program for whole stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tonnage.adapters.swarm.stack_command import StackCommand
from tonnage.adapters.swarm.writing import SwarmActs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.docker.tools import Tools
    from tonnage.adapters.interface import Cancel


class DockerSwarmActs(SwarmActs):
    """Satisfies ``ChangesSwarm``.

    Args:
        connection: The way to a manager.
        tools: The programs of this machine.
        environment: What they are started with.
    """

    def __init__(self, connection: DockerConnection, tools: Tools, environment: Mapping[str, str]) -> None:
        super().__init__(connection)
        self._command = StackCommand(connection, tools, environment)

    def deploy(self, stack: str, document: Mapping[str, Any], *, cancel: Cancel) -> None:
        """Give a stack file to the Swarm; services that it does not name go.

        Raises:
            StepFailedError: It was refused; what it says is told.
            EngineLacksError: There is no docker program that knows stacks.
        """
        self._command.deploy(stack, document, cancel=cancel)

    def remove(self, stack: str, *, cancel: Cancel) -> None:
        """Remove a stack.

        Raises:
            StepFailedError: It was refused.
            EngineLacksError: There is no docker program that knows stacks.
        """
        self._command.remove(stack, cancel=cancel)

    def check_program(self) -> str:
        """Return the program that gives stacks to a Swarm.

        Raises:
            EngineLacksError: There is none.
        """
        return self._command.check()
