"""The merged tree to the canonical form: what ``docker compose config --format json`` prints.

Profiles are applied here, defaults are filled in, files of variables are read into ``environment``. Nothing is left to
choose. A dollar sign stands for itself: it is not doubled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tonnage.errors import UsageError
from tonnage.small_files import VARIABLES
from tonnage.sources.compose.file_selection import kind_of, read_text
from tonnage.sources.compose.nodes import mapping_at, place_of, plain
from tonnage.sources.compose.variables import read_dotenv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.sources.compose.files import Files
    from tonnage.sources.compose.loading import Loaded
    from tonnage.sources.compose.nodes import ComposeNode

Canonical = dict[str, Any]

_SECTIONS = ("networks", "volumes", "secrets", "configs")
_NOT_TOLD = ("extends", "pull_refresh_after")
_SIZES = {"mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit", "shm_size"}
_NESTED = {"blkio_config", "credential_spec", "deploy", "develop", "healthcheck", "logging"}


def canonical(loaded: Loaded, *, profiles: Sequence[str]) -> Canonical:
    """Return the canonical form of a stack.

    Raises:
        UsageError: A file of variables or labels is missing or wrong.
    """
    services: Canonical = {}
    for name, written in mapping_at(loaded.tree, "services").items():
        if hidden_by(written, profiles):
            continue
        services[name] = _service(written, loaded)
    result: Canonical = {"name": loaded.name, "services": services}
    result |= {key: value for key, value in plain(loaded.tree).items() if key.startswith("x-")}
    used = _used(services)
    for section in _SECTIONS:
        defined = mapping_at(loaded.tree, section)
        names = [name for name in defined if name in used[section]]
        if section == "networks" and "default" in used[section] and "default" not in names:
            names.append("default")
        if names:
            result[section] = {
                name: _resource(name, plain(defined[name]) if name in defined else None, loaded.name) for name in names
            }
    return result


def hidden_by(service: ComposeNode, profiles: Sequence[str]) -> tuple[str, ...]:
    """Return the profiles that hide a service; empty when it is active."""
    wanted = plain(service).get("profiles") if isinstance(service.value, dict) else None
    if not wanted or "*" in profiles or set(wanted) & set(profiles):
        return ()
    return tuple(wanted)


def replicas_of(service: Canonical) -> int:
    """Return how many containers a service in canonical form runs."""
    deploy = service.get("deploy") or {}
    for value in (service.get("scale"), deploy.get("replicas")):
        if value is not None:
            return int(value)
    return 1


def _service(written: ComposeNode, loaded: Loaded) -> Canonical:
    service: Canonical = {key: value for key, value in (plain(written) or {}).items() if value is not None}
    service = {key: value for key, value in service.items() if key not in _SIZES or value != "0"}
    for key in _NOT_TOLD:
        service.pop(key, None)
    _from_files(service, written, loaded.variables, loaded.where)
    if "build" in service:
        service["build"] = _build(service["build"], loaded.variables)
    if service.get("pull_policy") == "if_not_present":
        service["pull_policy"] = "missing"
    service["depends_on"] = {**_implied(service), **service.get("depends_on", {})}
    for key, wanted in service["depends_on"].items():
        service["depends_on"][key] = {"condition": "service_started", "required": True, **(wanted or {})}
    if not service.get("networks") and "network_mode" not in service:
        service["networks"] = {"default": None}
    for port in service.get("ports", ()):
        port.setdefault("mode", "ingress")
        port.setdefault("protocol", "tcp")
    if "extra_hosts" in service:
        service["extra_hosts"] = sorted(service["extra_hosts"])
    _mounted_files(service)
    _without_nothing_said(service)
    _device_counts(service)
    for key in _NESTED & set(service):
        service[key] = _without_nothing(service[key])
    return {key: value for key, value in service.items() if not _is_empty(value, keep=key in {"command", "entrypoint"})}


def _without_nothing(value: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    """Return a mapping without keys that have no value, at every level."""
    if isinstance(value, dict):
        return {key: _without_nothing(entry) for key, entry in value.items() if entry is not None}
    return value


def _without_nothing_said(service: Canonical) -> None:
    """Leave out what says nothing: parts of a device that stand before a colon, and a tmpfs of no size."""
    if "devices" in service:
        service["devices"] = [{key: part for key, part in each.items() if part != ""} for each in service["devices"]]
    for mount in service.get("volumes", ()):
        if (mount.get("tmpfs") or {}).get("size") == "0":
            del mount["tmpfs"]["size"]


def _is_empty(value: object, *, keep: bool) -> bool:
    return not keep and isinstance(value, dict | list) and not value


def _from_files(service: Canonical, written: ComposeNode, variables: Mapping[str, str], where: Files) -> None:
    """Put what files of variables and labels say below what the service itself says."""
    found: dict[str, str] = {}
    own = service.get("environment") or {}
    own = {key: variables.get(key) if value is None else value for key, value in own.items()}
    seen = {**{key: value for key, value in own.items() if value is not None}, **variables}
    for entry in service.pop("env_file", None) or ():
        place = place_of(written, "env_file", entry.get("path", ""))
        if entry.get("required", True) is False and kind_of(entry["path"], where) != "file":
            continue
        if entry.get("format") not in {None, "", "raw"}:
            raise UsageError(
                f"the format of a file of variables cannot be {entry['format']!r}",
                todo="Write 'format: raw', or leave it out.",
                place=str(place_of(written, "env_file", entry["path"], "format")),
            )
        text = read_text(entry["path"], what="the file of variables", kind=VARIABLES, place=place, where=where)
        found |= read_dotenv(text, entry["path"], seen, earlier=found, raw=entry.get("format") == "raw")
    if merged := {**found, **own}:
        service["environment"] = merged
    labels: dict[str, str] = {}
    for path in service.pop("label_file", None) or ():
        place = place_of(written, "label_file", path)
        text = read_text(path, what="the file of labels", kind=VARIABLES, place=place, where=where)
        labels |= read_dotenv(text, path, labels)
    if labels:
        service["labels"] = {**labels, **service.get("labels", {})}


def _build(build: Canonical, variables: Mapping[str, str]) -> Canonical:
    result = {key: value for key, value in build.items() if value is not None}
    if "dockerfile_inline" not in result:
        result.setdefault("dockerfile", "Dockerfile")
    if result.get("args"):
        args = {key: variables.get(key) if value is None else value for key, value in result["args"].items()}
        result["args"] = {key: value for key, value in args.items() if value is not None}
    return {key: value for key, value in result.items() if not _is_empty(value, keep=False)}


def _implied(service: Canonical) -> Canonical:
    """Return the dependencies that links, shared namespaces and mounts imply; of one service the first counts."""
    # More than one colon is taken for a part of the name, source: compose-go loader/normalize.go
    links = service.get("links", ())
    names = [(link.partition(":")[0] if link.count(":") == 1 else link, True) for link in links]
    for key in ("network_mode", "ipc", "pid", "uts", "cgroup"):
        kind, colon, name = str(service.get(key, "")).partition(":")
        names += [(name, True)] if kind == "service" and colon else []
    sources = [source.partition(":")[0] for source in service.get("volumes_from", ())]
    names += [(name, False) for name in sources if name != "container"]
    return {
        name: {"condition": "service_started", "restart": restart, "required": True}
        for name, restart in reversed(names)
    }


def _mounted_files(service: Canonical) -> None:
    """Say where secrets are mounted; of configs Compose leaves that unsaid."""
    for entry in service.get("secrets", ()):
        if entry.get("target") is None:
            entry["target"] = f"/run/secrets/{entry.get('source')}"


def _device_counts(service: Canonical) -> None:
    reservations = ((service.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    for request in (*(reservations.get("devices") or ()), *service.get("gpus", ())):
        if "count" not in request and not request.get("device_ids"):
            request["count"] = -1


def _used(services: Canonical) -> dict[str, set[str]]:
    used: dict[str, set[str]] = {section: set() for section in _SECTIONS}
    for service in services.values():
        used["networks"] |= set(service.get("networks") or {})
        used["volumes"] |= {
            mount.get("source", "") for mount in service.get("volumes", ()) if mount.get("type") == "volume"
        }
        for section in ("secrets", "configs"):
            used[section] |= {entry.get("source", "") for entry in service.get(section, ())}
        used["secrets"] |= {entry.get("source", "") for entry in service.get("build", {}).get("secrets", ())}
    return used


def _resource(name: str, written: Canonical | None, project: str) -> Canonical:
    resource = {key: value for key, value in (written or {}).items() if value is not None}
    external = resource.get("external")
    if isinstance(external, dict):
        resource["name"] = external.get("name", name)
        resource["external"] = True
    elif external:
        resource.setdefault("name", name)
    elif external is not None:
        resource.pop("external")
    resource.setdefault("name", f"{project}_{name}")
    if isinstance(resource.get("ipam"), dict):
        # Compose 2.40 reads these options and forgets them.
        resource["ipam"] = {key: value for key, value in resource["ipam"].items() if key != "options"}
    return resource


def map_texts(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - JSON of any shape
    """Return a JSON value with every text in it changed, keys among them."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): map_texts(entry, change) for key, entry in value.items()}
    if isinstance(value, list):
        return [map_texts(entry, change) for entry in value]
    return value
