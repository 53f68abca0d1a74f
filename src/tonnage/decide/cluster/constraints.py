"""Constraints of Swarm, ``node.labels.disk==ssd``, read and matched as its managers do.

Source: ``manager/constraint/constraint.go`` of swarmkit: keys and values are compared whatever their case, but for the
name of a label; a label that is not there is empty; a key that is not known matches no node.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.model.cluster.node import ClusterNode

_KEY = regex(r"(?ai)[a-z_][a-z0-9\-_.]+")
_VALUE = regex(r"(?ai)[a-z0-9:\-_\s.*()?+\[\]\\^$|/]+")
_NODE_LABEL, _ENGINE_LABEL, _IP = "node.labels.", "engine.labels.", "node.ip"
_PLAIN: dict[str, Callable[[ClusterNode], str]] = {
    "node.id": lambda node: node.node_id,
    "node.hostname": lambda node: node.hostname,
    "node.role": lambda node: node.role,
    "node.platform.os": lambda node: node.os,
    "node.platform.arch": lambda node: node.architecture,
}


class PlacementConstraint(Struct, frozen=True):
    """One constraint: what it looks at, whether that must be equal, and to what."""

    key: str
    equal: bool
    value: str

    def __str__(self) -> str:
        """Return it as Swarm reads it."""
        return f"{self.key}{'==' if self.equal else '!='}{self.value}"

    def met(self, node: ClusterNode) -> bool:
        """Return whether Swarm would let a node have a task with this constraint."""
        lower = self.key.lower()
        if lower == _IP:
            return self._ip_met(node.ip)
        found = label_or_fact(node, self.key)
        return found is not None and (found.lower() == self.value.lower()) is self.equal

    def _ip_met(self, told: str) -> bool:
        try:
            network = ipaddress.ip_network(self.value, strict=False)
        except ValueError:
            return False
        try:
            inside = ipaddress.ip_address(told) in network
        except ValueError:
            inside = False
        return inside is self.equal


def read_constraint(text: str) -> PlacementConstraint | None:
    """Read one constraint; None for what Swarm refuses."""
    for operator in ("==", "!="):
        key, found, value = text.partition(operator)
        if found:
            key, value = key.strip(), value.strip()
            if _KEY.fullmatch(key) is None or _VALUE.fullmatch(value) is None or not _known(key):
                return None
            return PlacementConstraint(key, operator == "==", value)
    return None


def label_or_fact(node: ClusterNode, key: str) -> str | None:
    """Return what a node has under the key of a constraint or of a preference; None for a key that is not known."""
    lower = key.lower()
    if lower.startswith(_NODE_LABEL):
        return node.labels.get(key[len(_NODE_LABEL) :], "")
    if lower.startswith(_ENGINE_LABEL):
        return node.engine_labels.get(key[len(_ENGINE_LABEL) :], "")
    return _PLAIN[lower](node) if lower in _PLAIN else None


def unmet(constraints: tuple[PlacementConstraint, ...], node: ClusterNode) -> PlacementConstraint | None:
    """Return the first constraint that a node does not meet."""
    return next((each for each in constraints if not each.met(node)), None)


def _known(key: str) -> bool:
    lower = key.lower()
    labelled = any(lower.startswith(prefix) and len(lower) > len(prefix) for prefix in (_NODE_LABEL, _ENGINE_LABEL))
    return labelled or lower == _IP or lower in _PLAIN
