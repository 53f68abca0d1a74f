"""What the caches of pip, uv and Poetry keep of an installation, and what each needs on top while it works. Pure.

What pip, and Pipenv by it, keeps in its cache is what the server of an archive allows; the others keep everything.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.addresses import origin_of
from tonnage.lazily import regex
from tonnage.model.forecast.compression import Content, compressed
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, spread, weakest
from tonnage.model.forecast.installs import CacheKind
from tonnage.model.forecast.margins import around
from tonnage.model.forecast.python_lock import BLOCK_BYTES
from tonnage.model.forecast.sized_effects import WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tonnage.model.forecast.python_lock import Other, Rejected, Sdist, WheelContents

# What pip's cache adds to each archive: headers of the answer and directories; and the pages of the index.
_PIP_CACHE_EXTRA_BYTES = 5 * BLOCK_BYTES
_PIP_PAGE_BYTES = 60_000
# The four directories in which Poetry keeps each archive.
_POETRY_CACHE_EXTRA_BYTES = 5 * BLOCK_BYTES
# What PDM's database adds to each archive.
_PDM_CACHE_EXTRA_BYTES = 2 * BLOCK_BYTES
# A checkout or a directory, and a commit that never moves.
_CHECKOUT = regex(r"^\.{0,2}/|(?:^|@\s*)(?:(?:git|hg|svn|bzr)\+|file:)")
_COMMIT = regex(r"@[0-9a-f]{40}(?:#|$)")
# Compressed, of what was built.
_PACKED = 3


class UvPages(StrEnum):
    """How uv keeps pages of an index: older versions take 12 MB for one with thousands of files."""

    NONE = "none: all is in the lock"
    SMALL = "since 0.13.9"
    LARGE = "before"
    UNKNOWN = "unknown"


# What uv keeps of each package besides its files, pages of the index and metadata, and what one page may take besides.
# Source: uv 0.4.20 to 0.13.9 with 4 to 44 packages, pydantic-core among them.
_UV_NOTES = {
    UvPages.NONE: (Estimate(4_000, 20_000, 100_000, Grade.DECLARED), 0),
    UvPages.SMALL: (Estimate(100_000, 360_000, 900_000, Grade.DECLARED), 0),
    UvPages.LARGE: (Estimate(100_000, 900_000, 1_300_000, Grade.DECLARED), 12_000_000),
    UvPages.UNKNOWN: (Estimate(100_000, 360_000, 1_300_000, Grade.DECLARED), 12_000_000),
}


def kept_if_allowed(contents: WheelContents, trusted: Collection[str]) -> WheelContents:
    """Return a wheel of which pip keeps nothing where it comes without encryption from a host that is not trusted."""
    scheme, host, port = origin_of(contents.wheel.url) or ("", "", 0)
    unsafe = scheme == "http" and not {host, f"{host}:{port}"} & set(trusted)
    return replace(contents, cacheable=False) if unsafe else contents


def pip_needs(fetched: Estimate, cacheable: Estimate, archives: int, cache: CacheKind) -> tuple[WrittenBytes, Estimate]:
    """Return what pip keeps and needs on top: every archive waits in the temporary directory until the end.

    What it keeps in its cache is what the server of an archive allows to be kept.

    Source: pip 23.2 and 26.3, measured: the transient of ``torch==2.3.1`` is within 0.04 % of the sum of its wheels.
    """
    transient = fetched + around(archives * BLOCK_BYTES, fetched.likely_bytes // 200)
    if cache is CacheKind.NONE or not cacheable.high_bytes:
        return WrittenBytes(name="pip cache"), transient
    extra = archives * (_PIP_CACHE_EXTRA_BYTES + _PIP_PAGE_BYTES)
    disk = cacheable + spread(0, extra, 3 * extra, cacheable.grade)
    image = disk if cache is CacheKind.IN_LAYER else NOTHING
    return WrittenBytes(
        name="pip cache", image=image, disk=disk, compressed=compressed(image, Content.PACKED)
    ), transient


def rejected_needs(rejected: Iterable[Rejected], assumed_bytes: int, *, reads_apart: bool | None) -> list[WrittenBytes]:
    """Return what pip fetches of versions that it does not take: it waits with the rest until the end.

    Args:
        reads_apart: Whether it reads what they need apart from them where the index offers that.
    """
    found = []
    for each in rejected:
        if each.metadata_apart and reads_apart:
            continue
        size_bytes = each.size_bytes if each.size_bytes is not None else assumed_bytes
        most = each.count * size_bytes * 5 // 4
        likely = 0 if each.metadata_apart and reads_apart is None else each.count * size_bytes
        some = Estimate(0, likely, most, Grade.DECLARED if each.size_bytes is not None else Grade.UNKNOWN)
        name = f"newer versions of {each.name} that do not fit ({each.count} up to {each.version})"
        found.append(WrittenBytes(name=name, download=some, source="fetched to see what they need"))
    return found


def poetry_needs(fetched: Estimate, archives: int, cache: CacheKind) -> tuple[WrittenBytes, Estimate]:
    """Return what Poetry keeps: each archive, whatever its server says, and installs from there.

    What it keeps of indexes is small, and depends on what they allow.

    Source: ``ArtifactCache`` of Poetry 1.8; not measured in a build.
    """
    if cache is CacheKind.NONE or not fetched.high_bytes:
        return WrittenBytes(name="poetry cache"), fetched
    extra = archives * _POETRY_CACHE_EXTRA_BYTES
    image = fetched + spread(0, 0, archives * 3 * _PIP_PAGE_BYTES, fetched.grade)
    disk = image + spread(extra // 2, extra, 2 * extra, fetched.grade)
    if cache is not CacheKind.IN_LAYER:
        image = NOTHING
    return WrittenBytes(
        name="poetry cache", image=image, disk=disk, compressed=compressed(image, Content.PACKED)
    ), NOTHING


def pdm_needs(fetched: Estimate, allowed: Estimate, archives: int, cache: CacheKind) -> tuple[WrittenBytes, Estimate]:
    """Return what PDM keeps: each archive and page, whatever its server says; older ones what the server allows.

    Source: PDM 2.29 with 11 wheels of 5.3 MB, from servers that allow it and from one that does not: 5.4 MB.
    """
    _, transient = pip_needs(fetched, NOTHING, archives, CacheKind.NONE)
    if cache is CacheKind.NONE or not fetched.high_bytes:
        return WrittenBytes(name="pdm cache"), transient
    extra = archives * (_PDM_CACHE_EXTRA_BYTES + _PIP_PAGE_BYTES)
    disk = fetched + spread(archives * _PDM_CACHE_EXTRA_BYTES, extra, 3 * extra, fetched.grade)
    if allowed.low_bytes < fetched.low_bytes:
        disk = replace(disk, low_bytes=allowed.low_bytes, grade=weakest((disk.grade, Grade.DECLARED)), parts=())
    image = disk if cache is CacheKind.IN_LAYER else NOTHING
    return WrittenBytes(
        name="pdm cache", image=image, disk=disk, compressed=compressed(image, Content.PACKED)
    ), transient


def uv_needs(
    files: Estimate, again: Estimate, archives: int, pages: UvPages, cache: CacheKind, *, copies: bool
) -> tuple[WrittenBytes, Estimate]:
    """Return what uv keeps and needs on top: links cost nothing, a cache elsewhere holds every file again."""
    each_notes, most_more = _UV_NOTES[pages]
    notes = each_notes.each(lambda each: each * archives)
    notes = replace(notes, high_bytes=notes.high_bytes + (most_more if archives else 0))
    if cache is CacheKind.NONE:
        return WrittenBytes(name="uv cache"), notes + again
    image = notes + (files if copies else NOTHING) if cache is CacheKind.IN_LAYER else NOTHING
    disk = notes + again
    return WrittenBytes(name="uv cache", image=image, disk=disk, compressed=compressed(image)), NOTHING


def cacheable_of(piece: WrittenBytes, contents: WheelContents) -> Estimate:
    """Return what of an archive pip may keep in its cache."""
    if contents.cacheable is None:
        grade = weakest((piece.download.grade, Grade.DECLARED))
        return spread(0, piece.download.likely_bytes, piece.download.high_bytes, grade)
    return piece.download if contents.cacheable else NOTHING


def cacheable_source(piece: WrittenBytes, archive: Sdist | Other) -> Estimate:
    """Return what pip keeps of what it builds: the wheel, and what it fetched for it where the server allows.

    Of a directory it keeps nothing, and of a checkout the wheel where a whole commit is named.

    Source: ``pip._internal.wheel_builder._should_cache`` and ``cache.py`` of pip 26.3.
    """
    packed = piece.image.likely_bytes // _PACKED
    grade = weakest((piece.image.grade, Grade.DECLARED))
    named = getattr(archive, "requirement", "")
    if _CHECKOUT.search(named):
        return spread(0, packed, piece.image.high_bytes, grade) if _COMMIT.search(named) else NOTHING
    return spread(0, piece.download.likely_bytes + packed, piece.download.high_bytes + piece.image.high_bytes, grade)
