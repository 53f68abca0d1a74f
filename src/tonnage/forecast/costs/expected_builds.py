"""What the build steps of a plan will do, from the forecasts of their images.

A plan is refused by its low figures, so what the builder may still have cached is taken off them: how much of it fits
this build nobody knows before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.forecast.costs.totals import CountedLayers, add_up
from tonnage.model.deploy.plan import ExpectedBuild, ExpectedInstruction
from tonnage.model.forecast.estimate import NOTHING, Estimate, above, total

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tonnage.model.forecast.estimate import ServiceForecast
    from tonnage.model.inventory import Inventory


def expected_builds(
    forecasts: Sequence[ServiceForecast], *, roles: Collection[str], elsewhere: Collection[str], cached_bytes: int
) -> dict[str, ExpectedBuild]:
    """Return what each build will do, in the order of the plan."""
    seen = CountedLayers()
    found = {}
    for forecast in forecasts:
        if not forecast.found_out:
            continue
        sums = add_up(forecast.steps, beside=forecast.beside, seen=seen)
        kept = peak = NOTHING
        for role in sums.kept_on:
            if role in roles or role not in elsewhere:
                kept += sums.kept_on[role]
                peak += sums.peak_on[role]
        cache = total(
            holding.kept
            for holding in {each.key: each for step in forecast.steps for each in step.holdings}.values()
            if not holding.in_image and not holding.present and (holding.role in roles or holding.role not in elsewhere)
        )
        found[forecast.service] = ExpectedBuild(
            cache=cache,
            kept=_at_least_without(kept, cached_bytes),
            transient=_at_least_without(above(peak, kept), cached_bytes),
            instructions=tuple(
                ExpectedInstruction(
                    stage=step.stage,
                    line=step.line,
                    text=step.text,
                    key=step.key,
                    learn_key=step.learn_key,
                    image=step.image,
                    disk=step.disk,
                    transient=step.transient,
                    in_image=any(holding.in_image for holding in step.holdings),
                    layers=sum(holding.in_image and not holding.key.startswith("blob:") for holding in step.holdings),
                )
                for step in forecast.steps
                if step.key
            ),
        )
    return found


def cached_bytes(inventory: Inventory) -> int:
    """Return how many bytes a build may find done already."""
    records = sum(record.size_bytes for record in inventory.cache)
    return records + sum(image.unique_bytes for image in inventory.images if not image.references)


def present_layers(built: Sequence[tuple[str, str]], inventory: Inventory) -> frozenset[str]:
    """Return the identities of layers that were built on this engine and that it still has."""
    if not inventory.cache:
        return frozenset()
    images = {image.image_id for image in inventory.images}
    return frozenset(key for key, image_id in built if image_id in images)


def _at_least_without(estimate: Estimate, count_bytes: int) -> Estimate:
    if not estimate.known or not count_bytes:
        return estimate
    low_bytes = max(0, estimate.low_bytes - count_bytes)
    return Estimate(low_bytes, estimate.likely_bytes, estimate.high_bytes, estimate.grade)
