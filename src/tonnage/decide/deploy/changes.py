"""What has to change for a service, and why: compares what is written with what was observed.

Services come in order, dependencies first. A change of an image is one of all that are built on it.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.deploy.networks.attachments import volume_it_lacks
from tonnage.decide.deploy.pulls import is_registrys, why_pull
from tonnage.errors import UsageError
from tonnage.escapes import visible_in_line
from tonnage.identity import ByIdentity
from tonnage.model.compose_labels import config_hash_of
from tonnage.model.deploy.image_names import (
    LABEL_INPUTS,
    LABEL_SERVICE,
    LABEL_STACK,
    own_names,
)
from tonnage.model.names_on_engine import renamed_volumes
from tonnage.model.replacement import is_half_replaced

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tonnage.model.deploy.plan import Version
    from tonnage.model.inventory import Container, Image, Inputs, Inventory
    from tonnage.model.stack import ComposeMapping, Service, Stack

_RUNNING = frozenset({"running", "restarting", "paused"})


class Change(Struct, frozen=True, kw_only=True):
    """What has to be done for one service. An empty cause means: nothing to do.

    Args:
        source: Id of an image that is already what a build would make; empty when there is none or none is needed.
        inputs_digest: Identity of what its image is built from; empty when it is pulled.
        running: Its containers that run now; for a one-shot service those that ended well.
        running_image: The image they run; None when none runs.
        uncompared: How they were configured is not known, so nobody can say whether that changed.
        networks: Its networks that the plan makes anew, by their keys.
    """

    build: str = ""
    pull: str = ""
    switch: str = ""
    source: str = ""
    inputs_digest: str = ""
    running: tuple[Container, ...] = ()
    running_image: Image | None = None
    uncompared: bool = False
    networks: tuple[str, ...] = ()


def change_of(stack: Stack, service: Service, inventory: Inventory) -> Change:
    """Return what has to change for a service."""
    nowhere = service.replicas == 0 and not inventory.service_containers(stack.name, service.name)
    if nowhere and not stands_below(stack, service):
        return Change()
    running = _running(stack, service, inventory)
    running_image = inventory.image_of(running[0]) if running else None
    current = inventory.image(service.image)
    pull = why_pull(service, current, inventory)
    if service.build is None or pull or is_registrys(service, current, inventory):
        switch = "its image is pulled first" if pull and not running else "its image changes" if pull else ""
        switch = "" if nowhere else switch or _switch(stack, service, inventory, running, current)
        uncompared = None in {is_configured(service, each, inventory) for each in running}
        return Change(pull=pull, switch=switch, running=running, running_image=running_image, uncompared=uncompared)
    inputs = inventory.inputs_of(service.name)
    digest = inputs.digest if inputs else ""
    source = ready_image(stack, service, inventory)
    build = "" if source else _why_build(service, current, digest)
    if nowhere:
        switch = ""
    elif build:
        switch = f"its image is rebuilt: {build}" if running else "it is not running"
    else:
        switch = _switch(stack, service, inventory, running, source)
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
    current = inventory.image(service.image)
    if current is not None and _built_by_hand(stack, service, inventory, current, inputs):
        return current
    ours = [image for image in inventory.images if any(own_names(stack.name, service.name, image.references))]
    for image in (current, *ours):
        if (
            image is not None
            and image.labels.get(LABEL_INPUTS) == inputs.digest
            and image.labels.get(LABEL_STACK) == stack.name
            and image.labels.get(LABEL_SERVICE) == service.name
            and _on_base(image, inputs.base_reference, inventory)
        ):
            return image
    return None


def _built_by_hand(stack: Stack, service: Service, inventory: Inventory, image: Image, inputs: Inputs) -> bool:
    """Whether an image says nothing of itself, and is what runs: that was built from what a build would read now."""
    running = _running(stack, service, inventory)
    return (
        bool(running)
        and LABEL_INPUTS not in image.labels
        and all(each.inputs_digest == inputs.digest and inventory.runs(each, image) for each in running)
        and _on_base(image, inputs.base_reference, inventory)
    )


def _on_base(image: Image, base_reference: str, inventory: Inventory) -> bool:
    offer = inventory.offer(base_reference)
    if offer is not None and offer.known:
        return image.chain[: len(offer.chain)] == offer.chain
    base = inventory.image(base_reference) if base_reference else None
    # A base that is not on the engine as an image of its own (builders fetch it into their cache) proves nothing.
    return base is None or image.chain[: len(base.chain)] == base.chain


def _why_build(service: Service, current: Image | None, digest: str) -> str:
    if current is None:
        return f"no image {service.image} yet"
    if LABEL_INPUTS not in current.labels:
        return f"image {service.image} was not built by Tonnage, so it is rebuilt once"
    if current.labels[LABEL_INPUTS] != digest:
        return "its Dockerfile, context or build arguments changed"
    return "its base image changed"


def _running(stack: Stack, service: Service, inventory: Inventory) -> tuple[Container, ...]:
    containers = inventory.service_containers(stack.name, service.name)
    if service.settings.one_shot:
        return tuple(c for c in containers if c.state in _RUNNING or (c.state == "exited" and c.exit_code == 0))
    return tuple(c for c in containers if c.state in _RUNNING)


def _switch(
    stack: Stack, service: Service, inventory: Inventory, running: tuple[Container, ...], target: Image | None
) -> str:
    if not running:
        stopped = inventory.service_containers(stack.name, service.name)
        return "it is stopped" if stopped else "it is not running"
    if target is None or not all(inventory.runs(container, target) for container in running):
        return "it runs another image than the one it should run"
    if any(is_half_replaced(container) for container in running):
        return "Compose was ended while it replaced its container"
    told = {is_configured(service, container, inventory) for container in running}
    if False in told:
        return "its configuration changed"
    lacking = next(filter(None, (volume_it_lacks(stack, service, each) for each in running)), "")
    if lacking:
        return f"it does not mount the volume {visible_in_line(lacking)}"
    if None in told and service.build is not None:
        # Where it is not built, a database or a gateway is not replaced because nobody knows whether it changed.
        return "how it was configured is not known: no version of it is, and Compose cannot tell"
    if len(running) != service.replicas and not service.settings.one_shot:
        return f"{len(running)} of {service.replicas} containers run"
    return ""


def is_configured(service: Service, container: Container, inventory: Inventory) -> bool | None:
    """Return whether a container was made from the configuration that is written now; None where nobody can tell.

    What a version says of its containers goes first: Compose counts neither what is in secrets nor what it wrote
    itself in another version. What secrets held when a container was made that nobody proved, nobody knows. Of other
    containers Compose knows it, by what it writes on them.
    """
    if container.config_digest:
        same = container.config_digest in {config_digest(service), _earlier_digest(service)}
        return same and (container.is_proven or not service.contents)
    wanted = inventory.config_hashes.get(service.name, "")
    told = config_hash_of(container)
    return told == wanted if wanted and told else None


def with_recorded(stack: Stack, inventory: Inventory, versions: Sequence[Version]) -> Inventory:
    """Return the inventory, with what versions of a stack know of its containers.

    Each version knows the containers by which it was proven, and which others are made as these were. Of images it
    knows what was in them: an engine that keeps them in containerd forgets one, although it runs, when its last name
    goes to another.
    """
    contents = {version.image_id: version.content_digest for version in versions}
    there = {image.image_id for image in inventory.images}

    def known(container: Container) -> Container:
        if container.image_id not in there:
            digest = contents.get(container.image_id, container.content_digest)
            container = replace(container, content_digest=digest)
        if container.project != stack.name or container.one_off:
            return container
        mine = [each for each in versions if each.service == container.service]
        found = next((each for each in reversed(mine) if container.container_id in each.containers), None)
        proven = found is not None
        found = found or next((each for each in reversed(mine) if _is_made_as(container, each, inventory)), None)
        found = found or _restored(container, mine)
        if found is None:
            return container
        return replace(
            container, config_digest=found.config_digest, inputs_digest=found.inputs_digest, is_proven=proven
        )

    return replace(inventory, containers=tuple(map(known, inventory.containers)))


def _restored(container: Container, versions: Sequence[Version]) -> Version | None:
    """Return the version that was made to run again by the id of its image, because the name had moved.

    Compose counts the id in place of the name. Where versions differ only by their configuration, it is none of them.
    """
    same = [each for each in versions if each.image_id and each.image_id == container.image_reference]
    return same[-1] if len({each.config_digest for each in same}) == 1 else None


def _is_made_as(container: Container, version: Version, inventory: Inventory) -> bool:
    if not version.config_hash or config_hash_of(container) != version.config_hash:
        return False
    image = inventory.with_content(version.image_id, version.content_digest)
    return container.image_id == version.image_id or (image is not None and inventory.runs(container, image))


def config_digest(service: Service) -> str:
    """Return the identity of a service's configuration: another one means that its containers have to be replaced.

    What is in its secrets and configs belongs to it; when its image is pulled does not, as for Compose, and where its
    labels come from neither.
    """
    config = {key: value for key, value in service.config.items() if key not in {"pull_policy", "label_file"}}
    canonical = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if service.contents:
        canonical += json.dumps(service.contents)
    if service.renamed_volumes:
        canonical += json.dumps(service.renamed_volumes)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _earlier_digest(service: Service) -> str:
    """Return how versions were known before the names of volumes counted; what a container mounts is looked at."""
    return config_digest(replace(service, renamed_volumes=()))


def as_of_now(stack: Stack, service: Service, version: Version) -> tuple[Version, str]:
    """Return a version as its containers would be made now, and which of its secrets and configs hold something else.

    Nobody keeps what they held when it was proven, but what stands in the project itself.
    """
    config = version.project["services"][version.service]
    named = {
        (section, entry["source"]): (version.project.get(section) or {}).get(entry["source"]) or {}
        for section in ("secrets", "configs")
        for entry in config.get(section) or ()
    }
    present, contents = dict(service.contents), {}
    for (section, name), entry in sorted(named.items()):
        found = present.get(f"{section}.{name}", "") if entry == (stack.shared.get(section) or {}).get(name) else ""
        if entry.get("content") is not None:
            found = hashlib.sha256(str(entry["content"]).encode()).hexdigest()
        if found:
            contents[f"{section}.{name}"] = found
    own = {key: value for key, value in config.items() if key != "build"}
    renamed = renamed_volumes(stack.name, version.project, config)
    then = replace(service, config=own, contents=tuple(contents.items()), renamed_volumes=renamed)
    digest = config_digest(then)
    if not named or version.config_digest in {digest, _earlier_digest(then)}:
        return version, ""
    outside = [name for (section, name), entry in sorted(named.items()) if entry.get("content") is None]
    return replace(version, config_digest=digest), f"what its secrets and configs hold now ({', '.join(outside)})"


def compose_project(stack: Stack, service: Service, *, image: str = "") -> ComposeMapping:
    """Return the project for switching one service.

    Args:
        image: What it is to run; empty for the image that is written, or that Compose gives a name to.
    """
    project = written_project(stack)
    if image:
        services = project["services"]
        services[service.name] = services[service.name] | {"image": image}
    return project


def written_project(stack: Stack) -> ComposeMapping:
    """Return the project as it is written, for Compose to find nothing in it that it would change."""
    return {"name": stack.name, "services": dict(_written(ByIdentity(stack.services))), **stack.shared}


@lru_cache(maxsize=2)
def _written(services: ByIdentity[tuple[Service, ...]]) -> ComposeMapping:
    """Return services as they are written: once for the many steps that hold all of them."""
    return {each.name: each.config | _image_of(each) for each in services.held}


def _image_of(service: Service) -> ComposeMapping:
    """Return what tells Compose the image of a service: where it is built, the name that is written or none.

    By the section alone Compose names the image, and does not count that to the configuration. It builds nothing.
    """
    return {"image": service.image} if service.build is None else {"build": {"context": service.build.context}}


def in_order(stack: Stack, wanted: Iterable[str]) -> tuple[Service, ...]:
    """Return the wanted services, each after all of its dependencies that are wanted too.

    Raises:
        UsageError: A dependency cycle; the message names it.
    """
    chosen = set(wanted)
    done: list[Service] = []
    finished: set[str] = set()

    def visit(service: Service, path: tuple[str, ...]) -> None:
        if service.name in path:
            cycle = " -> ".join((*path[path.index(service.name) :], service.name))
            raise UsageError(
                f"the services depend on each other in a circle: {cycle}",
                todo="Remove one of these depends_on entries.",
                place=str(service.place or ""),
            )
        if service.name in finished:
            return
        built_on = service.build.built_on if service.build is not None else ()
        for name in (*(dependency.service for dependency in service.depends_on), *built_on):
            needed = next((each for each in stack.services if each.name == name), None)
            if needed is not None:
                visit(needed, (*path, service.name))
        finished.add(service.name)
        if service.name in chosen:
            done.append(service)

    for service in stack.services:
        visit(service, ())
    return tuple(done)


def with_what_is_built_on(stack: Stack, own: Mapping[str, Inputs]) -> dict[str, Inputs]:
    """Return inputs that are other ones, too, when those of an image change that the build stands on.

    Raises:
        UsageError: Services that are built on each other in a circle.
    """
    found = dict(own)
    for service in in_order(stack, own):
        below = [found[name].digest for name in (service.build.built_on if service.build else ()) if name in found]
        if below:
            digest = hashlib.sha256("\n".join([own[service.name].digest, *below]).encode()).hexdigest()
            found[service.name] = replace(own[service.name], digest=digest)
    return found


def with_builds_below(stack: Stack, inventory: Inventory, wanted: Collection[str]) -> set[str]:
    """Return the services that are wanted, and those whose images must be built before theirs."""
    chosen = set(wanted)
    waiting = list(wanted)
    while waiting:
        spec = stack.service(waiting.pop()).build
        for name in spec.built_on if spec is not None else ():
            change = change_of(stack, stack.service(name), inventory)
            if name not in chosen and (change.build or change.pull):
                chosen.add(name)
                waiting.append(name)
    return chosen
