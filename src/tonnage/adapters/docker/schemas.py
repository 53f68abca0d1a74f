"""The form of the engine's replies: only the fields that are read, with what may be absent or null in some version.

Source: Docker Engine API documentation, versions 1.41 (20.10) to 1.51 (28.5), and replies recorded in ``tests/wire``.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from tonnage.model.inventory import CLASSIC, CONTAINERD, PODMAN, UNKNOWN_STORE

_SNAPSHOTTER = "io.containerd.snapshotter"
# Source: ``daemon/graphdriver`` of moby 20.10 to 28.
_GRAPH_DRIVERS = frozenset({"aufs", "btrfs", "devicemapper", "fuse-overlayfs", "overlay", "overlay2", "vfs", "zfs"})


class Swarm(Struct, kw_only=True):
    """``Swarm`` of ``GET /info``."""

    local_node_state: str = field(name="LocalNodeState", default="inactive")
    node_id: str = field(name="NodeID", default="")


class RegistryIndex(Struct, kw_only=True):
    """One entry of ``RegistryConfig.IndexConfigs`` of ``GET /info``."""

    secure: bool = field(name="Secure", default=True)


class RegistryConfig(Struct, kw_only=True):
    """``RegistryConfig`` of ``GET /info``: what the engine was told about registries."""

    told_mirrors: list[str] | None = field(name="Mirrors", default=None)
    hosts: dict[str, RegistryIndex] | None = field(name="IndexConfigs", default=None)
    networks: list[str] | None = field(name="InsecureRegistryCIDRs", default=None)

    @property
    def mirrors(self) -> tuple[str, ...]:
        """Addresses that stand in for Docker's own index, with their scheme."""
        return tuple(mirror.rstrip("/") for mirror in self.told_mirrors or ())

    @property
    def insecure(self) -> tuple[str, ...]:
        """Hosts, hosts with a port, and networks that may be spoken to without TLS."""
        return (*(name for name, index in (self.hosts or {}).items() if not index.secure), *(self.networks or ()))


class DiscoveredDevice(Struct, kw_only=True):
    """A device that the engine knows of by itself."""

    source: str = field(name="Source", default="")
    id: str = field(name="ID", default="")


class Info(Struct, kw_only=True):
    """``GET /info``."""

    id: str = field(name="ID", default="")
    name: str = field(name="Name", default="")
    buildah_version: str = field(name="BuildahVersion", default="")
    driver: str = field(name="Driver", default="")
    driver_status: list[list[str]] | None = field(name="DriverStatus", default=None)
    data_root: str = field(name="DockerRootDir")
    server_version: str = field(name="ServerVersion", default="")
    os_type: str = field(name="OSType", default="linux")
    architecture: str = field(name="Architecture", default="")
    operating_system: str = field(name="OperatingSystem", default="")
    security_options: list[str] | None = field(name="SecurityOptions", default=None)
    swarm: Swarm | None = field(name="Swarm", default=None)
    containerd: dict[str, Any] | None = field(name="Containerd", default=None)
    system_time: str = field(name="SystemTime", default="")
    registries: RegistryConfig | None = field(name="RegistryConfig", default=None)
    runtimes: dict[str, Any] | None = field(name="Runtimes", default=None)
    cdi_directories: list[str] | None = field(name="CDISpecDirs", default=None)
    discovered: list[DiscoveredDevice] | None = field(name="DiscoveredDevices", default=None)

    @property
    def image_store(self) -> str:
        """Where images lie: ``classic``, ``containerd``, ``podman`` or ``unknown``.

        Source: Podman's ``pkg/api/handlers/compat/info.go``, where Buildah is named; recorded from 4.3 and 5.4.
        """
        if self.buildah_version:
            return PODMAN
        pairs = self.driver_status or []
        if any(_SNAPSHOTTER in text for pair in pairs for text in pair):
            return CONTAINERD
        return CLASSIC if self.driver in _GRAPH_DRIVERS else UNKNOWN_STORE


class Actor(Struct, kw_only=True):
    """What an event is about; Podman 4 tells its name alone."""

    id: str = field(name="ID", default="")
    attributes: dict[str, str] | None = field(name="Attributes", default=None)


class EngineEvent(Struct, kw_only=True):
    """One line of ``GET /events``."""

    actor: Actor = field(name="Actor", default_factory=Actor)


class ManifestSize(Struct, kw_only=True):
    """What one manifest of an image takes: the blobs that it names, and with what is unpacked of them."""

    content: int = field(name="Content", default=0)
    total: int = field(name="Total", default=0)


class ManifestSummary(Struct, kw_only=True):
    """One of ``Manifests`` of ``GET /images/json?manifests=1``: for a platform, or what a builder attached to one."""

    id: str = field(name="ID", default="")
    kind: str = field(name="Kind", default="")
    available: bool = field(name="Available", default=False)
    size: ManifestSize = field(name="Size", default_factory=ManifestSize)


