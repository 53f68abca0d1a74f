"""What services need that a deploy does not make: external networks and volumes, files, devices, names, ports.

All of it is known before the first build, and everything that is missing is told at once. Compose would find it at the
switch-over, one thing at a time. Pure: who looks at files and ports is :mod:`tonnage.flows.needed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import UsageError
from tonnage.escapes import visible_in_line
from tonnage.model.inventory import PODMAN
from tonnage.sources.compose.since import NOT_DONE, started_with

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from tonnage.model.inventory import Container, Inventory
    from tonnage.model.network import Network
    from tonnage.model.stack import ComposeMapping, Port, Service, Stack

_MOUNTED = ("secrets", "configs")
_OF_CONTAINERS = ("network_mode", "pid", "ipc")
# The engine has the driver ``nvidia`` where it finds this program at its start. Source: ``daemon/nvidia_linux.go`` of
# moby 20.10 to 28.
_NVIDIA_HOOKS = tuple(
    f"{directory}/nvidia-container-runtime-hook"
    for directory in ("/usr/bin", "/usr/local/bin", "/usr/sbin", "/usr/local/sbin", "/bin", "/sbin", "/opt/bin")
)
_NVIDIA, _CDI = "nvidia", "cdi"


class PathNeed(Struct, frozen=True, kw_only=True):
    """A path that must be there.

    Args:
        what: What it is for, in words.
        made: Whether the engine makes an empty directory where nothing is.
        target: Where containers have it; empty for what is no mount.
    """

    path: str
    service: str
    what: str
    made: bool = False
    target: str = ""


class MissingThing(Struct, frozen=True, kw_only=True):
    """Something that is not there: what it is, where it was asked for, and what to do."""

    what: str
    place: str
    todo: str = ""


def paths_of(stack: Stack, services: Collection[str]) -> tuple[PathNeed, ...]:
    """Return the paths that services need on the engine's machine."""
    chosen = [each for each in stack.services if each.name in services]
    return tuple(dict.fromkeys(need for service in chosen for need in _paths_of(stack, service)))


def programs_of(stack: Stack, services: Collection[str]) -> tuple[str, ...]:
    """Return the places of programs on the engine's machine one of which services need."""
    chosen = [each for each in stack.services if each.name in services]
    needs = any(_is_nvidia(driver, request) for each in chosen for driver, request in _device_requests(each))
    return _NVIDIA_HOOKS if needs else ()


def build_paths_of(stack: Stack, services: Collection[str]) -> tuple[PathNeed, ...]:
    """Return the paths that builds of services need on this machine, contexts and Dockerfiles left out."""
    return tuple(
        PathNeed(path=path, service=service.name, what=f"the file {path} of a secret")
        for service in stack.services
        if service.build is not None and service.name in services
        for _, found, path in (secret.partition(",src=") for secret in service.build.secrets)
        if found
    )


def check_needed(
    stack: Stack, inventory: Inventory, started: Collection[str], built: Collection[str] = ()
) -> tuple[str, ...]:
    """Refuse a deploy that would end at something that is missing, before anything is built for it.

    Args:
        started: The services whose containers are started.
        built: The services whose images are built.

    Returns:
        What is no failure, and should be known.

    Raises:
        UsageError: Something is missing; the message names all of it.
    """
    chosen = [each for each in stack.services if each.name in started]
    missing = [
        *(each for service in chosen for each in _not_done(stack, service, inventory.compose)),
        *(each for service in chosen for each in _unset(stack, service)),
        *(each for service in chosen for each in _missing_of_engine(stack, service, inventory)),
        *(each for service in chosen for each in _taken(stack, service, inventory)),
        *(each for service in chosen for each in _without_driver(stack, service, inventory)),
        *_missing_paths(stack, inventory, started, built),
    ]
    found = list({each.what: each for each in missing}.values())
    todo = "\n".join(dict.fromkeys(each.todo for each in found if each.todo))
    if len(found) == 1:
        raise UsageError(found[0].what, why="Nothing was changed.", todo=todo, place=found[0].place)
    if found:
        raise UsageError(
            f"{len(found)} things that the stack {stack.name} needs are not as it needs them; nothing was changed",
            why="\n".join(f"{each.place}: {each.what}" if each.place else each.what for each in found),
            todo=todo,
        )
    notes = (note for service in chosen for note in _unknown_drivers(service, inventory))
    return (*_empty_secrets(stack, built), *_made_directories(stack, inventory, started), *notes)


