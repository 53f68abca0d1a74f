"""What on an engine is ours and can go: names that only Tonnage gives, and images that have no other.

An image that a container uses stays, and so does one with any other name, by tag or by digest of a registry. Containers
of services are Compose's and stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.deploy.image_names import candidate_container_name, is_ours, is_record, is_shared
from tonnage.model.reports.traces import Trace, TraceKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tonnage.model.inventory import Container, Image, Inventory


def engine_traces(inventory: Inventory) -> tuple[Trace, ...]:
    """Return what is ours, in the order in which it is removed."""
    left = [each for each in inventory.containers if _is_left_over(each)]
    gone = {each.container_id for each in left}
    users = [each for each in inventory.containers if each.container_id not in gone]
    traces = [
        Trace(
            kind=TraceKind.CONTAINER,
            name=each.name,
            about="left by a health check that was cut short",
            key=each.container_id,
        )
        for each in left
    ]
    for image in inventory.images:
        traces += _of_image(inventory, image, users)
    return tuple(traces)


def freeable_bytes(inventory: Inventory, traces: Iterable[Trace]) -> int:
    """Return what images give back together: layers that one which stays has as well are left out."""
    going = {each.key for each in traces if each.kind is TraceKind.IMAGE and not each.stays}
    staying = {layer.chain_id for image in inventory.images if image.image_id not in going for layer in image.layers}
    layers = {
        layer.chain_id: (layer.size_bytes or 0) + layer.blob_bytes
        for image in inventory.images
        if image.image_id in going
        for layer in image.layers
        if layer.chain_id not in staying
    }
    return sum(layers.values())


def other_names(image: Image) -> tuple[str, ...]:
    """Return names of an image that are not ours; digests that only this engine knows are none."""
    digests = () if image.only_here else image.digests
    return tuple(name for name in (*image.references, *digests) if not is_ours(name.partition("@")[0]))


def own_names_of(image: Image) -> tuple[str, ...]:
    """Return names of an image that are ours."""
    return tuple(name for name in image.references if is_ours(name))


def _of_image(inventory: Inventory, image: Image, users: Iterable[Container]) -> Iterator[Trace]:
    ours, others = own_names_of(image), other_names(image)
    if not ours:
        return
    if others:
        for name in ours:
            yield Trace(
                kind=TraceKind.NAME,
                name=name,
                about=f"{_about(name)}; the image is also {others[0]}",
                key=image.image_id,
            )
        return
    user = next((each.name for each in users if inventory.runs(each, image) or each.image_id == image.image_id), "")
    yield Trace(
        kind=TraceKind.IMAGE,
        name=ours[0],
        about=_about(ours[0]),
        size_bytes=image.unique_bytes,
        key=image.image_id,
        names=(*ours, *image.digests),
        stays=f"the container {user} uses it" if user else "",
    )


def _is_left_over(container: Container) -> bool:
    """Tell whether a container is one that was started to be checked, and that no run will come back to."""
    named = container.project and container.service
    return bool(named) and container.name == candidate_container_name(container.project, container.service)


def _about(name: str) -> str:
    tag = name.rpartition(":")[2]
    if is_shared(name):
        return "packages that services share; the next build installs them again"
    if is_record(name):
        return "how a version was configured; only rollbacks read it"
    if tag.startswith("adopted-"):
        return "that this stack was taken over; the next deploy may ask again"
    return {
        "candidate": "left by a run that did not end; nothing uses it",
        "unproven": "never passed its health check; nothing goes back to it",
    }.get(tag, "a version; no rollback to it afterwards")
