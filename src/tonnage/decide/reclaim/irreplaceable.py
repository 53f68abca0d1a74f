"""What nobody can get back: it goes only where somebody has seen it in a list and said yes, and never for a deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.deploy.image_names import LABEL_STACK
from tonnage.model.reclaim.candidate import CandidateKind, Protected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.model.inventory import Image, Inventory
    from tonnage.model.reclaim.candidate import CandidateId, Findings

_STAYS = "it cannot be recreated, so a plan does not remove it: tonnage reclaim lists it"


def replaceable(findings: Findings, inventory: Inventory, *, with_logs: bool = False) -> Findings:
    """Return what may go although nobody is asked, the rest as what stays.

    Args:
        findings: What may go and what stays of an engine.
        with_logs: Logs may go too, as for a guard of machines that logs fill.
    """
    lost = {each for each in _lost(findings, inventory) if not (with_logs and each.kind is CandidateKind.CONTAINER_LOG)}
    kept = [each for each in findings.candidates if each.candidate_id in lost or lost & {*each.removed_after}]
    stays = {each.candidate_id for each in kept}
    told = (Protected(candidate_id=each.candidate_id, kind=each.kind, name=each.name, reason=_STAYS) for each in kept)
    return replace(
        findings,
        candidates=tuple(each for each in findings.candidates if each.candidate_id not in stays),
        protected=(*findings.protected, *told),
    )


def _lost(findings: Findings, inventory: Inventory) -> Iterator[CandidateId]:
    images = {each.image_id: each for each in inventory.images}
    written = {each.container_id for each in inventory.containers if each.writable_bytes != 0}
    for each in findings.candidates:
        kind, key = each.candidate_id.kind, each.candidate_id.key
        only_here = kind is CandidateKind.IMAGE and _is_only_here(images.get(key))
        wrote = kind is CandidateKind.CONTAINER and key in written
        if only_here or wrote or kind is CandidateKind.CONTAINER_LOG:
            yield each.candidate_id


def _is_only_here(image: Image | None) -> bool:
    """Return whether an image can be asked for by its name, and no registry and no stack is known to have it."""
    return image is None or bool(image.references and not image.pullable and not image.labels.get(LABEL_STACK))
