"""Sharing as text: for each service what it stands on together with others, and what it does not share, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes

if TYPE_CHECKING:
    from tonnage.model.deploy.sharing import Agreement, SharedImage, Sharing, WheelOffer

_SHOWN = 12


def sharing_lines(sharing: Sharing | None) -> list[str]:
    """Write what services share."""
    if sharing is None:
        return ["sharing:", "  nothing is built"]
    lines = ["sharing:"]
    for offer in sharing.offers:
        lines.append(f"  {offer.service}:")
        if offer.service in sharing.off:
            lines.append("    nothing: x-tonnage.share is off")
        below = sharing.below(offer.service)
        lines += [line for image in below for line in _image_lines(image)]
        if not below and offer.wheels and offer.service not in sharing.off:
            lines.append(f"    nothing: {_why_nothing(offer)}")
        if offer.wheels:
            lines.append(f"    could share {len(offer.wheels)} wheels of {format_bytes(offer.kept_bytes)}")
        lines += [f"    apart: {each.what}: {each.why}" for each in offer.apart]
    saved_bytes = sum(image.saved_bytes for image in sharing.images)
    lines.append(f"  saved {format_bytes(saved_bytes)} of at most {format_bytes(sharing.most_bytes)}")
    return lines + [line for each in sharing.agreements for line in _agreement_lines(each)]


def _why_nothing(offer: WheelOffer) -> str:
    image_bytes = sum(each.kept_bytes for each in offer.wheels)
    if offer.inner and image_bytes > offer.kept_bytes:
        sizes = f"an image takes {format_bytes(image_bytes)} of them and this stage {format_bytes(offer.kept_bytes)}"
        return f"{sizes}, so only images that consist of them can have it in common"
    return "no other service has enough in common with it"


def _agreement_lines(agreement: Agreement) -> list[str]:
    """Write what agreeing on a version would save, and what to write for it."""
    name, version = agreement.name, agreement.version
    if agreement.why:
        return [f"  {name} {version} everywhere cannot be: {agreement.why}"]
    lines = [f"  {name} {version} everywhere would save {format_bytes(agreement.saves_bytes)}; it resolves:"]
    for each in agreement.changes:
        place = f" in {each.place}" if each.place else ""
        with_what = f", beside {each.brought_by[-1]}, which brings it" if each.brought_by else ""
        lines.append(f"    {each.service}: write {name}=={version}{place}{with_what} (now {each.old})")
    return lines


def _image_lines(image: SharedImage) -> list[str]:
    others = f"shared by {', '.join(image.services)}" if len(image.services) > 1 else "installed by uv"
    state = "is there" if image.present else "is built"
    names = [f"{wheel.name} {wheel.version}" for wheel in image.wheels[:_SHOWN]]
    more = f" and {len(image.wheels) - _SHOWN} more" if len(image.wheels) > _SHOWN else ""
    return [
        f"    on {image.reference} ({format_bytes(image.kept_bytes)}, {state}), {others}",
        f"      {', '.join(names)}{more}",
    ]
