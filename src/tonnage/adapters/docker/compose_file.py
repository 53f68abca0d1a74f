"""The project file as one generation of Compose accepts it: what differs between the two is settled here.

Compose 1.29.2 is what Debian installs. It knows an older form of the specification; what has the same meaning in
both is rewritten, what only the second can do is left in, and Compose 1 itself refuses it by name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Mapping = dict[str, Any]

_ONLY_COMPOSE_2 = ("attach", "develop", "annotations")
_FIXED_ADDRESSES = ("aliases", "ipv4_address", "ipv6_address", "mac_address", "link_local_ips")


def for_switch(project_json: str, generation: int) -> str:
    """Return the file for ``up``.

    Args:
        project_json: The whole resolved project; every ``$`` doubled.
        generation: 1 or 2.
    """
    return _written(json.loads(project_json), generation)


def for_beside(project_json: str, service: str, generation: int) -> str:
    """Return the file for one further container of a service, which must be in nobody's way.

    It gets no host ports, no alias, no fixed address or name, and no restart policy: a version that cannot live is to
    be seen dead, not started again and again.

    Args:
        project_json: The whole resolved project; every ``$`` doubled.
        service: The service.
        generation: 1 or 2.
    """
    project = json.loads(project_json)
    config = project["services"][service]
    for key in ("ports", "container_name", "mac_address"):
        config.pop(key, None)
    config["restart"] = "no"
    deploy = config.get("deploy")
    if isinstance(deploy, dict):
        deploy.pop("restart_policy", None)
    networks = config.get("networks")
    if isinstance(networks, dict):
        for name, network in networks.items():
            if network:
                networks[name] = {key: value for key, value in network.items() if key not in _FIXED_ADDRESSES} or None
    return _written(project, generation)


def _written(project: Mapping, generation: int) -> str:
    for config in project.get("services", {}).values():
        # Whoever wrote the project has chosen its services; building and pulling are steps of their own.
        config.pop("profiles", None)
        config.pop("build", None)
        config["pull_policy"] = "never"
    if generation == 1:
        project.pop("name", None)
        for config in project.get("services", {}).values():
            _first_generation(config)
    return json.dumps(project, sort_keys=True, separators=(",", ":"))


def _first_generation(config: Mapping) -> None:
    """Rewrite one service, in place."""
    for key in [key for key, value in config.items() if value is None or key in _ONLY_COMPOSE_2]:
        del config[key]
    _gpus(config)
    health = config.get("healthcheck")
    if isinstance(health, dict):
        # Compose 1 knows one interval only; the first check just comes later.
        health.pop("start_interval", None)
    depends = config.get("depends_on")
    if isinstance(depends, dict):
        config["depends_on"] = {
            name: {"condition": (how or {}).get("condition", "service_started")} for name, how in depends.items()
        }
    for key, rewrite in (("ports", _port), ("volumes", _volume)):
        if isinstance(config.get(key), list):
            config[key] = [rewrite(entry) if isinstance(entry, dict) else entry for entry in config[key]]
    hosts = config.get("extra_hosts")
    if isinstance(hosts, list):
        config["extra_hosts"] = [entry.replace("=", ":", 1) for entry in hosts]
    files = config.get("env_file")
    if isinstance(files, list):
        config["env_file"] = _env_files(files)


def _gpus(config: Mapping) -> None:
    """Write ``gpus`` as the device reservation that it stands for."""
    gpus = config.pop("gpus", None)
    if not gpus:
        return
    wanted: list[Mapping] = [{"count": -1}] if gpus == "all" else [dict(each) for each in gpus]
    for each in wanted:
        each.setdefault("capabilities", ["gpu"])
        if each.get("count") == "all":
            each["count"] = -1
    deploy = config["deploy"] = config.get("deploy") or {}
    reservations = deploy.setdefault("resources", {}).setdefault("reservations", {})
    reservations["devices"] = [*reservations.get("devices", []), *wanted]


def _port(port: Mapping) -> str:
    """Write a port in the short form, the only one in which Compose 1 knows an address of the host."""
    published = str(port.get("published") or "")
    address = str(port.get("host_ip") or "")
    shown = f"[{address}]" if ":" in address else address
    before = f"{shown}:{published}:" if shown else f"{published}:" if published else ""
    return f"{before}{port['target']}/{port.get('protocol') or 'tcp'}"


def _volume(volume: Mapping) -> Mapping | str:
    """Take away what is the default anyway, and write SELinux labels in the short form, the only one that has them."""
    bind = volume.get("bind")
    if not isinstance(bind, dict):
        return volume
    if bind.get("selinux"):
        mode = ",".join(part for part in ("ro" if volume.get("read_only") else "", bind["selinux"]) if part)
        return f"{volume['source']}:{volume['target']}:{mode}"
    kept = {key: value for key, value in bind.items() if key != "create_host_path"}
    rest = {key: value for key, value in volume.items() if key != "bind"}
    return {**rest, "bind": kept} if kept else rest


def _env_files(files: list[Any]) -> list[str]:
    """Write environment files as paths; one that is not required and not there is left out."""
    paths = []
    for entry in files:
        if isinstance(entry, str):
            paths.append(entry)
        elif entry.get("required", True) or Path(entry["path"]).is_file():
            paths.append(entry["path"])
    return paths
