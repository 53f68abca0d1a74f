"""What Compose holds a whole project to, when all its files are merged and each value is right by itself.

Only for what the built-in reader reads: what Compose itself has read is held to the rules of its own version.

Source: compose-go 2.9, loader/validate.go and validation/validation.go.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from tonnage.errors import UsageError
from tonnage.sources.compose.nodes import ComposeNode, mapping_at, nearest, place_of, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.sources.compose.canonical import Canonical

_OF_FILES = {"configs": ("file", "environment", "content"), "secrets": ("file", "environment")}
_PROBES = ("CMD", "CMD-SHELL", "NONE")
# A limit of a service, the same one below deploy.resources, and how to read both.
_TWICE = (
    ("cpus", "limits", "cpus"),
    ("mem_limit", "limits", "memory"),
    ("mem_reservation", "reservations", "memory"),
    ("pids_limit", "limits", "pids"),
)
_WITHOUT_TARGET = {"rebuild", "restart"}


def check_parts(tree: ComposeNode) -> None:
    """Check what is said of single parts of a project, also of those that nothing uses.

    Raises:
        UsageError: Two keys exclude each other, or one of several is missing.
    """
    for section, keys in _OF_FILES.items():
        for name, written in mapping_at(tree, section).items():
            _check_content(f"{section}.{name}", written, keys)
    for section in ("networks", "volumes", *_OF_FILES):
        for name, written in mapping_at(tree, section).items():
            _check_name(f"{section}.{name}", written)
            if section == "volumes":
                _check_external(f"volumes.{name}", written)
    for name, written in mapping_at(tree, "services").items():
        _check_service(f"services.{name}", written)


def _check_service(name: str, written: ComposeNode) -> None:
    for where, request in _requests(name, written):
        if {"count", "device_ids"} <= set(request.value):
            raise _excluding(where, request, "count", "device_ids")
    for index, port in enumerate(_entries(written, "ports")):
        _check_address(f"{name}.ports[{index}]", port)
    for index, watch in enumerate(_entries(written, "develop", "watch")):
        if not plain(watch).get("path"):
            raise UsageError(
                f"{name}.develop.watch[{index}].path is empty",
                todo="Write the path that is watched.",
                place=str(place_of(watch, "path")),
            )


def check_project(form: Canonical, tree: ComposeNode) -> None:
    """Check the services of a project in canonical form against each other.

    Args:
        tree: The merged tree, for places.

    Raises:
        UsageError: What a service says contradicts itself, or what another one says.
    """
    for name, service in form["services"].items():
        written = mapping_at(tree, "services")[name]
        _check_build(name, service.get("build") or {}, service.get("platform") or "", form, written)
        _check_probe(name, service, written)
        for other in service.get("depends_on") or {}:
            if other not in mapping_at(tree, "services"):
                raise UsageError(
                    f"the service {name!r} depends on {other!r}, which does not exist",
                    todo=nearest(other, form["services"], kind="services"),
                    place=str(place_of(written, "depends_on", other)),
                )
        _check_limits(name, service, written)
        _check_mounts(name, service, written)
        for index, watch in enumerate((service.get("develop") or {}).get("watch") or ()):
            if not watch.get("target") and watch.get("action") not in _WITHOUT_TARGET:
                raise UsageError(
                    f"services.{name}.develop.watch[{index}] has no 'target'",
                    why=f"The action {watch.get('action')} copies files to it.",
                    todo="Add the key 'target'.",
                    place=str(_entries(written, "develop", "watch")[index].place),
                )


def _check_content(name: str, written: ComposeNode, keys: tuple[str, ...]) -> None:
    found = [key for key in keys if key in (written.value or {})]
    if len(found) > 1:
        raise _excluding(name, written, *found[:2])
    if not found and not {"external", "driver"} & set(written.value or {}):
        raise UsageError(
            f"{name} says nothing of what it holds",
            why=f"One of the keys {', '.join(keys)} has to.",
            todo="Add one, such as 'file: PATH'.",
            place=str(written.place),
        )
    said = plain(written) or {}
    if name.startswith("secrets.") and not said.get("external") and not any(said.get(key) for key in keys):
        raise UsageError(
            f"{name} has neither a file nor an environment variable",
            why="Compose reads secrets from nothing else.",
            todo="Add the key 'file' or 'environment'.",
            place=str(written.place),
        )


def _check_name(name: str, written: ComposeNode) -> None:
    said = plain(written) or {}
    own, external = said.get("name"), said.get("external")
    if isinstance(external, dict) and own is not None and external.get("name", own) != own:
        raise UsageError(
            f"{name} has the names {own!r} and, below external, {external['name']!r}",
            todo="Keep 'name', and write 'external: true'.",
            place=str(place_of(written, "external")),
        )


def _check_external(name: str, written: ComposeNode) -> None:
    entries: dict[str, ComposeNode] = written.value or {}
    if "external" not in entries or not entries["external"].value:
        return
    for key, entry in entries.items():
        if key not in {"name", "external"} and not key.startswith("x-"):
            raise UsageError(
                f"{name} is external and has the key {key!r}",
                why="What is external is not made from the file.",
                todo=f"Remove {key!r} or 'external'.",
                place=str(entry.place),
            )


def _excluding(name: str, written: ComposeNode, one: str, other: str) -> UsageError:
    return UsageError(
        f"{name} has both {one!r} and {other!r}",
        why="They exclude each other.",
        todo="Remove one of them.",
        place=str(place_of(written, other)),
    )


def _entries(written: ComposeNode, *path: str) -> list[ComposeNode]:
    """Return the entries of the list at a path of keys."""
    for key in path[:-1]:
        written = ComposeNode(mapping_at(written, key), written.place)
    found = written.value.get(path[-1]) if isinstance(written.value, dict) else None
    value = found.value if found is not None else None
    return list(value.values() if isinstance(value, dict) else value or ())


def _requests(name: str, service: ComposeNode) -> Iterator[tuple[str, ComposeNode]]:
    for path in (("deploy", "resources", "reservations", "devices"), ("gpus",)):
        for index, request in enumerate(_entries(service, *path)):
            if isinstance(request.value, dict):
                yield f"{name}.{'.'.join(path)}[{index}]", request


def _check_address(name: str, port: ComposeNode) -> None:
    address = plain(port).get("host_ip") if isinstance(port.value, dict) else None
    try:
        if address is not None:
            ip_address(address)
    except ValueError:
        raise UsageError(
            f"{name}.host_ip {address!r} is not an address",
            todo="Write an address such as 127.0.0.1, not a name.",
            place=str(place_of(port, "host_ip")),
        ) from None


def _check_build(name: str, build: Canonical, platform: str, form: Canonical, written: ComposeNode) -> None:
    if build.get("dockerfile") and build.get("dockerfile_inline"):
        raise _excluding(f"services.{name}.build", written.value["build"], "dockerfile", "dockerfile_inline")
    for context, value in (build.get("additional_contexts") or {}).items():
        before, found, other = str(value).partition("service:")
        if found and not before and other in form["services"] and not form["services"][other].get("build"):
            raise UsageError(
                f"the build of the service {name!r} reads the service {other!r}, which is not built",
                why=f"{other!r} has an image and no build.",
                todo="Name its image: docker-image://IMAGE.",
                place=str(place_of(written, "build", "additional_contexts", context)),
            )
    platforms = build.get("platforms") or []
    if platform and platforms and platform not in platforms:
        raise UsageError(
            f"the build of the service {name!r} is for {', '.join(platforms)}, and the service for {platform}",
            todo=f"Add {platform} to build.platforms.",
            place=str(place_of(written, "build", "platforms")),
        )


def _check_probe(name: str, service: Canonical, written: ComposeNode) -> None:
    test = (service.get("healthcheck") or {}).get("test") or ()
    if test and test[0] not in _PROBES:
        raise UsageError(
            f"services.{name}.healthcheck.test begins with {test[0]!r}",
            why=f"A list begins with one of {', '.join(_PROBES)}.",
            todo=f"Write it as [CMD, {', '.join(map(str, test))}], or as one text for the shell.",
            place=str(place_of(written, "healthcheck", "test")),
        )


def _check_limits(name: str, service: Canonical, written: ComposeNode) -> None:
    deploy = service.get("deploy") or {}
    for scale, place in ((service.get("scale"), ("scale",)), (deploy.get("replicas"), ("deploy", "replicas"))):
        if scale is not None and scale < 0:
            raise UsageError(
                f"the service {name!r} cannot have {scale} replicas",
                todo="Write 0 or more.",
                place=str(place_of(written, *place)),
            )
    if service.get("scale") is not None and deploy.get("replicas") not in {None, service["scale"]}:
        raise _contradicting(name, "scale", service["scale"], "deploy.replicas", deploy["replicas"], written)
    for key, group, other in _TWICE:
        limits = (deploy.get("resources") or {}).get(group)
        if limits is None or not _number(service.get(key)) or "deploy" not in service:
            continue
        if _number(service[key]) != _number(limits.get(other)):
            below = f"deploy.resources.{group}.{other}"
            raise _contradicting(name, key, service[key], below, limits.get(other), written)


def _number(value: Any) -> float:  # noqa: ANN401 - a number, or the text of one
    return float(value or 0)


def _contradicting(name: str, key: str, value: object, other: str, another: object, written: ComposeNode) -> UsageError:
    said = f"{other} nothing" if another is None else f"{other} {another}"
    return UsageError(
        f"the service {name!r} says two things: {key} {value} and {said}",
        why="They mean the same.",
        todo=f"Write the same at both, or remove one of {key} and {other}.",
        place=str(place_of(written, key)),
    )


def _check_mounts(name: str, service: Canonical, written: ComposeNode) -> None:
    tmpfs = service.get("tmpfs") or ()
    seen: set[str] = set()
    targets = [(str(each).partition(":")[0], "tmpfs") for each in ([tmpfs] if isinstance(tmpfs, str) else tmpfs)]
    targets += [(mount.get("target") or "", "volumes") for mount in service.get("volumes") or ()]
    for target, key in targets:
        if target in seen:
            raise UsageError(
                f"the service {name!r} mounts two things at {target}",
                todo="Give one of them another path.",
                place=str(place_of(written, key, target)),
            )
        seen.add(target)
