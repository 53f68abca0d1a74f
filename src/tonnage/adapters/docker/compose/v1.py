"""A project in the form that Compose 1 understands: what means the same is rewritten, the rest is refused by name.

Compose 1.29.2 is what Debian installs. Left alone, it would start services without what it does not know of: without
their configs, without external secrets, with one of several addresses of a host.

Source: the schema and the sources of docker-compose 1.29.2 (``config/compose_spec.json``, ``project.py``).
"""

from __future__ import annotations

from typing import Any

from tonnage.adapters.docker.compose.v1_mounts import rewrite_mounts
from tonnage.adapters.docker.compose.v1_service import rewrite_service
from tonnage.errors import EngineLacksError

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
    for service, config in (project.get("services") or {}).items():
        where = f"services.{service}"
        lacks += rewrite_service(where, config, project)
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
            why="Only Compose 2 can do what these say:\n" + "\n".join(f"  {lack}" for lack in dict.fromkeys(lacks)),
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
        mount = {"type": "bind", "source": found.get("file"), "target": wanted["target"], "read_only": True}
        config.setdefault("volumes", []).append(mount)
    return lacks


def _not_from_a_file(section: str, name: str, resource: Mapping) -> list[str]:
    if resource.get("file"):
        return []
    told = [key for key in ("environment", "content", "external") if resource.get(key)]
    return [f"{section}.{name}.{told[0]}" if told else f"{section}.{name}"]
