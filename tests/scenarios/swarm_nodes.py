"""Three private engines that are one Swarm, each with a disk and a network of its own."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.real_engine import busybox_archive

from tonnage.adapters.docker.connect import connect
from tonnage.adapters.private_engine import PrivateEngine
from tonnage.adapters.private_engine.daemon import end_daemon
from tonnage.adapters.swarm.membership import form

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.scenarios.driving import Project

    from tonnage.adapters.docker.connect import DockerConnection


@dataclass
class Nodes:
    """Three engines that are one Swarm."""

    engines: list[PrivateEngine]
    connections: list[DockerConnection]

    @property
    def manager(self) -> str:
        return self.engines[0].endpoint

    @property
    def environment(self) -> dict[str, str]:
        told = [f"node{number}={each.endpoint}" for number, each in enumerate(self.engines, 1)]
        return {"TONNAGE_NODES": ",".join(told)}

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        return self.connections[0].ask("GET", path).json()

    def post(self, path: str, body: object) -> None:
        self.connections[0].ask(
            "POST", path, headers={"Content-Type": "application/json"}, body=json.dumps(body).encode()
        )

    def tasks(self, project: Project) -> dict[str, list[tuple[str, str]]]:
        """Return the node and image of every running task, by service."""
        names = {each["ID"]: each["Description"]["Hostname"] for each in self.get("/nodes")}
        services = {each["ID"]: each["Spec"]["Name"] for each in self.get("/services")}
        found: dict[str, list[tuple[str, str]]] = {}
        for task in self.get("/tasks"):
            name = services.get(task["ServiceID"], "")
            if name.startswith(f"{project.name}_") and task["Status"]["State"] == task["DesiredState"] == "running":
                where = (names[task["NodeID"]], task["Spec"]["ContainerSpec"]["Image"])
                found.setdefault(name.removeprefix(f"{project.name}_"), []).append(where)
        return {name: sorted(where) for name, where in sorted(found.items())}

    def images(self, number: int) -> set[str]:
        return {tag for image in self.connections[number].client.images.list() for tag in image.tags}

    def available_bytes(self, number: int) -> int:
        told = os.statvfs(self.engines[number].mount)
        return told.f_bavail * told.f_frsize

    def labels(self) -> dict[str, dict[str, str]]:
        return {each["Description"]["Hostname"]: each["Spec"].get("Labels") or {} for each in self.get("/nodes")}

    def kill(self, number: int) -> None:
        """Kill the engine of a node with all that runs in it, as a power failure does."""
        assert end_daemon(self.engines[number]._layout)


@contextlib.contextmanager
def one_swarm(sizes: Sequence[int]) -> Iterator[Nodes]:
    """Start engines with disks of these sizes as one Swarm, with the image of busybox on each."""
    environment = dict(os.environ)
    with contextlib.ExitStack() as stack:
        engines, connections = [], []
        for number, size_bytes in enumerate(sizes, 1):
            started = PrivateEngine.start(size_bytes, environment=environment, host_name=f"node{number}")
            engines.append(stack.enter_context(started))
            connections.append(stack.enter_context(connect(environment, engines[-1].endpoint, netns=engines[-1].netns)))
        archive = busybox_archive()
        for connection in connections:
            connection.client.api.import_image_from_data(archive, repository="busybox", tag="latest")
        pairs = [(connection, engine.address) for connection, engine in zip(connections, engines, strict=True)]
        form(pairs, pool=engines[0].cluster_pool)
        yield Nodes(engines, connections)
