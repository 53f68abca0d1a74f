"""Versions of a stack as configs of the Swarm: every machine that deploys it finds what it can go back to."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import TYPE_CHECKING, Any

import msgspec

from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.swarm import schemas as replies
from tonnage.adapters.swarm.reading import read_swarm
from tonnage.errors import UsageError
from tonnage.lazily import learned
from tonnage.model.swarm import StackVersion
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.adapters.docker.connect import DockerConnection

_STACK = "tonnage.stack"
_VERSION = "tonnage.version"
_GOOD = "tonnage.good"
_ORIGIN = "tonnage.origin"
_MOST_BYTES = 500_000


def configs(connection: DockerConnection, label: str) -> tuple[replies.ConfigReply, ...]:
    """Return the configs that have a label ``key=value``.

    Raises:
        EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
    """
    told = read_swarm(connection, "/configs", {"filters": json.dumps({"label": [label]})})
    with speaking_to(connection.endpoint, "read the configs of the Swarm"):
        return tuple(msgspec.convert(told, learned(list[replies.ConfigReply])))


def versions(connection: DockerConnection, stack: str) -> tuple[StackVersion, ...]:
    """Return the versions of a stack, newest first; what cannot be read is none.

    Raises:
        EngineUnreachableError: The Swarm has lost its quorum, or the manager does not answer.
    """
    found = []
    for config in configs(connection, f"{_STACK}={stack}"):
        labels = config.spec.labels or {}
        number = told_count(labels.get(_VERSION, ""))
        try:
            document = json.loads(base64.b64decode(config.spec.data or ""))
        except (ValueError, binascii.Error):
            continue
        if number is not None and isinstance(document, dict) and isinstance(document.get("services"), dict):
            version = StackVersion(
                config_id=config.id,
                number=number,
                good=labels.get(_GOOD) == "true",
                document=document,
                origin=labels.get(_ORIGIN, ""),
                created=config.created,
            )
            found.append(version)
    return tuple(sorted(found, key=lambda each: -each.number))


def config_of(
    stack: str, number: int, document: Mapping[str, Any], *, good: bool, origin: str
) -> tuple[str, dict[str, str], bytes]:
    """Return name, labels and data of the config that holds a version.

    Raises:
        UsageError: The stack is too long for a config.
    """
    data = json.dumps(document, separators=(",", ":")).encode()
    if len(data) > _MOST_BYTES:
        raise UsageError(
            f"the stack {stack!r} is too long for a Swarm",
            why=f"Its stack file has {len(data)} B; a config of a Swarm holds {_MOST_BYTES}.",
            todo="Split it into several stacks.",
        )
    name = f"tonnage-v{number}-{hashlib.sha256(stack.encode()).hexdigest()[:24]}"
    return name, _labels(stack, number, origin, good=good), data


def labels_when_good(stack: str, version: StackVersion) -> dict[str, str]:
    """Return the labels of a version whose services were healthy."""
    return _labels(stack, version.number, version.origin, good=True)


def _labels(stack: str, number: int, origin: str, *, good: bool) -> dict[str, str]:
    return {_STACK: stack, _VERSION: str(number), _GOOD: "true" if good else "false", _ORIGIN: origin}
