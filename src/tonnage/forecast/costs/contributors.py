"""What weighs most in an instruction, as people are shown it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.addresses import redacted
from tonnage.model.forecast.estimate import Contributor

if TYPE_CHECKING:
    from tonnage.forecast.costs.layer_costs import LayerCost

_MOST = 400


def contributors(cost: LayerCost) -> tuple[Contributor, ...]:
    """Return the pieces of a layer and what is kept beside it, the heaviest first, and no more than people look at."""
    found = [
        Contributor(
            name=redacted(each.name),
            disk=each.disk,
            image=each.image,
            download=each.download,
            source=each.source,
            brought_by=each.brought_by,
        )
        for each in cost.pieces
    ]
    found += [
        Contributor(name=redacted(each.name), disk=each.disk, source="kept outside the layer") for each in cost.asides
    ]
    found.sort(key=lambda each: (-each.disk.likely_bytes, -each.disk.high_bytes, each.name))
    return tuple(found[:_MOST])
