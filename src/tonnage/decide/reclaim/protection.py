"""What of an engine must stay, each with its reason. Whatever is not provably needless is protected here.

The engine itself tells what containers use; names that stacks use and versions to go back to come in as needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import CannotReclaimError
from tonnage.model.deploy.image_names import LABEL_STACK, is_shared, why_ours_stays
from tonnage.model.inventory import CONTAINERD
from tonnage.model.references import ImagesByName

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tonnage.model.deploy.run import OtherRun
    from tonnage.model.inventory import CacheRecord, Container, Image, Inventory
    from tonnage.model.reclaim.candidate import Roots

YOUNG_S = 300.0
"""A nameless image younger than this may be about to be named; one that was pulled within it, about to be run."""
JUST_NOW = "pulled or tagged less than 5 minutes ago"
_SHARED_YOUNG_S = 3600.0
"""An image of shared wheels is built before what stands on it, which may take so long."""
_MADE_ELSEWHERE_S = 3600.0
"""An image that got its name here so long after it was made was not built here just now, but pulled."""
_MADE_BEFORE_S = 60.0
"""One that a registry knows besides needs less for that."""
_OVER = frozenset({"exited", "dead"})
# Source: podman-generate-systemd(1), podman-systemd.unit(5).
_UNIT = "PODMAN_SYSTEMD_UNIT"
_SWARM_SERVICE = "com.docker.swarm.service.name"


def why_container_stays(container: Container) -> str:
    """Return why a container must stay; empty when it may be removed."""
    if container.state not in _OVER:
        return f"it is {container.state}"
    swarm_service = container.labels.get(_SWARM_SERVICE, "")
    if swarm_service:
        return f"the swarm keeps it of the service {swarm_service}"
    if container.project:
        return f"it belongs to the stack {container.project}, which is stopped"
    if container.pod:
        return f"it belongs to the pod {container.pod}, which is there still"
    if unit := container.labels.get(_UNIT, ""):
        return f"systemd starts it by its unit {unit}"
    return ""


def images_that_stay(inventory: Inventory, needs: Roots) -> dict[str, str]:
    """Return the images that must stay.

    Raises:
        CannotReclaimError: What was observed does not hold together, so nobody knows what is needed.
    """
    stay: dict[str, str] = {}
    known = {image.image_id for image in inventory.images}
    names = ImagesByName(inventory.images)
    for container in inventory.containers:
        # The image of a stopped container can be forced away, so only a missing one of another is a contradiction. Of
        # images in containerd those are not listed that lost their name while they run.
        over = container.state in _OVER or inventory.engine.image_store == CONTAINERD
        if not over and container.image_id.startswith("sha256:") and container.image_id not in known:
            raise CannotReclaimError(
                "cannot determine what must be kept; nothing removed",
                why=f"The container {container.name} runs the image {container.image_id[:19]},"
                " which the engine does not list among its images.",
                todo=f"See what the engine says of it:\n  docker inspect {container.name}\n  docker images --all",
            )
        stay.setdefault(container.image_id, _why_its_image_stays(container))
        # What makes it anew goes by the name, which may be another image's by now. Nothing makes a lone one anew.
        anew = bool(container.image_reference and why_container_stays(container))
        named = names.image(container.image_reference) if anew else None
        if named is not None:
            stay.setdefault(named.image_id, f"{container.name} was made from its name")
    for need in needs.images:
        found = names.image(need.what)
        if found is not None:
            stay.setdefault(found.image_id, need.reason)
    for image in inventory.images:
        reason = _why_image_stays(image, needs)
        if reason:
            stay.setdefault(image.image_id, reason)
    return {**dict(_shared_that_stay(inventory, needs, stay)), **stay}


def needed_by(run: OtherRun) -> str:
    """Return why an image stays that another run on the engine needs."""
    return f"{run.shown} needs it"


def may_stand_on(image: Image, below: Image) -> bool:
    """Return whether an image has the layers of another one, or is not known to lack them."""
    if not image.chain or not below.chain:
        return image.size_bytes > 0
    return image.chain[: len(below.chain)] == below.chain


def _shared_that_stay(inventory: Inventory, needs: Roots, stay: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the images of shared wheels that something stands on which stays, and those that are new."""
    for image in inventory.images:
        if not any(map(is_shared, image.references)):
            continue
        others = (each for each in inventory.images if each.image_id in stay and each.image_id != image.image_id)
        found = next((each for each in others if may_stand_on(each, image)), None)
        if found is not None:
            yield image.image_id, f"{next(iter(found.references), found.image_id[:19])} stands on it"
        elif needs.now_s - image.created_s < _SHARED_YOUNG_S:
            yield image.image_id, "a build may be about to stand on it"


def _why_its_image_stays(container: Container) -> str:
    """Return why the image of a container stays, also that of a container that may go itself.

    While it is there ``docker start`` works, and whoever keeps the container has not said that its image may go.
    """
    if container.state not in _OVER:
        return f"the container {container.name} uses it"
    whose = " of a swarm" if _SWARM_SERVICE in container.labels else ""
    whose = f" of the stack {container.project}" if container.project else whose
    return f"image of the stopped container {container.name}{whose}"


def _why_image_stays(image: Image, needs: Roots) -> str:
    for reference in image.references:
        if reason := why_ours_stays(reference):
            return reason
    # What has a digest of a registry was pulled, or built here and pushed; then it came here when it was made.
    since_made_s = image.named_s - image.created_s
    pulled = since_made_s > (_MADE_BEFORE_S if image.pullable else _MADE_ELSEWHERE_S)
    if pulled and needs.now_s - image.named_s < YOUNG_S:
        return JUST_NOW
    if not image.references and not image.pullable and needs.now_s - image.created_s < YOUNG_S:
        whose = f" for the stack {image.labels[LABEL_STACK]}" if LABEL_STACK in image.labels else ""
        return f"it was made just now{whose} and may be about to be named"
    return ""


def descendants(records: Sequence[CacheRecord]) -> dict[str, frozenset[str]]:
    """Return the records that stand on each record, directly or not."""
    children: dict[str, list[str]] = {record.record_id: [] for record in records}
    for record in records:
        for parent in record.parents:
            children.setdefault(parent, []).append(record.record_id)
    found: dict[str, frozenset[str]] = {}
    for record in records:
        seen: set[str] = set()
        waiting = list(children[record.record_id])
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                waiting += children.get(one, [])
        found[record.record_id] = frozenset(seen)
    return found
