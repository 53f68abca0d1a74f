"""A stack as a stack file: only keys that Swarm knows, and a refusal of those without which a service would be another.

``docker stack deploy`` passes over some keys in silence. What has no meaning on many machines is left out here and
noted; what a service would lack is refused, with the service and the key.

Source: docker/cli ``cli/compose/types/types.go`` (UnsupportedProperties) and ``cli/compose/schema``, 20.10 to 28.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tonnage.decide.cluster.naming import LABEL
from tonnage.errors import UsageError
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tonnage.model.stack import ComposeMapping, Service, Stack

_VERSION = "3.9"
_NAME = regex(r"[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*")
_LONGEST_NAME = 63
_LONGEST_STACK = 40
_KEPT = frozenset(
    {
        *("cap_add", "cap_drop", "command", "configs", "dns", "dns_search", "domainname", "entrypoint", "environment"),
        *("extra_hosts", "healthcheck", "hostname", "init", "isolation", "labels", "logging", "networks", "read_only"),
        *("secrets", "stdin_open", "stop_grace_period", "stop_signal", "sysctls", "tmpfs", "tty", "ulimits", "user"),
        *("volumes", "working_dir", "ports", "deploy", "credential_spec"),
    }
)
_SAID_ELSEWHERE = frozenset(
    {"image", "build", "profiles", "pull_policy", "platform", "scale", "restart", "mem_limit", "cpus"}
    | {"mem_reservation", "pids_limit", "env_file", "label_file", "annotations", "extends", "attach", "develop"}
)
_WITHOUT_MEANING = {
    "depends_on": "Swarm starts services in any order",
    "container_name": "Swarm names containers itself",
    "links": "services of a stack reach each other by name",
    "expose": "services of a stack reach every port of each other",
}
_DEPLOY = frozenset(
    {"mode", "replicas", "labels", "update_config", "rollback_config", "resources", "restart_policy", "placement"}
    | {"endpoint_mode"}
)
_VOLUME = ("type", "source", "target", "read_only", "consistency")
_VOLUME_TYPES = frozenset({"volume", "bind", "tmpfs"})
_INSIDE = {"bind": ("propagation",), "volume": ("nocopy",), "tmpfs": ("size",)}
_NETWORK_OF_SERVICE = frozenset({"aliases", "ipv4_address", "ipv6_address", "priority", "gw_priority"})
_NETWORK = ("name", "driver", "driver_opts", "external", "internal", "attachable", "labels", "ipam")
_VOLUME_AT_TOP = ("name", "driver", "driver_opts", "external", "labels")
_RESTART = {"no": "none", "on-failure": "on-failure", "always": "any", "unless-stopped": "any"}
_SHORT_DIGEST = 12


class StackFile(Struct, frozen=True, kw_only=True):
    """What Swarm is told.

    Args:
        document: The stack file.
        notes: What has no effect on a Swarm.
    """

    document: ComposeMapping
    notes: tuple[str, ...] = ()


def stack_file(
    stack: Stack,
    images: Mapping[str, str],
    constraints: Mapping[str, tuple[str, ...]],
    contents: Mapping[str, str],
) -> StackFile:
    """Return a stack as Swarm is told it.

    Args:
        images: What the tasks of each service run.
        constraints: What each service gets besides its own constraints.
        contents: Hashes of the files of secrets and configs, by path.

    Returns:
        The file, without services that have no image here.

    Raises:
        UsageError: Swarm would refuse a name, or pass over a key without which the service is another one.
    """
    check_names(stack)
    notes: list[str] = []
    services = {
        each.name: _service(each, images[each.name], constraints.get(each.name, ()), notes)
        for each in stack.services
        if each.name in images
    }
    document: ComposeMapping = {"version": _VERSION, "services": services}
    document |= _shared(stack, contents)
    return StackFile(document=document, notes=tuple(dict.fromkeys(notes)))


def check_names(stack: Stack) -> None:
    """Check the names that Swarm is to take.

    Raises:
        UsageError: It would refuse one.
    """
    if len(stack.name) > _LONGEST_STACK:
        raise UsageError(
            f"the stack name {stack.name!r} is too long for a Swarm",
            why=f"It has {len(stack.name)} letters; services and labels are named after it: {_LONGEST_STACK} at most.",
            todo="Choose another with -p NAME, or 'name' in the compose file.",
        )
    for service in stack.services:
        whole = f"{stack.name}_{service.name}"
        if len(whole) > _LONGEST_NAME or not _NAME.fullmatch(whole):
            raise UsageError(
                f"Swarm refuses the name of the service {service.name!r}",
                why=f"{whole!r} must have at most {_LONGEST_NAME} characters: letters, digits, - and _, "
                "with a letter or digit at both ends.",
                todo="Rename the service.",
                place=str(service.place or ""),
            )


def _service(service: Service, image: str, constraints: tuple[str, ...], notes: list[str]) -> ComposeMapping:
    made: ComposeMapping = {"image": image}
    for key, value in service.config.items():
        if key.startswith("x-") or key in _SAID_ELSEWHERE or value in (None, "", False, [], {}):
            continue
        if key in _WITHOUT_MEANING:
            notes.append(f"{service.name}: {key} has no effect: {_WITHOUT_MEANING[key]}")
        elif key in _KEPT:
            made[key] = _READ[key](service, value) if key in _READ else value
        else:
            raise _unknown(service, key)
    made["deploy"] = _deploy(service, constraints)
    return made


def _unknown(service: Service, key: str) -> UsageError:
    return UsageError(
        f"the service {service.name!r} has {key!r}, which a Swarm does not know",
        why="`docker stack deploy` would pass over it, and the service would be another one.",
        todo=f"Remove {key!r} for the Swarm, such as with a further file: -f compose.yaml -f compose.swarm.yaml.",
        place=str(service.place or ""),
    )


def _hosts(_service: Service, told: Any) -> list[str]:  # noqa: ANN401 - a mapping or a list, as it was written
    if isinstance(told, dict):
        return [f"{name}:{address}" for name, given in told.items() for address in _listed(given)]
    return [each.replace("=", ":", 1) for each in told]


def _listed(told: Any) -> list[str]:  # noqa: ANN401 - one or several
    return list(told) if isinstance(told, list) else [told]


def _port(service: Service, port: ComposeMapping) -> ComposeMapping:
    if port.get("host_ip") not in (None, "", "0.0.0.0", "::"):  # noqa: S104 - it is compared, nothing listens
        raise UsageError(
            f"the service {service.name!r} publishes a port on {port['host_ip']} only",
            why="A Swarm publishes on every address of its nodes, so that more could reach it than was written.",
            todo="Write the port without an address, or do not publish it.",
            place=str(service.place or ""),
        )
    made: ComposeMapping = {"target": int(port["target"]), "protocol": port.get("protocol") or "tcp"}
    published = str(port.get("published") or "")
    if "-" in published:
        raise UsageError(
            f"the service {service.name!r} publishes one of the ports {published}",
            why="A Swarm takes a port, or chooses one itself.",
            todo="Write one port.",
            place=str(service.place or ""),
        )
    if published and published != "0":
        made["published"] = int(published)
    made["mode"] = port.get("mode") or "ingress"
    return made


def _volume(service: Service, volume: ComposeMapping) -> ComposeMapping:
    kind = volume.get("type") or "volume"
    inside = volume.get(kind) or {}
    if kind not in _VOLUME_TYPES or inside.get("subpath"):
        raise _unknown(service, f"volumes: {kind}{'.subpath' if kind in _VOLUME_TYPES else ''}")
    made = {key: volume[key] for key in _VOLUME if volume.get(key) is not None}
    told = {key: inside[key] for key in _INSIDE[kind] if inside.get(key) is not None}
    if "size" in told:
        told["size"] = int(told["size"])
    return {**made, **({kind: told} if told else {})}


def _granted(_service: Service, told: ComposeMapping) -> ComposeMapping:
    made = {key: told[key] for key in ("source", "target", "uid", "gid") if told.get(key) is not None}
    mode = told.get("mode")
    if mode is not None:
        made["mode"] = int(mode, 8) if isinstance(mode, str) else mode
    return made


def _joined(service: Service, told: ComposeMapping | None) -> ComposeMapping | None:
    for key, value in (told or {}).items():
        if key not in _NETWORK_OF_SERVICE and value not in (None, "", [], {}):
            raise _unknown(service, f"networks: {key}")
    return {key: value for key, value in (told or {}).items() if "priority" not in key} or None


def _deploy(service: Service, constraints: tuple[str, ...]) -> ComposeMapping:
    config = service.config
    written = config.get("deploy") or {}
    for key, value in written.items():
        if key not in _DEPLOY and not key.startswith("x-") and value not in (None, "", [], {}):
            raise _unknown(service, f"deploy.{key}")
    made = {key: value for key, value in written.items() if key in _DEPLOY and value is not None}
    if made.get("mode", "replicated") == "replicated":
        made["replicas"] = service.replicas
    placement = dict(made.get("placement") or {})
    placement["constraints"] = [*(placement.get("constraints") or ()), *constraints]
    made["placement"] = placement
    made["resources"] = _resources(service, made.get("resources") or {})
    # What is not healthy is taken back by Swarm itself, unless the file says otherwise.
    made["update_config"] = {"failure_action": "rollback", **(made.get("update_config") or {})}
    restart = str(config.get("restart") or "").partition(":")
    if restart[0] and "restart_policy" not in made:
        attempts = {"max_attempts": int(restart[2])} if restart[2] else {}
        made["restart_policy"] = {"condition": _RESTART.get(restart[0], "any"), **attempts}
    if service.settings.one_shot and "restart_policy" not in made:
        made["restart_policy"] = {"condition": "none"}
    return made


def _resources(service: Service, written: ComposeMapping) -> ComposeMapping:
    config = service.config
    limits, reserved = dict(written.get("limits") or {}), dict(written.get("reservations") or {})
    if reserved.get("devices"):
        raise _unknown(service, "deploy.resources.reservations.devices")
    reserved.pop("devices", None)
    for here, key, there in (
        (limits, "memory", "mem_limit"),
        (limits, "cpus", "cpus"),
        (limits, "pids", "pids_limit"),
        (reserved, "memory", "mem_reservation"),
    ):
        said = config.get(there)
        if said not in (None, "", 0, "0", 0.0, -1) and key not in here:
            here[key] = said
    for here in (limits, reserved):
        if "cpus" in here:
            here["cpus"] = str(here["cpus"])
        if "memory" in here:
            here["memory"] = str(here["memory"])
    return {key: value for key, value in (("limits", limits), ("reservations", reserved)) if value}


def _environment(_service: Service, told: ComposeMapping) -> ComposeMapping:
    return {key: value for key, value in told.items() if value is not None}


_READ: dict[str, Callable[[Service, Any], Any]] = {
    "environment": _environment,
    "extra_hosts": _hosts,
    "ports": lambda service, told: [_port(service, each) for each in told],
    "volumes": lambda service, told: [_volume(service, each) for each in told],
    "secrets": lambda service, told: [_granted(service, each) for each in told],
    "configs": lambda service, told: [_granted(service, each) for each in told],
    "networks": lambda service, told: {name: _joined(service, each) for name, each in told.items()},
}


def _shared(stack: Stack, contents: Mapping[str, str]) -> ComposeMapping:
    shared: ComposeMapping = stack.shared
    made: ComposeMapping = {}
    for section, keys in (("networks", _NETWORK), ("volumes", _VOLUME_AT_TOP)):
        entries = {}
        for name, entry in (shared.get(section) or {}).items():
            told = {key: entry[key] for key in keys if (entry or {}).get(key) not in (None, "", {}, [])}
            if section == "networks" and told.get("driver") == "bridge":
                raise UsageError(
                    f"the network {name!r} has the driver 'bridge', which reaches one machine only",
                    todo="Write 'driver: overlay', or none.",
                    place=str(dict(stack.shared_places).get(f"networks.{name}", "")),
                )
            # Swarm takes an external thing by its name alone.
            entries[name] = {"external": True, "name": told.get("name", name)} if told.get("external") else told
        if entries:
            made[section] = entries
    for section in ("secrets", "configs"):
        entries = {
            name: _content(stack, f"{section}.{name}", entry or {}, contents)
            for name, entry in (shared.get(section) or {}).items()
        }
        if entries:
            made[section] = entries
    return made


def _content(stack: Stack, key: str, entry: ComposeMapping, contents: Mapping[str, str]) -> ComposeMapping:
    """Return a secret or config under a name made of its content: what a Swarm has of a name never changes."""
    section, _, name = key.partition(".")
    if entry.get("external"):
        return {"external": True, "name": entry.get("name") or name}
    if not entry.get("file"):
        raise UsageError(
            f"the {section.removesuffix('s')} {name!r} does not come from a file",
            why="`docker stack deploy` reads secrets and configs from files only.",
            todo="Write 'file:', or make it by hand and write 'external: true'.",
            place=str(dict(stack.shared_places).get(key, "")),
        )
    digest = contents.get(entry["file"], "")
    return {"file": entry["file"], "name": "_".join(filter(None, (stack.name, name, digest[:_SHORT_DIGEST])))}


def for_later(document: ComposeMapping) -> ComposeMapping:
    """Return a stack file for going back to it: its secrets and configs are in the Swarm by then."""
    kept = dict(document)
    for section in ("secrets", "configs"):
        if section in kept:
            kept[section] = {key: {"external": True, "name": entry["name"]} for key, entry in kept[section].items()}
    return kept


def differs(document: ComposeMapping, before: ComposeMapping, service: str) -> bool:
    """Tell whether a service is another one than before, wherever it is placed."""
    return _compared(document, service) != _compared(before, service)


def _compared(document: ComposeMapping, service: str) -> tuple[ComposeMapping, ...]:
    told = dict(document["services"][service])
    deploy = dict(told.get("deploy") or {})
    placement = dict(deploy.get("placement") or {})
    placement["constraints"] = [each for each in placement.get("constraints") or () if not _is_ours(each)]
    told["deploy"] = {**deploy, "placement": placement}
    named = [
        (document.get(section) or {}).get(each.get("source"), {})
        for section in ("secrets", "configs")
        for each in told.get(section) or ()
    ]
    return (told, *named)


def _is_ours(constraint: str) -> bool:
    return constraint.startswith((f"node.labels.{LABEL}", "node.id!="))


def placed_again(document: ComposeMapping) -> ComposeMapping:
    """Return a stack file of before without the nodes that it excluded for the time of its own rollout."""
    services = {}
    for name, told in document["services"].items():
        deploy = dict(told.get("deploy") or {})
        placement = dict(deploy.get("placement") or {})
        kept = [each for each in placement.get("constraints") or () if not each.startswith("node.id!=")]
        services[name] = {**told, "deploy": {**deploy, "placement": {**placement, "constraints": kept}}}
    return {**document, "services": services}


def taken_back(document: ComposeMapping, before: ComposeMapping, failed: Collection[str]) -> ComposeMapping:
    """Return a stack file in which some services are as they were before, or gone where they were not there."""
    earlier = placed_again(before)["services"] if before else {}
    services = {name: told for name, told in document["services"].items() if name not in failed}
    services |= {name: earlier[name] for name in failed if name in earlier}
    made = dict(document)
    for section in ("networks", "volumes", "secrets", "configs"):
        merged = {**(before.get(section) or {}), **(document.get(section) or {})}
        if merged:
            made[section] = merged
    return {**made, "services": services}
