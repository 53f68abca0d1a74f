"""How large the files are that commands write as their output, and the records that the system keeps for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.forecast.estimate import Estimate, Grade, exactly
from tonnage.model.forecast.python_lock import BLOCK_BYTES, in_blocks
from tonnage.model.forecast.sized_effects import DerivedFile, SizedEffect, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.forecast.effects import Records, WriteFile

_SHORT_TEXT = Estimate(0, BLOCK_BYTES, 1_000_000, Grade.DECLARED)
# How many bytes come out for a hundred that go in: at least, likely and at most.
_PERCENT = {
    **dict.fromkeys(("cat", "tee", "rev", "tac", "dd"), (100, 100, 100)),
    **dict.fromkeys(("sort", "uniq", "head", "tail", "grep", "egrep", "fgrep", "cut", "comm"), (0, 50, 100)),
    **dict.fromkeys(("od", "hexdump", "xxd"), (0, 400, 700)),
    **dict.fromkeys(("tar", "gzip", "bzip2", "xz", "zstd"), (0, 60, 102)),
    "base64": (70, 135, 140),
    "gpg": (70, 75, 100),
}
_TEXT = (0, 100, 200)
# Keys and lists of packages are fetched to there.
_SETTINGS = ("/etc/", "/usr/share/keyrings/")
# Files that have a place for each number of an account: 292 bytes in one and 32 in the other.
_LOG_BYTES = 324
_NEXT_NUMBER = 1_000
_FEW_NUMBERS = 2_000
_RECORDS = Estimate(0, 16_384, 500_000, Grade.EXACT)


def written_file(effect: WriteFile, sizes: Mapping[str, Estimate], unknown: Estimate) -> SizedEffect:
    """Return what a command does that writes a file."""
    appends = (effect.path,) if effect.appends else ()
    percent = _PERCENT.get(effect.program, _TEXT)
    source = effect.source
    if effect.size_bytes is not None:
        size = exactly(effect.size_bytes)
        if effect.at_most:
            size = Estimate(0, effect.size_bytes, effect.size_bytes, Grade.DECLARED)
        return _deed(effect, size, "the script", appends)
    if source is None:
        return _deed(effect, _SHORT_TEXT, "a short text", appends)
    if source.changed:
        percent = (0, percent[1], max(percent[2], _TEXT[2]))
    if source.address:
        told = sizes.get(source.address)
        if told is None and effect.path.startswith(_SETTINGS):
            return _deed(effect, _SHORT_TEXT, "a short text", appends)
        if told is None:
            return _deed(effect, unknown, "its address did not tell: assumed", appends)
        return _deed(effect, _scaled(told, percent), "its address was asked", appends)
    if source.known:
        name = ", ".join(path.rpartition("/")[2] for path in source.paths)
        made = DerivedFile(
            place=effect.path, paths=source.paths, percent=percent, unknown=unknown, source=f"made from {name}"
        )
        return SizedEffect(derives=(made,), appends=appends)
    if percent == _TEXT or percent[2] > percent[1]:
        # What is left of a stream is usually little, and may be all of it.
        unknown = Estimate(0, min(BLOCK_BYTES, unknown.high_bytes), unknown.high_bytes, Grade.UNKNOWN)
    return _deed(effect, unknown, "its size is not told: assumed", appends)


def records(effect: Records) -> WrittenBytes:
    """Return what is written of accounts, certificates and the like."""
    image = disk = _RECORDS
    if effect.logs:
        number = _NEXT_NUMBER if effect.number is None else effect.number
        logs_bytes = _LOG_BYTES * (number + 1)
        grade = Grade.EXACT if number < _FEW_NUMBERS else Grade.DECLARED
        image = Estimate(0, logs_bytes + _RECORDS.likely_bytes, logs_bytes + _RECORDS.high_bytes, grade)
    return WrittenBytes(
        name=effect.program, place="/etc", image=image, disk=disk, compressed=disk, source="records of the system"
    )


def _deed(effect: WriteFile, size: Estimate, source: str, appends: tuple[str, ...]) -> SizedEffect:
    disk = blocks_of(size, effect.holes_bytes)
    piece = WrittenBytes(name=effect.path, place=effect.path, image=size, disk=disk, compressed=disk, source=source)
    return SizedEffect(writes=(piece,), appends=appends)


def blocks_of(size: Estimate, holes_bytes: int = 0) -> Estimate:
    """Return what a file takes on the disk, without what takes no place there."""
    low, likely, high = (
        in_blocks(max(0, each - holes_bytes)) for each in (size.low_bytes, size.likely_bytes, size.high_bytes)
    )
    return Estimate(low, likely, high, size.grade)


def _scaled(size: Estimate, percent: tuple[int, int, int]) -> Estimate:
    least, likely, most = percent
    return Estimate(
        size.low_bytes * least // 100,
        size.likely_bytes * likely // 100,
        size.high_bytes * most // 100,
        size.grade if least == most else Grade.DECLARED,
    )
