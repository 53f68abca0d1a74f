"""What of an engine may be removed, what comes free with it, and what must stay.

A layer comes free only when every image and every record of the build cache that holds it goes. That stands in the
pieces; nothing is added up per image. An image that a container was made from stays as long as the container is seen:
with a stopped one only what that one has written comes free.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.reclaim.builder_volumes import NOT_NAMED, left_by_builders, left_text, node_of, why_it_stays
from tonnage.decide.reclaim.costs import (
    LOST_DATA_S,
    LOST_LOG_S,
    builder_volume_cost,
    cache_cost,
    container_cost,
    image_cost,
    removal_s,
    shown,
)
from tonnage.decide.reclaim.engine_pieces import (
    LEAST_LOG_BYTES,
    engine_pieces,
    id_of_cache,
    id_of_container,
    id_of_image,
    id_of_log,
    id_of_volume,
    own_bytes,
)
from tonnage.decide.reclaim.ephemeral_machine import came_with_it
from tonnage.decide.reclaim.layer_copies import copies, layer_holders
from tonnage.decide.reclaim.protection import descendants, images_that_stay, why_container_stays
from tonnage.model.inventory import CONTAINERD
from tonnage.model.reclaim.candidate import (
    Candidate,
    Findings,
    NamedKind,
    Protected,
    joined,
)
from tonnage.model.unknowns import unknowns

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tonnage.decide.reclaim.layer_copies import Copy
    from tonnage.model.inventory import CacheRecord, Container, Image, Inventory, Volume
    from tonnage.model.reclaim.candidate import (
        CandidateId,
        Roots,
    )


def engine_findings(
    inventory: Inventory, needs: Roots, *, volumes: Collection[str] = (), named: Collection[str] = ()
) -> Findings:
    """Return what of an engine may be removed.

    Args:
        volumes: Names of volumes that may go.
        named: The kinds that were asked for by name.

    Raises:
        CannotReclaimError: What must stay cannot be told.
    """
    stay = images_that_stay(inventory, needs)
    seconds = dict(needs.build_seconds)
    program = inventory.engine.program
    copied = copies(inventory)
    above, pins = descendants(inventory.cache), layer_holders(inventory, copied)
    pieces = engine_pieces(inventory, above, copied, pins)
    found = [Findings(pieces=pieces, notes=(*needs.notes, *unknowns(inventory)))]
    own = own_bytes(pieces)
    with_layer = _with_layer(inventory.images)
    for image in inventory.images:
        pinned_by = {record for chain_id in image.chain for record in pins.get(chain_id, ())}
        # Of one in containerd the engine does not tell what comes free with it alone.
        told = image
        if inventory.engine.image_store == CONTAINERD:
            told = replace(image, unique_bytes=own.get(id_of_image(image.image_id), 0))
        brought = came_with_it(image, needs.runner) if needs.runner else ""
        reason = stay.get(image.image_id, "")
        standing = () if reason else _standing(image, with_layer, inventory.images)
        found.append(_image(told, reason, program, seconds, standing, pinned_by, brought))
    found.append(_unlisted(inventory))
    for container in inventory.containers:
        found += (_container(container, program), _log(container, program))
    for record in inventory.cache:
        removed_after = tuple(sorted(id_of_cache(one) for one in above[record.record_id]))
        copy = copied.get(record.record_id)
        found.append(_record(record, removed_after, copy, worthless=record.record_id in needs.worthless))
    for volume in inventory.volumes:
        if node_of(volume) and volume.name not in volumes:
            found.append(_builder_volume(volume, inventory, needs, named=NamedKind.BUILDER_VOLUME in named))
        else:
            found.append(_volume(volume, named=volume.name in volumes))
    left = [] if NamedKind.BUILDER_VOLUME in named else left_by_builders(inventory, needs.builders)
    return joined((*found, Findings(notes=(f"{left_text(left)}: {NOT_NAMED}",) if left else ())))


def _with_layer(images: Collection[Image]) -> dict[str, list[Image]]:
    """Return the images that have each layer, in their order."""
    found: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        for chain_id in dict.fromkeys(image.chain):
            found[chain_id].append(image)
    return found


def _standing(
    image: Image, with_layer: Mapping[str, Collection[Image]], images: Collection[Image]
) -> tuple[CandidateId, ...]:
    """Return the images on top of one: made so by the classic builder, they keep that one from going."""
    chain = image.chain
    near = with_layer[chain[-1]] if chain else images
    return tuple(
        id_of_image(each.image_id)
        for each in near
        if len(each.layers) > len(chain) and each.chain[: len(chain)] == chain
    )


def _unlisted(inventory: Inventory) -> Findings:
    """Return the images that containers run and that the engine does not list, since they lost their last name.

    Their layers are the containers' own: the engine removes none of them, whatever else goes. Source: checked with
    Docker 26.1 and 28.5, image store of containerd.
    """
    if inventory.engine.image_store != CONTAINERD:
        return Findings()
    listed = {image.image_id for image in inventory.images}
    lost = {each.image_id: each for each in reversed(inventory.containers) if each.image_id not in listed}
    found = []
    for image_id, container in lost.items():
        name = container.image_reference or image_id.removeprefix("sha256:")[:12]
        reason = f"the container {container.name} was made from a version of it that has lost its name"
        found.append(_stays(id_of_image(image_id), name, reason, None))
    return joined(found)


def _image(
    image: Image,
    reason: str,
    program: str,
    seconds: Mapping[tuple[str, str], float],
    standing: tuple[CandidateId, ...],
    pinned_by: Collection[str],
    brought: str,
) -> Findings:
    key, name = id_of_image(image.image_id), shown(image)
    if reason:
        return _stays(key, name, reason, image.size_bytes)
    cost_s, back = image_cost(image, seconds, program, brought=bool(brought))
    if brought:
        why = f"{brought}, no container was made from it, and no stack that is known here names it"
    elif image.references or image.pullable:
        why = "no container was made from it, and no stack that is known here names it"
    else:
        why = "it has no name, and no container was made from it"
    removed_after = (*standing, *(id_of_cache(record) for record in sorted(pinned_by)))
    names = (*image.references, *image.digests)
    return _one(
        key,
        name,
        image.unique_bytes,
        cost_s,
        why,
        back=back,
        breaks=_breaks(image),
        # No container is left to tell: it was of use when it came or got its name, and perhaps later.
        last_used_s=image.named_s or None,
        names=names,
        removed_after=removed_after,
    )


def _breaks(image: Image) -> str:
    if image.pullable:
        return "until it is pulled again, what asks for it"
    return "whatever asks for it by its name" if image.references else ""


def _container(container: Container, program: str) -> Findings:
    key = id_of_container(container.container_id)
    reason = why_container_stays(container)
    if reason:
        return _stays(key, container.name, reason, container.writable_bytes)
    cost_s, back = container_cost(container, program)
    size_bytes = (container.writable_bytes or 0) + (container.log_bytes or 0)
    why = "it has ended, and belongs to no stack"
    breaks, used_s = f"{program} start of it", container.ended_s
    return _one(key, container.name, size_bytes, cost_s, why, back=back, breaks=breaks, last_used_s=used_s)


def _log(container: Container, program: str) -> Findings:
    """Return the log of a container that stays; that of another one goes with it."""
    size_bytes = container.log_bytes or 0
    if size_bytes < LEAST_LOG_BYTES or not why_container_stays(container):
        return Findings()
    return _one(
        id_of_log(container.container_id),
        f"the log of {container.name}",
        size_bytes,
        LOST_LOG_S,
        "what it has printed so far",
        back="not at all",
        breaks=f"{program} logs {container.name}, up to now",
    )


def _record(
    record: CacheRecord, removed_after: tuple[CandidateId, ...], copy: Copy | None, *, worthless: bool
) -> Findings:
    key, name = id_of_cache(record.record_id), _record_name(record)
    if record.in_use:
        return _stays(key, name, "a build uses it now", record.size_bytes)
    if record.shared:
        # It goes with the last image that has its layer, and gives nothing before.
        return Findings()
    cost_s, back = cache_cost(record, worthless=worthless)
    kept = f"the builder {record.builder} keeps it for the next build" if record.builder else "no image has it"
    why = "left by a failed run" if worthless else kept
    if copy is not None:
        why = f"it is the builder's own copy of a layer of {copy.image}, which stays as it is"
    size_bytes = record.size_bytes if copy is None else copy.size_bytes
    return _one(
        key, name, size_bytes, cost_s, why, back=back, last_used_s=record.last_used_s, removed_after=removed_after,
        copy=copy is not None,
    )  # fmt: skip


def _record_name(record: CacheRecord) -> str:
    text = record.description.removeprefix("mount / from exec ").strip() or record.kind
    return f"{record.kind}: {text}" if record.kind not in {"regular", text} else text


def _volume(volume: Volume, *, named: bool) -> Findings:
    key = id_of_volume(volume.name)
    if named and not volume.in_use:
        size_bytes = volume.size_bytes or 0
        why = "it was named with --volume, and no container mounts it"
        breaks = "what kept its data there"
        return _one(key, volume.name, size_bytes, LOST_DATA_S, why, back="not at all", breaks=breaks)
    reason = "a container mounts it" if volume.in_use else "volumes are removed only when they are named"
    return _stays(key, volume.name, reason, volume.size_bytes)


def _builder_volume(volume: Volume, inventory: Inventory, needs: Roots, *, named: bool) -> Findings:
    key, kind = id_of_volume(volume.name), NamedKind.BUILDER_VOLUME
    reason = why_it_stays(volume, inventory, needs.builders) or ("" if named else NOT_NAMED)
    if reason:
        return _stays(key, volume.name, reason, volume.size_bytes, kind)
    size_bytes = volume.size_bytes or 0
    cost_s, back = builder_volume_cost(size_bytes)
    why = "the builder that kept its cache in it is gone"
    breaks = f"what a builder with the node {node_of(volume)} would find again"
    return _one(key, volume.name, size_bytes, cost_s, why, back=back, breaks=breaks, kind=kind)


def _stays(key: CandidateId, name: str, reason: str, size_bytes: int | None, kind: str = "") -> Findings:
    protected = Protected(candidate_id=key, kind=kind or key.kind, name=name, reason=reason, size_bytes=size_bytes)
    return Findings(protected=(protected,))


def _one(
    key: CandidateId,
    name: str,
    size_bytes: int,
    cost_s: float,
    reason: str,
    *,
    back: str,
    breaks: str = "",
    last_used_s: float | None = None,
    names: tuple[str, ...] = (),
    removed_after: tuple[CandidateId, ...] = (),
    copy: bool = False,
    kind: str = "",
) -> Findings:
    return Findings(
        candidates=(
            Candidate(
                candidate_id=key,
                kind=kind or key.kind,
                name=name,
                unique_bytes=size_bytes,
                cost_s=cost_s,
                removal_s=removal_s(key.kind, size_bytes),
                reason=reason,
                breaks=breaks,
                back=back,
                last_used_s=last_used_s,
                names=names,
                removed_after=removed_after,
                copy=copy,
            ),
        )
    )
