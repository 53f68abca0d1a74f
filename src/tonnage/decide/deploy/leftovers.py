"""What is removed because it is superseded, or because an earlier run was killed before it removed it.

Removed is only what is provably this service's own: every name on it is ours, no container of anything else needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.restore import good_before
from tonnage.model.deploy.plan import RemoveContainer, Untag

if TYPE_CHECKING:
    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Step
    from tonnage.model.inventory import Image


def leftover_steps(case: ServiceContext) -> list[Step]:
    """Return steps that remove what earlier runs left: a container beside, a candidate, a version rolled away from."""
    steps = []
    left = next((c for c in case.inventory.containers if c.name == case.beside), None)
    if left is not None:
        steps.append(
            case.step(
                "remove-leftover",
                RemoveContainer(container=left.container_id),
                cause="an earlier run ended before it removed this container",
                changes=f"removes the container {case.beside}",
            )
        )
    causes = {
        case.candidate: ("candidate", "an earlier run ended before it was proven"),
        case.withdrawn: ("withdrawn", "it was rolled away from"),
    }
    for reference, (name, cause) in causes.items():
        image = case.inventory.image(reference)
        if image is None:
            continue
        if set(image.references) > {reference}:
            # At the switch a candidate is named twice for a moment; a version that came back keeps the other name.
            if reference != case.source:
                steps.append(_untag(case, f"drop-{name}-name", reference))
        elif image.image_id != case.change.source and not _needed(case, image, but=left.container_id if left else ""):
            steps.append(case.remove_image(f"remove-{name}", image, cause, references=(reference,)))
    return steps + _nameless_steps(case)


def _nameless_steps(case: ServiceContext) -> list[Step]:
    """Return steps that remove images of the service which lost their last name to the one that is kept now.

    Only a run that was killed between switch-over and tidying leaves them. While none is kept they may be the only
    ones to go back to.
    """
    if case.inventory.image(case.previous) is None:
        return []
    nameless = [
        image
        for image in case.inventory.images
        if not image.references
        and not image.digests
        and case.is_ours(image)
        and image.image_id != case.change.source
        and not case.is_used(image)
    ]
    return [
        case.remove_image(f"remove-nameless-{number}", image, "an earlier run ended before it removed this image")
        for number, image in enumerate(nameless, start=1)
    ]


def came_back_steps(case: ServiceContext) -> list[Step]:
    """Return the step that takes the name of a version rolled away from off the image that is deployed again."""
    if not case.change.source or not case.names(case.change.source, case.withdrawn):
        return []
    return [_untag(case, "drop-withdrawn-name", case.withdrawn)]


def superseded_steps(case: ServiceContext) -> list[Step]:
    """Return steps that remove the images which the switch-over superseded and rollback does not need."""
    running = case.change.running_image
    if case.service.build is None or running is None or running.image_id == case.change.source:
        return []
    if not case.policy.keep_previous:
        return _superseded(
            case, running, "remove-superseded", "the new version is good, and keep-previous is off", own=True
        )
    before, oldest = good_before(case), case.inventory.image(case.previous)
    steps = []
    if before is not None and before.image_id != running.image_id:
        steps += _superseded(case, running, "remove-unproven", "it was never proven, and the new version is", own=True)
    if oldest is not None and oldest.image_id not in {running.image_id, before.image_id if before else ""}:
        steps += _superseded(case, oldest, "remove-oldest", "a newer version is kept for rollback", own=False)
    return steps


def _superseded(case: ServiceContext, image: Image, name: str, cause: str, *, own: bool) -> list[Step]:
    names = {case.previous} | ({case.own_name, case.candidate} if own else set())
    if (
        image.image_id == case.change.source
        or image.digests
        or not set(image.references) <= names
        or case.is_used_elsewhere(image)
    ):
        return []
    # By the time of this step the other names have moved to other images; only a kept name may still be there.
    references = (case.previous,) if own and case.previous in image.references else ()
    return [case.remove_image(name, image, cause, references=references)]


def _untag(case: ServiceContext, name: str, reference: str) -> Step:
    return case.step(
        name,
        Untag(reference=reference),
        cause="the image is in its place under its own name",
        changes=f"takes the name {reference} away",
    )


def _needed(case: ServiceContext, image: Image, *, but: str) -> bool:
    return any(c.image_id == image.image_id and c.container_id != but for c in case.inventory.containers)
