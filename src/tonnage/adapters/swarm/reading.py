"""Reads a Swarm through one of its managers. Nothing here changes it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tonnage.adapters.docker import sdk
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.swarm import schemas as replies
from tonnage.errors import EngineLacksError, EngineUnreachableError, StepFailedError
from tonnage.lazily import learned
from tonnage.model.swarm import SwarmNode, SwarmService, SwarmTask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.model.swarm import StackVersion

_Reply = TypeVar("_Reply")
STACK_LABEL = "com.docker.stack.namespace"
_ASKED_WITHIN_S = 30
_LOGS_WITHIN_S = 10
_FRAME = 8
_NO_LEADER = ("does not have a leader", "context deadline exceeded", "deadline exceeded", "no leader")


class SwarmFacts:
    """Reads one Swarm.

    Args:
        connection: The way to a manager.
    """

    def __init__(self, connection: DockerConnection) -> None:
        self._connection = connection

    def check(self) -> str:
        """Check that the engine is a manager of a Swarm that answers.

        Returns:
            The identity of its own node.

        Raises:
            EngineLacksError: It is in no Swarm, or a worker.
            EngineUnreachableError: The Swarm has lost its quorum.
        """
        endpoint = self._connection.endpoint
        with speaking_to(endpoint, "ask the engine for its Swarm"):
            told = self._connection.read("/info")
        swarm = told.get("Swarm") or {} if isinstance(told, dict) else {}
        state = str(swarm.get("LocalNodeState") or "inactive")
        if state == "inactive":
            raise EngineLacksError(
                f"the engine at {endpoint} is in no Swarm",
                todo="Make one there, or name a manager by -H:\n  docker swarm init",
            )
        if not swarm.get("ControlAvailable"):
            raise EngineLacksError(
                f"the engine at {endpoint} is not a manager of its Swarm",
                why=f"Its node is a worker (state {state}); only managers place services.",
                todo="Name a manager by -H ssh://user@manager.",
            )
        self.nodes()
        return str(swarm.get("NodeID") or "")

    def nodes(self) -> tuple[SwarmNode, ...]:
        """Return all nodes, by host name.

        Raises:
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        found = self._list("/nodes", list[replies.NodeReply])
        return tuple(sorted(map(_node, found), key=lambda each: (each.host_name, each.node_id)))

    def services(self, stack: str = "") -> tuple[SwarmService, ...]:
        """Return all services, or those of one stack.

        Raises:
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        found = self._list("/services", list[replies.ServiceReply], _of_stack(stack))
        return tuple(sorted(map(_service, found), key=lambda each: each.name))

    def tasks(self, stack: str = "") -> tuple[SwarmTask, ...]:
        """Return all tasks, or those of one stack, with those that ended as long as Swarm keeps them.

        Raises:
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        found = self._list("/tasks", list[replies.TaskReply], _of_stack(stack))
        return tuple(sorted(map(_task, found), key=lambda each: (each.service_id, each.slot, each.created)))

    def keeps_ended_tasks(self) -> bool:
        """Return whether containers of ended tasks stay, which they do unless it was said otherwise.

        Raises:
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        told = read_swarm(self._connection, "/swarm")
        orchestration = ((told.get("Spec") or {}) if isinstance(told, dict) else {}).get("Orchestration") or {}
        return bool(orchestration.get("TaskHistoryRetentionLimit", 5) != 0)

    def versions(self, stack: str) -> tuple[StackVersion, ...]:
        """Return the versions of a stack that the Swarm holds, newest first.

        Raises:
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        from tonnage.adapters.swarm.versions import versions  # noqa: PLC0415 - it reads by what is here

        return versions(self._connection, stack)

    def now(self) -> str:
        """Return what the manager's own clock says, which stamps everything in the Swarm.

        Raises:
            EngineUnreachableError: The manager does not answer.
        """
        return swarm_clock(self._connection)

    def logs(self, task_id: str, lines: int) -> str:
        """Return the last lines that a task printed; empty where the Swarm cannot tell.

        Raises:
            EngineUnreachableError: The manager does not answer.
        """
        params = {"stdout": "1", "stderr": "1", "tail": str(lines)}
        with speaking_to(self._connection.endpoint, f"read the log of the task {task_id}"):
            try:
                reply = self._connection.ask("GET", f"/tasks/{task_id}/logs", params=params, timeout_s=_LOGS_WITHIN_S)
            except sdk.APIError:
                return ""
            return _unframed(reply.content).decode(errors="replace")

    def _list(self, path: str, kind: type[_Reply], filters: Mapping[str, list[str]] | None = None) -> _Reply:
        params = {"filters": json.dumps(filters)} if filters else None
        told = read_swarm(self._connection, path, params)
        with speaking_to(self._connection.endpoint, f"read {path.strip('/')} of the Swarm"):
            return msgspec.convert(told, learned(kind))


