"""Which files a command means that removes or changes some of many: by their paths, or as ``find`` finds them.

What ``sed -i`` writes anew may be less than it was, or more.
"""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.forecast.costs.image_paths import any_covers, below, covers, covers_part, inside, names, stands
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, exactly, weakest
from tonnage.model.forecast.python_lock import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from tonnage.model.forecast.sized_effects import FoundFiles, SizedEffect, WrittenBytes

    File = tuple[str, int, int]

AS_BEFORE = (100, 100)


def files_of(piece: WrittenBytes) -> tuple[File, ...]:
    """Return the files of a piece as far as they are known; one that is a file by itself is one."""
    if piece.is_file and not piece.files:
        return ((piece.place, piece.image.likely_bytes, piece.disk.likely_bytes),)
    return piece.files


def solid(piece: WrittenBytes) -> list[File]:
    """Return the files of a piece that have bytes: no directories."""
    return [file for file in files_of(piece) if file[1]]


def named(piece: WrittenBytes, paths: Sequence[str]) -> list[File]:
    """Return which files of a piece lie at or below some paths."""
    near = [path for path in paths if covers(path, piece.place) or covers_part(path, piece.place)]
    if not near:
        return []
    # Most paths are no patterns, and a context may have very many files.
    plain = tuple(path.rstrip("/") for path in near if not any(sign in path for sign in "*?["))
    below_plain, patterns = (
        tuple(f"{path}/" for path in plain),
        [path for path in near if path.rstrip("/") not in plain],
    )
    return [
        file
        for file in files_of(piece)
        if file[0] in plain or file[0].startswith(below_plain) or any_covers(patterns, file[0])
    ]


def found_in(piece: WrittenBytes, found: FoundFiles) -> tuple[list[File], list[File]]:
    """Return which files of a piece are found, and which may be."""
    reached = [path for path in found.paths if covers(path, piece.place) or covers_part(path, piece.place)]
    if not reached:
        return [], []
    sure: list[File] = []
    unsure: list[File] = []
    for file in files_of(piece):
        for path in reached:
            if covers(path, file[0]):
                # Where the search begins can be found itself.
                said = _is_found((path.rstrip("/").rpartition("/")[2], *below(path, file[0])), found)
                if said is not False:
                    (sure if said else unsure).append(file)
                break
    return sure, unsure


def _is_found(parts: Sequence[str], found: FoundFiles) -> bool | None:
    """Return whether a file is found, by its path from where the search begins; None where that cannot be told."""
    if not found.sure:
        return None
    if not found.names:
        # What has no name to look for is all of it; a directory alone has no bytes.
        return found.kind != "d" or found.whole
    itself = found.kind != "d" and bool(parts) and _fits(parts[-1:], found.names)
    return itself or (found.whole and found.kind != "f" and _fits(parts[:-1], found.names))


def _fits(parts: Iterable[str], names: Sequence[str]) -> bool:
    return any(fnmatchcase(part, name) for part in parts for name in names)


def without(piece: WrittenBytes, gone: Sequence[File], perhaps: Sequence[File] = ()) -> WrittenBytes | None:
    """Return a piece without some of its files, and perhaps without others; None where nothing is left."""
    known = files_of(piece)
    if not gone and not perhaps:
        return piece
    if piece.is_file:
        return None if gone else perhaps_less(piece, piece.image.high_bytes, piece.disk.high_bytes)
    away = set(gone)
    if len(away) == len(known):
        return None
    image_bytes = sum(count_bytes for _, count_bytes, _ in away)
    disk_bytes = sum(count_bytes for *_, count_bytes in away)
    whole = piece.image.likely_bytes
    left = replace(
        piece,
        image=less(piece.image, image_bytes),
        disk=less(piece.disk, disk_bytes),
        compressed=piece.compressed.share(max(0, whole - image_bytes), whole) if whole else piece.compressed,
        files=tuple(file for file in known if file not in away),
    )
    more = [file for file in perhaps if file not in away]
    if not more:
        return left
    return perhaps_less(left, sum(count for _, count, _ in more), sum(count for *_, count in more))


def with_twins(pieces: Sequence[WrittenBytes], copies: Sequence[WrittenBytes]) -> list[WrittenBytes]:
    """Return the copies of pieces: several names of a file may stay names of one file, or each become one.

    ``COPY``, ``cp -a`` and ``mv`` keep them names of one, ``cp -r`` does not. Source: Docker 28.5, measured.
    """
    firsts = {piece.name for piece in pieces if not piece.twin_of}
    return [
        _perhaps_once(copy) if piece.twin_of in firsts else copy for piece, copy in zip(pieces, copies, strict=True)
    ]


