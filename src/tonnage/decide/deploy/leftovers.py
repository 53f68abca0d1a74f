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


def leftover_steps(context: ServiceContext) -> list[Step]:
    """Return steps that remove what earlier runs left: a candidate and its container, a version rolled away from."""
    steps = []
    left = next((c for c in context.inventory.containers if c.name == context.candidate_container), None)
    if left is not None:
        steps.append(
            context.step(
                "remove-leftover",
                RemoveContainer(container=left.container_id),
                cause="an earlier run ended before it removed this container",
                changes=f"removes the container {context.candidate_container}",
            )
        )
    causes = {
        context.candidate: ("candidate", "an earlier run ended before it was proven"),
        context.withdrawn: ("withdrawn", "it was rolled away from"),
    }
    for reference, (name, cause) in causes.items():
        image = context.inventory.image(reference)
        if image is None:
            continue
        if set(image.references) > {reference}:
            # At the switch a candidate is named twice for a moment; a version that came back keeps the other name.
            if reference != context.source:
                steps.append(_untag(context, f"untag-{name}", reference))
        elif image.image_id != context.change.source and not _needed(
            context, image, but=left.container_id if left else ""
        ):
            steps.append(context.remove_image(f"remove-{name}", image, cause, references=(reference,)))
    return steps + _nameless_steps(context)


def _nameless_steps(context: ServiceContext) -> list[Step]:
    """Return steps that remove images of the service which lost their last name to the one that is kept now.

    Only a run that was killed between switch-over and tidying leaves them. While none is kept they may be the only
    ones to go back to.
    """
    if context.inventory.image(context.previous) is None:
        return []
    nameless = [
        image
        for image in context.inventory.images
        if not image.references
        and not image.pullable
        and context.is_ours(image)
        and image.image_id != context.change.source
        and not context.is_used(image)
    ]
    return [
        context.remove_image(f"remove-nameless-{number}", image, "an earlier run ended before it removed this image")
        for number, image in enumerate(nameless, start=1)
    ]


def came_back_steps(context: ServiceContext) -> list[Step]:
    """Return the step that takes the name of a version rolled away from off the image that is deployed again."""
    if not context.change.source or not context.names(context.change.source, context.withdrawn):
        return []
    return [_untag(context, "untag-withdrawn", context.withdrawn)]


def superseded_steps(context: ServiceContext) -> list[Step]:
    """Return steps that remove the images which the switch-over superseded and rollback does not need."""
    running = context.change.running_image
    if context.service.build is None or running is None or running.image_id == context.change.source:
        return []
    if not context.policy.keep_previous:
        return _superseded(
            context, running, "remove-superseded", "the new version is good, and keep-previous is off", own=True
        )
    before, oldest = good_before(context), context.inventory.image(context.previous)
    steps = []
    if before is not None and before.image_id != running.image_id:
        steps += _superseded(
            context, running, "remove-unproven", "it was never proven, and the new version is", own=True
        )
    if oldest is not None and oldest.image_id not in {running.image_id, before.image_id if before else ""}:
        steps += _superseded(context, oldest, "remove-oldest", "a newer version is kept for rollback", own=False)
    return steps


def _superseded(context: ServiceContext, image: Image, name: str, cause: str, *, own: bool) -> list[Step]:
    names = {context.previous} | ({context.own_name, context.candidate} if own else set())
    if (
        image.image_id == context.change.source
        or image.pullable
        or not set(image.references) <= names
        or context.is_used_elsewhere(image)
    ):
        return []
    # By the time of this step the other names have moved to other images; only a kept name may still be there.
    references = (context.previous,) if own and context.previous in image.references else ()
    return [context.remove_image(name, image, cause, references=references)]


def _untag(context: ServiceContext, name: str, reference: str) -> Step:
    return context.step(
        name,
        Untag(reference=reference),
        cause="the image is in its place under its own name",
        changes=f"untags {reference}",
    )


def _needed(context: ServiceContext, image: Image, *, but: str) -> bool:
    return any(c.image_id == image.image_id and c.container_id != but for c in context.inventory.containers)
