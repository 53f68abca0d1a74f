"""Of two that claim a stack of one Swarm, one is refused; a claim that nobody holds any more is taken over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.answering import Answer, answering

from tonnage.adapters.docker.connect import connect
from tonnage.adapters.swarm.claims import StackClaim
from tonnage.adapters.swarm.reading import SwarmFacts
from tonnage.adapters.swarm.writing import SwarmActs
from tonnage.errors import EngineLacksError, EngineUnreachableError, LockHeldError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.answering import Answering, Asked

    from tonnage.adapters.docker.connect import DockerConnection

V = "/v1.41"
OURS = {"pid": "7", "host": "here", "birth": "b"}
THEIRS = {"pid": "8", "host": "there", "birth": "c"}


class Manager:
    """What a manager answers about configs and nodes, with the versions that it counts."""

    def __init__(self, server: Answering) -> None:
        self.configs: dict[str, dict[str, Any]] = {}
        self.node: dict[str, Any] = {"ID": "n1", "Version": {"Index": 1}, "Spec": {"Role": "worker", "Labels": {}}}
        self.now = "2026-11-30T10:00:00.123456789Z"
        self.info: dict[str, Any] = {"LocalNodeState": "active", "ControlAvailable": True, "NodeID": "n1"}
        self.refusals = 0
        self.server = server
        server.routes |= {
            "/version": lambda _: _json({"Version": "20.10.24", "ApiVersion": "1.41", "Os": "linux"}),
            f"{V}/info": lambda _: _json({"SystemTime": self.now, "Swarm": self.info}),
            f"{V}/configs": lambda _: _json(list(self.configs.values())),
            f"{V}/configs/create": self._create,
            f"{V}/nodes/n1": lambda _: _json(self.node),
            f"{V}/nodes/n1/update": self._update,
            f"{V}/nodes": lambda _: _json([]),
        }

    def _create(self, asked: Asked) -> Answer:
        spec = json.loads(asked.body)
        if any(each["Spec"]["Name"] == spec["Name"] for each in self.configs.values()):
            return _json({"message": "already exists"}, 409)
        made = f"c{len(self.configs) + 1}"
        self.configs[made] = {
            "ID": made, "Version": {"Index": 1}, "CreatedAt": self.now, "UpdatedAt": self.now, "Spec": spec
        }  # fmt: skip
        self.server.routes[f"{V}/configs/{made}/update"] = self._relabel(made)
        self.server.routes[f"{V}/configs/{made}"] = self._remove(made)
        return _json({"ID": made}, 201)

    def _relabel(self, made: str) -> Any:  # noqa: ANN401 - a route
        def route(asked: Asked) -> Answer:
            config = self.configs[made]
            if f"version={config['Version']['Index']}" not in asked.path:
                return _json({"message": "update out of sequence"}, 500)
            config["Spec"] = json.loads(asked.body)
            config["Version"]["Index"] += 1
            return Answer(200)

        return route

    def _remove(self, made: str) -> Any:  # noqa: ANN401 - a route
        def route(asked: Asked) -> Answer:
            assert asked.method == "DELETE"
            self.configs.pop(made, None)
            return Answer(204)

        return route

    def _update(self, asked: Asked) -> Answer:
        if self.refusals:
            self.refusals -= 1
            # Another changed it in between.
            self.node["Version"]["Index"] += 1
            self.node["Spec"]["Labels"]["theirs"] = "kept"
            return _json({"message": "rpc error: update out of sequence"}, 500)
        assert f"version={self.node['Version']['Index']}" in asked.path
        self.node["Spec"] = json.loads(asked.body)
        return Answer(200)


def _json(told: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(told).encode(), {"Content-Type": "application/json"})


@pytest.fixture
def manager() -> Iterator[tuple[Manager, DockerConnection]]:
    with answering() as server:
        made = Manager(server)
        with connect({}, f"tcp://{server.host}") as connection:
            yield made, connection


def claim(connection: DockerConnection, owner: dict[str, str], *, gone: bool = False) -> StackClaim:
    return StackClaim(connection, owner, lambda _: gone)


def test_the_second_is_refused_and_told_who_the_first_is(manager: tuple[Manager, DockerConnection]) -> None:
    there, connection = manager
    with claim(connection, THEIRS).held("fleet"):
        with pytest.raises(LockHeldError, match="another run deploys the stack fleet") as refused:
            claim(connection, OURS).held("fleet").__enter__()
        assert "process 8 on there" in refused.value.why
    assert there.configs == {}


def test_a_claim_whose_process_died_is_taken_over(manager: tuple[Manager, DockerConnection]) -> None:
    there, connection = manager
    with claim(connection, THEIRS).held("fleet"), claim(connection, OURS, gone=True).held("fleet"):
        [config] = there.configs.values()
        assert json.loads(config["Spec"]["Labels"]["tonnage.owner"]) == OURS


def test_a_claim_that_nobody_renewed_is_taken_over_by_the_clock_of_the_managers(
    manager: tuple[Manager, DockerConnection],
) -> None:
    there, connection = manager
    with claim(connection, THEIRS).held("fleet"):
        there.now = "2026-11-30T10:00:39.999999999Z"
        with pytest.raises(LockHeldError):
            claim(connection, OURS).held("fleet").__enter__()
        there.now = "2026-11-30T10:00:41.000000001Z"
        with claim(connection, OURS).held("fleet"):
            [config] = there.configs.values()
            assert json.loads(config["Spec"]["Labels"]["tonnage.owner"]) == OURS


def test_a_label_is_set_again_where_another_changed_the_node_in_between(
    manager: tuple[Manager, DockerConnection],
) -> None:
    there, connection = manager
    there.refusals = 2
    SwarmActs(connection).label("n1", {"tonnage.place.fleet.web": "yes"})
    assert there.node["Spec"]["Labels"] == {"theirs": "kept", "tonnage.place.fleet.web": "yes"}
    assert there.node["Spec"]["Role"] == "worker"


def test_a_worker_and_an_engine_without_a_swarm_are_refused(manager: tuple[Manager, DockerConnection]) -> None:
    there, connection = manager
    there.info = {"LocalNodeState": "active", "ControlAvailable": False}
    with pytest.raises(EngineLacksError, match="not a manager"):
        SwarmFacts(connection).check()
    there.info = {"LocalNodeState": "inactive"}
    with pytest.raises(EngineLacksError, match="in no Swarm"):
        SwarmFacts(connection).check()


def test_a_swarm_without_a_leader_is_unreachable(manager: tuple[Manager, DockerConnection]) -> None:
    there, connection = manager
    said = "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few are online."
    there.server.routes[f"{V}/nodes"] = _json({"message": said}, 500)
    with pytest.raises(EngineUnreachableError, match="has lost its quorum"):
        SwarmFacts(connection).check()