class ImageSummary(Struct, kw_only=True):
    """One entry of ``GET /images/json``; manifests only where they were asked for, in the store of containerd."""

    id: str = field(name="Id")
    repo_tags: list[str] | None = field(name="RepoTags", default=None)
    repo_digests: list[str] | None = field(name="RepoDigests", default=None)
    created: int = field(name="Created", default=0)
    size: int = field(name="Size", default=0)
    shared_size: int = field(name="SharedSize", default=-1)
    labels: dict[str, str] | None = field(name="Labels", default=None)
    manifests: list[ManifestSummary] | None = field(name="Manifests", default=None)


class RootFs(Struct, kw_only=True):
    """The layers of an image, lowest first."""

    layers: list[str] | None = field(name="Layers", default=None)


class ImageMetadata(Struct, kw_only=True):
    """What this engine notes of an image."""

    last_tag_time: str = field(name="LastTagTime", default="")


class ImageDetail(Struct, kw_only=True):
    """``GET /images/ID/json``."""

    architecture: str = field(name="Architecture", default="")
    os: str = field(name="Os", default="")
    variant: str = field(name="Variant", default="")
    size: int = field(name="Size", default=0)
    config: dict[str, Any] | None = field(name="Config", default=None)
    repo_tags: list[str] | None = field(name="RepoTags", default=None)
    repo_digests: list[str] | None = field(name="RepoDigests", default=None)
    root_fs: RootFs | None = field(name="RootFS", default=None)
    metadata: ImageMetadata | None = field(name="Metadata", default=None)


class HistoryItem(Struct, kw_only=True):
    """One entry of ``GET /images/ID/history``."""

    created_by: str = field(name="CreatedBy", default="")
    size: int = field(name="Size", default=0)


class HealthLog(Struct, kw_only=True):
    """One run of the healthcheck."""

    exit_code: int = field(name="ExitCode", default=0)
    output: str = field(name="Output", default="")


class HealthState(Struct, kw_only=True):
    """What the healthcheck says."""

    status: str = field(name="Status", default="")
    log: list[HealthLog] | None = field(name="Log", default=None)


class ContainerState(Struct, kw_only=True):
    """``ContainerState`` of a container."""

    status: str = field(name="Status", default="")
    pid: int = field(name="Pid", default=0)
    exit_code: int = field(name="ExitCode", default=0)
    started_at: str = field(name="StartedAt", default="")
    finished_at: str = field(name="FinishedAt", default="")
    oom_killed: bool = field(name="OOMKilled", default=False)
    health: HealthState | None = field(name="Health", default=None)


class ContainerConfig(Struct, kw_only=True):
    """What a container was asked to be."""

    image: str = field(name="Image", default="")
    labels: dict[str, str] | None = field(name="Labels", default=None)


class HostConfig(Struct, kw_only=True):
    """How a container stands on its machine."""

    network_mode: str = field(name="NetworkMode", default="")
    pid_mode: str = field(name="PidMode", default="")
    ipc_mode: str = field(name="IpcMode", default="")
    volumes_from: list[str] | None = field(name="VolumesFrom", default=None)


class Endpoint(Struct, kw_only=True):
    """A container's place in one network."""

    ip_address: str = field(name="IPAddress", default="")
    ipv6_address: str = field(name="GlobalIPv6Address", default="")


class PortBinding(Struct, kw_only=True):
    """A port of the machine that leads to one of a container."""

    host_ip: str = field(name="HostIp", default="")
    host_port: str = field(name="HostPort", default="")


class NetworkSettings(Struct, kw_only=True):
    """A container's networks, and the ports that it holds while it lives."""

    networks: dict[str, Endpoint | None] | None = field(name="Networks", default=None)
    ports: dict[str, list[PortBinding] | None] | None = field(name="Ports", default=None)


class EndpointInNetwork(Struct, kw_only=True):
    """A container in ``GET /networks/NAME``."""

    ipv4_address: str = field(name="IPv4Address", default="")


class NetworkDetail(Struct, kw_only=True):
    """``GET /networks/NAME``."""

    containers: dict[str, EndpointInNetwork] | None = field(name="Containers", default=None)


class ManifestDescriptor(Struct, kw_only=True):
    """Which of an image's manifests something is about."""

    digest: str = field(name="digest", default="")


class ContainerDetail(Struct, kw_only=True):
    """``GET /containers/ID/json``."""

    id: str = field(name="Id")
    name: str = field(name="Name", default="")
    image: str = field(name="Image", default="")
    created: str = field(name="Created", default="")
    restart_count: int = field(name="RestartCount", default=0)
    state: ContainerState = field(name="State", default_factory=ContainerState)
    config: ContainerConfig = field(name="Config", default_factory=ContainerConfig)
    host_config: HostConfig = field(name="HostConfig", default_factory=HostConfig)
    network_settings: NetworkSettings = field(name="NetworkSettings", default_factory=NetworkSettings)
    size_rw: int | None = field(name="SizeRw", default=None)
    log_path: str = field(name="LogPath", default="")
    manifest: ManifestDescriptor | None = field(name="ImageManifestDescriptor", default=None)
    mounts: list[ContainerMount] | None = field(name="Mounts", default=None)


