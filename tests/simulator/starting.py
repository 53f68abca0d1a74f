"""Containers: what Compose does with a service, as far as it can be seen from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulator.disk import DiskFullError
from tests.simulator.life import LivingContainer
from tests.simulator.project import read_project

from tonnage.errors import StepFailedError
from tonnage.model.compose_labels import CONFIG_HASH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulator.engine import Simulator
    from tests.simulator.project import Wanted
    from tests.simulator.store import StoredImage

    from tonnage.model.stack import ComposeMapping


def up(engine: Simulator, project: str, service: str, definition: ComposeMapping, *, recreate: bool = False) -> None:
    """Bring a service's containers to their configuration: each is replaced only when image or configuration changed.

    With ``recreate`` all are.

    Raises:
        StepFailedError: There is no such service or image, a port is taken, or the disk is full.
    """
    wanted = read_project(project, service, definition)
    image = _image(engine, wanted)
    mine = sorted(_containers(engine, project, service), key=lambda c: c.number)
    for surplus in mine[wanted.replicas :]:
        remove(engine, surplus)
    there = mine[: wanted.replicas]
    free = [number for number in range(1, wanted.replicas + 1) if all(c.number != number for c in there)]
    for current in [*there, *[None] * (wanted.replicas - len(there))]:
        number = current.number if current is not None else free.pop(0)
        same = current is not None and (current.config_hash, current.image_id) == (wanted.config_hash, image.image_id)
        if current is not None and same and not recreate:
            if not current.alive:
                _start(engine, current)
            continue
        kept_volumes = current.anonymous_volumes if current is not None else ()
        if current is not None:
            remove(engine, current, volumes=False)
        name = wanted.container_name or f"{project}-{service}-{number}"
        container = _create(engine, project, service, wanted=wanted, image=image, name=name)
        container.number = number
        container.restart = wanted.restart
        container.host_ports = wanted.host_ports
        for volume in container.anonymous_volumes if kept_volumes else ():
            del engine.volumes[volume]
            engine.disk.give_back(f"volume {volume}")
        container.anonymous_volumes = kept_volumes or container.anonymous_volumes
        _start(engine, container)


def start_apart(
    engine: Simulator, project: str, service: str, definition: ComposeMapping, *, count: int, apart: Sequence[str]
) -> None:
    """Start further containers of a service, numbered on, off some of its networks.

    Raises:
        StepFailedError: There is no such service or image, or the disk is full.
    """
    wanted = read_project(project, service, definition)
    image = _image(engine, wanted)
    for _ in range(count):
        number = 1 + max((each.number for each in _containers(engine, project, service)), default=0)
        container = _create(engine, project, service, wanted=wanted, image=image, name=f"{project}-{service}-{number}")
        container.number, container.restart, container.apart = number, wanted.restart, tuple(apart)
        _start(engine, container)


def start_first(engine: Simulator, project: str, service: str, definition: ComposeMapping, container_name: str) -> None:
    """Start one container as ``compose run -d`` does: no host ports, no restart policy, no number.

    Raises:
        StepFailedError: There is no such service or image, the name is taken, or the disk is full.
    """
    wanted = read_project(project, service, definition)
    container = _create(engine, project, service, wanted=wanted, image=_image(engine, wanted), name=container_name)
    container.one_off = True
    _start(engine, container)


def remove(engine: Simulator, container: LivingContainer, *, volumes: bool = True) -> None:
    """Stop and remove a container with its writable layer and, with ``volumes``, its anonymous volumes."""
    container.stop()
    del engine.containers[container.container_id]
    engine.disk.give_back(f"container {container.container_id}")
    engine.disk.give_back(f"log {container.container_id}")
    for volume in container.anonymous_volumes if volumes else ():
        del engine.volumes[volume]
        engine.disk.give_back(f"volume {volume}")


def _containers(engine: Simulator, project: str, service: str) -> list[LivingContainer]:
    return [c for c in engine.living() if (c.project, c.service, c.one_off) == (project, service, False)]


def _image(engine: Simulator, wanted: Wanted) -> StoredImage:
    image = engine.store.find(wanted.image)
    if image is None:
        raise StepFailedError(f"no such image: {wanted.image}")
    return image


def _create(
    engine: Simulator, project: str, service: str, *, wanted: Wanted, image: StoredImage, name: str
) -> LivingContainer:
    if engine.find_container(name) is not None:
        raise StepFailedError(f"the container name {name} is already in use")
    container = LivingContainer(
        container_id=engine.new_id("container"),
        name=name,
        image_id=image.image_id,
        image_reference=wanted.image,
        behaviour=image.behaviour,
        check=image.behaviour.check if wanted.image_check else wanted.check,
        project=project,
        service=service,
        labels={**image.labels, **wanted.labels, CONFIG_HASH: wanted.config_hash},
        config_hash=wanted.config_hash,
        volumes=wanted.volumes,
        anonymous_volumes=tuple(engine.new_id("volume") for _ in range(wanted.anonymous_volumes)),
        address=f"172.18.{len(engine.log) % 256}.{len(engine.containers) + 2}",
        joined=tuple((kind, _joined(engine, project, owner)) for kind, owner in wanted.joined),
        networks=_networks(engine, wanted),
        created_s=engine.clock.time(),
    )
    engine.containers[container.container_id] = container
    for volume in container.volumes + container.anonymous_volumes:
        if volume not in engine.volumes:
            engine.volumes[volume] = project
            _write(engine, f"volume {volume}", image.behaviour.volume_bytes)
    return container


def _networks(engine: Simulator, wanted: Wanted) -> tuple[str, ...]:
    """Make the networks that are not there, and refuse those that are there otherwise, as Compose 1 does."""
    for network in wanted.networks:
        if engine.networks.setdefault(network.name, network) != network:
            raise StepFailedError(f'Network "{network.name}" needs to be recreated')
    return tuple(sorted(network.name for network in wanted.networks))


def _joined(engine: Simulator, project: str, service: str) -> str:
    owners = [each for each in _containers(engine, project, service) if each.alive]
    if not owners:
        raise StepFailedError(f"no container of {service} runs that could be joined")
    return owners[0].container_id


def _start(engine: Simulator, container: LivingContainer) -> None:
    for other in engine.living():
        taken = set(other.host_ports) & set(container.host_ports)
        if other is not container and other.alive and taken:
            raise StepFailedError(
                f"{container.name} did not start",
                why=f"Bind for 0.0.0.0:{min(taken)} failed: port is already allocated.",
            )
    _write(engine, f"container {container.container_id}", container.behaviour.writes_bytes)
    container.start(engine.clock.time())
    key = (container.project, container.service)
    at_once = sum(1 for other in engine.living() if other.alive and (other.project, other.service) == key)
    engine.most_at_once[key] = max(engine.most_at_once.get(key, 0), at_once)


def _write(engine: Simulator, owner: str, count_bytes: int) -> None:
    try:
        engine.disk.write(owner, count_bytes)
    except DiskFullError:
        raise StepFailedError("a container did not start", why="No space left on device.") from None
