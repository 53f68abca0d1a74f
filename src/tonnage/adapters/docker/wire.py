"""Engine JSON to model. Pure, and lenient exactly where Docker 20.10 to 29 differ: what may be absent or null says so.

Source: Docker Engine API documentation, versions 1.41 (20.10) to 1.51 (28.5), and replies recorded in ``tests/wire``.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tonnage.adapters.docker import schemas as replies
from tonnage.adapters.images.layers import HistoryEntry, layers
from tonnage.lazily import learned
from tonnage.model import compose_labels
from tonnage.model.inventory import CLASSIC, CONTAINERD, PODMAN, CacheRecord, Container, Engine, Image, Volume
from tonnage.model.network import Network, Subnet
from tonnage.units import told_count

_NONE = "<none>"
_LONGEST_SAID = 300
# What an image tells those who run it. Source: OCI image specification 1.1, "Properties" of the configuration, and
# Docker's additions to it.
_OF_CONTAINERS = (
    "Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "OnBuild", "Shell", "StopSignal", "User", "Volumes",
    "WorkingDir",
)  # fmt: skip
# Compose and Tonnage say with these whose image it is and what it was built from.
_OF_BUILDERS = ("tonnage.", "com.docker.compose.")
_OF_PLATFORM = "image"
_ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - compared, never bound

_Form = TypeVar("_Form")
Json = Any
"""What the SDK hands over: parsed JSON of a form that only :mod:`tonnage.adapters.docker.schemas` may assume."""


def _read(reply: Json, form: type[_Form]) -> _Form:
    """Read what an engine answered.

    Raises:
        msgspec.ValidationError: It has not this form, or holds a text that no encoding has.
    """
    try:
        return msgspec.convert(reply, learned(form))
    except UnicodeEncodeError as error:
        raise msgspec.ValidationError(str(error)) from None


def info(reply: Json) -> replies.Info:
    """Read ``GET /info``."""
    return _read(reply, replies.Info)


_TELLS_DEVICES = (1, 50)


def engine(told: replies.Info, endpoint: str, api_version: str) -> Engine:
    """Return what the engine says of itself."""
    return Engine(
        # Engines before 23 take their id from a file of the machine, so two of them on one machine tell the same one.
        # Podman makes up another one for each question.
        engine_id=f"{told.name if told.image_store == PODMAN else told.id}@{told.data_root}",
        endpoint=endpoint,
        version=told.server_version,
        api_version=api_version,
        storage_driver=told.driver,
        image_store=told.image_store,
        data_root=told.data_root,
        os_type=told.os_type,
        architecture=told.architecture,
        swarm=told.swarm is not None and told.swarm.local_node_state not in {"", "inactive"},
        node_id=told.swarm.node_id if told.swarm is not None else "",
        runtimes=tuple(told.runtimes or ()),
        cdi_devices=_cdi_devices(told, api_version),
        rootless=any(option.startswith("name=rootless") for option in told.security_options or ()),
    )


def _cdi_devices(told: replies.Info, api_version: str) -> tuple[str, ...] | None:
    """Return the devices that the engine knows by the Container Device Interface; None where it does not tell.

    Source: Docker Engine API, ``CDISpecDirs`` since 1.44, empty where it is off, and ``DiscoveredDevices`` since 1.50.
    """
    if not told.cdi_directories:
        return ()
    tells = tuple(map(int, api_version.split("."))) >= _TELLS_DEVICES
    return tuple(each.id for each in told.discovered or () if each.source == "cdi") if tells else None


def image_summaries(reply: Json) -> list[replies.ImageSummary]:
    """Read ``GET /images/json``."""
    return _read(reply, list[replies.ImageSummary])


def shared_sizes(reply: Json) -> dict[str, int]:
    """Return the bytes of each image that other images have too, as ``GET /system/df`` tells them."""
    found = _read(reply, replies.Usages).images
    return {summary.id: summary.shared_size for summary in found if summary.shared_size >= 0}


def image(summary: replies.ImageSummary, detail: Json, history: Json, image_store: str) -> Image:
    """Return one image; until its neighbours are known, all its bytes count as unique."""
    told = _read(detail, replies.ImageDetail)
    root_fs = told.root_fs
    steps = [HistoryEntry(item.created_by, item.size) for item in _read(history, list[replies.HistoryItem])]
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
        named_s=(_seconds(told.metadata.last_tag_time) if told.metadata else None) or 0.0,
        only_here=image_store != CLASSIC,
        content_digest=_content_digest(told),
        manifest_digests=tuple(each.id for each in summary.manifests or () if each.kind == _OF_PLATFORM),
    )


def content_bytes(summary: replies.ImageSummary, detail: Json) -> int:
    """Return the bytes of the blobs of an image in containerd, for the platform that the engine unpacked.

    Before 1.47 only those of all platforms are told.
    """
    here = [each for each in summary.manifests or () if each.kind == _OF_PLATFORM and each.available]
    unpacked = [each.size.content for each in here if each.size.total > each.size.content]
    return unpacked[0] if unpacked else _read(detail, replies.ImageDetail).size


def _content_digest(told: replies.ImageDetail) -> str:
    """Return the identity of what containers get of an image; engines write differently what they leave out."""
    config = {name: value for name in _OF_CONTAINERS if (value := (told.config or {}).get(name))}
    labels = (told.config or {}).get("Labels") or {}
    config["Labels"] = {name: value for name, value in labels.items() if not name.startswith(_OF_BUILDERS)}
    platform = (told.os, told.architecture, told.variant)
    parts = [platform, (told.root_fs.layers if told.root_fs else None) or (), config]
    return f"sha256:{hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()}"


class ImageNames(Struct, frozen=True):
    """The names and the digests of one image."""

    tags: tuple[str, ...]
    digests: tuple[str, ...]


def image_names(reply: Json) -> ImageNames:
    """Return the names in ``GET /images/ID/json``."""
    told = _read(reply, replies.ImageDetail)
    return ImageNames(tags=_names(told.repo_tags), digests=_names(told.repo_digests))


def named(known: Image, summary: replies.ImageSummary) -> Image:
    """Return an image with the names that it has now."""
    return replace(known, references=_names(summary.repo_tags), digests=_names(summary.repo_digests))


def container(reply: Json) -> Container:
    """Read ``GET /containers/ID/json``; with ``size=1`` it tells the writable bytes too."""
    told = _read(reply, replies.ContainerDetail)
    labels = told.config.labels or {}
    number = labels.get(compose_labels.NUMBER, "")
    health = told.state.health.status if told.state.health else ""
    return Container(
        container_id=told.id,
        name=told.name.removeprefix("/"),
        image_id=told.image,
        image_reference=told.config.image,
        project=labels.get(compose_labels.PROJECT, ""),
        service=labels.get(compose_labels.SERVICE, ""),
        number=told_count(number) or 0,
        one_off=labels.get(compose_labels.ONE_OFF, "").lower() == "true",
        state=told.state.status,
        health=health or "none",
        health_said=_health_said(told.state.health),
        exit_code=told.state.exit_code if told.state.status in {"exited", "dead"} else None,
        restart_count=told.restart_count,
        oom_killed=told.state.oom_killed,
        labels=labels,
        writable_bytes=told.size_rw,
        published=_published(told),
        log_path=told.log_path,
        manifest_digest=told.manifest.digest if told.manifest else "",
        ended_s=_seconds(told.state.finished_at),
        binds=tuple(sorted(mount.source for mount in told.mounts or () if mount.type == "bind" and mount.source)),
        volumes=tuple(sorted({each.name for each in told.mounts or () if each.type == "volume" and each.name})),
        joined=_joined(told.host_config),
        networks=tuple(sorted(told.network_settings.networks or ())),
        created_s=_seconds(told.created) or 0.0,
        started_s=_seconds(told.state.started_at) or 0.0,
    )


def _joined(config: replies.HostConfig) -> tuple[tuple[str, str], ...]:
    """Return the containers whose namespaces or volumes a container has."""
    modes = (("network", config.network_mode), ("pid", config.pid_mode), ("ipc", config.ipc_mode))
    shared = [(kind, mode.partition("container:")[2]) for kind, mode in modes]
    shared += [("volumes", source.partition(":")[0]) for source in config.volumes_from or ()]
    return tuple((kind, owner) for kind, owner in shared if owner)


def _health_said(health: replies.HealthState | None) -> str:
    """Return the last line that the healthcheck printed when it failed; empty when it printed nothing."""
    failed = [each for each in (health.log or () if health else ()) if each.exit_code]
    lines = failed[-1].output.split("\n") if failed else []
    return next((line.strip()[:_LONGEST_SAID] for line in reversed(lines) if line.strip()), "")


def container_ids(reply: Json) -> list[str]:
    """Return the ids in ``GET /containers/json``."""
    return [summary.id for summary in _read(reply, list[replies.ContainerSummary])]


def pods(reply: Json) -> dict[str, str]:
    """Return the pod of each container that is in one, by its id."""
    return {each.id: each.pod for each in _read(reply, list[replies.PodMember]) if each.pod}


class Reach(Struct, frozen=True):
    """How a container is reached: its address, its first process, and the container whose network it shares."""

    address: str
    process_id: int
    shares: str


def reach(reply: Json) -> Reach:
    """Read from ``GET /containers/ID/json`` how the container is reached."""
    told = _read(reply, replies.ContainerDetail)
    return Reach(
        address=_address(told),
        process_id=told.state.pid,
        shares=told.host_config.network_mode.partition("container:")[2],
    )


def bridged_address(reply: Json, container_id: str) -> str:
    """Read from ``GET /networks/NAME`` which address a container has there; empty where it has none."""
    found = (_read(reply, replies.NetworkDetail).containers or {}).get(container_id)
    return found.ipv4_address.partition("/")[0] if found else ""


def cache(reply: Json, image_store: str = "") -> tuple[CacheRecord, ...]:
    """Read the build cache of ``GET /system/df``.

    In containerd the engine calls a record shared when an image has its layer, or the one below it; yet its bytes are
    its own. Only what a base brought lies there once. Source: measured with Docker 26.1 and 28.5.
    """
    return tuple(
        CacheRecord(
            record_id=item.id,
            kind=item.type,
            description=item.description,
            size_bytes=item.size,
            in_use=item.in_use,
            shared=item.shared and (image_store != CONTAINERD or _is_base(item)),
            parents=item.parents,
            created_s=_seconds(item.created_at) or 0.0,
            last_used_s=_seconds(item.last_used_at),
        )
        for item in _read(reply, replies.Usages).build_cache
    )


def _is_base(item: replies.CacheItem) -> bool:
    return not item.parents and (not item.description or item.description.startswith("pulled from "))


def clock_s(told: replies.Info) -> float | None:
    """Return what the engine's clock shows, in seconds since the epoch; None where it does not tell."""
    return _seconds(told.system_time)