def read_swarm(connection: DockerConnection, path: str, params: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
    """Return what a manager answers to a GET.

    Raises:
        EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        StepFailedError: The manager refused.
    """
    try:
        with speaking_to(connection.endpoint, f"read {path.strip('/')} of the Swarm"):
            return connection.read(path, params=params, timeout_s=_ASKED_WITHIN_S)
    except StepFailedError as error:
        raise quorum_lost(connection.endpoint, error) or error from error


def swarm_clock(connection: DockerConnection) -> str:
    """Return what the clock of a manager says.

    Raises:
        EngineUnreachableError: The manager does not answer.
    """
    return str(read_swarm(connection, "/info").get("SystemTime", ""))


def _unframed(content: bytes) -> bytes:
    """Return what a task printed without the frames that the engine puts around pieces of it.

    Source: Docker Engine API, "Stream format" of attach: a byte for the stream, three of nothing, four of the length.
    """
    pieces, at = [], 0
    while at + _FRAME <= len(content):
        length = int.from_bytes(content[at + 4 : at + _FRAME], "big")
        pieces.append(content[at + _FRAME : at + _FRAME + length])
        at += _FRAME + length
    return b"".join(pieces)


def quorum_lost(endpoint: str, error: StepFailedError) -> EngineUnreachableError | None:
    """Return the failure for a Swarm without a leader; None where the manager refused for another reason."""
    if not any(words in error.why for words in _NO_LEADER):
        return None
    return EngineUnreachableError(
        f"the Swarm of {endpoint} has lost its quorum",
        why=f"More than half of its managers do not answer: {error.why.strip()}",
        todo="Bring managers back, or on the one that is left:\n  docker swarm init --force-new-cluster",
    )


def _of_stack(stack: str) -> dict[str, list[str]] | None:
    return {"label": [f"{STACK_LABEL}={stack}"]} if stack else None


def _node(told: replies.NodeReply) -> SwarmNode:
    described = told.description
    return SwarmNode(
        node_id=told.id,
        host_name=described.host_name or told.id,
        state=told.status.state,
        availability=told.spec.availability,
        version=told.version.index,
        role=told.spec.role,
        address=told.status.address,
        architecture=described.platform.architecture,
        os_type=described.platform.os or "linux",
        labels=dict(told.spec.labels or {}),
        engine_labels=dict(described.engine.labels or {}),
        engine_version=described.engine.engine_version,
        memory_bytes=described.resources.memory_bytes,
        nano_cpus=described.resources.nano_cpus,
    )


def _service(told: replies.ServiceReply) -> SwarmService:
    spec, update = told.spec, told.update or replies.UpdateStatus()
    labels = dict(spec.labels or {})
    replicated = spec.mode.replicated
    ports = (spec.endpoint.ports if spec.endpoint else None) or ()
    return SwarmService(
        service_id=told.id,
        name=spec.name,
        version=told.version.index,
        stack=labels.get(STACK_LABEL, ""),
        image=spec.template.container.image,
        previous_image=told.previous.template.container.image if told.previous else "",
        replicas=None if replicated is None else replicated.replicas or 0,
        update=update.state,
        update_said=update.message,
        update_started=update.started,
        published=tuple((each.published, each.protocol, each.mode) for each in ports),
        constraints=tuple(spec.template.placement.constraints or ()),
        labels=labels,
    )


def _task(told: replies.TaskReply) -> SwarmTask:
    container = told.status.container
    return SwarmTask(
        task_id=told.id,
        service_id=told.service_id,
        node_id=told.node_id,
        slot=told.slot,
        state=told.status.state,
        desired=told.desired,
        error=told.status.error,
        image=told.spec.container.image,
        container_id=container.container_id if container else "",
        exit_code=container.exit_code if container and told.status.state in {"complete", "failed"} else None,
        created=told.created,
    )
