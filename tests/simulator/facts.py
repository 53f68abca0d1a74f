"""What the simulated engine tells. Nothing here changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.simulator.project import read_project

from tonnage.errors import CacheUnknownError, StepFailedError
from tonnage.model.inventory import Filesystem, Volume
from tonnage.model.network import Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulator.disk import Disk
    from tests.simulator.engine import Simulator

    from tonnage.model.compose_labels import StackOrigin
    from tonnage.model.inventory import CacheRecord, Container, Engine, Image


class SimulatedFacts:
    """Satisfies ``EngineFacts``."""

    def __init__(self, engine: Simulator) -> None:
        self._engine = engine

    def engine(self) -> Engine:
        """Return who it says it is."""
        return self._engine.identity

    def filesystems(self) -> tuple[Filesystem, ...]:
        """Return its one disk, and those that a test adds, on which nothing is ever written."""
        disk = self._engine.disk
        return (
            Filesystem(
                mount=disk.mount,
                roles=("data-root",),
                size_bytes=disk.size_bytes,
                available_bytes=disk.available_bytes,
                reserved_bytes=min(disk.reserved_bytes, disk.free_bytes),
                inodes=disk.inodes,
                available_inodes=disk.available_inodes,
            ),
            *self._engine.others,
        )

    def images(self) -> tuple[Image, ...]:
        """Return all images; in containerd each has a digest, and one without a name is not listed while it runs."""
        found = self._engine.store.described_images()
        if self._engine.identity.image_store == "classic":
            return found
        runs = {container.image_id for container in self._engine.living()}
        return tuple(
            replace(
                image,
                digests=tuple(f"{name.rpartition(':')[0]}@{image.image_id}" for name in image.references),
                only_here=True,
            )
            for image in found
            if image.references or image.image_id not in runs
        )

    def containers(self, project: str = "") -> tuple[Container, ...]:
        """Return all containers, or those of one project."""
        now_s = self._engine.clock.time()
        return tuple(
            replace(
                container.described(now_s),
                writable_bytes=self._engine.disk.owned_bytes(f"container {container.container_id}"),
                log_path=f"/var/lib/docker/containers/{container.container_id}.log",
                log_bytes=self._engine.disk.owned_bytes(f"log {container.container_id}"),
            )
            for container in self._engine.living()
            if not project or container.project == project
        )

    def container(self, name_or_id: str) -> Container | None:
        """Return one container, or None."""
        found = self._engine.find_container(name_or_id)
        return found.described(self._engine.clock.time()) if found else None

    def cache(self) -> tuple[CacheRecord, ...]:
        """Return the build cache."""
        if self._engine.cache_unknown:
            raise CacheUnknownError("the engine cannot tell how its disk is used", why=self._engine.cache_unknown)
        return self._engine.store.described_records()

    def volumes(self) -> tuple[Volume, ...]:
        """Return all volumes."""
        used = {
            volume
            for container in self._engine.containers.values()
            for volume in container.volumes + container.anonymous_volumes
        }
        return tuple(
            Volume(
                name=name,
                project=project,
                size_bytes=self._engine.disk.owned_bytes(f"volume {name}"),
                in_use=name in used,
            )
            for name, project in self._engine.volumes.items()
        )

    def networks(self) -> tuple[Network, ...]:
        """Return all networks."""
        own = (Network(name=name, driver=name) for name in ("bridge", "host", "none"))
        return (*own, *self._engine.networks.values())

    def config_hashes(self, origin: StackOrigin) -> Mapping[str, str]:
        """Return what containers of each service would be marked with."""
        project, definition = origin.project, origin.definition
        return {name: read_project(project, name, definition).config_hash for name in definition["services"]}

    def pulled(self, within_s: float) -> tuple[str, ...]:
        """Return what was pulled in the last seconds."""
        now_s = self._engine.clock.time()
        return tuple(name for name, when_s in self._engine.pulls if now_s - when_s <= within_s)

    def logs(self, container: str, lines: int) -> str:
        """Return the last lines of a container."""
        found = self._engine.find_container(container)
        if found is None:
            raise StepFailedError(f"no such container: {container}")
        return "\n".join(found.printed[-lines:])

    def http_status(self, container: Container, port: int, path: str, timeout_s: float) -> int | str:  # noqa: ARG002 - every path answers alike
        """Return the status that the container's behaviour says, or why there is none."""
        found = self._engine.find_container(container.container_id)
        if found is None or found.state != "running":
            return "the container does not run"
        if self._engine.clock.time() < found.started_s + found.behaviour.http_after_s:
            return "connection refused"
        return dict(found.behaviour.http).get(port, "connection refused")


class SimulatedGauge:
    """Satisfies ``Gauge``."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def available(self) -> Mapping[str, int]:
        """Return available bytes by mount."""
        return {self._disk.mount: self._disk.available_bytes}

    def inodes(self) -> Mapping[str, int]:
        """Return available inodes by mount."""
        return {self._disk.mount: self._disk.available_inodes} if self._disk.inodes else {}

    def close(self) -> None:
        """Hold nothing open."""
