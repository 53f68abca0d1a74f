"""One service in the form that Compose 1 understands, its mounts left out: those have a module of their own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from tonnage.units import parse_seconds

Mapping = dict[str, Any]

_WITHOUT_MEANING = ("attach", "develop")
_IN_NETWORK = frozenset({"aliases", "ipv4_address", "ipv6_address", "link_local_ips", "priority"})
_WHOLE_NUMBERS = ("cpu_count", "mem_swappiness", "oom_score_adj", "pids_limit")
_RESTART = {"none": "no", "any": "always", "": "always"}


def rewrite_service(where: str, config: Mapping, project: Mapping) -> list[str]:
    """Rewrite one service, in place."""
    for key in [key for key, value in config.items() if value is None or key in _WITHOUT_MEANING]:
        del config[key]
    _deploy(config)
    _dependencies(config, project)
    health = config.get("healthcheck")
    if isinstance(health, dict):
        # Compose 1 knows one interval only; the first check just comes later.
        health.pop("start_interval", None)
    if isinstance(config.get("ports"), list):
        config["ports"] = [_port(entry) if isinstance(entry, dict) else entry for entry in config["ports"]]
    if isinstance(config.get("env_file"), list):
        config["env_file"] = _env_files(config["env_file"])
    for secret in config.get("secrets") or ():
        for key in ("uid", "gid", "mode"):
            # Neither generation gives a mounted file another owner or mode.
            secret.pop(key, None)
    for key in _WHOLE_NUMBERS:
        if key in config:
            config[key] = int(config[key])
    if "stop_grace_period" in config:
        # Compose 1 hands a fraction to the engine, which takes whole seconds only; Compose 2 rounds up.
        config["stop_grace_period"] = f"{math.ceil(parse_seconds(config['stop_grace_period']))}s"
    return [*_networks(where, config), *_hosts(where, config), *_devices(where, config)]


def _deploy(config: Mapping) -> None:
    """Write what ``deploy`` says at the level of the service, where Compose 1 takes it from, and leave the rest out."""
    deploy = config.pop("deploy", None) or {}
    resources = deploy.get("resources") or {}
    limits, reserved = resources.get("limits") or {}, resources.get("reservations") or {}
    for key, found in (
        ("mem_limit", limits.get("memory")),
        ("pids_limit", limits.get("pids")),
        ("cpus", limits.get("cpus")),
        ("mem_reservation", reserved.get("memory")),
    ):
        if found:
            config[key] = found
    if "cpus" in config:
        config["cpus"] = float(config["cpus"])
    policy = deploy.get("restart_policy")
    if policy is not None:
        condition, attempts = policy.get("condition") or "", policy.get("max_attempts")
        config["restart"] = f"{_RESTART.get(condition, condition)}{f':{attempts}' if attempts else ''}"
    if deploy.get("replicas") is not None:
        config.setdefault("scale", int(deploy["replicas"]))
    devices = [*(reserved.get("devices") or ()), *_gpus(config)]
    if devices:
        # A reservation without memory would take away that of the service.
        memory = {"memory": str(config["mem_reservation"])} if "mem_reservation" in config else {}
        config["deploy"] = {"resources": {"reservations": {"devices": devices, **memory}}}


def _gpus(config: Mapping) -> list[Mapping]:
    """Return ``gpus`` as the device reservations that they stand for."""
    gpus = config.pop("gpus", None) or []
    wanted: list[Mapping] = [{"count": -1}] if gpus == "all" else [dict(each) for each in gpus]
    for each in wanted:
        each.setdefault("capabilities", ["gpu"])
        if each.get("count") == "all":
            each["count"] = -1
    return wanted


def _dependencies(config: Mapping, project: Mapping) -> None:
    depends = config.get("depends_on")
    if isinstance(depends, dict):
        # One that is not required need not be there; Compose 1 would not have that.
        config["depends_on"] = {
            name: {"condition": (how or {}).get("condition", "service_started")}
            for name, how in depends.items()
            if name in project["services"]
        }


def _networks(where: str, config: Mapping) -> list[str]:
    networks = config.get("networks")
    if not isinstance(networks, dict):
        return []
    lacks = []
    for name, network in networks.items():
        if network and len(networks) == 1 and "mac_address" in network:
            config.setdefault("mac_address", network.pop("mac_address"))
        lacks += [f"{where}.networks.{name}.{key}" for key in network or {} if key not in _IN_NETWORK]
    return lacks


def _hosts(where: str, config: Mapping) -> list[str]:
    """Write hosts with a colon; Compose 1 keeps one address for each."""
    hosts = config.get("extra_hosts")
    if not isinstance(hosts, list):
        return []
    config["extra_hosts"] = [entry.replace("=", ":", 1) for entry in hosts]
    names = [entry.partition(":")[0] for entry in config["extra_hosts"]]
    return [f"{where}.extra_hosts: several addresses of {name}" for name in names if names.count(name) > 1]


def _devices(where: str, config: Mapping) -> list[str]:
    """Write devices in the short form."""
    lacks, short = [], []
    for device in config.get("devices") or ():
        if isinstance(device, dict):
            source = device["source"]
            if not source.startswith("/"):
                lacks.append(f"{where}.devices: {source}")
            device = f"{source}:{device.get('target') or source}:{device.get('permissions') or 'rwm'}"  # noqa: PLW2901
        short.append(device)
    if short:
        config["devices"] = short
    return lacks


def _port(port: Mapping) -> str:
    """Write a port in the short form, the only one in which Compose 1 knows an address of the host."""
    published = str(port.get("published") or "")
    address = str(port.get("host_ip") or "")
    shown = f"[{address}]" if ":" in address else address
    before = f"{shown}:{published}:" if shown else f"{published}:" if published else ""
    return f"{before}{port['target']}/{port.get('protocol') or 'tcp'}"


def _env_files(files: list[Any]) -> list[str]:
    """Write environment files as paths; one that is not required and not there is left out."""
    paths = []
    for entry in files:
        if isinstance(entry, str):
            paths.append(entry)
        elif entry.get("required", True) or Path(entry["path"]).is_file():
            paths.append(entry["path"])
    return paths
