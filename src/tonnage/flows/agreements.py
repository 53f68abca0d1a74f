"""What agreeing on one version would save: each change is resolved and forecast again before it is proposed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.share.agreements import possible_agreements, saved_bytes_with

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.model.deploy.sharing import Agreement, OtherVersion, Sharing, WheelOffer
    from tonnage.model.forecast.estimate import ServiceForecast
    from tonnage.model.inventory import Inventory

    # Forecasts a service with versions by name, and says what it could share then.
    Again = Callable[[str, Mapping[str, str]], tuple[ServiceForecast, WheelOffer]]


def with_agreements(sharing: Sharing, found: Sequence[ServiceForecast], inventory: Inventory, again: Again) -> Sharing:
    """Return what services share, with the versions that they could agree on."""
    by_name = {each.service: each for each in found}
    proposed = (_checked(each, sharing, by_name, inventory, again) for each in possible_agreements(sharing))
    return replace(sharing, agreements=tuple(each for each in proposed if each is not None))


def _checked(
    agreement: Agreement,
    sharing: Sharing,
    found: Mapping[str, ServiceForecast],
    inventory: Inventory,
    again: Again,
) -> Agreement | None:
    """Return an agreement with its places and what it saves; why it does not hold, or None where it saves nothing."""
    changes = tuple(_placed(each, agreement.name, found[each.service]) for each in agreement.changes)
    offers: dict[str, WheelOffer] = {}
    for change in changes:
        forecast, offers[change.service] = again(change.service, {agreement.name: agreement.version})
        if forecast.failures or not forecast.found_out:
            why = next(iter(forecast.failures), "what would be installed then is not known")
            return replace(agreement, changes=changes, why=f"{change.service}: {why}")
    saves_bytes = saved_bytes_with(sharing, offers, inventory)
    return replace(agreement, changes=changes, saves_bytes=saves_bytes) if saves_bytes > 0 else None


def _placed(change: OtherVersion, name: str, forecast: ServiceForecast) -> OtherVersion:
    """Return a change with the line that says the version, or brings the package."""
    work = forecast.work
    effects = (effect for stage in work.stages for step in stage.steps for effect in step.effects) if work else ()
    piece = next((each for effect in effects for each in effect.writes if each.name == f"{name} {change.old}"), None)
    if piece is None or not piece.brought_by:
        return change
    return replace(change, place=piece.brought_by[-1], brought_by=piece.brought_by[:-1])
