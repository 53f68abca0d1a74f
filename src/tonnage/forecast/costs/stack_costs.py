"""What building a whole stack costs: layers that services share once, one service after the other and all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.forecast.costs.totals import CountedLayers, add_up, summed
from tonnage.model.forecast.estimate import NOTHING, Estimate, FilesystemForecast, StackForecast, above, highest, total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import EngineKind, ServiceForecast


def forecast_stack(stack: str, engine: EngineKind, services: Sequence[ServiceForecast]) -> StackForecast:
    """Add up the services of a stack."""
    seen = CountedLayers()
    sums = [add_up(service.steps, beside=service.beside, seen=seen) for service in services]
    kept_on, at_once = summed(sums)
    filesystems = []
    for role in sorted(kept_on):
        before, moments = NOTHING, list[Estimate]()
        for each in sums:
            moments.append(before + each.peak_on.get(role, NOTHING))
            before += each.kept_on.get(role, NOTHING)
        filesystems.append(
            FilesystemForecast(
                role=role,
                kept=kept_on[role],
                one_after_the_other=highest([*moments, before]),
                all_at_once=at_once[role],
            )
        )
    before, moments = NOTHING, []
    for each in sums:
        moments.append(before + each.peak)
        before += each.kept
    return StackForecast(
        stack=stack,
        engine=engine,
        services=tuple(services),
        image=total(each.image for each in sums),
        disk=before,
        transient=above(highest([*moments, before]), before),
        download=total(each.download for each in sums),
        filesystems=tuple(filesystems),
    )
