"""What has to change for a service, and why: compares what is written with what was observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.deploy.compose_project import config_digest
from tonnage.model.deploy.image_names import (
    LABEL_CONFIG,
    LABEL_INPUTS,
    LABEL_SERVICE,
    LABEL_STACK,
    candidate_reference,
    previous_reference,
    withdrawn_reference,
)

if TYPE_CHECKING:
    from tonnage.model.inventory import Container, Image, Inventory
    from tonnage.model.stack import Service, Stack

_RUNNING = frozenset({"running", "restarting", "paused"})


class Change(Struct, frozen=True, kw_only=True):
    """What has to be done for one service. An empty cause means: nothing to do.

    Args:
        source: Id of an image that is already what a build would make; empty when there is none or none is needed.
        inputs_digest: Identity of what its image is built from; empty when it is pulled.
        running: Its containers that run now; for a one-shot service those that ended well.
        running_image: The image they run; None when none runs.
    """

    build: str = ""
    pull: str = ""
    switch: str = ""
    source: str = ""
    inputs_digest: str = ""
    running: tuple[Container, ...] = ()
    running_image: Image | None = None


def change_of(stack: Stack, service: Service, inventory: Inventory) -> Change:
    """Return what has to change for a service."""
    nowhere = service.replicas == 0 and not inventory.service_containers(stack.name, service.name)
    if nowhere and not stands_below(stack, service):
        return Change()
    running = _running(stack, service, inventory)
    running_image = inventory.image(running[0].image_id) if running else None
    current = inventory.image(service.image)
    if service.build is None:
        pull = f"no image {service.image} on this engine" if current is None else ""
        target = current.image_id if current else ""
        switch = "its image is pulled first" if pull and not running else "its image changes" if pull else ""
        return Change(
            pull=pull,
            switch=switch or _switch(stack, service, inventory, running, target),
            running=running,
            running_image=running_image,
        )
    inputs = inventory.inputs_of(service.name)
    digest = inputs.digest if inputs else ""
    source = ready_image(stack, service, inventory)
    build = "" if source else _why_build(service, current, digest)
    if nowhere:
        switch = ""
    elif build:
        switch = f"its image is built anew: {build}" if running else "it is not running"
    else:
        switch = _switch(stack, service, inventory, running, source.image_id if source else "")
    return Change(
        build=build,
        switch=switch,
        source=source.image_id if source else "",
        inputs_digest=digest,
        running=running,
        running_image=running_image,
    )


def stands_below(stack: Stack, service: Service) -> bool:
    """Return whether the image of another service is built on the image of this one."""
    return any(service.name in other.build.built_on for other in stack.services if other.build is not None)


def ready_image(stack: Stack, service: Service, inventory: Inventory) -> Image | None:
    """Return an image that was built from exactly what a build would read now, on the base that is there now.

    Returns:
        The image, the one that already has the service's name before any other; None when there is none.
    """
    inputs = inventory.inputs_of(service.name)
    if inputs is None:
        return None
    names = (
        service.image,
        candidate_reference(stack.name, service.name),
        withdrawn_reference(stack.name, service.name),
        previous_reference(stack.name, service.name),
    )
    for name in names:
        image = inventory.image(name)
        if (
            image is not None
            and image.labels.get(LABEL_INPUTS) == inputs.digest
            and image.labels.get(LABEL_STACK) == stack.name
            and image.labels.get(LABEL_SERVICE) == service.name
            and _on_base(image, inputs.base_reference, inventory)
        ):
            return image
    return None


def _on_base(image: Image, base_reference: str, inventory: Inventory) -> bool:
    base = inventory.image(base_reference) if base_reference else None
    # A base that is not on the engine as an image of its own (builders fetch it into their cache) proves nothing.
    return base is None or image.chain[: len(base.chain)] == base.chain


def _why_build(service: Service, current: Image | None, digest: str) -> str:
    if current is None:
        return f"no image {service.image} yet"
    if LABEL_INPUTS not in current.labels:
        return f"image {service.image} does not say what it was built from"
    if current.labels[LABEL_INPUTS] != digest:
        return "its Dockerfile, context or build arguments changed"
    return "its base image changed"


def _running(stack: Stack, service: Service, inventory: Inventory) -> tuple[Container, ...]:
    containers = inventory.service_containers(stack.name, service.name)
    if service.settings.one_shot:
        return tuple(c for c in containers if c.state in _RUNNING or (c.state == "exited" and c.exit_code == 0))
    return tuple(c for c in containers if c.state in _RUNNING)


def _switch(
    stack: Stack, service: Service, inventory: Inventory, running: tuple[Container, ...], target_image_id: str
) -> str:
    if not running:
        stopped = inventory.service_containers(stack.name, service.name)
        return "it is stopped" if stopped else "it is not running"
    if any(container.image_id != target_image_id for container in running):
        return "it runs another image than the one it should run"
    digests = {container.labels.get(LABEL_CONFIG, "") for container in running}
    if digests == {""} and service.build is None:
        # Whoever started it, a database or a gateway is not replaced because nobody knows whether it changed.
        return ""
    if digests == {""}:
        return "it was not deployed by tonnage, so its configuration is not known"
    if digests != {config_digest(service)}:
        return "its configuration changed"
    if len(running) != service.replicas and not service.settings.one_shot:
        return f"{len(running)} of {service.replicas} containers run"
    return ""
