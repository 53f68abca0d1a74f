"""What is removed because it is superseded, or because an earlier run was killed before it removed it.

Removed is only what is provably this service's own: every name on it is ours, no container of anything else needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.deploy.versions import outside_of_window
from tonnage.model.deploy.image_names import repository, version_names
from tonnage.model.deploy.plan import RemoveContainer, RemoveImage, Untag
from tonnage.model.deploy.versions import KnownVersion
from tonnage.model.forecast.estimate import RECORDS
from tonnage.model.replacement import half_replaced

if TYPE_CHECKING:
    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Step
    from tonnage.model.inventory import Image


def leftover_steps(context: ServiceContext) -> list[Step]:
    """Return steps that remove what earlier runs left: a candidate and its container, a version rolled away from."""
    steps = half_replaced_steps(context)
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
        context.unproven: ("unproven", "an earlier run ended before its successor was proven"),
    }
    for reference, (name, cause) in causes.items():
        steps += _left(context, reference, name, cause, but=left.container_id if left else "")
    for known in context.versions:
        if known.withdrawn and not context.is_again(known):
            for reference in known.references:
                steps += _left(context, reference, f"withdrawn-{known.number}", "it was rolled back", but="")
    return steps + _earlier_names_steps(context) + _nameless_steps(context)


def _earlier_names_steps(context: ServiceContext) -> list[Step]:
    """Return steps that take the names off a version that it had before it was proven again, and got another number.

    They take no bytes, so they go with the next deploy that changes something.
    """
    if not (context.change.build or context.change.pull or context.change.switch):
        return []
    mine = repository(context.stack.name, context.service.name)
    steps = []
    for known in context.versions:
        named = version_names(mine, (*known.references, *known.records))
        earlier = {each for each, name in named if name.number != known.number}
        references = tuple(each for each in known.references if each in earlier)
        if known.image is None or known.withdrawn or not references or references == known.references:
            continue
        steps.append(
            context.step(
                f"forget-earlier-names-of-{known.name}",
                RemoveImage(
                    image=known.image.image_id,
                    references=references,
                    records=tuple(each for each in known.records if each in earlier),
                ),
                cause=f"it is {known.name} now, and an earlier run ended before it took them away",
                changes=f"untags {', '.join(references)}",
                kept=RECORDS,
            )
        )
    return steps


def half_replaced_steps(context: ServiceContext) -> list[Step]:
    """Return steps that remove what Compose left when it was killed while it replaced containers."""
    return [
        context.step(
            f"remove-half-replaced-{number}" if number > 1 else "remove-half-replaced",
            RemoveContainer(container=each.container_id),
            cause="Compose was ended while it replaced this container",
            changes=f"removes the container {each.name}, which is {each.state}",
        )
        for number, each in enumerate(
            half_replaced(context.inventory.containers, context.stack.name, context.service.name), start=1
        )
    ]


def _left(context: ServiceContext, reference: str, name: str, cause: str, *, but: str) -> list[Step]:
    image = context.inventory.image(reference)
    if image is None:
        return []
    if set(image.references) > {reference}:
        # At the switch a candidate is named twice for a moment; a version that came back keeps the other name.
        stays = reference == context.source or (reference == context.candidate and context.never_proven)
        return [] if stays else [_untag(context, f"untag-{name}", reference)]
    if image.image_id == context.change.source or _needed(context, image, but=but):
        return []
    return [context.remove_image(f"remove-{name}", image, cause, references=(reference,))]


def _nameless_steps(context: ServiceContext) -> list[Step]:
    """Return steps that remove images of the service which lost their last name to the one that is kept now.

    Only a run that was killed between switch-over and tidying leaves them. While none is kept they may be the only
    ones to go back to.
    """
    if not any(known.references for known in context.versions):
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


def superseded_steps(context: ServiceContext) -> list[Step]:
    """Return steps that remove what rollback needs no more, once the new version is good.

    Those are versions beyond the ones that are kept, what was said before of a version that came back, and what was
    rolled away from before all that is kept.
    """
    steps = _unproven_steps(context)
    again = [known for known in context.versions if context.is_again(known)]
    good = [known for known in _good_now(context) if not context.is_again(known)]
    gone = outside_of_window(good, context.policy.keep_versions)
    oldest = min((known.number for known in good if known not in gone), default=context.new_number)
    withdrawn = [known for known in context.versions if known.withdrawn and known not in again]
    forgotten = [known for known in withdrawn if known.number < oldest]
    for known, cause in (
        *((each, f"it is v{context.new_number} now") for each in again),
        *((each, _beyond(context)) for each in gone),
        *((each, "it was rolled back, and what is kept is newer") for each in forgotten),
    ):
        steps += forget_steps(context, known, cause)
    return steps


def surplus_steps(context: ServiceContext) -> list[Step]:
    """Return steps that remove versions beyond those that are kept, where a good one runs and nothing replaces it.

    A run that was killed after it had named that one good leaves them, and so does a lower ``keep-versions``.
    """
    if context.runs is None:
        return []
    good = [known for known in context.good if known != context.runs]
    steps = []
    for known in outside_of_window(good, context.policy.keep_versions):
        steps += forget_steps(context, known, _beyond(context))
    return steps


def forget_steps(context: ServiceContext, known: KnownVersion, cause: str) -> list[Step]:
    """Return the step that takes the names of ours off a version; its image goes when nothing else needs it."""
    references = () if known.withdrawn and not context.is_again(known) else known.references
    if known.image is None or not references:
        return [
            context.step(
                f"forget-{name.rpartition(':')[2]}",
                RemoveImage(image=name, references=(name,)),
                cause=cause,
                changes=f"removes {name}",
            )
            for name in known.records
        ]
    image = known.image
    moving = context.moving if _moves(context, image) else set()
    goes = set(image.references) <= {*references, *moving} and not context.is_used_elsewhere(image)
    if goes and image.image_id != context.change.source:
        return [
            context.remove_image(f"forget-{known.name}", image, cause, references=references, records=known.records)
        ]
    return [
        context.step(
            f"forget-{known.name}",
            RemoveImage(image=image.image_id, references=references, records=known.records),
            cause=cause,
            changes=f"untags {', '.join(references)}",
            kept=RECORDS,
        )
    ]


def _good_now(context: ServiceContext) -> list[KnownVersion]:
    """Return the good versions before the new one, as this plan has named them by then."""
    if not context.names_what_runs:
        return list(context.good)
    number, references = context.number, (context.kept_reference,)
    if context.runs is not None:
        named = replace(context.runs, number=number, references=references)
        return [named if each == context.runs else each for each in context.good]
    return [*context.good, KnownVersion(image=context.change.running_image, number=number, references=references)]


def _beyond(context: ServiceContext) -> str:
    kept = context.policy.keep_versions
    return "the new version is good, and none before it is kept" if not kept else f"keep-versions is {kept}"


def _moves(context: ServiceContext, image: Image) -> bool:
    """Return whether the names that the image has besides ours are another's by the end of the plan."""
    return bool(context.source or context.change.pull) and image.image_id != context.change.source


def _unproven_steps(context: ServiceContext) -> list[Step]:
    image = context.change.running_image
    if image is None or context.kept_reference != context.unproven:
        return []
    cause, names = "it was never proven, and the new version is", {context.unproven, context.candidate}
    goes = set(image.references) <= names | (context.moving if _moves(context, image) else set())
    if goes and image.image_id != context.change.source and not context.is_used_elsewhere(image):
        return [context.remove_image("remove-unproven", image, cause, references=(context.unproven,))]
    return [_untag(context, "untag-unproven", context.unproven)]


def _untag(context: ServiceContext, name: str, reference: str) -> Step:
    return context.step(
        name,
        Untag(reference=reference),
        cause="the image has another name",
        changes=f"untags {reference}",
    )


def _needed(context: ServiceContext, image: Image, *, but: str) -> bool:
    return any(c.image_id == image.image_id and c.container_id != but for c in context.inventory.containers)
