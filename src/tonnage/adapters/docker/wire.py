"""Engine JSON to model. Pure, and lenient exactly where Docker 20.10 to 29 differ: what may be absent or null says so.

The structs name only the fields that are read; all others are ignored.

Source: Docker Engine API documentation, versions 1.41 (20.10) to 1.51 (28.3), and replies recorded in ``tests/wire``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from msgspec import Struct, field

from tonnage.adapters.docker.layers import HistoryEntry, layers
from tonnage.model.inventory import CacheRecord, Container, Engine, Image, Volume

PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"
_NUMBER = "com.docker.compose.container-number"
_ONE_OFF = "com.docker.compose.oneoff"
_SNAPSHOTTER = "io.containerd.snapshotter"
_NONE = "<none>"

Json = Any
"""What the SDK hands over: parsed JSON of a form that only the structs below may assume."""


class _Swarm(Struct, kw_only=True):
    local_node_state: str = field(name="LocalNodeState", default="inactive")


class Info(Struct, kw_only=True):
    """``GET /info``."""

    id: str = field(name="ID", default="")
    driver: str = field(name="Driver", default="")
    driver_status: list[list[str]] | None = field(name="DriverStatus", default=None)
    data_root: str = field(name="DockerRootDir")
    server_version: str = field(name="ServerVersion", default="")
    os_type: str = field(name="OSType", default="linux")
    architecture: str = field(name="Architecture", default="")
    operating_system: str = field(name="OperatingSystem", default="")
    kernel_version: str = field(name="KernelVersion", default="")
    security_options: list[str] | None = field(name="SecurityOptions", default=None)
    swarm: _Swarm | None = field(name="Swarm", default=None)
    containerd: dict[str, Json] | None = field(name="Containerd", default=None)

    @property
    def image_store(self) -> str:
        """``containerd`` when images lie in containerd's own store, else ``classic``."""
        pairs = self.driver_status or []
        return "containerd" if any(_SNAPSHOTTER in text for pair in pairs for text in pair) else "classic"


class ImageSummary(Struct, kw_only=True):
    """One entry of ``GET /images/json``."""

    id: str = field(name="Id")
    repo_tags: list[str] | None = field(name="RepoTags", default=None)
    repo_digests: list[str] | None = field(name="RepoDigests", default=None)
    created: int = field(name="Created", default=0)
    size: int = field(name="Size", default=0)
    shared_size: int = field(name="SharedSize", default=-1)
    labels: dict[str, str] | None = field(name="Labels", default=None)


class _RootFs(Struct, kw_only=True):
    layers: list[str] | None = field(name="Layers", default=None)


class _ImageDetail(Struct, kw_only=True):
    repo_tags: list[str] | None = field(name="RepoTags", default=None)
    root_fs: _RootFs | None = field(name="RootFS", default=None)


class _HistoryItem(Struct, kw_only=True):
    created_by: str = field(name="CreatedBy", default="")
    size: int = field(name="Size", default=0)


class _Health(Struct, kw_only=True):
    status: str = field(name="Status", default="")


class _State(Struct, kw_only=True):
    status: str = field(name="Status", default="")
    exit_code: int = field(name="ExitCode", default=0)
    oom_killed: bool = field(name="OOMKilled", default=False)
    health: _Health | None = field(name="Health", default=None)


class _Config(Struct, kw_only=True):
    image: str = field(name="Image", default="")
    labels: dict[str, str] | None = field(name="Labels", default=None)


class _HostConfig(Struct, kw_only=True):
    network_mode: str = field(name="NetworkMode", default="")


class _Endpoint(Struct, kw_only=True):
    ip_address: str = field(name="IPAddress", default="")
    ipv6_address: str = field(name="GlobalIPv6Address", default="")


class _NetworkSettings(Struct, kw_only=True):
    networks: dict[str, _Endpoint | None] | None = field(name="Networks", default=None)