def newest_keys(stack: Stack, services: Collection[str]) -> bool:
    """Return whether it matters which Compose starts these services."""
    return any(True for each in stack.services if each.name in services for _ in started_with(_used(stack, each), "1"))


def _not_done(stack: Stack, service: Service, compose: str) -> Iterator[MissingThing]:
    """Yield what the Compose of this machine would pass over, and what Tonnage leaves to it alone."""
    for path, needed in started_with(_used(stack, service), compose) if compose else ():
        shared = ".".join(path[:2])
        yield MissingThing(
            what=f"{'.'.join(path)} needs Docker Compose {needed}, and {compose} is installed",
            place=str(dict(stack.shared_places).get(shared) or _place_of(stack, service.name)),
            todo=f"Install Docker Compose {needed} or a newer one, or write it in another way.",
        )
    if service.config.get("models"):
        yield MissingThing(
            what=f"{service.name} has models, which are not carried out",
            place=_place_of(stack, service.name),
            todo=NOT_DONE["models"],
        )


def _used(stack: Stack, service: Service) -> ComposeMapping:
    """Return a project of one service and what it uses of the stack's."""
    config = service.config
    used = {section: {str(entry.get("source")) for entry in config.get(section) or ()} for section in _MOUNTED}
    used["networks"] = {*(config.get("networks") or ())}
    shared = {
        section: {key: entry for key, entry in (stack.shared.get(section) or {}).items() if key in names}
        for section, names in used.items()
    }
    return {"services": {service.name: config}, **shared}


def _empty_secrets(stack: Stack, built: Collection[str]) -> Iterator[str]:
    """Yield what is said of builds whose secret is empty, as it is for Compose: a build may do without."""
    known = dict(stack.values)
    for service in stack.services:
        for secret in service.build.secrets if service.build is not None and service.name in built else ():
            identity, found, variable = secret.partition(",env=")
            if found and variable not in known:
                yield (
                    f"{service.name}: the variable {visible_in_line(variable)} is not set:"
                    f" the secret {visible_in_line(identity.removeprefix('id='))} of its build is empty"
                )


def _made_directories(stack: Stack, inventory: Inventory, started: Collection[str]) -> tuple[str, ...]:
    return tuple(
        f"{need.service}: {need.path} does not exist: the engine makes an empty directory of it at {need.target}"
        for need in paths_of(stack, started)
        if need.made and need.path in inventory.missing and "." in need.target.rpartition("/")[2].strip(".")
    )


def _paths_of(stack: Stack, service: Service) -> Iterator[PathNeed]:
    config = service.config
    volumes = stack.shared.get("volumes") or {}
    for mount in config.get("volumes") or ():
        kind, source, target = mount.get("type"), str(mount.get("source") or ""), str(mount.get("target") or "")
        if kind == "bind":
            made = bool((mount.get("bind") or {}).get("create_host_path"))
            what = f"the directory or file {source} that is mounted at {target}"
            yield PathNeed(path=source, service=service.name, what=what, made=made, target=target)
        elif kind == "volume" and source in volumes:
            path = _bound(volumes[source] or {})
            if path:
                yield PathNeed(path=path, service=service.name, what=f"the directory {path} of the volume {source}")
    for section in _MOUNTED:
        defined = stack.shared.get(section) or {}
        for entry in config.get(section) or ():
            path = str((defined.get(entry["source"]) or {}).get("file") or "")
            if path:
                what = f"the file {path} of the {section[:-1]} {entry['source']}"
                yield PathNeed(path=path, service=service.name, what=what)
    for device in config.get("devices") or ():
        path = device.partition(":")[0] if isinstance(device, str) else str(device.get("source") or "")
        # What begins otherwise is the name of a device that a driver knows.
        if path.startswith("/"):
            yield PathNeed(path=path, service=service.name, what=f"the device {path}")


def _bound(volume: ComposeMapping) -> str:
    """Return the directory that a volume of the engine's own driver stands for; empty for an ordinary volume."""
    options = volume.get("driver_opts") or {}
    bound = "bind" in str(options.get("o") or "").split(",")
    device = str(options.get("device") or "")
    local = volume.get("driver") in {None, "", "local"} and not volume.get("external")
    return device if local and bound and device.startswith("/") else ""