def pulled(lines: str) -> tuple[str, ...]:
    """Read the events of pulls."""
    written = [line.encode(errors="replace") for line in lines.splitlines() if line.strip()]
    events = [msgspec.json.decode(line, type=learned(replies.EngineEvent)) for line in written]
    named = (each.actor.id or (each.actor.attributes or {}).get("name", "") for each in events)
    return tuple(name for name in named if name)


def volumes(listed: Json, containers: Json, usages: Json | None = None) -> tuple[Volume, ...]:
    """Return the volumes."""
    summaries = _read(containers, list[replies.ContainerSummary])
    mounted = {mount.name for summary in summaries for mount in summary.mounts or () if mount.type == "volume"}
    measured = _read(usages, replies.Usages).volumes if usages is not None else []
    sizes = {each.name: size for each in measured if (size := (each.usage or {}).get("Size", -1)) >= 0}
    return tuple(
        Volume(
            name=item.name,
            driver=item.driver,
            options=item.options or {},
            project=(item.labels or {}).get(compose_labels.PROJECT, ""),
            size_bytes=sizes.get(item.name),
            in_use=item.name in mounted,
        )
        for item in _read(listed, replies.Usages).volumes
    )


def networks(reply: Json) -> tuple[Network, ...]:
    """Read ``GET /networks``."""
    return tuple(
        Network(
            name=each.name,
            network_id=each.id,
            driver=each.driver,
            options=each.options or {},
            labels=each.labels or {},
            internal=each.internal,
            attachable=each.attachable,
            ipv6=each.ipv6,
            subnets=tuple(Subnet(subnet=part.subnet, gateway=part.gateway) for part in each.ipam.config or ()),
        )
        for each in _read(reply, list[replies.NetworkSummary])
    )


