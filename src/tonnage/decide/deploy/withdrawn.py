"""What was rolled away from does not come back unremarked: the same again is refused, unless it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.changes import config_digest
from tonnage.errors import UsageError
from tonnage.model.deploy.image_names import LABEL_INPUTS, is_config
from tonnage.units import format_moment

if TYPE_CHECKING:
    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.versions import KnownVersion


def refuse_withdrawn(context: ServiceContext) -> None:
    """Refuse a deploy of a version that was rolled away from.

    Raises:
        UsageError: It would run again, and nobody asked for it again.
    """
    if context.policy.again or not context.change.switch:
        return
    for known in context.versions:
        if known.withdrawn and _is_same(context, known):
            service = context.service
            proven_s = known.version.proven_s if known.version is not None else 0.0
            when = f", proven {format_moment(proven_s)}" if proven_s else ""
            same = "is built from the same inputs" if service.build is not None else "runs the same image"
            raise UsageError(
                f"{service.name} was rolled back from {known.name}, and this is {known.name} again",
                why=f"It {same} with the same configuration as {known.name}{when}. Nothing was changed.",
                todo="Change what was wrong with it, or deploy it all the same:\n  tonnage deploy --again",
                place=str(service.place or ""),
            )


def _is_same(context: ServiceContext, known: KnownVersion) -> bool:
    if not is_config(known.config, config_digest(context.service)):
        return False
    if context.service.build is None:
        wanted = context.wanted_image
        if wanted is None:
            return False
        recorded = known.version
        return context.is_again(known) or (
            recorded is not None
            and (recorded.image_id == wanted.image_id or recorded.content_digest == wanted.content_digest != "")
        )
    told = known.version.inputs_digest if known.version is not None else ""
    if known.image is None:
        return bool(told) and told == context.change.inputs_digest
    told = told or known.image.labels.get(LABEL_INPUTS, "")
    # What is built anew although its image is there gets another base.
    return not context.change.build and bool(told) and told == context.change.inputs_digest