def _missing_paths(
    stack: Stack, inventory: Inventory, started: Collection[str], built: Collection[str]
) -> Iterator[MissingThing]:
    for need in (*paths_of(stack, started), *build_paths_of(stack, built)):
        if need.path in inventory.missing and not need.made:
            yield MissingThing(
                what=f"{need.what}, which {need.service} needs, does not exist",
                place=_place_of(stack, need.service),
                todo=f"Make {need.path}, or write "
                + ("bind.create_host_path: true for an empty directory." if need.target else "another path."),
            )


def _called(networks: Iterable[Network]) -> tuple[str, ...]:
    return tuple(name for each in networks for name in (each.name, each.network_id))


def _missing_of_engine(stack: Stack, service: Service, inventory: Inventory) -> Iterator[MissingThing]:
    names = [("networks", key) for key in service.config.get("networks") or {}]
    names += [("volumes", mount.source) for mount in service.mounts if mount.kind == "volume" and mount.source]
    there = {
        # A node of a swarm sees a network of another one only once something is attached to it.
        "networks": None if inventory.engine.swarm else _called(inventory.networks),
        "volumes": tuple(each.name for each in inventory.volumes),
    }
    for section, key in names:
        resource = (stack.shared.get(section) or {}).get(key) or {}
        known, name, kind = there[section], str(resource.get("name") or key), section[:-1]
        if resource.get("external") and known is not None and name not in known:
            yield MissingThing(
                what=f"the external {kind} {visible_in_line(name)}, which {service.name} needs, is not on this engine",
                place=str(dict(stack.shared_places).get(f"{section}.{key}") or _place_of(stack, service.name)),
                todo=f"Make the {kind}, or correct its name:\n  docker {kind} create {visible_in_line(name)}",
            )
    for key, name in _containers_named(stack, service):
        holder = next((each for each in inventory.containers if each.is_called(name)), None)
        if holder is None or (key != "volumes_from" and not holder.alive):
            state = "does not exist" if holder is None else f"is {holder.state}"
            yield MissingThing(
                what=f"the container {visible_in_line(name)}, which {service.name} names with {key}, {state}",
                place=_place_of(stack, service.name),
                todo=f"Start the container {visible_in_line(name)} first, or correct its name.",
            )


def _unset(stack: Stack, service: Service) -> Iterator[MissingThing]:
    """Yield the secrets and configs whose variable is not set. Builds go on without: they get an empty secret."""
    known = dict(stack.values)
    for section in _MOUNTED:
        defined = stack.shared.get(section) or {}
        for entry in service.config.get(section) or ():
            variable = (defined.get(entry["source"]) or {}).get("environment")
            if variable and variable not in known:
                yield MissingThing(
                    what=f"the variable {visible_in_line(variable)} is not set, which the {section[:-1]}"
                    f" {entry['source']} of {service.name} takes its content from",
                    place=str(dict(stack.shared_places).get(f"{section}.{entry['source']}") or service.place or ""),
                    todo="Set it in the environment, in .env, or in a file that --env-file names.",
                )


def _containers_named(stack: Stack, service: Service) -> Iterator[tuple[str, str]]:
    """Yield the containers that are none of the stack's and that a service names, with the key."""
    named = [(key, str(service.config.get(key) or "")) for key in _OF_CONTAINERS]
    named += [("volumes_from", str(source)) for source in service.config.get("volumes_from") or ()]
    for key, value in named:
        kind, _, rest = value.partition(":")
        name = rest.partition(":")[0]
        if kind != "container" or not name or name.startswith((f"{stack.name}-", f"{stack.name}_")):
            continue
        if not any(each.container_name == name for each in stack.services):
            yield key, name


def _taken(stack: Stack, service: Service, inventory: Inventory) -> Iterator[MissingThing]:
    if service.container_name:
        holder = next((each for each in inventory.containers if each.name == service.container_name), None)
        if holder is not None and (holder.project, holder.service) != (stack.name, service.name):
            yield MissingThing(
                what=f"the name {service.container_name}, which {service.name} gives its container, is taken",
                place=_place_of(stack, service.name),
                todo=f"{_who(holder)} has it. Rename that one, or write another container_name:\n"
                f"  docker rename {holder.name} NAME",
            )
    if service.network_mode == "host":
        return
    for port in service.ports:
        if any(_listens(each, port) for each in inventory.listening):
            yield MissingThing(
                what=f"{service.name} publishes port {port.published} of the host, which is taken",
                place=_place_of(stack, service.name),
                todo="A program outside this engine listens on it. Stop that one, or publish another port:\n"
                f"  ss -l{port.protocol[0]}np 'sport = :{port.published}'",
            )


