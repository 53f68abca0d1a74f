"""A project in the form that Compose 1 understands: what means the same is rewritten, the rest is refused by name.

Compose 1.29.2 is what Debian installs. Left alone, it would start services without what it does not know of: without
their configs, without external secrets, with one of several addresses of a host.

Source: the schema and the sources of docker-compose 1.29.2 (``config/compose_spec.json``, ``project.py``).
"""

from __future__ import annotations

import math
import posixpath
from pathlib import Path
from typing import Any

from tonnage.errors import EngineLacksError
from tonnage.model.deploy.image_names import image_in
from tonnage.sources.compose.quantities import nanoseconds_of

Mapping = dict[str, Any]

INSTALL_COMPOSE_2 = """\
Install Compose 2, whichever your distribution has:
  apt-get install -y docker-compose-v2
  apt-get install -y docker-compose-plugin"""

_SERVICE = frozenset({
    "blkio_config", "cap_add", "cap_drop", "cgroup_parent", "command", "container_name", "cpu_count", "cpu_percent",
    "cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime", "cpu_shares", "cpus", "cpuset", "credential_spec",
    "depends_on", "deploy", "device_cgroup_rules", "devices", "dns", "dns_opt", "dns_search", "domainname",
    "entrypoint", "env_file", "environment", "expose", "external_links", "extra_hosts", "group_add", "healthcheck",
    "hostname", "image", "init", "ipc", "isolation", "labels", "links", "logging", "mac_address", "mem_limit",
    "mem_reservation", "mem_swappiness", "memswap_limit", "network_mode", "networks", "oom_kill_disable",
    "oom_score_adj", "pid", "pids_limit", "platform", "ports", "privileged", "pull_policy", "read_only", "restart",
    "runtime", "scale", "secrets", "security_opt", "shm_size", "stdin_open", "stop_grace_period", "stop_signal",
    "storage_opt", "sysctls", "tmpfs", "tty", "ulimits", "user", "userns_mode", "volumes", "volumes_from",
    "working_dir",
})  # fmt: skip
_VOLUME = frozenset({"driver", "driver_opts", "external", "labels", "name"})
_NETWORK = _VOLUME | {"attachable", "enable_ipv6", "internal", "ipam"}


def rewrite(project: Mapping) -> None:
    """Rewrite a project for Compose 1, in place.

    Raises:
        EngineLacksError: It uses what only Compose 2 can do; the message names every such key.
    """
    lacks: list[str] = []
    name = project.pop("name", "")
    secrets, configs = project.pop("secrets", None) or {}, project.pop("configs", None) or {}
    used: Mapping = {}
    owners = {
        each["container_name"]: service
        for service, each in (project.get("services") or {}).items()
        if each.get("container_name")
    }
    for service, config in (project.get("services") or {}).items():
        where = f"services.{service}"
        if config.pop("build", None):
            # It would give what is built another name.
            config.setdefault("image", image_in({"name": name, "services": project["services"]}, service))
        # It never pulls what is there, but counts this to the configuration.
        config.pop("pull_policy", None)
        lacks += rewrite_service(where, config, project, owners)
        lacks += rewrite_mounts(where, config)
        for secret in config.get("secrets") or ():
            used[secret["source"]] = secrets.get(secret["source"]) or {}
        lacks += _configs(config, configs)
        lacks += _unknown(where, config, _SERVICE)
    for key, secret in used.items():
        lacks += _not_from_a_file("secrets", key, secret)
    if used:
        project["secrets"] = used
    for section, known in (("networks", _NETWORK), ("volumes", _VOLUME)):
        for key, resource in (project.get(section) or {}).items():
            lacks += _unknown(f"{section}.{key}", resource, known)
            if (resource or {}).get("name") == f"{name}_{key}" and not resource.get("external"):
                # It is the name that it gets anyway. Written out, it would become the label by which Compose 2 knows a
                # network or volume of its own again, and Compose 2 would refuse a network with another label.
                del resource["name"]
    if lacks:
        raise EngineLacksError(
            "this stack needs Compose 2, but only Compose 1 was found",
            why="\n".join(("Only Compose 2 can do what these say:", *dict.fromkeys(lacks))),
            todo=INSTALL_COMPOSE_2,
        )


def _unknown(where: str, written: Mapping | None, known: frozenset[str]) -> list[str]:
    """Return what Compose 1 does not know in a mapping."""
    return [f"{where}.{key}" for key in written or {} if key not in known and not key.startswith("x-")]


def _configs(config: Mapping, configs: Mapping) -> list[str]:
    """Mount the files of configs, which Compose 1 would leave out."""
    lacks = []
    for wanted in config.pop("configs", None) or ():
        found = configs.get(wanted["source"]) or {}
        lacks += _not_from_a_file("configs", wanted["source"], found)
        target = posixpath.join("/", wanted.get("target") or wanted["source"])
        mount = {"type": "bind", "source": found.get("file"), "target": target, "read_only": True}
        config.setdefault("volumes", []).append(mount)
    return lacks