class CacheItem(Struct, kw_only=True):
    """One record of the build cache; one ``Parent`` until 1.41, several since.

    Engines write their key with a space before it, the documentation without one. Source: moby, api/types/build,
    ``CacheRecord``; recorded from Docker 26.1 and 28.5.
    """

    id: str = field(name="ID")
    type: str = field(name="Type", default="")
    description: str = field(name="Description", default="")
    in_use: bool = field(name="InUse", default=False)
    shared: bool = field(name="Shared", default=False)
    size: int = field(name="Size", default=0)
    parent: str = field(name="Parent", default="")
    told_parents: list[str] | None = field(name=" Parents", default=None)
    documented_parents: list[str] | None = field(name="Parents", default=None)
    created_at: str = field(name="CreatedAt", default="")
    last_used_at: str | None = field(name="LastUsedAt", default=None)

    @property
    def parents(self) -> tuple[str, ...]:
        """The records that it stands on."""
        return tuple(self.told_parents or self.documented_parents or ((self.parent,) if self.parent else ()))


class VolumeItem(Struct, kw_only=True):
    """One volume; the ``Size`` that it uses is -1 where it was not measured."""

    name: str = field(name="Name")
    driver: str = field(name="Driver", default="")
    options: dict[str, str] | None = field(name="Options", default=None)
    labels: dict[str, str] | None = field(name="Labels", default=None)
    usage: dict[str, int] | None = field(name="UsageData", default=None)


class ContainerMount(Struct, kw_only=True):
    """One thing that a container mounts."""

    type: str = field(name="Type", default="")
    name: str = field(name="Name", default="")
    source: str = field(name="Source", default="")


class ContainerSummary(Struct, kw_only=True):
    """One entry of ``GET /containers/json``."""

    id: str = field(name="Id")
    mounts: list[ContainerMount] | None = field(name="Mounts", default=None)


class AddressRange(Struct, kw_only=True):
    """A range of addresses of a network."""

    subnet: str = field(name="Subnet", default="")
    gateway: str = field(name="Gateway", default="")


class AddressManagement(Struct, kw_only=True):
    """Where a network has its addresses from."""

    config: list[AddressRange] | None = field(name="Config", default=None)


class NetworkSummary(Struct, kw_only=True):
    """One entry of ``GET /networks``."""

    id: str = field(name="Id")
    name: str = field(name="Name")
    driver: str = field(name="Driver", default="")
    options: dict[str, str] | None = field(name="Options", default=None)
    labels: dict[str, str] | None = field(name="Labels", default=None)
    internal: bool = field(name="Internal", default=False)
    attachable: bool = field(name="Attachable", default=False)
    ipv6: bool = field(name="EnableIPv6", default=False)
    ipam: AddressManagement = field(name="IPAM", default_factory=AddressManagement)


class PodMember(Struct, kw_only=True):
    """One entry of ``GET /libpod/containers/json``, which only Podman has."""

    id: str = field(name="Id")
    pod: str = field(name="PodName", default="")


class ImageItems(Struct, kw_only=True):
    """``ImageUsage`` of ``GET /system/df?verbose=1``, from 1.52 on."""

    items: list[ImageSummary] | None = field(name="Items", default=None)


class CacheItems(Struct, kw_only=True):
    """``BuildCacheUsage`` beside it."""

    items: list[CacheItem] | None = field(name="Items", default=None)


class VolumeItems(Struct, kw_only=True):
    """``VolumeUsage`` beside it."""

    items: list[VolumeItem] | None = field(name="Items", default=None)


class Usages(Struct, kw_only=True):
    """``GET /system/df``, and ``GET /volumes`` with its volumes only.

    From 1.52 on everything stands in ``...Usage`` when it is asked for with ``verbose``. Source: moby 29,
    ``api/types/system/disk_usage.go``; not tried on a real engine.
    """

    told_images: list[ImageSummary] | None = field(name="Images", default=None)
    told_cache: list[CacheItem] | None = field(name="BuildCache", default=None)
    told_volumes: list[VolumeItem] | None = field(name="Volumes", default=None)
    image_usage: ImageItems | None = field(name="ImageUsage", default=None)
    cache_usage: CacheItems | None = field(name="BuildCacheUsage", default=None)
    volume_usage: VolumeItems | None = field(name="VolumeUsage", default=None)

    @property
    def images(self) -> list[ImageSummary]:
        """The images."""
        return self.told_images or (self.image_usage.items if self.image_usage else None) or []

    @property
    def build_cache(self) -> list[CacheItem]:
        """The records of the build cache."""
        return self.told_cache or (self.cache_usage.items if self.cache_usage else None) or []

    @property
    def volumes(self) -> list[VolumeItem]:
        """The volumes."""
        return self.told_volumes or (self.volume_usage.items if self.volume_usage else None) or []
