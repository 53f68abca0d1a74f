"""What was observed on an engine and its machine. Every number here is measured, none is predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.model.network import Network  # noqa: TC001 - who asks for the annotations at run time finds it
from tonnage.model.references import ImagesByName
from tonnage.model.replacement import of_service

if TYPE_CHECKING:
    from tonnage.model.builder import BuilderBeside
    from tonnage.model.deploy.run import OtherRun
    from tonnage.model.offer import OfferedImage
    from tonnage.model.reclaim.candidate import Roots
    from tonnage.model.stack import FileToSend

CONTAINERD = "containerd"
"""The image store, and the role of the filesystem, of images that lie in containerd and not in the data root."""
CLASSIC = "classic"
"""The image store of an engine that keeps layers in its data root, by a storage driver."""
PODMAN = "podman"
"""The image store of Podman, which speaks the language of Docker's engine."""
UNKNOWN_STORE = "unknown"
"""An image store that is none of these."""
_INODE_SHARE = 100
_MOST_INODES = 20_000


class Filesystem(Struct, frozen=True, kw_only=True):
    """One mounted filesystem that a run can write to.

    Args:
        mount: Where it is mounted (on the engine's machine).
        roles: What lies on it: data-root, containerd, temporary, state.
        available_bytes: What an ordinary process may still write: reserved blocks are not in it.
        reserved_bytes: Free, but kept for root.
        inodes: All its inodes (0 where the filesystem does not count them).
        available_inodes: Inodes that are free for an ordinary process.
        ballast_bytes: What a file of ours holds there, to be given back when the disk is full.
    """

    mount: str
    roles: tuple[str, ...]
    size_bytes: int
    available_bytes: int
    reserved_bytes: int = 0
    inodes: int = 0
    available_inodes: int = 0
    ballast_bytes: int = 0

    @property
    def reserve_inodes(self) -> int:
        """Inodes that must remain: a hundredth of them and 20,000 at most; 0 where nobody counts them."""
        return min(self.inodes // _INODE_SHARE, _MOST_INODES)


class Layer(Struct, frozen=True, kw_only=True):
    """One layer in its chain.

    Args:
        chain_id: Identity of the layer on top of all those below it; layers are shared by this, never by ``diff_id``.
        diff_id: Identity of the layer's own contents.
        size_bytes: Its uncompressed bytes; None where the engine does not tell.
        made_by: The instruction that made it, as the engine shows it; empty where several may have.
        blob_bytes: Its compressed bytes, where images lie in containerd; about so many where blobs cannot be seen.
    """

    chain_id: str
    diff_id: str
    size_bytes: int | None = None
    made_by: str = ""
    blob_bytes: int = 0


class Image(Struct, frozen=True, kw_only=True):
    """One image of the engine.

    Args:
        image_id: ``sha256:...``.
        references: Its tags, ``repository:tag``.
        layers: Its chain, lowest first.
        size_bytes: As ``docker images`` shows it: the sum of its layers; in containerd with all that they are unpacked
            from, of every platform, and with what is attached to it.
        unique_bytes: Bytes of it that no other image has.
        shared_bytes: ``size_bytes - unique_bytes``.
        created_s: When it was made, seconds since the epoch.
        named_s: When it came here or last got a name, seconds since the epoch; 0 where that is not told.
        digests: The names by digest that it has here.
        only_here: Whether they say nothing of a registry: in containerd every image has them, also one built here.
        content_digest: Identity of what containers get of it: its layers and configuration without builders' labels.
        manifest_digests: Of its manifests for the platforms that it has; empty where the engine does not tell.
        blobs: What it consists of in containerd, of all platforms: bytes by digest, by which images share these.
    """

    image_id: str
    references: tuple[str, ...]
    layers: tuple[Layer, ...]
    size_bytes: int
    unique_bytes: int
    shared_bytes: int
    labels: dict[str, str] = field(default_factory=dict)
    created_s: float = 0.0
    digests: tuple[str, ...] = ()
    named_s: float = 0.0
    only_here: bool = False
    content_digest: str = ""
    manifest_digests: tuple[str, ...] = ()
    blobs: dict[str, int] = field(default_factory=dict)

    @property
    def chain(self) -> tuple[str, ...]:
        """The chain ids, lowest first."""
        return tuple(layer.chain_id for layer in self.layers)

    @property
    def pullable(self) -> bool:
        """Whether a registry is known to have it: it came from there or went there, or was asked for."""
        return bool(self.digests) and not self.only_here


class CacheRecord(Struct, frozen=True, kw_only=True):
    """One record of the build cache.

    Args:
        kind: regular, source.local, source.git.checkout, exec.cachemount, frontend or internal.
        description: What it came from, in the builder's words.
        size_bytes: Its bytes; those of a shared one are the image's. In containerd the compressed layer is among them
            as soon as an image has it.
        shared: Whether nothing comes free with it as long as an image is there that has its layer. In containerd only
            what images lie on is shared: what was built lies there once for the builder and once for images.
        parents: What it stands on.
        created_s: When it was made, seconds since the epoch; 0 where the engine does not tell.
        last_used_s: When it was last used; None where the engine does not tell.
        builder: Of which builder beside the engine; empty for the engine's own.
    """

    record_id: str
    kind: str
    description: str
    size_bytes: int
    in_use: bool
    shared: bool
    parents: tuple[str, ...] = ()
    created_s: float = 0.0
    last_used_s: float | None = None
    builder: str = ""


class Container(Struct, frozen=True, kw_only=True):
    """One container, running or not.

    Args:
        name: Its name, without the leading slash.
        image_id: The image it was made from.
        project: The compose project it belongs to; empty when none.
        service: The compose service; empty when none.
        number: Its number among the replicas; 0 when it has none.
        one_off: Made by ``compose run``.
        pod: The pod of Podman that it is in; empty when none.
        state: created, running, paused, restarting, removing, exited or dead.
        health: ``none`` without a healthcheck, else starting, healthy or unhealthy.
        health_said: Last line of what the healthcheck printed when it last failed.
        exit_code: Of its last end; None while it runs.
        oom_killed: Whether the kernel ended it for want of memory.
        writable_bytes: Its own writable layer; None when not asked for.
        published: Ports of the machine that it holds, as address (empty for all), port and protocol.
        binds: Directories and files of the machine that it mounts.
        volumes: The names of the volumes that it mounts; None where nobody looked.
        networks: The names of the networks that it is on; none where it has the network of another one.
        log_path: Where the engine keeps what it printed, on the engine's machine; empty where that is no file.
        log_bytes: What that file takes; None where nobody looked, or may not.
        ended_s: When it last ended, seconds since the epoch; None when it never did.
        manifest_digest: Of the manifest in its image that it was made from; empty where the engine does not tell.
        content_digest: Of its image, where that is gone and the journal knows what it was.
        config_digest: Of how it was configured, where a version says so; ``inputs_digest``: of what its image is from.
        is_proven: Whether a version was proven by this container, or nobody knows; others are only made as it was.
        joined: What it has of other containers, as kind (network, pid, ipc, uts, cgroup, volumes) and their id or name.
        created_s: When it was made, seconds since the epoch.
        started_s: When it last started, seconds since the epoch; 0 when it never did.
    """

    container_id: str
    name: str
    image_id: str
    image_reference: str = ""
    project: str = ""
    service: str = ""
    number: int = 0
    one_off: bool = False
    pod: str = ""
    state: str = "running"
    health: str = "none"
    health_said: str = ""
    exit_code: int | None = None
    restart_count: int = 0
    oom_killed: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    writable_bytes: int | None = None
    published: tuple[tuple[str, int, str], ...] = ()
    binds: tuple[str, ...] = ()
    volumes: tuple[str, ...] | None = None
    log_path: str = ""
    log_bytes: int | None = None
    ended_s: float | None = None
    manifest_digest: str = ""
    content_digest: str = ""
    config_digest: str = ""
    inputs_digest: str = ""
    is_proven: bool = True
    joined: tuple[tuple[str, str], ...] = ()
    networks: tuple[str, ...] = ()
    created_s: float = 0.0
    started_s: float = 0.0

    @property
    def alive(self) -> bool:
        """Whether it runs, or will go on by itself."""
        return self.state in {"running", "restarting", "paused"}

    def is_called(self, name_or_id: str) -> bool:
        """Return whether that is its name or its id."""
        return name_or_id in {self.container_id, self.name}


class Volume(Struct, frozen=True, kw_only=True):
    """One volume; ``size_bytes`` is None where the engine does not tell. ``options`` are its driver's."""

    name: str
    driver: str = ""
    options: dict[str, str] = field(default_factory=dict)
    project: str = ""
    size_bytes: int | None = None
    in_use: bool = False


class Engine(Struct, frozen=True, kw_only=True):
    """What the engine says of itself.

    Args:
        engine_id: Its own identity, different for every data root.
        endpoint: How it is reached: ``unix://...``, ``ssh://...``.
        image_store: ``classic``, ``containerd``, ``podman``, or ``unknown`` where it is none of these.
        data_root: The directory that holds everything, on the engine's machine.
        architecture: As the engine names it, such as x86_64.
        node_id: Which node of a Swarm it is; empty where it is in none.
        builder: What builds in its place; None where it builds itself.
        apart: Whether it is known to run in another network than this program.
        runtimes: The names of what it can run containers with; empty where it does not tell.
        cdi_devices: The devices that it knows by the Container Device Interface; None where it does not tell.
    """

    engine_id: str
    endpoint: str
    version: str
    api_version: str
    storage_driver: str
    image_store: str
    data_root: str
    os_type: str = "linux"
    architecture: str = "x86_64"
    swarm: bool = False
    node_id: str = ""
    rootless: bool = False
    builder: BuilderBeside | None = None
    apart: bool = False
    runtimes: tuple[str, ...] = ()
    cdi_devices: tuple[str, ...] | None = None

    @property
    def forgets_builds(self) -> bool:
        """Whether builds run anew as soon as any record of the build cache was removed.

        The builder then looks for the results of all builds, with a request that is cancelled by that time. Where
        containerd has to be asked for the layers that a base brought, it takes them for gone.
        Source: ``Prune`` in ``control/control.go`` and ``isLazy`` in ``cache/refs.go`` of BuildKit 0.13 to 0.26;
        checked with Docker 26.1 and 28.5.
        """
        return self.image_store == CONTAINERD

    @property
    def product(self) -> str:
        """What it is called; empty for Docker's own, which needs no name."""
        return "Podman" if self.image_store == PODMAN else ""

    @property
    def program(self) -> str:
        """The command that people speak to it with."""
        return "podman" if self.image_store == PODMAN else "docker"

    @property
    def shown_version(self) -> str:
        """Its version, for people."""
        return f"{self.product} {self.version}".lstrip()


class Inputs(Struct, frozen=True, kw_only=True):
    """What a service's build would read now.

    Args:
        digest: Hash over the Dockerfile, the context behind ``.dockerignore``, arguments, target and platforms.
        context_bytes: Bytes of the context that the builder may read.
        base_reference: Image that the final stage stands on; empty for ``scratch`` or where it is not known.
    """

    service: str
    digest: str
    context_bytes: int = 0
    base_reference: str = ""


class Inventory(Struct, frozen=True, kw_only=True):
    """Everything that was observed at one moment.

    Args:
        filesystems: Every filesystem that a run writes to; the one with the images comes first.
        cache_unknown: Why the engine cannot tell its build cache; empty where it does.
        to_send: Files of the project directory that the engine's machine lacks.
        needs: What is needed of the engine beyond what it tells itself; None where nobody looked, or it cannot be told.
        offers: What registries have now, of the images that they were asked for.
        networks: Its networks.
        missing: Paths that services need and that are not there; empty where nobody looked.
        config_hashes: What Compose would write on the containers of each service now; empty where it cannot tell.
        listening: Ports on which programs of the engine's machine listen that are no containers, with address (empty:
            every one) and protocol; empty where nobody looked.
        others: Runs of other stacks that go on on the engine.
        compose: The version of Compose that starts containers; empty where it does not matter or there is none.
    """

    engine: Engine
    filesystems: tuple[Filesystem, ...]
    images: tuple[Image, ...] = ()
    containers: tuple[Container, ...] = ()
    cache: tuple[CacheRecord, ...] = ()
    cache_unknown: str = ""
    volumes: tuple[Volume, ...] = ()
    inputs: tuple[Inputs, ...] = ()
    to_send: tuple[FileToSend, ...] = ()
    needs: Roots | None = None
    offers: tuple[OfferedImage, ...] = ()
    networks: tuple[Network, ...] = ()
    missing: frozenset[str] = frozenset()
    listening: tuple[tuple[str, int, str], ...] = ()
    others: tuple[OtherRun, ...] = ()
    config_hashes: dict[str, str] = field(default_factory=dict)
    compose: str = ""

    @property
    def build_cache(self) -> tuple[CacheRecord, ...]:
        """The records of whatever builds now."""
        builder = self.engine.builder.name if self.engine.builder else ""
        return tuple(record for record in self.cache if record.builder == builder)

    def image(self, reference_or_id: str) -> Image | None:
        """Return the image with this id or reference, however it is written (see :class:`ImagesByName`), or None."""
        return ImagesByName.of(self.images).image(reference_or_id)

    def image_of(self, container: Container) -> Image | None:
        """Return the image that a container runs, or one with the same content when that is gone; None for none."""
        there = (image for image in self.images if image.image_id == container.image_id)
        # That it is gone is known then: what it was, the container tells alone.
        same = (image for image in self.images if _runs(container, image, container.content_digest))
        return next(there, None) or next(same, None)

    def runs(self, container: Container, image: Image) -> bool:
        """Return whether a container gets from an image what it has now, whichever id that had."""
        told = (each.content_digest for each in self.images if each.image_id == container.image_id)
        return _runs(container, image, "") or _runs(container, image, next(told, "") or container.content_digest)

    def with_content(self, image_id: str, content_digest: str) -> Image | None:
        """Return the image with this id, or one with this content when that is gone; None for none."""
        same = (image for image in self.images if content_digest and image.content_digest == content_digest)
        return self.image(image_id) or next(same, None)

    def service_containers(self, project: str, service: str) -> tuple[Container, ...]:
        """Return the containers of one service (see :func:`of_service`)."""
        return of_service((each for each in self.containers if each.project == project), service)

    def offer(self, reference: str) -> OfferedImage | None:
        """Return what the registry of an image has; None when it was not asked."""
        return next((each for each in self.offers if each.reference == reference), None)

    def inputs_of(self, service: str) -> Inputs | None:
        """Return what the service's build would read, or None when it was not looked at."""
        return next((inputs for inputs in self.inputs if inputs.service == service), None)


def _runs(container: Container, image: Image, content_digest: str) -> bool:
    if container.image_id == image.image_id or container.manifest_digest in image.manifest_digests:
        return True
    return bool(content_digest) and content_digest == image.content_digest
