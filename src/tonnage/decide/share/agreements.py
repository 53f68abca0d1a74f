"""Packages of which services have different versions, and what is less to keep where they agree on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from tonnage.decide.share.choice import EARNS_BYTES
from tonnage.decide.share.images import shared_images
from tonnage.model.deploy.sharing import Agreement, OtherVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.deploy.sharing import Sharing, WheelOffer
    from tonnage.model.inventory import Inventory

_MOST = 3


def possible_agreements(sharing: Sharing, *, earns_bytes: int = EARNS_BYTES) -> tuple[Agreement, ...]:
    """Return the newest version that one of several services has, and who would have to change; the heaviest first."""
    having: dict[tuple[tuple[str, str, bool], str], dict[str, list[str]]] = {}
    heaviest: dict[tuple[tuple[str, str, bool], str], int] = {}
    for offer in sharing.offers:
        for wheel in offer.wheels if offer.service not in sharing.off else ():
            key = (offer.place, wheel.name)
            having.setdefault(key, {}).setdefault(wheel.version, []).append(offer.service)
            heaviest[key] = max(heaviest.get(key, 0), wheel.kept_bytes)
    found = []
    for key in sorted(having, key=lambda each: (-heaviest[each], each[1])):
        versions = having[key]
        if len(versions) > 1 and heaviest[key] >= earns_bytes:
            newest = max(versions, key=_order)
            others = [(name, old) for old, names in versions.items() if old != newest for name in names]
            changes = tuple(OtherVersion(service=name, old=old) for name, old in sorted(others))
            found.append(Agreement(name=key[1], version=newest, changes=changes))
    return tuple(found[:_MOST])


def saved_bytes_with(
    sharing: Sharing, changed: Mapping[str, WheelOffer], inventory: Inventory, *, earns_bytes: int = EARNS_BYTES
) -> int:
    """Return how much more is saved with other offers of some services."""
    offers = [changed.get(each.service, each) for each in sharing.offers]
    new, old = (
        shared_images(each, inventory, off=sharing.off, earns_bytes=earns_bytes) for each in (offers, sharing.offers)
    )
    return _saved(new) - _saved(old)


def _saved(sharing: Sharing) -> int:
    return sum(each.saved_bytes for each in sharing.images)


def _order(version: str) -> tuple[Version, str]:
    try:
        return Version(version), version
    except InvalidVersion:
        return Version("0"), version
