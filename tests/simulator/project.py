"""The project file that Compose is given, read as far as the simulator acts on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.simulator.recipe import Check, digest_of

from tonnage.errors import StepFailedError
from tonnage.model.compose_labels import PROJECT
from tonnage.model.deploy.image_names import image_in
from tonnage.model.network import Network
from tonnage.units import parse_seconds

if TYPE_CHECKING:
    from tonnage.model.stack import ComposeMapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one service's containers should be.

    ``check`` is the service's own healthcheck; ``image_check`` says whether the image's own holds instead.
    """

    image: str
    container_name: str
    replicas: int
    restart: str
    labels: dict[str, str]
    host_ports: tuple[str, ...]
    volumes: tuple[str, ...]
    anonymous_volumes: int
    check: Check | None
    image_check: bool
    config_hash: str
    joined: tuple[tuple[str, str], ...]
    networks: tuple[Network, ...]


def read_project(project: str, service: str, definition: ComposeMapping) -> Wanted:
    """Read one service of a project file.

    Raises:
        StepFailedError: There is no such service in it.
    """
    config: dict[str, Any] | None = definition.get("services", {}).get(service)
    if config is None:
        raise StepFailedError(f"no such service: {service}")
    deploy: dict[str, Any] = config.get("deploy") or {}
    sources = [_source(mount) for mount in config.get("volumes") or ()]
    top: dict[str, Any] = definition.get("volumes") or {}
    hashed = {key: value for key, value in config.items() if key not in {"scale", "deploy", "depends_on", "build"}}
    healthcheck: dict[str, Any] = config.get("healthcheck") or {}
    switched_off = bool(healthcheck.get("disable")) or healthcheck.get("test") == ["NONE"]
    return Wanted(
        image=image_in(definition, service),
        container_name=config.get("container_name", ""),
        replicas=int(config.get("scale", deploy.get("replicas", 1))),
        restart=str(config.get("restart", "no")),
        labels=_labels(config.get("labels") or {}),
        host_ports=tuple(port for port in (_published(port) for port in config.get("ports") or ()) if port),
        volumes=tuple((top.get(source) or {}).get("name") or f"{project}_{source}" for source in sources if source),
        anonymous_volumes=sources.count(""),
        check=_check(healthcheck) if healthcheck and not switched_off else None,
        image_check=not healthcheck,
        config_hash=digest_of(json.dumps(hashed, sort_keys=True)),
        joined=tuple(
            (key.removesuffix("_mode"), mode.partition(":")[2])
            for key in ("network_mode", "pid", "ipc")
            if (mode := str(config.get(key, ""))).startswith("service:")
        ),
        networks=tuple(_network(project, key, definition) for key in config.get("networks") or ()),
    )


def _network(project: str, key: str, definition: ComposeMapping) -> Network:
    written = (definition.get("networks") or {}).get(key) or {}
    name = str(written.get("name") or f"{project}_{key}")
    options = {name: str(value) for name, value in (written.get("driver_opts") or {}).items()}
    return Network(
        name=name,
        network_id=digest_of(name),
        driver=written.get("driver") or "bridge",
        options=options,
        labels={PROJECT: project},
    )


def _labels(labels: dict[str, Any] | list[str]) -> dict[str, str]:
    if isinstance(labels, dict):
        return {key: str(value) for key, value in labels.items()}
    return dict(label.split("=", 1) for label in labels)


def _published(port: str | dict[str, Any]) -> str:
    """Return the host port with its protocol, or nothing for any free port."""
    if isinstance(port, dict):
        published, protocol = str(port.get("published") or ""), port.get("protocol", "tcp")
    else:
        text, _, protocol = str(port).partition("/")
        parts = text.split(":")
        published = parts[-2] if len(parts) > 1 else ""
    return f"{published}/{protocol or 'tcp'}" if published else ""


def _source(mount: str | dict[str, Any]) -> str | None:
    """Return the name of a volume, nothing for an anonymous one, None for what is no volume."""
    if isinstance(mount, dict):
        return str(mount.get("source") or "") if mount.get("type") == "volume" else None
    source, colon, _ = mount.partition(":")
    if not colon:
        return ""
    return None if source.startswith((".", "/", "~")) else source


def _check(healthcheck: dict[str, Any]) -> Check:
    return Check(
        interval_s=_seconds(healthcheck.get("interval", "30s")),
        retries=int(healthcheck.get("retries", 3)),
        start_period_s=_seconds(healthcheck.get("start_period", "0s")),
    )


def _seconds(text: str) -> float:
    return parse_seconds(text)
