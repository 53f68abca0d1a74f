"""What copying brings besides the files themselves: what links below a directory point to, and what zeros leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.costs.copied_image_files import copied_paths
from tonnage.forecast.costs.found_files import landing
from tonnage.forecast.costs.image_paths import covers, moved
from tonnage.forecast.costs.links import links_in
from tonnage.model.forecast.estimate import Grade, spread, weakest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.sized_effects import SizedEffect, WrittenBytes

_MOST_FOLLOWED = 200


def behind_copied(effect: SizedEffect, seen: Sequence[WrittenBytes], base_size: Estimate) -> list[WrittenBytes]:
    """Return what ``cp -rL`` writes in place of the links below what it copies.

    Args:
        seen: Everything that is there.
    """
    found: list[WrittenBytes] = []
    if not effect.follows:
        return found
    links = links_in(seen)
    for source, destination in effect.copies:
        into = landing(source, destination, seen)
        below = [(place, target) for place, target in links.items() if covers(source, place)]
        for place, target in below[:_MOST_FOLLOWED]:
            found += copied_paths((target,), moved(place, source, into), seen, base_size, "the image")
    return found


def with_holes(piece: WrittenBytes) -> WrittenBytes:
    """Return a piece whose zeros may take nothing on the disk: overlay filesystems keep the holes."""
    disk = piece.disk
    grade = weakest((disk.grade, Grade.DECLARED))
    return replace(piece, disk=spread(0, disk.likely_bytes, disk.high_bytes, grade) if disk.high_bytes else disk)
