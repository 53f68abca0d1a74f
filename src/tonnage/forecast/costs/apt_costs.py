"""What the packages that were chosen cost: files, lists, ``.deb`` files, and what apt keeps for itself.

``Installed-Size`` counts files in whole KiB. What is installed is a little less, plus dpkg's own records, plus
bytecode where packages hold Python; documents that dpkg is told to leave out are in it all the same.

Source: measured on Debian 12 with curl, git, build-essential, libgl1 and python3-numpy: 0.984 to 0.988 of what is
declared, 0.70 to 0.99 where documents are left out; lists to the byte, compressed ones 0.376 of the plain ones;
``pkgcache.bin`` and ``srcpkgcache.bin`` each 0.70 of the plain lists and 0.09 of the translations; records 1.8 KB for
each package that is there and 18 KB for each new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.model.forecast.debian_package import AptForecast, ListBytes
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade
from tonnage.model.forecast.python_lock import in_blocks

if TYPE_CHECKING:
    from tonnage.model.forecast.base_image import AptState
    from tonnage.model.forecast.debian_package import Chosen, PackageSelection, Probed

_FILES = (0.95, 0.986, 1.02)
_FILES_WITHOUT_DOCUMENTS = (0.60, 0.93, 1.02)
_BYTECODE = (0.0, 0.45, 0.9)
_RECORD_BYTES = (1_000, 1_800, 2_600)
_NEW_RECORD_BYTES = (5_000, 18_000, 30_000)
_SCRIPTS_BYTES = (0, 60_000, 3_000_000)
_DISK = (1.003, 1.018, 1.07)
_DISK_BYTES = (20_000, 50_000, 120_000)
_LZ4 = 0.376
_CACHE_OF_LISTS, _CACHE_OF_TRANSLATIONS = 0.70, 0.09
_CACHE = (0.85, 1.0, 1.15)
_LISTS = (0.97, 1.0, 1.04)
# Lists are fetched with xz. Source: 15.5 MB for 87.0 MB of lists and translations of Debian 12.
_FETCHED = (0.12, 0.18, 0.30)
# When the image has packages that are not known, fewer come; and how far the usual ones go is a guess.
_ASSUMED = 0.25


def apt_forecast(
    choice: PackageSelection, lists: ListBytes, state: AptState, *, by: str = "lists of packages"
) -> AptForecast:
    """Return what an update and an install bring."""
    image = _installed(choice, state)
    debs = sum(package.deb_bytes for package in choice.packages)
    notes = []
    if choice.assumed:
        notes.append("what the image has installed is not known: the usual packages were taken for it")
    return AptForecast(
        image=image,
        disk=_on_disk(image, len(choice.packages)),
        debs=_declared(int(debs * (_ASSUMED if choice.assumed else 1)), debs, debs),
        lists=_lists(lists, state),
        lists_download=_spread(
            lists.release_bytes + lists.fetched_bytes + (lists.translation_fetched_bytes if state.translations else 0)
        ),
        caches=_caches(lists, state),
        packages=tuple(sorted(choice.packages, key=lambda package: (-package.installed_bytes, package.name))),
        missing=choice.missing,
        by=by,
        notes=tuple(notes),
    )


def probed_forecast(probed: Probed, state: AptState) -> AptForecast:
    """Return what an update and an install bring, by the word of the image's own solver."""
    found = apt_forecast(probed.choice, ListBytes(), state, by="the image's own solver")
    unpacked = probed.lists_bytes / (_LZ4 if state.lists_compressed else 1)
    return replace(
        found,
        lists=_spread(probed.lists_bytes),
        lists_download=_declared(*(int(unpacked * share) for share in _FETCHED)),
        caches=_spread(probed.caches_bytes),
    )


def _installed(choice: PackageSelection, state: AptState) -> Estimate:
    if not choice.packages:
        return NOTHING
    shares = _FILES_WITHOUT_DOCUMENTS if state.path_excludes else _FILES
    declared = sum(package.installed_bytes for package in choice.packages)
    compiled = sum(package.installed_bytes for package in choice.packages if _has_python(package))
    new, there = len(choice.packages), len(choice.packages) + len(state.installed)
    parts = zip(shares, _BYTECODE, _RECORD_BYTES, _NEW_RECORD_BYTES, _SCRIPTS_BYTES, strict=True)
    low, likely, high = (
        int(declared * files + compiled * code + there * record + new * added + scripts)
        for files, code, record, added, scripts in parts
    )
    return _declared(int(low * _ASSUMED) if choice.assumed else low, likely, high)


def _has_python(package: Chosen) -> bool:
    return package.name.startswith(("python3", "libpython3")) and not package.name.endswith(("-dev", "-doc", "-dbg"))


def _on_disk(image: Estimate, count: int) -> Estimate:
    if not count:
        return NOTHING
    low, likely, high = (
        int(size * share) + count * each
        for size, share, each in zip(
            (image.low_bytes, image.likely_bytes, image.high_bytes), _DISK, _DISK_BYTES, strict=True
        )
    )
    return _declared(low, likely, high)


def _lists(lists: ListBytes, state: AptState) -> Estimate:
    plain = lists.plain_bytes + (lists.translation_bytes if state.translations else 0)
    kept = int(plain * _LZ4) if state.lists_compressed else plain
    return _spread(in_blocks(lists.release_bytes + kept))


def _caches(lists: ListBytes, state: AptState) -> Estimate:
    """Return the bytes of both caches; an install alone writes one of them again."""
    if not state.keeps_caches:
        return NOTHING
    translations = lists.translation_bytes if state.translations else 0
    each = lists.plain_bytes * _CACHE_OF_LISTS + translations * _CACHE_OF_TRANSLATIONS
    return _declared(*(int(2 * each * share) for share in _CACHE))


def _spread(count_bytes: int) -> Estimate:
    return _declared(*(int(count_bytes * share) for share in _LISTS))


def _declared(low: int, likely: int, high: int) -> Estimate:
    return Estimate(low, likely, max(likely, high), Grade.DECLARED)