class ContainerDetail(Struct, kw_only=True):
    """``GET /containers/ID/json``."""

    id: str = field(name="Id")
    name: str = field(name="Name", default="")
    image: str = field(name="Image", default="")
    restart_count: int = field(name="RestartCount", default=0)
    state: _State = field(name="State", default_factory=_State)
    config: _Config = field(name="Config", default_factory=_Config)
    host_config: _HostConfig = field(name="HostConfig", default_factory=_HostConfig)
    network_settings: _NetworkSettings = field(name="NetworkSettings", default_factory=_NetworkSettings)
    size_rw: int | None = field(name="SizeRw", default=None)


class _CacheItem(Struct, kw_only=True):
    id: str = field(name="ID")
    type: str = field(name="Type", default="")
    description: str = field(name="Description", default="")
    in_use: bool = field(name="InUse", default=False)
    shared: bool = field(name="Shared", default=False)
    size: int = field(name="Size", default=0)
    parent: str = field(name="Parent", default="")
    parents: list[str] | None = field(name="Parents", default=None)


class _Usage(Struct, kw_only=True):
    size: int = field(name="Size", default=-1)
    ref_count: int = field(name="RefCount", default=-1)


class _VolumeItem(Struct, kw_only=True):
    name: str = field(name="Name")
    labels: dict[str, str] | None = field(name="Labels", default=None)
    usage: _Usage | None = field(name="UsageData", default=None)


class _MountPoint(Struct, kw_only=True):
    type: str = field(name="Type", default="")
    name: str = field(name="Name", default="")


class _ContainerSummary(Struct, kw_only=True):
    id: str = field(name="Id")
    mounts: list[_MountPoint] | None = field(name="Mounts", default=None)


class _Usages(Struct, kw_only=True):
    images: list[ImageSummary] | None = field(name="Images", default=None)
    build_cache: list[_CacheItem] | None = field(name="BuildCache", default=None)
    volumes: list[_VolumeItem] | None = field(name="Volumes", default=None)


def info(reply: Json) -> Info:
    """Read ``GET /info``."""
    return msgspec.convert(reply, Info)


def engine(told: Info, endpoint: str, api_version: str) -> Engine:
    """Return what the engine says of itself.

    Args:
        told: Its own words.
        endpoint: How it is reached.
        api_version: The version of the API that is spoken with it.
    """
    return Engine(
        engine_id=told.id,
        endpoint=endpoint,
        version=told.server_version,
        api_version=api_version,
        storage_driver=told.driver,
        image_store=told.image_store,
        data_root=told.data_root,
        os_type=told.os_type,
        architecture=told.architecture,
        swarm=told.swarm is not None and told.swarm.local_node_state not in {"", "inactive"},
        rootless=any(option.startswith("name=rootless") for option in told.security_options or ()),
    )


def image_summaries(reply: Json) -> list[ImageSummary]:
    """Read ``GET /images/json``."""
    return msgspec.convert(reply, list[ImageSummary])


def shared_sizes(reply: Json) -> dict[str, int]:
    """Return the bytes of each image that other images have too, as ``GET /system/df`` tells them."""
    found = msgspec.convert(reply, _Usages).images or []
    return {summary.id: summary.shared_size for summary in found if summary.shared_size >= 0}


def image(summary: ImageSummary, detail: Json, history: Json) -> Image:
    """Put together one image; until its neighbours are known, all its bytes count as unique.

    Args:
        summary: Its entry in the list.
        detail: ``GET /images/ID/json``.
        history: ``GET /images/ID/history``, newest first as the engine tells it.
    """
    root_fs = msgspec.convert(detail, _ImageDetail).root_fs
    steps = [HistoryEntry(item.created_by, item.size) for item in msgspec.convert(history, list[_HistoryItem])]
    return Image(
        image_id=summary.id,
        references=_names(summary.repo_tags),
        layers=layers((root_fs.layers if root_fs else None) or (), steps[::-1], summary.size),
        size_bytes=summary.size,
        unique_bytes=summary.size,
        shared_bytes=0,
        labels=summary.labels or {},
        created_s=float(summary.created),
        digests=_names(summary.repo_digests),
    )


