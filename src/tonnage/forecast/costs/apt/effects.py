"""What ``apt-get`` and ``dpkg`` write: packages, lists of them, and archives; where no list was read, usual sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.costs.apt.caches import CACHE_FILES, CACHES
from tonnage.forecast.costs.usual_sizes import of_packages
from tonnage.model.forecast.compression import Content, compressed
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, assumed, total
from tonnage.model.forecast.python_lock import BLOCK_BYTES
from tonnage.model.forecast.sized_effects import Aside, DerivedFile, SizedEffect, WrittenBytes

if TYPE_CHECKING:
    from tonnage.model.forecast.debian_package import AptForecast
    from tonnage.model.forecast.effects import AptInstall, AptUpdate

LISTS = "/var/lib/apt/lists"
ARCHIVES = f"{CACHES}/archives"
_PACKAGES = "/usr/share"
_UNPACKED = (100, 300, 800)
# Of what a package declares to take. Source: ``costs``.
_OF_DECLARED = (60, 98, 103)
_UPGRADE_MOST_BYTES = 300_000_000


def apt_install(effect: AptInstall, brought: AptForecast | None, unknown: Estimate, *, keeps_debs: bool) -> SizedEffect:
    """Return what an install of packages of the system does; ``brought`` is what lists of packages tell of it."""
    keeps = keeps_debs or effect.keeps_debs
    if brought is None:
        words = " ".join(effect.packages) or "upgrade"
        bound = assumed(_UPGRADE_MOST_BYTES) if effect.upgrades else unknown
        why = "no package index was read: assumed"
        listed = effect.packages or not (effect.files or effect.unread or effect.local or effect.fixes)
        found: tuple[WrittenBytes, ...] = ()
        if listed:
            found = (WrittenBytes.of_size(f"apt {words}", _PACKAGES, bound, why, download=bound),)
        if effect.packages and not (effect.upgrades or effect.downloads_only):
            found = of_packages(effect.packages, effect.command, _PACKAGES, unknown.high_bytes)
            if keeps and not effect.cache_mounted:
                kept = total(each.download for each in found)
                found = (*found, WrittenBytes.of_size(".deb files", ARCHIVES, kept, "kept", content=Content.PACKED))
        found = (*found, *_local(effect), *_told_late(effect, unknown))
        return SizedEffect(writes=found, derives=_from_files(effect, unknown))
    packages = () if effect.downloads_only else brought.packages
    counted = sum(package.installed_bytes for package in packages) or 1
    fetched = sum(package.deb_bytes for package in packages) or 1
    pieces = [
        WrittenBytes(
            name=f"{package.name} {package.version}",
            place=_PACKAGES,
            image=brought.image.share(package.installed_bytes, counted),
            disk=brought.disk.share(package.installed_bytes, counted),
            compressed=brought.compressed.share(package.deb_bytes, fetched),
            source=f"{brought.by}{f', for {package.because}' if package.because else ''}",
            package=package.name,
            because=package.because,
        )
        for package in packages
    ]
    if not packages and brought.disk.high_bytes and not effect.downloads_only:
        pieces.append(
            WrittenBytes(
                name="packages", place=_PACKAGES, image=brought.image, disk=brought.disk,
                compressed=brought.compressed, source=brought.by,
            )
        )  # fmt: skip
    pieces += [*_local(effect), *_told_late(effect, unknown)]
    missing = "no source has it: assumed"
    pieces += [WrittenBytes.of_size(name, _PACKAGES, unknown, missing) for name in brought.missing]
    debs = brought.debs
    files = WrittenBytes(name=".deb files", place=ARCHIVES, download=debs, source=brought.by)
    # When dpkg is done, apt writes one of its two caches anew before it gives the old one up.
    renewed = NOTHING if effect.downloads_only else brought.caches.share(1, 2)
    derives = _from_files(effect, unknown)
    if effect.cache_mounted:
        aside = Aside(key=f"cache:{ARCHIVES}", name=".deb files", disk=debs)
        return SizedEffect(writes=(files, *pieces), asides=(aside,), transient=renewed, derives=derives)
    if keeps or effect.downloads_only:
        return SizedEffect(
            writes=(replace(files, image=debs, disk=debs, compressed=compressed(debs, Content.PACKED)), *pieces),
            transient=renewed,
            derives=derives,
        )
    return SizedEffect(
        writes=(replace(files, name="fetching .deb files"), *pieces), transient=debs + renewed, derives=derives
    )


def _local(effect: AptInstall) -> list[WrittenBytes]:
    """Return what packages of the context become, by what they say themselves; without documents less."""
    low, likely, high = _OF_DECLARED
    return [
        WrittenBytes.of_size(
            f"{each.name} {each.version}",
            _PACKAGES,
            Estimate(
                each.installed_bytes * low // 100,
                each.installed_bytes * likely // 100,
                each.installed_bytes * high // 100 + BLOCK_BYTES,
                Grade.DECLARED,
            ),
            "its own control file",
        )
        for each in (effect.local if not effect.downloads_only else ())
    ]


def _told_late(effect: AptInstall, unknown: Estimate) -> list[WrittenBytes]:
    """Return what is assumed for packages that only the build will name."""
    if not effect.unread:
        return []
    named = " ".join(effect.unread)
    return [WrittenBytes.of_size(named, _PACKAGES, unknown, "named by the build itself: assumed", download=unknown)]


def _from_files(effect: AptInstall, unknown: Estimate) -> tuple[DerivedFile, ...]:
    """Return what local packages become: their files, and what they need, which only the build will read."""
    return tuple(
        DerivedFile(
            place=_PACKAGES,
            paths=(file,),
            percent=_UNPACKED,
            unknown=unknown,
            source=f"contents of {file.rpartition('/')[2]} and what it needs: assumed",
            least_high_bytes=unknown.high_bytes,
        )
        for file in effect.files
    )


def apt_lists(effect: AptUpdate, brought: AptForecast | None, *, there: bool) -> SizedEffect:
    """Return what fetching lists of packages leaves.

    Args:
        there: An earlier instruction left them: unless a server has others meanwhile, they stay as they are.
    """
    size = brought.lists if brought is not None else Estimate(5_000_000, 20_000_000, 60_000_000, Grade.DECLARED)
    fetched = brought.lists_download if brought is not None else size
    caches = brought.caches if brought is not None else Estimate(0, 0, 80_000_000, Grade.DECLARED)
    source = brought.by if brought is not None and brought.by else "usual size"
    kept = WrittenBytes.of_size("apt's caches", CACHE_FILES, caches, source, content=Content.TEXT)
    if effect.lists_mounted:
        aside = Aside(key=f"cache:{LISTS}", name="package lists", disk=size)
        return SizedEffect(
            writes=(WrittenBytes(name="package lists", download=fetched, source=source), kept), asides=(aside,)
        )
    if there:
        size, fetched = replace(size, low_bytes=0, likely_bytes=0), replace(fetched, low_bytes=0, likely_bytes=0)
    content = brought.lists_content if brought is not None else Content.TEXT
    lists = WrittenBytes.of_size("package lists", LISTS, size, source, download=fetched, content=content)
    return SizedEffect(writes=(kept, lists))
