"""The project file as one generation of Compose accepts it: what differs between the two is settled here.

The second generation is given the project as it was resolved; what the first needs is in
:mod:`tonnage.adapters.docker.compose.v1`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tonnage.adapters.docker.compose import v1 as compose_one
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.stack import ComposeMapping

_ESCAPED = regex("[\x7f-\uffff]")
_JOINED = ("network_mode", "pid", "ipc")
_FIXED_ADDRESSES = ("aliases", "ipv4_address", "ipv6_address", "mac_address", "link_local_ips")


def for_switch(project: ComposeMapping, generation: int) -> str:
    """Return the file for ``up``.

    Raises:
        EngineLacksError: Only the second generation can do what the project asks for.
    """
    return _written(_doubled(project), generation)


def for_start_first(project: ComposeMapping, service: str, generation: int) -> str:
    """Return the file for one further container of a service, which must be in nobody's way.

    It gets no host ports, no alias, no fixed address, hostname or name, and no restart policy: a version that cannot
    live is to be seen dead, not started again and again.

    Raises:
        EngineLacksError: Only the second generation can do what the project asks for.
    """
    project = _doubled(project)
    config = project["services"][service]
    # Engines from 25 on know a container by its hostname, too.
    for key in ("build", "ports", "container_name", "mac_address", "hostname", "domainname"):
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


def for_hashes(project: ComposeMapping, generation: int, joined: Mapping[str, str]) -> str:
    """Return the file by which Compose tells what it counts of each service.

    The second generation counts the container that a service joins, not the service that is written.

    Raises:
        EngineLacksError: Only the second generation can do what the project asks for.
    """
    project = _doubled(project)
    for config in project["services"].values() if generation > 1 else ():
        for key in _JOINED:
            kind, _, name = str(config.get(key) or "").partition(":")
            if kind == "service" and name in joined:
                config[key] = f"container:{joined[name]}"
    return _written(project, generation)


def is_told(config: ComposeMapping) -> bool:
    """Return whether a file can say what Compose counts of a service: not of what it mounts from others.

    Nor where its labels come from: that counts when it is started, and not when Compose is asked what counts.
    """
    return not config.get("volumes_from") and not config.get("label_file")


def with_values(project: ComposeMapping, values: Mapping[str, str]) -> tuple[ComposeMapping, dict[str, str]]:
    """Return a project whose secrets and configs take their content from variables of our own, and these variables."""
    given: dict[str, str] = {}
    changed = dict(project)
    for section in ("secrets", "configs"):
        entries = dict(project.get(section) or {})
        for key, entry in entries.items():
            value = values.get(str((entry or {}).get("environment") or ""))
            if value is not None:
                name = f"TONNAGE_VALUE_{len(given)}"
                given[name] = value
                entries[key] = {**entry, "environment": name}
        if entries:
            changed[section] = entries
    return changed, given


def _doubled(value: Any) -> Any:  # noqa: ANN401 - whatever JSON may hold
    """Return a copy in which every ``$`` is doubled, so that Compose substitutes nothing again."""
    match value:
        case str():
            return value.replace("$", "$$")
        case dict():
            return {key: _doubled(item) for key, item in value.items()}
        case list() | tuple():
            return [_doubled(item) for item in value]
        case _:
            return value


def _written(project: ComposeMapping, generation: int) -> str:
    for config in project.get("services", {}).values():
        # Whoever wrote the project has chosen its services; pulling is a step of its own.
        config.pop("profiles", None)
        config["pull_policy"] = "never"
        # The labels themselves are written out; a file of an earlier version may be gone.
        if not all(Path(path).is_file() for path in config.get("label_file") or ()):
            del config["label_file"]
    if generation == 1:
        compose_one.rewrite(project)
    text = json.dumps(project, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # YAML reads an escaped pair of surrogates as two wrong characters; others may not stand there as themselves.
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
