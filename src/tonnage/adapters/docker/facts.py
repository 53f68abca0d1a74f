"""Facts of a Docker engine: everything that is read, nothing that changes. Satisfies ``EngineFacts``."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.adapters.docker import container_files, sdk, wire
from tonnage.adapters.docker import schemas as replies
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.host import filesystem
from tonnage.adapters.host.filesystem import temporary_directory
from tonnage.adapters.images import layers
from tonnage.errors import CacheUnknownError, EngineLacksError, StepFailedError
from tonnage.model import compose_labels
from tonnage.model.inventory import CLASSIC, CONTAINERD, PODMAN
from tonnage.model.swarm import TASK_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.docker.selected_builder import ContainerBuilder
    from tonnage.adapters.docker.tools import Tools
    from tonnage.adapters.images.content_store import ImageContent
    from tonnage.model.compose_labels import StackOrigin
    from tonnage.model.inventory import CacheRecord, Container, Engine, Filesystem, Image, Volume
    from tonnage.model.network import Network

_SLOW_S = 600
_BUSY = "already running"
_BUSY_TRIES = 30
_FORGET_CACHE = """\
Delete its build cache, which builds recreate:
  root=$(docker info -f '{{.DockerRootDir}}')
  sudo systemctl stop docker
  sudo rm -r "$root/buildkit"
  sudo systemctl start docker"""


class DockerFacts:
    """Reads one engine.

    Args:
        places: Further directories that a run writes to on this machine, as role and directory; only a local engine's
            filesystems are joined by them.
        beside: A builder of buildx that may build in place of the engine.
        tools: The programs of this machine; Compose is asked for what only it can tell.
        environment: What these are started with.
        sizes: Have the engine count the bytes of volumes and of containers' writable layers too: it walks through
            every file in them, which can take minutes.
    """

    def __init__(
        self,
        connection: DockerConnection,
        places: Sequence[tuple[str, str]] = (),
        *,
        sizes: bool = False,
        beside: ContainerBuilder | None = None,
        tools: Tools | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._tools = tools
        self._environment = dict(environment or {})
        self._sizes = sizes
        self._beside = beside
        self._connection = connection
        self._places = tuple(places)
        self._known: dict[str, Image] = {}
        self._content_bytes: dict[str, int] = {}
        self._is_rootless: bool | None = None
        self._told: replies.Info | None = None
        self._containerd: str | None = None

    @property
    def connection(self) -> DockerConnection:
        """The engine that is read."""
        return self._connection

    def engine(self) -> Engine:
        """Return what the engine says of itself."""
        told = wire.engine(self._info(), self._connection.endpoint, self._connection.api_version)
        builder = self._beside.found if self._beside else None
        return replace(told, builder=builder, apart=bool(self._connection.netns))

    def registries(self) -> replies.RegistryConfig:
        """Return what the engine was told about registries."""
        return (self._told or self._info()).registries or replies.RegistryConfig()

    def filesystems(self) -> tuple[Filesystem, ...]:
        """Return every filesystem that a run writes to, measured now; the one with the images first.

        That is the data root's, or with images in containerd the one of containerd's root, where that is known.

        Raises:
            EngineLacksError: The disk of this engine cannot be read from here.
        """
        # Where its files lie does not change while it runs, and every question costs as much as all that is read here.
        told = self._told or self._info()
        endpoint = self._connection.endpoint
        remote = endpoint.startswith("ssh://")
        if not remote:
            _refuse_elsewhere(told, endpoint)
        containerd = self.images_root()
        places = [("data-root", told.data_root)]
        places += [(CONTAINERD, containerd)] if containerd else []
        if remote:
            return _images_first(filesystem.remote_filesystems(endpoint, places))
        more = (("temporary", temporary_directory(os.environ)), *self._places)
        return _images_first(filesystem.local_filesystems([*places, *more]))

    def images_root(self) -> str:
        """Return where containerd keeps its files; empty where images do not lie there, or it is not known."""
        if self._containerd is None:
            told = self._told or self._info()
            kept = told.image_store == CONTAINERD
            self._containerd = _containerd_root(told, self._connection.endpoint) if kept else ""
        return self._containerd

    def images(self) -> tuple[Image, ...]:
        """Return all images, dangling ones included."""
        with self._asking("list the images"):
            asked = {"manifests": "1"} if self._connection.tells_manifests else None
            listed = wire.image_summaries(self._get("/images/json", asked))
            found = [image for summary in listed if (image := self._image(summary)) is not None]
        agreed = layers.agreed(found)
        if found and (self._told or self._info()).image_store == CONTAINERD:
            # What such an engine itself says is shared leaves the blobs out, up to 29.5.
            whole = layers.with_blobs(agreed, self._contents(agreed), self._content_bytes)
            return layers.least_unique(layers.with_unique(whole))
        images = layers.with_unique(agreed)
        undecided = layers.undecided(agreed)
        if not undecided:
            return images
        try:
            sizes = wire.shared_sizes(disk_usage(self._connection, "image"))
        except CacheUnknownError:
            return layers.least_unique(images)
        return layers.told_unique(images, {key: size for key, size in sizes.items() if key in undecided})

    def containers(self, project: str = "") -> tuple[Container, ...]:
        """Return all containers in every state; only those of one compose project when it is named."""
        params = {"all": "1"}
        if project:
            params["filters"] = json.dumps({"label": [f"{compose_labels.PROJECT}={project}"]})
        with self._asking("list the containers"):
            listed = wire.container_ids(self._get("/containers/json", params))
            # Docker's interface, as Podman speaks it, says nothing of pods.
            podman = bool(listed) and (self._told or self._info()).image_store == PODMAN
            pods = wire.pods(self._get("/libpod/containers/json", {"all": "true"})) if podman else {}
        found = (each for one in listed if (each := self.container(one)) is not None)
        return tuple(replace(each, pod=pods.get(each.container_id, "")) for each in found)

    def container(self, name_or_id: str) -> Container | None:
        """Return one container, or None when there is none."""
        with self._asking(f"look at the container {name_or_id}"):
            try:
                found = wire.container(self._get(f"/containers/{name_or_id}/json", {"size": str(int(self._sizes))}))
            except sdk.NotFound:
                return None
        if self._sizes and self._connection.local:
            return replace(found, log_bytes=container_files.log_size_bytes(found.log_path))
        return found

    def cache(self) -> tuple[CacheRecord, ...]:
        """Return the records of the build cache, and those of a builder beside the engine.

        Raises:
            CacheUnknownError: The engine cannot tell them.
        """
        store = (self._told or self._info()).image_store
        own = wire.cache(disk_usage(self._connection, "build-cache"), store)
        return (*own, *self._beside.records()) if self._beside else own

    def volumes(self) -> tuple[Volume, ...]:
        """Return all volumes."""
        with self._asking("list the volumes"):
            listed, containers = self._get("/volumes"), self._get("/containers/json", {"all": "1"})
        usages = None
        with suppress(CacheUnknownError):
            usages = disk_usage(self._connection, "volume") if self._sizes else None
        return wire.volumes(listed, containers, usages)

    def networks(self) -> tuple[Network, ...]:
        """Return all networks."""
        with self._asking("list the networks"):
            return wire.networks(self._get("/networks"))

    def config_hashes(self, origin: StackOrigin) -> Mapping[str, str]:
        """Return what Compose would write of its configuration on containers of each service, where it can tell."""
        tool = self._tools.compose if self._tools else None
        if tool is None:
            return {}
        from tonnage.adapters.docker.compose.hashes import config_hashes  # noqa: PLC0415 - where something runs already
        from tonnage.adapters.docker.tools import aimed_at  # noqa: PLC0415

        aimed = aimed_at(self._connection, self._environment)
        return config_hashes(tool, origin, self.containers(origin.project), aimed)

    def pulled(self, within_s: float) -> tuple[str, ...]:
        """Return what was pulled in the last seconds, by name or digest, as far as the engine still knows."""
        now_s = wire.clock_s(self._info())
        if now_s is None:
            return ()
        kinds = json.dumps({"type": ["image"], "event": ["pull"]})
        # An end that is not past would let the engine go on telling. Podman, told an end, leaves out what it likes.
        ended = {"stream": "false"} if self._told and self._told.image_store == PODMAN else {"until": f"{now_s:.6f}"}
        params = {"since": f"{now_s - within_s:.6f}", "filters": kinds, **ended}
        with self._asking("ask what was pulled"):
            return wire.pulled(self._connection.ask("GET", "/events", params=params).text)

    def logs(self, container: str, lines: int) -> str:
        """Return the last ``lines`` lines that a container printed on both streams."""
        with self._asking(f"read the log of {container}"):
            try:
                told = self._connection.client.api.logs(container, stdout=True, stderr=True, tail=lines)
            except sdk.NotFound:
                return ""
            except sdk.APIError as error:
                return f"(no log: {error.explanation})"
        return bytes(told).decode(errors="replace")

    def http_status(self, container: Container, port: int, path: str, timeout_s: float) -> int | str:
        """Ask the container itself by HTTP.

        Returns:
            The status, or in words why there is no answer yet.

        Raises:
            EngineLacksError: The containers of this engine cannot be reached from here.
        """
        from tonnage.adapters.docker import health_probe as asking  # noqa: PLC0415 - builds ask no container

        reached = self._owner(container.container_id)
        address = self._bridged(container) or (reached.address if reached else "")
        if reached is None or not address:
            return "the container has no address yet"
        beside = reached.process_id if self._rootless() else 0
        return asking.http_status(self._connection, address, port, path, timeout_s, beside=beside)

    def _bridged(self, container: Container) -> str:
        """Return where the machine reaches a task of a Swarm, whose other addresses only its containers reach."""
        if TASK_LABEL not in container.labels:
            return ""
        with self._asking("look at the network docker_gwbridge"), suppress(sdk.NotFound):
            return wire.bridged_address(self._get("/networks/docker_gwbridge"), container.container_id)
        return ""

    def _owner(self, container: str) -> wire.Reach | None:
        """Return how a container is reached now, following those that share another's network."""
        with self._asking(f"look at the container {container}"):
            try:
                reach = wire.reach(self._get(f"/containers/{container}/json"))
            except sdk.NotFound:
                return None
        return self._owner(reach.shares) if reach.shares else reach

    def _rootless(self) -> bool:
        """Whether the engine is rootless; it is asked once."""
        if self._is_rootless is None:
            self._is_rootless = self.engine().rootless
        return self._is_rootless

    def _image(self, summary: replies.ImageSummary) -> Image | None:
        """Put together one image; layers never change under an id, so they are asked for once."""
        known = self._known.get(summary.id)
        if known is None:
            try:
                where = f"/images/{summary.id}"
                store = (self._told or self._info()).image_store
                detail = self._get(f"{where}/json")
                known = wire.image(summary, detail, self._get(f"{where}/history"), store)
                self._content_bytes[summary.id] = wire.content_bytes(summary, detail)
            except sdk.NotFound:
                return None
            known = replace(known, named_s=max(known.named_s, self._came_s(summary.id)))
            self._known[summary.id] = known
        return wire.named(known, summary)

    def _contents(self, images: Sequence[Image]) -> dict[str, ImageContent]:
        """Return what images in containerd consist of, as far as this user may look at an engine of this machine."""
        from tonnage.adapters.images.content_store import content_of  # noqa: PLC0415 - not for the classic store

        root = self.images_root() if self._connection.local else ""
        found = {image.image_id: content_of(root, image.image_id) for image in images} if root else {}
        return {image_id: content for image_id, content in found.items() if content is not None}

    def _came_s(self, image_id: str) -> float:
        """Return when an image came to an engine of this machine; 0 where that cannot be seen.

        What it says of names being given leaves pulls out. Source: checked with Docker 20.10, image store of overlay2.
        """
        told = self._told or self._info()
        if not self._connection.local or told.image_store != CLASSIC:
            return 0.0
        digest = image_id.removeprefix("sha256:")
        try:
            return Path(told.data_root, "image", told.driver, "imagedb/content/sha256", digest).stat().st_mtime
        except OSError:
            return 0.0

    def _info(self) -> replies.Info:
        with self._asking("ask the engine about itself"):
            self._told = wire.info(self._get("/info"))
        return self._told

    def _get(self, path: str, params: Mapping[str, str] | None = None) -> wire.Json:
        return self._connection.read(path, params=params)

    def _asking(self, doing: str) -> AbstractContextManager[None]:
        return speaking_to(self._connection.endpoint, doing)