def _not_from_a_file(section: str, name: str, resource: Mapping) -> list[str]:
    if resource.get("file"):
        return []
    told = [key for key in ("environment", "content", "external") if resource.get(key)]
    return [f"{section}.{name}.{told[0]}" if told else f"{section}.{name}"]


_KINDS = frozenset({"bind", "volume", "tmpfs", "npipe"})
_OPTIONS = {"bind": frozenset({"propagation"}), "volume": frozenset({"nocopy"}), "tmpfs": frozenset({"size"})}


def rewrite_mounts(where: str, config: Mapping) -> list[str]:
    """Rewrite the mounts of one service, in place."""
    lacks: list[str] = []
    kept: list[Mapping | str] = []
    for mount in config.get("volumes") or ():
        if not isinstance(mount, dict):
            kept.append(mount)
            continue
        rewritten = _mount(mount)
        if mount["type"] == "tmpfs" and isinstance(rewritten, str):
            tmpfs = config.get("tmpfs") or []
            config["tmpfs"] = [*([tmpfs] if isinstance(tmpfs, str) else tmpfs), rewritten]
            continue
        kept.append(rewritten)
        if isinstance(rewritten, dict):
            lacks += [f"{where}.volumes: {lack} of {mount.get('target')}" for lack in _lacks(rewritten)]
    if kept:
        config["volumes"] = kept
    else:
        config.pop("volumes", None)
    return lacks


def _mount(mount: Mapping) -> Mapping | str:
    kind = mount["type"]
    options = {key: value for key, value in (mount.get(kind) or {}).items() if value not in (None, "", False)}
    if kind == "bind":
        creates, selinux = options.pop("create_host_path", False), options.pop("selinux", "")
        if options.get("recursive") == "enabled":
            del options["recursive"]
        # Only the short form creates the directory, and only it has labels of SELinux.
        if (creates or selinux) and ":" not in mount["source"] and set(options) <= {"propagation"}:
            mode = ["ro"] if mount.get("read_only") else []
            mode += [word for word in (options.get("propagation"), selinux) if word]
            return ":".join([mount["source"], mount["target"], *([",".join(mode)] if mode else [])])
        if selinux:
            options["selinux"] = selinux
    # In the long form a container that is recreated keeps the volume that it had at this place, whatever is written.
    # Source: ``get_container_data_volumes`` in ``compose/service.py`` of Compose 1.29.
    named = kind == "volume" and mount.get("source") and ":" not in f"{mount['source']}{mount['target']}"
    if named and set(options) <= {"nocopy"}:
        mode = [*(["ro"] if mount.get("read_only") else []), *options]
        return ":".join([mount["source"], mount["target"], *([",".join(mode)] if mode else [])])
    if kind == "tmpfs":
        if "mode" in options and set(options) <= {"size", "mode"}:
            mode = options["mode"]
            written = [f"mode={mode if isinstance(mode, str) else format(mode, 'o')}"]
            written += [f"size={options['size']}"] if "size" in options else []
            written += ["ro"] if mount.get("read_only") else []
            return f"{mount['target']}:{','.join(written)}"
        if "size" in options:
            options["size"] = int(options["size"])
    rest = {key: value for key, value in mount.items() if key != kind and value is not None}
    return {**rest, kind: options} if options else rest


def _lacks(mount: Mapping) -> list[str]:
    kind = mount["type"]
    if kind not in _KINDS:
        return [f"the type {kind}"]
    return [key for key in mount.get(kind) or {} if key not in _OPTIONS.get(kind, frozenset())]


_WITHOUT_MEANING = ("attach", "develop", "label_file")
_IN_NETWORK = frozenset({"aliases", "ipv4_address", "ipv6_address", "link_local_ips", "priority"})
_WHOLE_NUMBERS = ("cpu_count", "mem_swappiness", "oom_score_adj", "pids_limit")
_RESTART = {"none": "no", "any": "always", "": "always"}


def rewrite_service(where: str, config: Mapping, project: Mapping, owners: Mapping) -> list[str]:
    """Rewrite one service, in place, and return what only Compose 2 can do.

    Args:
        owners: The services by the names of their containers.

    Returns:
        What Compose 1 cannot do of it.
    """
    for key in [key for key, value in config.items() if value is None or key in _WITHOUT_MEANING]:
        del config[key]
    _deploy(config)
    _dependencies(config, project)
    _containers_of_services(config, owners)
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
        config["stop_grace_period"] = f"{math.ceil((nanoseconds_of(config['stop_grace_period']) or 0) / 1e9)}s"
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


def _containers_of_services(config: Mapping, owners: Mapping) -> None:
    """Name services where their containers are named: Compose 1 reads nothing while one of all these is not there."""
    for key in ("network_mode", "pid", "ipc"):
        kind, _, name = str(config.get(key) or "").partition(":")
        if kind == "container" and name in owners:
            config[key] = f"service:{owners[name]}"
    for number, source in enumerate(config.get("volumes_from") or ()):
        kind, _, rest = source.partition(":")
        name, _, mode = rest.partition(":")
        if kind == "container" and name in owners:
            config["volumes_from"][number] = f"{owners[name]}:{mode or 'rw'}"


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
            source = device.get("source") or ""
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
