"""How large the files are that commands write: by what their words say, and by what goes into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.costs.copied_image_files import file_copied, perhaps
from tonnage.model.forecast.estimate import KILOBYTES, NOTHING, Estimate, Grade, total, weakest
from tonnage.model.forecast.python_lock import BLOCK_BYTES, in_blocks
from tonnage.model.forecast.sized_effects import DerivedFile, SizedEffect, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.forecast.effects import WriteFile

_WHOLE = (100, 100, 100)
# What an image has there are settings, and what the kernel tells of itself.
_SETTINGS = ("/etc/", "/proc/", "/sys/", "/run/")
# Keys and lists of packages are fetched to there.
_KEYS = ("/etc/", "/usr/share/keyrings/")


def written_file(effect: WriteFile, sizes: Mapping[str, Estimate], unknown: Estimate) -> SizedEffect:
    """Return what a command does that writes a file."""
    source, size, how = effect.source, effect.source.text, "a bound of what it writes"
    percent = (source.least_percent, 100, source.most_percent)
    appends = (effect.path,) if effect.appends else ()
    derives: tuple[DerivedFile, ...] = ()
    if not source.known:
        size, how = unknown, "its size is not told: assumed"
        if not source.least_percent:
            # What is left of a stream is usually little, and may be all of it.
            size = replace(unknown, likely_bytes=min(BLOCK_BYTES, unknown.high_bytes))
    elif source.address and source.address in sizes:
        size, how = _scaled(sizes[source.address], percent), "its address was asked"
    elif source.address:
        size, how = unknown, "its address did not tell: assumed"
        if effect.path.startswith(_KEYS):
            size, how = KILOBYTES, "a key or a list"
    else:
        size = _scaled(size, percent)
    if source.known and source.paths:
        how = f"made from {', '.join(path.rpartition('/')[2] for path in source.paths)}"
        derives = (DerivedFile(effect.path, source.paths, percent, unknown, how),)
    writes = () if derives and not size.high_bytes else (_piece(effect.path, size, how),)
    return SizedEffect(writes=writes, derives=derives, appends=appends)


def derived_pieces(effect: SizedEffect, pieces: Sequence[WrittenBytes], base_size: Estimate) -> list[WrittenBytes]:
    """Return what a command makes from files."""
    found = [_made(derived, pieces, base_size) for derived in effect.derives]
    return found if effect.certain else [perhaps(piece) for piece in found]


def _made(derived: DerivedFile, pieces: Sequence[WrittenBytes], base_size: Estimate) -> WrittenBytes:
    image, disk = NOTHING, NOTHING
    for path in derived.paths:
        settings = path.startswith(_SETTINGS)
        # An archive is no usual file of an image below.
        alone = settings or derived.least_high_bytes > 0
        visible = [piece for piece in pieces if piece.place] if settings else pieces
        read = file_copied(path, derived.place, visible, NOTHING if alone else base_size)
        missing = KILOBYTES if settings else derived.unknown
        image += total(piece.image for piece in read) if read else missing
        disk += total(piece.disk for piece in read) if read else missing
    size = image
    if derived.percent != _WHOLE:
        # What a directory is made into has a head for each file in it: less than the rest of its last block.
        whole = max(image.high_bytes, disk.high_bytes) if derived.percent[2] > 100 else image.high_bytes  # noqa: PLR2004 - percent
        size = _scaled(replace(image, high_bytes=whole), derived.percent)
        size = replace(size, high_bytes=size.high_bytes + BLOCK_BYTES)
    if derived.least_high_bytes > size.high_bytes:
        size = replace(size, high_bytes=derived.least_high_bytes, grade=Grade.UNKNOWN)
    return _piece(derived.place, size, derived.source)


def _scaled(size: Estimate, percent: tuple[int, int, int]) -> Estimate:
    if percent == _WHOLE or not size.high_bytes:
        return size
    low, likely, high = (
        each * part // 100
        for each, part in zip((size.low_bytes, size.likely_bytes, size.high_bytes), percent, strict=True)
    )
    return Estimate(low, min(likely, high), high, weakest((size.grade, Grade.DECLARED)))


def _piece(path: str, size: Estimate, source: str) -> WrittenBytes:
    low, likely, high = map(in_blocks, (size.low_bytes, size.likely_bytes, size.high_bytes))
    disk = Estimate(low, likely, high, size.grade)
    return WrittenBytes(name=path, place=path, image=size, disk=disk, compressed=size, source=source)