def _perhaps_once(piece: WrittenBytes) -> WrittenBytes:
    def some(size: Estimate) -> Estimate:
        return Estimate(0, 0, size.high_bytes, weakest((size.grade, Grade.DECLARED))) if size.high_bytes else size

    return replace(piece, image=some(piece.image), disk=some(piece.disk), compressed=some(piece.compressed))


def perhaps_less(piece: WrittenBytes, image_bytes: int, disk_bytes: int) -> WrittenBytes:
    """Return a piece of which so many bytes may be gone."""

    def some(size: Estimate, gone_bytes: int) -> Estimate:
        if not size.high_bytes or not gone_bytes:
            return size
        grade = weakest((size.grade, Grade.DECLARED))
        return Estimate(max(0, size.low_bytes - gone_bytes), size.likely_bytes, size.high_bytes, grade)

    return replace(
        piece,
        image=some(piece.image, image_bytes),
        disk=some(piece.disk, disk_bytes),
        compressed=some(piece.compressed, piece.compressed.high_bytes),
    )


def less(estimate: Estimate, count_bytes: int) -> Estimate:
    """Return an estimate of so many bytes less."""
    return estimate.each(lambda each: max(0, each - count_bytes))


def edited(pieces: Sequence[WrittenBytes], effect: SizedEffect) -> list[WrittenBytes]:
    """Return pieces after a command gave files of them another content."""
    if effect.percent == AS_BEFORE:
        return [*pieces]
    return [_edited(piece, effect) if piece.image.high_bytes else piece for piece in pieces]


def _edited(piece: WrittenBytes, effect: SizedEffect) -> WrittenBytes:
    meant = [file for file in solid(piece) if any(names(path, file[0]) for path in effect.alters)]
    if not meant and not (any(names(path, piece.place) for path in effect.alters) and not piece.files):
        return piece
    least, most = effect.percent
    one = piece.is_file or not meant
    touched_bytes = piece.image.high_bytes if one else sum(count for _, count, _ in meant)
    less, more = touched_bytes * (100 - least) // 100, touched_bytes * (most - 100) // 100
    slack = BLOCK_BYTES * max(1, len(meant))

    def some(size: Estimate, margin: int) -> Estimate:
        high = size.high_bytes + max(0, more) + margin
        grade = weakest((size.grade, Grade.DECLARED))
        return Estimate(max(0, size.low_bytes - max(0, less) - margin), size.likely_bytes, high, grade)

    return replace(
        piece,
        image=some(piece.image, 0),
        disk=some(piece.disk, slack),
        compressed=some(piece.compressed, 0),
        files=() if not piece.is_file and len(piece.files) == len(meant) else piece.files,
    )


def paths_of(pieces: Iterable[WrittenBytes]) -> set[str]:
    """Return where the files of some pieces lie, as far as they are known."""
    return {path for piece in pieces for path, *_ in files_of(piece)}


def replaced(pieces: Sequence[WrittenBytes], paths: Collection[str]) -> list[WrittenBytes]:
    """Return what of some pieces can still be seen where other files are written at some paths."""
    found = []
    for piece in pieces:
        gone = [file for file in files_of(piece) if file[0] in paths and file[1]]
        rest = without(piece, gone) if gone else piece
        found += [] if rest is None else [rest]
    return found


def landing(source: str, destination: str, pieces: Sequence[WrittenBytes]) -> str:
    """Return where what is copied or moved lies then: in a directory that is there under its own name."""
    directory = destination.endswith("/") or stands(destination)
    return inside(destination, source) if directory or _is_directory(destination, pieces) else destination


def near(path: str, pieces: Sequence[WrittenBytes]) -> Sequence[WrittenBytes]:
    """Return the pieces that may lie at a path, above it or below it; without a place they lie nowhere.

    Most pieces lie elsewhere, which text tells much faster than patterns.
    """
    plain = path.rstrip("/")
    if not plain or any(sign in path for sign in ("*", "?", "[", "//", "/.")):
        return pieces
    inside_it, way = f"{plain}/", {"/"}
    while plain:
        way.add(plain)
        plain = plain.rpartition("/")[0]
    return [
        piece
        for piece in pieces
        if (place := piece.place) in way
        or place.startswith(inside_it)
        or (place[-1:] == "/" and place.rstrip("/") in way)
        or "//" in place
        or "/." in place
    ]