def image_names(reply: Json) -> tuple[str, ...]:
    """Return the names in ``GET /images/ID/json``."""
    return _names(msgspec.convert(reply, _ImageDetail).repo_tags)


def named(known: Image, summary: ImageSummary) -> Image:
    """Return an image with the names that it has now."""
    return replace(known, references=_names(summary.repo_tags), digests=_names(summary.repo_digests))


def container(reply: Json) -> Container:
    """Read ``GET /containers/ID/json``; with ``size=1`` it tells the writable bytes too."""
    told = msgspec.convert(reply, ContainerDetail)
    labels = told.config.labels or {}
    number = labels.get(_NUMBER, "")
    health = told.state.health.status if told.state.health else ""
    return Container(
        container_id=told.id,
        name=told.name.removeprefix("/"),
        image_id=told.image,
        image_reference=told.config.image,
        project=labels.get(PROJECT, ""),
        service=labels.get(_SERVICE, ""),
        number=int(number) if number.isdecimal() else 0,
        one_off=labels.get(_ONE_OFF, "").lower() == "true",
        state=told.state.status,
        health=health or "none",
        exit_code=told.state.exit_code if told.state.status in {"exited", "dead"} else None,
        restart_count=told.restart_count,
        oom_killed=told.state.oom_killed,
        labels=labels,
        addresses=_addresses(told),
        writable_bytes=told.size_rw,
    )


def container_ids(reply: Json) -> list[str]:
    """Return the ids in ``GET /containers/json``."""
    return [summary.id for summary in msgspec.convert(reply, list[_ContainerSummary])]


def network_mode(reply: Json) -> str:
    """Return the network mode of ``GET /containers/ID/json``."""
    return msgspec.convert(reply, ContainerDetail).host_config.network_mode


def cache(reply: Json) -> tuple[CacheRecord, ...]:
    """Read the build cache of ``GET /system/df``; until 20.10 a record has one parent, later several."""
    return tuple(
        CacheRecord(
            record_id=item.id,
            kind=item.type,
            description=item.description,
            size_bytes=item.size,
            in_use=item.in_use,
            shared=item.shared,
            parents=tuple(item.parents or ((item.parent,) if item.parent else ())),
        )
        for item in msgspec.convert(reply, _Usages).build_cache or ()
    )


def volumes(listed: Json, containers: Json, usages: Json | None = None) -> tuple[Volume, ...]:
    """Put together the volumes.

    Args:
        listed: ``GET /volumes``.
        containers: ``GET /containers/json?all=1``: what they mount is in use.
        usages: ``GET /system/df``, when the sizes are wanted.
    """
    summaries = msgspec.convert(containers, list[_ContainerSummary])
    mounted = {mount.name for summary in summaries for mount in summary.mounts or () if mount.type == "volume"}
    measured = (msgspec.convert(usages, _Usages).volumes or []) if usages is not None else []
    sizes = {item.name: item.usage.size for item in measured if item.usage and item.usage.size >= 0}
    return tuple(
        Volume(
            name=item.name,
            project=(item.labels or {}).get(PROJECT, ""),
            size_bytes=sizes.get(item.name),
            in_use=item.name in mounted,
        )
        for item in msgspec.convert(listed, _Usages).volumes or ()
    )


def _names(told: list[str] | None) -> tuple[str, ...]:
    """Return names or digests without the ``<none>`` that older engines write for none."""
    return tuple(sorted(name for name in told or () if _NONE not in name))


def _addresses(told: ContainerDetail) -> tuple[tuple[str, str], ...]:
    """Return where the container answers: its own addresses, or the machine's when it has no network of its own."""
    if told.host_config.network_mode == "host":
        return (("host", "127.0.0.1"),)
    networks = sorted((told.network_settings.networks or {}).items())
    found = [(name, end.ip_address or end.ipv6_address) for name, end in networks if end is not None]
    return tuple((name, address) for name, address in found if address)
