"""``docker stack deploy`` and ``docker stack rm``: Docker's own reader of stack files makes networks and services.

The file goes through standard input, so that nothing of it lies on a disk; images are taken as they are named.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tonnage.adapters import process
from tonnage.adapters.docker.tools import aimed_at
from tonnage.errors import EngineLacksError, StepFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.docker.tools import Tools
    from tonnage.adapters.interface import Cancel

_WITHIN_S = 300.0
_SHOWN_LINES = 20


class StackCommand:
    """Runs the docker program against one manager.

    Args:
        connection: The way to a manager.
        tools: The programs of this machine.
        environment: What they are started with.
    """

    def __init__(self, connection: DockerConnection, tools: Tools, environment: Mapping[str, str]) -> None:
        self._connection = connection
        self._tools = tools
        self._environment = environment

    def check(self) -> str:
        """Return the docker program that knows stacks.

        Raises:
            EngineLacksError: There is none.
        """
        return self._program()[0]

    def deploy(self, stack: str, document: Mapping[str, object], *, cancel: Cancel) -> None:
        """Give a stack to Swarm, and return when it has taken it; services that are not in the file go.

        Raises:
            StepFailedError: It was refused; what it says is told.
            EngineLacksError: There is no docker program that knows stacks.
        """
        program, detach = self._program()
        command = [program, "stack", "deploy", "--resolve-image", "never", "--with-registry-auth"]
        command += [*detach, "--prune", "--compose-file", "-", stack]
        self._run(command, f"deploy the stack {stack}", cancel, json.dumps(document).encode())

    def remove(self, stack: str, *, cancel: Cancel) -> None:
        """Remove a stack with its services, networks, secrets and configs.

        Raises:
            StepFailedError: It was refused.
            EngineLacksError: There is no docker program that knows stacks.
        """
        self._run([self._program()[0], "stack", "rm", stack], f"remove the stack {stack}", cancel)

    def _run(self, command: list[str], doing: str, cancel: Cancel, stdin: bytes = b"") -> None:
        lines: list[str] = []
        told: Callable[[str], None] = lines.append
        ended = process.stream(
            command,
            environment=aimed_at(self._connection, self._environment),
            directory=None,
            on_line=told,
            cancel=cancel,
            stdin=stdin,
            dies_with_us=True,
            timeout_s=_WITHIN_S,
        )
        if cancel.is_set():
            raise StepFailedError(f"could not {doing}: stopped")
        if ended:
            raise StepFailedError(
                f"could not {doing}", why=lines[-1] if lines else "", log="\n".join(lines[-_SHOWN_LINES:])
            )

    def _program(self) -> tuple[str, list[str]]:
        for program in self._tools.docker_programs():
            printed = self._tools.told_by(program, "stack", "deploy", "--help")
            if "--resolve-image" in printed:
                return program, ["--detach=true"] if "--detach" in printed else []
        raise EngineLacksError(
            "no docker program was found that deploys stacks",
            why="A Swarm is given stacks by `docker stack deploy`.",
            todo="Install Docker's command line:\n  apt-get install -y docker.io",
        )
