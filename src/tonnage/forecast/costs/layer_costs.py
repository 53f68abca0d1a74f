"""What one instruction leaves in its layer and what it needs on the way, from what its commands do in their order.

What is written and removed again by the same instruction was only needed on the way. What an earlier instruction wrote
stays in its layer whatever happens to it later, and a change of its owner or mode writes it once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.forecast.costs.copied_image_files import from_inside
from tonnage.forecast.costs.effect_sizes import derived_pieces
from tonnage.forecast.costs.found_files import landing, replaced
from tonnage.forecast.costs.image_paths import any_covers, covers
from tonnage.forecast.costs.links import behind, links_in, through_links
from tonnage.forecast.costs.removals import left, takes_away
from tonnage.model.forecast.estimate import NOTHING, above, highest, total
from tonnage.model.forecast.sized_effects import Aside, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.sized_effects import SizedEffect


class LayerCost(Struct, frozen=True, kw_only=True):
    """What one instruction costs.

    Args:
        visible: Everything that can be seen in the stage afterwards, earlier layers included.
    """

    pieces: tuple[WrittenBytes, ...]
    image: Estimate
    disk: Estimate
    transient: Estimate
    download: Estimate
    compressed: Estimate
    asides: tuple[Aside, ...]
    visible: tuple[WrittenBytes, ...]


def layer_cost(
    effects: Sequence[SizedEffect],
    earlier: Sequence[WrittenBytes] = (),
    base_size: Estimate = NOTHING,
    mounted: Sequence[WrittenBytes] = (),
    beside: Sequence[tuple[str, str]] = (),
    known: Collection[tuple[str, str]] | None = None,
) -> LayerCost:
    """Add up what the commands of one instruction do.

    Args:
        beside: Places that lie on a mount, with the cache that keeps what is written there; empty for none.
        known: Names and places among which those of all earlier pieces are; None to look.
    """
    below, own = list(earlier), list[WrittenBytes]()
    moments: list[Estimate] = []
    download, aside_bytes, written = NOTHING, NOTHING, NOTHING
    asides: list[Aside] = []
    for told in effects:
        effect = through_links(told, links_in((*mounted, *below, *own)))
        made = _links(effect, (*mounted, *below, *own))
        if _finds_files(effect):
            made += from_inside(effect, below, own, base_size, mounted)
            made += derived_pieces(effect, (*mounted, *below, *own, *made), base_size)
        if effect.certain:
            fresh = (*made, *effect.writes)
            own, below = replaced(own, fresh), replaced(below, fresh)
        own += made
        once_more = effect.renews if effect.certain else ()
        renewed = [each for each in own if (each.place, each.name) in once_more]
        if not effect.sets_aside:
            # Its files are written over, or removed before.
            own = [each for each in own if each not in renewed]
        written = total(each.disk for each in own)
        for piece in effect.writes:
            own.append(piece)
            download += piece.download
            written += piece.disk
            moments.append(written + piece.transient + aside_bytes)
        asides += effect.asides
        aside_bytes = total((aside_bytes, *(aside.disk for aside in effect.asides)))
        moments.append(written + effect.transient + _set_aside(effect, below) + aside_bytes)
        if once_more:
            first_new = len(own) - len(effect.writes)
            own = [*(each for each in own[:first_new] if each not in renewed), *own[first_new:]]
            below = [each for each in below if (each.place, each.name) not in once_more]
            written = total(each.disk for each in own)
        if takes_away(effect):
            own, below = left(own, effect), left(below, effect)
            written = total(each.disk for each in own)
    if beside:
        kept_beside = [(piece, cache) for piece in own for place, cache in beside if covers(place, piece.place)]
        own = [piece for piece in own if not any_covers([place for place, _ in beside], piece.place)]
        asides += [
            Aside(key=f"cache:{cache}\0{piece.name}", name=piece.name, disk=piece.disk)
            for piece, cache in kept_beside
            if cache
        ]
        aside_bytes = total(aside.disk for aside in asides)
    disk = total(piece.disk for piece in own)
    return LayerCost(
        pieces=tuple(own),
        image=total(piece.image for piece in own),
        disk=disk,
        transient=above(highest([*moments, disk + aside_bytes]), disk + aside_bytes),
        download=download,
        compressed=total(piece.compressed for piece in own),
        asides=tuple(asides),
        visible=(*_without(below, own, known), *own),
    )


def _links(effect: SizedEffect, seen: Sequence[WrittenBytes]) -> list[WrittenBytes]:
    """Return the symbolic links that a command makes; they have no bytes."""
    placed = ((target, landing(target, place, seen)) for target, place in effect.links)
    return [
        WrittenBytes(name=place, place=place, is_file=True, links_to=behind(target, place), source="a link")
        for target, place in placed
    ]


def _finds_files(effect: SizedEffect) -> bool:
    """Return whether a command finds what it writes, or takes, among files that are there."""
    changes = effect.rewrites or effect.rewrites_found or effect.alters or effect.appends
    return bool(changes or effect.copies or effect.file_copies or effect.moves or effect.derives)


def _without(
    below: Sequence[WrittenBytes], own: Sequence[WrittenBytes], known: Collection[tuple[str, str]] | None
) -> Sequence[WrittenBytes]:
    """Return what of earlier layers is not the same as something that the instruction wrote, whoever brought it."""
    among = {(piece.name, piece.place) for piece in below} if known is None and own else known or ()
    same = {_what(piece) for piece in own if (piece.name, piece.place) in among}
    return [piece for piece in below if _what(piece) not in same] if same else below


def _what(piece: WrittenBytes) -> tuple[str, str, Estimate, Estimate]:
    return piece.name, piece.place, piece.image, piece.disk


def _set_aside(effect: SizedEffect, below: Sequence[WrittenBytes]) -> Estimate:
    """Return what a command copies out of earlier layers because it moves it: pip does so before it uninstalls.

    Source: pip 23.0 on overlayfs, measured.
    """
    gone = (*effect.uninstalls, *effect.renews) if effect.sets_aside else ()
    if not gone:
        return NOTHING
    return total(piece.disk for piece in below if (piece.place, piece.name) in gone)
