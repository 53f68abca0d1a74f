"""What is left of what was written when a command removes files: exactly where the parts are known, else a bound.

A removal that is not understood takes nothing off the high figure: it makes the low one 0, and no figure exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.costs.found_files import files_of, found_in, named, without
from tonnage.forecast.costs.image_paths import any_covers, covers, covers_part, holds_little
from tonnage.model.forecast.debian_package import UnneededPackages
from tonnage.model.forecast.effects import AptInstall, AptMark, AptRemove
from tonnage.model.forecast.estimate import Estimate, Grade, weakest
from tonnage.model.forecast.sized_effects import PiecePart, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.effects import AnyEffect, Remove
    from tonnage.model.forecast.sized_effects import FoundFiles, SizedEffect

# Source: 0.3 to 2 MB of dpkg's records; 41.4 MB with both of apt's caches, on Debian 12 with its lists.
_RECORDS = Estimate(100_000, 1_500_000, 95_000_000, Grade.DECLARED)
_RECORDS_AND_CACHES = Estimate(100_000, 42_000_000, 95_000_000, Grade.DECLARED)
# What an install wrote of them stays when all goes that it brought.
_RECORDS_LEFT = Estimate(0, 600_000, 3_000_000, Grade.DECLARED)
_NO_BYTECODE = PiecePart(kind="bytecode")
_BYTECODE = frozenset({"*.pyc", "*.py[co]", "*.py[oc]", "__pycache__", "__pycache__/*"})
_TESTS = frozenset({"test", "tests"})
# Files that no installer writes.
_NONE = frozenset({"*.pyo", "idle_test", "*.pyd"})


def takes_away(effect: SizedEffect) -> bool:
    """Return whether a command removes anything."""
    return bool(effect.removes or effect.uninstalls or effect.finds or effect.purges or effect.unneeded)


def left(pieces: Sequence[WrittenBytes], effect: SizedEffect) -> list[WrittenBytes]:
    """Return what is left of some pieces after a command."""
    unneeded = _unneeded(pieces, effect) if effect.purges or effect.unneeded else set()
    found = []
    for piece in pieces:
        if any_covers(effect.removes, piece.place) or (piece.place, piece.name) in effect.uninstalls:
            continue
        if piece.package and piece.package in effect.purges:
            continue
        kept = _with_files_gone(piece, effect) if files_of(piece) else _with_parts_gone(piece, effect)
        if kept is not None:
            found.append(_perhaps_gone(kept, likely=False) if piece.package in unneeded else kept)
    return found


def with_marks(effects: Sequence[AnyEffect], sized: Sequence[SizedEffect]) -> list[SizedEffect]:
    """Return what commands do, with the packages that count as having come for others by what ``apt-mark`` said.

    Official images install what builds, mark all but what was there before as automatic, and remove what is not needed.
    """
    if not any(isinstance(each, AptMark) for each in effects):
        return [*sized]
    found = []
    marks = UnneededPackages()
    for told, each in zip(effects, sized, strict=True):
        # What may not run marks nothing for certain: what it marks may go, and what it would keep is not counted on.
        if isinstance(told, AptInstall):
            marks = replace(marks, manual=(*marks.manual, *told.packages))
        elif isinstance(told, AptMark) and told.automatic:
            kept = () if told.every else tuple(name for name in marks.manual if name not in told.packages)
            marks = UnneededPackages(marks.every or told.every, (*marks.automatic, *told.packages), kept)
        elif isinstance(told, AptMark) and not told.conditional:
            marks = replace(marks, manual=(*marks.manual, *told.packages))
        found.append(each if each.unneeded is None else replace(each, unneeded=marks))
    return found


def with_rewritten_records(
    effects: Sequence[AnyEffect], sized: Sequence[SizedEffect], *, keeps_caches: bool
) -> list[SizedEffect]:
    """Return what commands do, with the records that apt writes anew where it only removes packages.

    Args:
        keeps_caches: The image keeps apt's caches, which are made anew as well.
    """
    found = list(sized)
    removing = [number for number, each in enumerate(effects) if isinstance(each, AptRemove)]
    if removing:
        # An install writes them too, and they are counted with it.
        installs = any(isinstance(each, AptInstall) for each in effects)
        records = _RECORDS_LEFT if installs else _RECORDS_AND_CACHES if keeps_caches else _RECORDS
        told = "dpkg's records" if installs else "apt's records and caches"
        piece = WrittenBytes.of_size(told, "/var/lib/dpkg", records, "usual size")
        found[removing[0]] = replace(found[removing[0]], writes=(*found[removing[0]].writes, piece))
    return found


def takes_bytecode(effect: Remove, place: str) -> bool:
    """Return whether a command that looks for files may remove bytecode below a directory."""
    names = not effect.sure or not effect.names or _BYTECODE & set(effect.names)
    return bool(names) and any(covers(path, place) or covers_part(path, place) for path in effect.paths)


def _unneeded(pieces: Sequence[WrittenBytes], effect: SizedEffect) -> set[str]:
    """Return the packages that may go because what they came for goes, or nothing needs them."""
    unneeded = effect.unneeded
    came_for = {piece.package: piece.because for piece in pieces if piece.package}
    gone = set(effect.purges)
    if unneeded is not None:
        gone |= set(came_for) if unneeded.every else set(unneeded.automatic)
        # What came for something that is there no more may go as well; what is wanted by name stays.
        gone |= {name for name, because in came_for.items() if because and because not in came_for}
        gone -= set(unneeded.manual) - set(effect.purges)
    below = dict[str, list[str]]()
    for name, because in came_for.items():
        below.setdefault(because, []).append(name)
    waiting = [*gone]
    while waiting:
        more = [name for name in below.get(waiting.pop(), ()) if name not in gone]
        gone.update(more)
        waiting += more
    return gone - set(effect.purges)


def _with_files_gone(piece: WrittenBytes, effect: SizedEffect) -> WrittenBytes | None:
    """Return a piece without those of its files that are removed; None where nothing is left."""
    gone, perhaps = named(piece, effect.removes), list[tuple[str, int, int]]()
    for found in effect.finds:
        sure, unsure = found_in(piece, found)
        gone += sure
        perhaps += unsure
    return without(piece, gone, perhaps)


def _with_parts_gone(piece: WrittenBytes, effect: SizedEffect) -> WrittenBytes | None:
    """Return a piece without the parts that are removed; None where nothing is left."""
    paths = {part.path for part in piece.parts if any_covers(effect.removes, part.path)}
    vague = any(
        covers_part(pattern, part.path) for pattern in effect.removes for part in piece.parts if part.path not in paths
    )
    if not piece.parts and piece.image.high_bytes:
        vague = any(covers_part(path, piece.place) and not holds_little(path) for path in effect.removes)
    kinds: set[str] = set()
    for found in effect.finds:
        told = _found_in(piece, found)
        vague = vague or told is None
        kinds |= told or set()
    if not (paths or kinds or vague):
        return piece
    gone = [part for part in piece.parts if part.path in paths or part.kind in kinds]
    whole = next((part for part in piece.parts if part.kind == "bytecode"), _NO_BYTECODE)
    with_them = (sum(part.bytecode_bytes for part in gone), sum(part.bytecode_disk_bytes for part in gone))
    bytecode = (whole.bytecode_bytes, whole.bytecode_disk_bytes)
    if whole not in gone:
        bytecode = (min(bytecode[0], with_them[0]), min(bytecode[1], with_them[1]))
    rest = replace(
        whole,
        bytecode_bytes=whole.bytecode_bytes - bytecode[0],
        bytecode_disk_bytes=whole.bytecode_disk_bytes - bytecode[1],
    )
    image_bytes = sum(part.image_bytes for part in gone) + bytecode[0]
    disk_bytes = sum(part.disk_bytes for part in gone) + bytecode[1]
    if not gone:
        # Nothing for certain: also of what is likely nothing.
        return _perhaps_gone(piece, likely=True) if vague else piece
    if image_bytes >= piece.image.likely_bytes:
        return None
    taken = replace(
        piece,
        image=_less(piece.image, image_bytes),
        disk=_less(piece.disk, disk_bytes),
        compressed=piece.compressed.share(piece.image.likely_bytes - image_bytes, piece.image.likely_bytes),
        parts=tuple(rest if part is whole else part for part in piece.parts if part not in gone),
    )
    # Parts of several kinds may have files in common.
    vague = vague or ("tests" in kinds and len(kinds) + bool(paths) > 1)
    return _perhaps_gone(taken, likely=True) if vague else taken


def _found_in(piece: WrittenBytes, found: FoundFiles) -> set[str] | None:
    """Return which kinds of parts ``find`` removes of a piece; None where that cannot be told."""
    above = any(covers(path, piece.place) for path in found.paths)
    if not above:
        inside = any(covers_part(path, piece.place) for path in found.paths)
        return None if inside and (piece.parts or not found.sure) else set()
    if not found.sure:
        return None
    names = set(found.names)
    if not names - _NONE:
        return set()
    if not piece.parts:
        # Bytecode and tests are no part of what nobody took apart, as far as anybody saw.
        return None if names - _NONE - _BYTECODE - _TESTS else set()
    if names - _NONE - _BYTECODE - _TESTS:
        return None
    return ({"bytecode"} if names & _BYTECODE else set()) | ({"tests"} if names & _TESTS else set())


def _less(estimate: Estimate, count_bytes: int) -> Estimate:
    return estimate.each(lambda each: max(0, each - count_bytes))


def _perhaps_gone(piece: WrittenBytes, *, likely: bool) -> WrittenBytes:
    """Return a piece of which nobody can tell how much a removal leaves."""

    def some(size: Estimate) -> Estimate:
        if not size.high_bytes:
            return size
        grade = weakest((size.grade, Grade.DECLARED))
        return Estimate(0, size.likely_bytes if likely else 0, size.high_bytes, grade)

    return replace(piece, image=some(piece.image), disk=some(piece.disk), compressed=some(piece.compressed))