def _device_requests(service: Service) -> Iterator[tuple[str, ComposeMapping]]:
    """Yield the devices that a service reserves, each with its driver; it is empty where the engine chooses one."""
    reservations = ((service.config.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    for request in (*(reservations.get("devices") or ()), *(service.config.get("gpus") or ())):
        yield str(request.get("driver") or ""), request


def _is_nvidia(driver: str, request: ComposeMapping) -> bool:
    return driver == _NVIDIA or (not driver and "gpu" in (request.get("capabilities") or ["gpu"]))


def _has_nvidia(inventory: Inventory) -> bool | None:
    """Return whether the engine has a driver for GPUs of NVIDIA; None where that cannot be known."""
    engine = inventory.engine
    told = (*engine.runtimes, *(engine.cdi_devices or ()))
    if any(_NVIDIA in name for name in told):
        return True
    # Podman takes these from files of its own.
    if engine.image_store == PODMAN or not engine.endpoint.startswith(("unix://", "ssh://")):
        return None
    return not inventory.missing.issuperset(_NVIDIA_HOOKS)


def _without_driver(stack: Stack, service: Service, inventory: Inventory) -> Iterator[MissingThing]:
    """Yield the devices and the runtime that the engine cannot give a service: it would say so at its start."""
    engine, place = inventory.engine, _place_of(stack, service.name)
    runtime = str(service.config.get("runtime") or "")
    # What has a path or the name of a shim needs no setting of the engine.
    known = not engine.runtimes or runtime in engine.runtimes or "/" in runtime or runtime.startswith("io.containerd.")
    if runtime and not known and engine.image_store != PODMAN:
        yield MissingThing(
            what=f"the runtime {visible_in_line(runtime)}, which {service.name} needs, is none of this engine's",
            place=place,
            todo=f"It has {', '.join(map(visible_in_line, engine.runtimes))}. Add it to the engine's daemon.json,"
            " or leave runtime out.",
        )
    for driver, request in _device_requests(service):
        if _is_nvidia(driver, request) and _has_nvidia(inventory) is False:
            yield MissingThing(
                what=f"the GPU that {service.name} reserves cannot be given: this engine has no driver nvidia",
                place=place,
                todo="Install the NVIDIA Container Toolkit on the engine's machine and restart the engine, or leave the"
                " reservation out:\n  nvidia-ctk runtime configure --runtime=docker\n  systemctl restart docker",
            )
        elif driver == _CDI and engine.cdi_devices is not None and engine.image_store != PODMAN:
            for name in sorted({*map(str, request.get("device_ids") or ())} - {*engine.cdi_devices}):
                yield MissingThing(
                    what=f"the device {visible_in_line(name)}, which {service.name} reserves, is not on this engine",
                    place=place,
                    todo="See which devices it knows, and where it looks for their descriptions:\n  docker info",
                )


def _unknown_drivers(service: Service, inventory: Inventory) -> Iterator[str]:
    """Yield what only the start of a container shows of the devices that a service reserves."""
    for driver, request in _device_requests(service):
        nvidia, cdi = _is_nvidia(driver, request), driver == _CDI
        if nvidia and _has_nvidia(inventory):
            continue
        if cdi and inventory.engine.cdi_devices is not None:
            continue
        named = driver or ", ".join(map(str, request.get("capabilities") or ["gpu"]))
        yield (
            f"{service.name}: whether this engine can give the device that it reserves ({visible_in_line(named)})"
            " is known only when its container starts"
        )


def _listens(listener: tuple[str, int, str], port: Port) -> bool:
    at, number, protocol = listener
    address = port.host_ip
    same = (str(number), protocol) == (port.published, port.protocol)
    return same and (not at or not address or at == address or address in {"0.0.0.0", "::"})  # noqa: S104 - compared


def _who(container: Container) -> str:
    return f"A container of the stack {container.project}" if container.project else "Another container"


def _place_of(stack: Stack, service: str) -> str:
    return str(stack.service(service).place or "")