def many_moved(
    moves: Sequence[tuple[str, str]], below: list[WrittenBytes], own: list[WrittenBytes]
) -> tuple[list[WrittenBytes], list[tuple[str, str]]] | None:
    """Move files at once, each known by its path: one after the other each would look at all that is there.

    Returns:
        What is written of earlier layers, and what of the moves no piece has to do with; None where any of them is
        another kind of move.
    """
    sources, targets = {source for source, _ in moves}, {target.rstrip("/") for _, target in moves}
    places = dict(enumerate((*below, *own)))
    at = {path: (number, file) for number, piece in places.items() for file in files_of(piece) for path in file[:1]}
    plain = not any(sign in path for path in (*sources, *targets) for sign in ("*", "?", "[", "//", "/."))
    if not moves or not plain or len(sources) < len(moves) or sources & targets:
        return None
    taken = {piece.place.rstrip("/") for piece in places.values()}
    directories = {piece.place.rstrip("/") for piece in places.values() if not piece.is_file}
    for path in (*at, *taken):
        while (path := path.rpartition("/")[0]) and path not in directories:
            directories.add(path)
    # Of what has no list of files nobody knows what lies there.
    vague = {piece.place.rstrip("/") for piece in places.values() if piece.image.high_bytes and not files_of(piece)}
    if "" in vague or any(above in vague for source in sources for above in _above(source)):
        return None
    lost = [(source, target) for source, target in moves if source not in at]
    moves = [(source, target) for source, target in moves if source in at]
    ends = [
        inside(target, source) if target.endswith("/") or stands(target) or target in directories else target
        for source, target in moves
    ]
    named_twice = any(places[at[source][0]].other_name for source, _ in moves)
    if sources & directories or named_twice or len({*ends}) < len(ends) or not at.keys().isdisjoint(ends):
        return None
    parts: dict[int, list[tuple[File, str]]] = {}
    for (source, _), end in zip(moves, ends, strict=True):
        number, file = at[source]
        parts.setdefault(number, []).append((file, end))
    again: list[WrittenBytes] = []
    left: dict[int, WrittenBytes | None] = {}
    for number, each in parts.items():
        piece = places[number]
        left[number] = without(piece, [file for file, _ in each])
        (again if number < len(below) else own).append(_at_other_paths(piece, each))
    kept = [(number, left.get(number, piece)) for number, piece in places.items()]
    count = len(below)
    below[:] = [piece for number, piece in kept if number < count and piece is not None]
    own[:] = [*(piece for number, piece in kept if number >= count and piece is not None), *own[len(places) - count :]]
    return again, lost


def _above(path: str) -> Iterable[str]:
    """Return a path and all that are above it, the root left out."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _at_other_paths(piece: WrittenBytes, files: Sequence[tuple[File, str]]) -> WrittenBytes:
    """Return some files of a piece as they are somewhere else."""
    if piece.is_file:
        return replace(piece, place=files[0][1], transient=NOTHING, download=NOTHING)
    image_bytes = sum(file[1] for file, _ in files)
    whole = piece.image.likely_bytes
    return replace(
        piece,
        name=f"{len(files)} files of {piece.name}",
        place=posixpath.commonpath([path.rpartition("/")[0] or "/" for _, path in files]),
        image=exactly(image_bytes),
        disk=exactly(sum(file[2] for file, _ in files)),
        compressed=piece.compressed.share(image_bytes, whole) if whole else piece.compressed,
        transient=NOTHING,
        download=NOTHING,
        files=tuple((path, *file[1:]) for file, path in files),
    )


def _is_directory(path: str, pieces: Sequence[WrittenBytes]) -> bool:
    for piece in near(path, pieces):
        if (
            names(path, piece.place)
            and not piece.is_file
            and not any(file[0] == path and file[1] for file in piece.files)
        ):
            return True
        if covers(path, piece.place) and not names(path, piece.place):
            return True
        if covers_part(path, piece.place) and any(
            covers(path, file) and (count_bytes == 0 or not names(path, file)) for file, count_bytes, _ in piece.files
        ):
            return True
    return False


def hidden(below: Sequence[WrittenBytes], path: str, means: Callable[[str, str], bool]) -> list[WrittenBytes]:
    """Return what can still be seen of earlier layers when what a path means is written once more."""
    found = []
    for piece in below:
        if not piece.files:
            if not means(path, piece.place):
                found.append(piece)
            continue
        rest = without(piece, [file for file in piece.files if means(path, file[0])])
        found += [] if rest is None else [rest]
    return found


def perhaps(piece: WrittenBytes) -> WrittenBytes:
    """Return what may be written, or not."""
    return replace(
        piece,
        image=maybe(piece.image),
        disk=maybe(piece.disk),
        transient=maybe(piece.transient),
        download=maybe(piece.download),
        compressed=maybe(piece.compressed),
    )


def maybe(size: Estimate) -> Estimate:
    """Return from nothing to all of it: what is declared to be anything up to its bound is that already."""
    if not size.high_bytes or (size.grade is Grade.DECLARED and size.low_bytes == 0):
        return size
    return replace(size, low_bytes=min(0, size.low_bytes), grade=Grade.UNKNOWN)