def _seconds(text: str | None) -> float | None:
    """Return a moment in seconds since the epoch; None for none, which the engine writes as the year 1."""
    with contextlib.suppress(msgspec.ValidationError, OverflowError, UnicodeEncodeError):
        moment = msgspec.convert(text or "", learned(dt.datetime))
        return moment.timestamp() if moment.year > 1 else None
    return None


def _names(told: list[str] | None) -> tuple[str, ...]:
    """Return names or digests without the ``<none>`` that older engines write for none."""
    return tuple(sorted(name for name in told or () if _NONE not in name))


def _address(told: replies.ContainerDetail) -> str:
    """Return where the container answers: its own address, or the machine's when it has no network of its own."""
    if told.host_config.network_mode == "host":
        return "127.0.0.1"
    networks = sorted((told.network_settings.networks or {}).items())
    return next((found for _, end in networks if end and (found := end.ip_address or end.ipv6_address)), "")


def _published(told: replies.ContainerDetail) -> tuple[tuple[str, int, str], ...]:
    """Return the ports of the machine that a container holds; one binding for each address family is one port."""
    ports = (told.network_settings.ports if told.network_settings else None) or {}
    found = {
        ("" if binding.host_ip in _ANY_ADDRESS else binding.host_ip, number, key.partition("/")[2])
        for key, bindings in ports.items()
        for binding in bindings or ()
        if (number := told_count(binding.host_port)) is not None
    }
    return tuple(sorted(found))