def disk_usage(connection: DockerConnection, kind: str) -> wire.Json:
    """Return the answer of ``GET /system/df``, waiting while the engine answers somebody else: it takes one at a time.

    Raises:
        CacheUnknownError: The engine cannot tell it.
        StepFailedError: It is busy with others for too long.
        EngineUnreachableError: The engine stops answering.
    """
    params = ({"type": kind} if connection.typed_usage else {}) | connection.usage_of
    with speaking_to(connection.endpoint, "ask how the disk is used"):
        for _ in range(_BUSY_TRIES):
            try:
                return connection.read("/system/df", params=params, timeout_s=_SLOW_S)
            except sdk.APIError as error:
                if _BUSY not in str(error.explanation):
                    raise CacheUnknownError(
                        "the engine cannot tell how its disk is used",
                        why=str(error.explanation or error),
                        todo=_FORGET_CACHE,
                    ) from error
            time.sleep(1)
    raise StepFailedError(
        "could not ask how the disk is used",
        why=f"The engine has been busy with another program's request for {_BUSY_TRIES} s.",
        todo="See which program that is; this asks for the same:\n  docker system df",
    )


def _containerd_root(told: replies.Info, endpoint: str) -> str:
    """Return containerd's root, where it is known and may be looked at."""
    from tonnage.adapters.docker import containerd_root as asked  # noqa: PLC0415 - not for the classic store

    if endpoint.startswith("ssh://"):
        return asked.containerd_root(told, asked.ProcessesThere(endpoint))
    root = asked.containerd_root(told, asked.ProcessesHere())
    try:
        return root if root and os.statvfs(root) else ""
    except OSError:
        return ""


def _images_first(disks: tuple[Filesystem, ...]) -> tuple[Filesystem, ...]:
    return tuple(sorted(disks, key=lambda disk: CONTAINERD not in disk.roles))


def _refuse_elsewhere(told: replies.Info, endpoint: str) -> None:
    """Refuse an engine whose files are on another machine."""
    todo = "Run tonnage on that machine, or reach the engine by ssh://user@host."
    if not endpoint.startswith("unix://"):
        raise EngineLacksError(
            f"the disk of the engine at {endpoint} cannot be read from here",
            why="Its files are on another machine, and tcp:// leads to the engine only.",
            todo=todo,
        )
    if "Docker Desktop" in told.operating_system:
        raise EngineLacksError(
            "the disk of Docker Desktop cannot be read from here",
            why=f"Its engine keeps {told.data_root} inside a virtual machine.",
            todo="Use Docker Engine on Linux, here or by DOCKER_HOST=ssh://user@host.",
        )
    try:
        there = Path(told.data_root).exists()
    except PermissionError:
        there = True
    if not there:
        raise EngineLacksError(
            f"the engine's data root {told.data_root} is not on this machine",
            why="The engine runs in another container or virtual machine than this command.",
            todo=todo,
        )
