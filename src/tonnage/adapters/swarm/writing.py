"""Changes a Swarm through one of its managers: labels of nodes, configs, services. Only an executor holds one.

Every change of a thing names the version that was read, so that one which came from elsewhere in between is seen: the
change is then thought over again, from what is there now.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import msgspec

from tonnage.adapters.docker import sdk
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.swarm import schemas as replies
from tonnage.adapters.swarm.reading import quorum_lost, read_swarm
from tonnage.adapters.swarm.versions import config_of, labels_when_good
from tonnage.errors import StalePlanError, StepFailedError
from tonnage.lazily import learned
from tonnage.model.swarm import StackVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.adapters.docker.connect import DockerConnection

_JSON = {"Content-Type": "application/json"}
_WITHIN_S = 60
_TRIES = 5
_CONFLICT = 409
_OUT_OF_SEQUENCE = "out of sequence"


class ChangedMeanwhileError(StalePlanError):
    """What was to be changed in the Swarm was changed by another in the meantime."""

    title = "changed by another in the meantime"


def ask_to(
    connection: DockerConnection,
    method: str,
    path: str,
    *,
    doing: str,
    body: Mapping[str, Any] | None = None,
    params: Mapping[str, str] | None = None,
) -> Any:  # noqa: ANN401 - JSON
    """Send one change to a manager; return what it answers.

    Raises:
        ChangedMeanwhileError: Another change came first, or a thing of this name is there.
        EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        StepFailedError: The manager refused.
    """
    try:
        with speaking_to(connection.endpoint, doing):
            try:
                sent = None if body is None else json.dumps(body).encode()
                reply = connection.ask(method, path, params=params, headers=_JSON, body=sent, timeout_s=_WITHIN_S)
            except sdk.APIError as error:
                said = str(error.explanation or error)
                if error.status_code == _CONFLICT or _OUT_OF_SEQUENCE in said:
                    raise ChangedMeanwhileError(f"could not {doing}", why=said) from error
                raise
            return reply.json() if reply.content else None
    except StepFailedError as error:
        raise quorum_lost(connection.endpoint, error) or error from error


class SwarmActs:
    """Changes one Swarm.

    Args:
        connection: The way to a manager.
    """

    def __init__(self, connection: DockerConnection) -> None:
        self._connection = connection

    def label(self, node_id: str, changes: Mapping[str, str | None]) -> None:
        """Set labels of a node, and take away those that are None; nothing happens where they are so.

        Raises:
            StepFailedError: The manager refused, or others kept changing the node.
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        for _ in range(_TRIES):
            told = read_swarm(self._connection, f"/nodes/{node_id}")
            spec = dict(told.get("Spec") or {})
            before = dict(spec.get("Labels") or {})
            after = {key: value for key, value in {**before, **changes}.items() if value is not None}
            if after == before:
                return
            try:
                ask_to(
                    self._connection,
                    "POST",
                    f"/nodes/{node_id}/update",
                    doing=f"label the node {node_id}",
                    params={"version": str(told["Version"]["Index"])},
                    body={**spec, "Labels": after},
                )
            except ChangedMeanwhileError:
                continue
            return
        raise StepFailedError(f"could not label the node {node_id}", why="Others keep changing it.")

    def remove_service(self, service_id: str) -> None:
        """Remove one service; nothing happens where it is gone.

        Raises:
            StepFailedError: The manager refused.
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        self._delete(f"/services/{service_id}", f"remove the service {service_id}")

    def create_service(self, spec: Mapping[str, Any]) -> str:
        """Make a service; return its id.

        Raises:
            ChangedMeanwhileError: There is one of this name.
            StepFailedError: The manager refused.
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        told = ask_to(self._connection, "POST", "/services/create", doing="make a service", body=spec)
        return str(told["ID"])

    def keep_version(
        self, stack: str, number: int, document: Mapping[str, Any], *, good: bool, origin: str
    ) -> StackVersion:
        """Have the Swarm hold a version of a stack.

        Args:
            origin: The repository that it comes from; empty for none.

        Returns:
            The version as it is held now.

        Raises:
            UsageError: The stack is too long for that.
            ChangedMeanwhileError: Another made this version.
            StepFailedError: The manager refused.
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        config_id = self.create_config(*config_of(stack, number, document, good=good, origin=origin))
        return StackVersion(config_id=config_id, number=number, good=good, document=dict(document), origin=origin)

    def mark_good(self, stack: str, version: StackVersion) -> None:
        """Remember that the services of a version were healthy.

        Raises:
            ChangedMeanwhileError: Another changed or removed it.
            StepFailedError: The manager refused.
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        there = read_swarm(self._connection, f"/configs/{version.config_id}")
        with speaking_to(self._connection.endpoint, "read a config of the Swarm"):
            config = msgspec.convert(there, learned(replies.ConfigReply))
        self.label_config(config, labels_when_good(stack, version))

    def create_config(self, name: str, labels: Mapping[str, str], data: bytes = b"-") -> str:
        """Make a config; return its id.

        Raises:
            ChangedMeanwhileError: There is one of this name.
            StepFailedError: The manager refused.
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        body = {"Name": name, "Labels": dict(labels), "Data": base64.b64encode(data).decode()}
        told = ask_to(self._connection, "POST", "/configs/create", doing=f"make the config {name}", body=body)
        return str(told["ID"])

    def label_config(self, config: replies.ConfigReply, labels: Mapping[str, str]) -> None:
        """Give a config other labels, if it is as it was read.

        Raises:
            ChangedMeanwhileError: Another changed or removed it.
            StepFailedError: The manager refused.
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        body = {"Name": config.spec.name, "Labels": dict(labels), "Data": config.spec.data or ""}
        ask_to(
            self._connection,
            "POST",
            f"/configs/{config.id}/update",
            doing=f"change the config {config.spec.name}",
            params={"version": str(config.version.index)},
            body=body,
        )

    def forget_version(self, version: StackVersion) -> None:
        """Remove a version that is held; nothing happens where it is gone.

        Raises:
            StepFailedError: The manager refused.
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        self.remove_config(version.config_id)

    def remove_config(self, config_id: str) -> None:
        """Remove a config; nothing happens where it is gone.

        Raises:
            StepFailedError: The manager refused.
            EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
        """
        self._delete(f"/configs/{config_id}", f"remove the config {config_id}")

    def _delete(self, path: str, doing: str) -> None:
        with speaking_to(self._connection.endpoint, doing):
            try:
                self._connection.ask("DELETE", path, timeout_s=_WITHIN_S)
            except sdk.NotFound:
                return
