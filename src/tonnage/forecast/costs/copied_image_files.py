"""What is written because files of the image itself, or of another stage, are copied, moved or changed.

What an instruction wrote has a place: the directory (or the file) below which all of it lies; files of a context have
their names as well. What lies in the image below nobody lists, so that much of it may be meant by a path is assumed, by
what images usually keep there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.costs.found_files import (
    edited,
    files_of,
    found_in,
    hidden,
    landing,
    many_moved,
    near,
    paths_of,
    perhaps,
    perhaps_less,
    replaced,
    solid,
    with_twins,
    without,
)
from tonnage.forecast.costs.image_paths import (
    covers,
    covers_part,
    directory_of,
    holds_little,
    holds_programs,
    inside,
    is_of_system,
    keeps_small,
    moved,
    names,
)
from tonnage.forecast.costs.links import behind_links, links_in
from tonnage.forecast.costs.package_files import of_packages_at
from tonnage.model.forecast.compression import compressed
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, exactly, total, weakest
from tonnage.model.forecast.python_lock import BLOCK_BYTES
from tonnage.model.forecast.sized_effects import WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.sized_effects import FoundFiles, SizedEffect

_PIP_BYTES = 16_000_000
_SMALL_FILE_BYTES, _FILE_BYTES = 1_000_000, 10_000_000
# An interpreter, or a library of a framework, is copied into the layer that changes its mode.
_PROGRAM_BYTES = 100_000_000
# Large images have some hundred pieces: packages and wheels.
_MOST_PIECES, _MOST_FILES = 2_000, 200_000
_CHANGED = "its owner or mode is changed in a later layer"


def copied_paths(
    paths: Sequence[str], into: str, visible: Sequence[WrittenBytes], base_size: Estimate, what: str
) -> tuple[WrittenBytes, ...]:
    """Return what copying paths out of a stage writes."""
    pieces: list[WrittenBytes] = []
    links = links_in(visible)
    for told in paths:
        path = behind_links(told, links)
        whole, part = _found(path, visible)
        # A file comes into a directory under its own name; of a directory what is in it.
        file = into.endswith("/") and any(each[0] == path for piece in (*whole, *part) for each in solid(piece))
        to = inside(into, told) if file else into
        pieces += with_twins(whole, [_copied(piece, path, to) for piece in whole])
        pieces += [_part_of(piece, path, to) for piece in part]
        if (whole or part) and not any(each[0] == path for piece in (*whole, *part) for each in solid(piece)):
            # A program of which nobody knows what it writes may have written there too.
            loose = [piece for piece in visible if _is_anywhere(piece) and piece not in part]
            pieces += [
                _copied(piece, "", "") if path.strip("/") == "" else _maybe_part(piece, path, to) for piece in loose
            ]
        pieces += of_packages_at(path, to, visible, (*whole, *part))
        if path.strip("/") == "" or (not whole and not part) or is_of_system(path):
            pieces += _of_base(path, into, base_size, what, certain=not whole and not part)
    return _bounded(pieces, visible, into, what)


def _bounded(
    pieces: Sequence[WrittenBytes], visible: Sequence[WrittenBytes], into: str, what: str
) -> tuple[WrittenBytes, ...]:
    """Return the pieces, joined where they are many: what copies copies again and again doubles every time."""
    files = sum(len(piece.files) for piece in pieces)
    if len(pieces) < 2 or (len(pieces) + len(visible) <= _MOST_PIECES and files <= _MOST_FILES):  # noqa: PLR2004
        return tuple(pieces)
    joined = WrittenBytes(
        name=f"{len(pieces)} parts of {what}",
        place=into,
        image=total(piece.image for piece in pieces),
        disk=total(piece.disk for piece in pieces),
        compressed=total(piece.compressed for piece in pieces),
        source="copied",
    )
    return (joined,)


def from_inside(
    effect: SizedEffect,
    below: list[WrittenBytes],
    own: list[WrittenBytes],
    base_size: Estimate,
    mounted: Sequence[WrittenBytes] = (),
) -> list[WrittenBytes]:
    """Return what a command writes that it finds in the image itself: copies, and files given another owner or mode."""
    found: list[WrittenBytes] = []
    for path in effect.rewrites:
        found += _fresh(_rewritten(path, below, own, base_size), (*own, *found))
        if effect.certain:
            below[:] = hidden(below, path, covers)
    for looked in effect.rewrites_found:
        found += _fresh(_changed(looked, below, own, base_size), (*own, *found))
        if effect.certain:
            below[:] = [rest for each in below if (rest := without(each, found_in(each, looked)[0])) is not None]
    own[:] = edited(own, effect)
    changed = [*((path, base_size) for path in effect.alters), *((path, NOTHING) for path in effect.appends)]
    for path, size in changed:
        altered = _altered(path, below, own, size)
        found += _fresh(edited(altered, effect), (*own, *found))
        if effect.certain:
            below[:] = hidden(below, path, names)
    # What copies a further name of a file writes all of it.
    seen = (*mounted, *below, *(each if each.other_name is None else each.other_name.alone for each in own))
    for source, destination in effect.copies:
        found += copied_paths((source,), landing(source, destination, seen), seen, base_size, "the image")
    for source, destination in effect.file_copies:
        found += file_copied(source, landing(source, destination, seen), seen, base_size)
    many = many_moved(effect.moves, below, own) if effect.certain else None
    again, lost = many or ((), ())
    found += again
    found += [each for move in lost for each in _of_base(*move, base_size, "the image", certain=True)]
    for source, destination in effect.moves if many is None else ():
        into = landing(source, destination, seen)
        found += _moved(source, into, below, own, base_size, certain=effect.certain)
    return found if effect.certain else [perhaps(piece) for piece in found]


def _found(path: str, pieces: Sequence[WrittenBytes]) -> tuple[list[WrittenBytes], list[WrittenBytes]]:
    """Return which pieces lie below a path, and of which a part does: where that is not known, perhaps of any."""
    there = near(path, pieces)
    whole = [piece for piece in there if covers(path, piece.place)]
    part = [piece for piece in there if covers_part(path, piece.place) and _may_hold(piece, path)]
    if not whole and not part:
        # What was written nobody knows where may well be what is meant.
        part = [piece for piece in pieces if _is_anywhere(piece)]
    return whole, part


def _is_anywhere(piece: WrittenBytes) -> bool:
    return not piece.place and bool(piece.image.high_bytes)


def _may_hold(piece: WrittenBytes, path: str) -> bool:
    """Return whether there may be something at a path inside a piece: not in one that is a mere directory."""
    if piece.files:
        return any(covers(path, file) for file, *_ in piece.files)
    return bool(piece.image.high_bytes)


def _rewritten(
    path: str, below: Sequence[WrittenBytes], own: Sequence[WrittenBytes], base_size: Estimate
) -> list[WrittenBytes]:
    """Return what changing everything below a path writes. What the layer itself wrote is not written again."""
    whole, part = _found(path, below)
    part += [piece for piece in below if _is_anywhere(piece) and piece not in part]
    pieces = [_copied(piece, "", "", why=_CHANGED) for piece in whole]
    pieces += [_part_of(piece, path, path) for piece in part]
    mine = any(covers(path, piece.place) or covers_part(path, piece.place) for piece in own)
    if (not whole and not part and not mine) or path.strip("/") == "":
        pieces += _of_base(path, path, base_size, "the image", certain=holds_programs(path))
    return pieces


def _changed(
    looked: FoundFiles, below: Sequence[WrittenBytes], own: Sequence[WrittenBytes], base_size: Estimate
) -> list[WrittenBytes]:
    """Return what changing the files that ``find`` finds writes; a directory has no bytes."""
    if looked.sure and looked.kind == "d":
        return []
    pieces: list[WrittenBytes] = []
    for path in looked.paths:
        inside = [each for each in below if covers(path, each.place) or covers_part(path, each.place)]
        for piece in inside:
            if files_of(piece):
                sure, unsure = found_in(piece, replace(looked, paths=(path,)))
                for each in _of_files(piece, [*sure, *unsure], path, path):
                    away = sum(count for _, count, _ in unsure), sum(count for *_, count in unsure)
                    pieces.append(perhaps_less(each, *away))
            elif looked.sure and not looked.names and covers(path, piece.place):
                pieces.append(_copied(piece, "", "", why=_CHANGED))
            elif _may_hold(piece, path):
                pieces.append(_part_of(piece, path, path))
        pieces += [_part_of(each, path, path) for each in below if _is_anywhere(each)]
        mine = any(covers(path, piece.place) or covers_part(path, piece.place) for piece in own)
        if (not inside and not mine) or path.strip("/") == "":
            pieces += _of_base(path, path, base_size, "the image", certain=False)
    return pieces


def _altered(
    path: str, below: Sequence[WrittenBytes], own: Sequence[WrittenBytes], base_size: Estimate
) -> list[WrittenBytes]:
    """Return what changing just the files that a path names writes: of a directory no file in it."""
    if any(names(path, piece.place) or covers_part(path, piece.place) for piece in own):
        return []
    pieces: list[WrittenBytes] = []
    for piece in below:
        if piece.files:
            pieces += _of_files(piece, [file for file in piece.files if names(path, file[0])], path, path)
        elif names(path, piece.place):
            pieces.append(_copied(piece, "", "", why=_CHANGED))
        elif covers_part(path, piece.place) and _may_hold(piece, path):
            pieces.append(_file_of(piece, path, path))
    if pieces or any(covers(path, piece.place) for piece in below):
        return pieces
    programs = holds_programs(path) and ("/bin/" in path or "/lib" in path)
    return _file_of_base(path, path, base_size, _PROGRAM_BYTES if programs else _SMALL_FILE_BYTES)


def file_copied(
    source: str, destination: str, pieces: Sequence[WrittenBytes], base_size: Estimate
) -> list[WrittenBytes]:
    """Return what copying a file writes, or several that a pattern names; nothing where nobody knows anything of it."""
    whole, part = _found(source, pieces)
    found = [_copied(piece, source, destination) for piece in whole]
    for piece in part:
        found += [_part_of(piece, source, destination) if piece.files else _file_of(piece, source, destination)]
    most, grade = (_FILE_BYTES, Grade.DECLARED) if keeps_small(source) else (base_size.high_bytes, Grade.UNKNOWN)
    return found or _file_of_base(source, destination, base_size, most, grade)


def _moved(
    source: str,
    destination: str,
    below: list[WrittenBytes],
    own: list[WrittenBytes],
    base_size: Estimate,
    *,
    certain: bool,
) -> list[WrittenBytes]:
    """Return what moving writes: what the same layer wrote only gets another place."""
    mine = [piece for piece in near(source, own) if covers(source, piece.place)]
    partly = [piece for piece in near(source, own) if covers_part(source, piece.place)]
    if certain:
        there = [_copied(piece, source, destination, again=False) for piece in mine]
        kept = []
        for piece in partly:
            files = [file for file in piece.files if covers(source, file[0])]
            there += _of_files(piece, files, source, destination)
            kept += [rest] if files and (rest := without(piece, files)) is not None else [] if files else [piece]
        gone = {id(piece) for piece in (*mine, *partly)}
        own[:] = [*replaced([*(each for each in own if id(each) not in gone), *kept], paths_of(there)), *there]
    # Of what has no list of files nobody knows whether they were in it.
    vague = any(piece.image.high_bytes and not files_of(piece) for piece in partly)
    taken = any(covers(source, file[0]) for piece in partly for file in piece.files)
    whole, part = ([], []) if vague and not mine else _found(source, below)
    if mine or taken:
        # What nobody knows where it lies is not moved for certain.
        whole, part = ([each for each in found if each.place] for found in (whole, part))
    if certain:
        below[:] = hidden(below, source, covers)
    found = with_twins(whole, [_copied(each, source, destination, why="it is moved out of a layer") for each in whole])
    found += [_part_of(piece, source, destination) for piece in part]
    if found or mine or taken or vague or any(map(_is_anywhere, own)):
        return found
    return _of_base(source, destination, base_size, "the image", certain=True)


def _fresh(pieces: Sequence[WrittenBytes], own: Sequence[WrittenBytes]) -> list[WrittenBytes]:
    """Return the pieces that the layer has not written already: what it wrote is not written again."""
    written = {(piece.name, piece.place) for piece in own}
    return [piece for piece in pieces if (piece.name, piece.place) not in written]


def _copied(piece: WrittenBytes, path: str, into: str, why: str = "", *, again: bool = True) -> WrittenBytes:
    """Return a piece as it lies at another place; without a path it stays where it is."""
    files = _at(piece.files, path, into) if path else piece.files
    found = replace(piece, place=moved(piece.place, path, into) if path else piece.place, files=files)
    if not path:
        # Every name is written by itself.
        found = replace(found, twin_of="")
    if piece.other_name is not None:
        found = replace(
            found, other_name=replace(piece.other_name, alone=_copied(piece.other_name.alone, path, into, again=again))
        )
    if not again:
        return found
    source = f"copied: {why}" if why else piece.source
    return replace(found, transient=NOTHING, download=NOTHING, source=source)


def _part_of(piece: WrittenBytes, path: str, into: str) -> WrittenBytes:
    if piece.files:
        [found] = _of_files(piece, [file for file in piece.files if covers(path, file[0])], path, into)
        return found

    def some(estimate: Estimate) -> Estimate:
        if not estimate.high_bytes:
            return estimate
        grade = weakest((estimate.grade, Grade.DECLARED))
        return Estimate(0, estimate.likely_bytes // 2, estimate.high_bytes, grade)

    return WrittenBytes(
        name=f"{path} of {piece.name}",
        place=directory_of(into),
        image=some(piece.image),
        disk=some(piece.disk),
        compressed=some(piece.compressed),
        source="a part of it; at most the whole",
    )


def _maybe_part(piece: WrittenBytes, path: str, into: str) -> WrittenBytes:
    """Return what of something that lies nobody knows where may lie at a path where other things do."""
    found = _part_of(piece, path, into)
    image, disk = replace(found.image, likely_bytes=0), replace(found.disk, likely_bytes=0)
    return replace(found, image=image, disk=disk, compressed=replace(found.compressed, likely_bytes=0))


def _of_files(piece: WrittenBytes, files: Sequence[tuple[str, int, int]], path: str, into: str) -> list[WrittenBytes]:
    if not files:
        return []
    image_bytes = sum(count_bytes for _, count_bytes, _ in files)
    return [
        WrittenBytes(
            name=f"{path} of {piece.name}",
            place=directory_of(into),
            image=exactly(image_bytes),
            disk=exactly(sum(count_bytes for *_, count_bytes in files)),
            compressed=_compressed_part(piece, image_bytes),
            source=piece.source,
            brought_by=piece.brought_by,
            files=_at(files, path, into),
        )
    ]


def _compressed_part(piece: WrittenBytes, part_bytes: int) -> Estimate:
    """Return what some files of a piece take compressed: likely as much as its others, but its files may differ."""
    whole, usual = piece.image.likely_bytes, compressed(exactly(part_bytes))
    if not whole or part_bytes >= whole:
        return piece.compressed
    least = piece.compressed.low_bytes - (whole - part_bytes)
    likely = piece.compressed.likely_bytes * part_bytes // whole
    return replace(
        usual,
        low_bytes=max(0, least),
        likely_bytes=likely,
        high_bytes=max(likely, min(usual.high_bytes, piece.compressed.high_bytes)),
    )


def _at(files: Sequence[tuple[str, int, int]], path: str, into: str) -> tuple[tuple[str, int, int], ...]:
    return tuple((moved(file, path, into), image_bytes, disk_bytes) for file, image_bytes, disk_bytes in files)


def _file_of(piece: WrittenBytes, path: str, into: str) -> WrittenBytes:
    """Return one file of a piece whose files nobody lists: usually a small one, at most all of it."""
    grade = weakest((piece.disk.grade, Grade.DECLARED))
    size = Estimate(0, min(BLOCK_BYTES, piece.disk.high_bytes), piece.disk.high_bytes, grade)
    return WrittenBytes.of_size(f"{path} of {piece.name}", into, size, "one file of it; at most the whole")


def _file_of_base(
    path: str, into: str, base_size: Estimate, most_bytes: int, grade: Grade = Grade.DECLARED
) -> list[WrittenBytes]:
    if not base_size.high_bytes:
        return []
    size = Estimate(0, BLOCK_BYTES, max(BLOCK_BYTES, min(most_bytes, base_size.high_bytes)), grade)
    return [WrittenBytes.of_size(path, into, size, "one file of the image below")]


def _of_base(path: str, into: str, base_size: Estimate, what: str, *, certain: bool) -> list[WrittenBytes]:
    """Return what lies there because the image below has it; how much of that image, nobody told."""
    if not base_size.high_bytes:
        return []
    most_bytes = base_size.high_bytes
    if path.strip("/") == "":
        size = base_size
    elif "site-packages" in path or "dist-packages" in path:
        size = Estimate(0, min(_PIP_BYTES, most_bytes), min(4 * _PIP_BYTES, most_bytes), Grade.UNKNOWN)
    elif holds_little(path):
        size = Estimate(0, min(BLOCK_BYTES, most_bytes) * certain, min(_FILE_BYTES, most_bytes), Grade.DECLARED)
    else:
        size = Estimate(0, most_bytes // 2 * certain, most_bytes, Grade.UNKNOWN)
    source = "at most the whole image: what it has there is not known"
    return [WrittenBytes.of_size(f"files of {what} below {path}", directory_of(into), size, source)]
