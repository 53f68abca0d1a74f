"""What apt and dpkg write once more in a layer above the one that has it: caches, and lists of what is there. Pure.

An install after an update in the same instruction writes over what that left; in a later one it stands beside it.

Source: Docker 20.10 and 26.1 with images of Debian 12, measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.forecast.costs.image_paths import any_covers
from tonnage.model.forecast.compression import Content
from tonnage.model.forecast.effects import AptClean, AptInstall, AptRemove, AptUpdate, Remove
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade
from tonnage.model.forecast.sized_effects import WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.debian_package import AptForecast
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.sized_effects import SizedEffect

CACHES = "/var/cache/apt"
CACHE_FILES = f"{CACHES}/pkgcache.bin"
"""The larger one of the two stands for both: whoever names one of them by a pattern means the other too."""
_NAME, _ONCE_MORE = "apt's caches", "apt's caches, once more"
# Of what is installed alone. Source: 5 MB with 100 packages of Debian 12.
_WITHOUT_LISTS = Estimate(1_000_000, 5_000_000, 30_000_000, Grade.DECLARED)


class AptLeft(Struct, frozen=True):
    """What earlier instructions left of apt's.

    Args:
        lists: There are lists: an update that finds them unchanged writes none.
        without_caches: Caches were removed, so that the next install writes both, and not only the one that it changes.
    """

    lists: bool = False
    without_caches: bool = False

    def then(self, effects: Sequence[AnyEffect]) -> AptLeft:
        """Return what is left after some more commands."""
        lists, gone = self.lists, self.without_caches
        for each in effects:
            match each:
                case AptUpdate():
                    lists, gone = not (each.conditional or each.lists_mounted), gone and each.conditional
                case AptInstall() | AptRemove():
                    gone = gone and each.conditional
                case AptClean():
                    lists, gone = lists and not each.lists, gone or (each.archives and not each.archives_alone)
                case Remove():
                    gone = gone or any_covers(each.paths, CACHE_FILES)
        return AptLeft(lists, gone)


def with_caches(
    sized: SizedEffect, effects: Sequence[AnyEffect], brought: AptForecast | None, left: AptLeft
) -> SizedEffect:
    """Return what the last of some commands does, with the caches that it writes anew where an earlier layer has them.

    Args:
        left: What earlier instructions left.
    """
    *before, effect = effects
    installs = isinstance(effect, AptInstall) and not effect.downloads_only
    if brought is None or not installs or any(isinstance(each, AptInstall | AptUpdate) for each in before):
        return sized
    size = brought.caches if left.then(before).without_caches else brought.caches.share(1, 2)
    if not size.high_bytes:
        return sized
    # What is written anew lies beside the old one then, and not on top.
    transient = NOTHING if sized.transient == brought.caches.share(1, 2) else brought.debs
    piece = WrittenBytes.of_size(_ONCE_MORE, CACHE_FILES, size, "usual size", content=Content.TEXT)
    return replace(sized, writes=(*sized.writes, piece), transient=transient)


def with_small_caches(effects: Sequence[AnyEffect], sized: Sequence[SizedEffect]) -> list[SizedEffect]:
    """Return what commands do, with the caches that apt writes anew, and much smaller, once its lists are removed."""
    found = [*sized]
    written = gone = False
    for at, (effect, each) in enumerate(zip(effects, sized, strict=True)):
        if gone and written and isinstance(effect, AptInstall | AptRemove) and not effect.conditional:
            piece = WrittenBytes.of_size(_NAME, CACHE_FILES, _WITHOUT_LISTS, "usual size", content=Content.TEXT)
            renews = (*each.renews, (CACHE_FILES, _NAME), (CACHE_FILES, _ONCE_MORE))
            found[at] = replace(each, writes=(*each.writes, piece), renews=renews)
            gone = False
        elif isinstance(effect, AptClean) and effect.lists and not effect.conditional:
            gone = True
        elif isinstance(effect, AptUpdate):
            gone = False
        written = written or any(piece.place == CACHE_FILES and piece.disk.high_bytes for piece in each.writes)
    return found
