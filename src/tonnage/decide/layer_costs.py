"""What one instruction leaves in its layer and what it needs on the way, from what its commands do in their order.

What is written and removed again by the same instruction was only needed on the way. What an earlier instruction wrote
stays in its layer whatever happens to it later, and a change of its owner or mode writes it once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.decide.file_places import any_covers, covers, covers_part, is_of_system, moved
from tonnage.model.build_work import Piece
from tonnage.model.forecast import NOTHING, Estimate, Grade, above, highest, total, weakest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.build_work import Aside, Deed


class LayerCost(Struct, frozen=True, kw_only=True):
    """What one instruction costs.

    Args:
        pieces: What it leaves in its layer.
        image: The bytes of their files.
        disk: What they take on the disk.
        transient: What is needed on top at the worst moment.
        download: What is fetched.
        compressed: What the layer takes when it is compressed.
        asides: What it leaves outside of the layer.
        visible: Everything that can be seen in the stage afterwards, earlier layers included.
    """

    pieces: tuple[Piece, ...]
    image: Estimate
    disk: Estimate
    transient: Estimate
    download: Estimate
    compressed: Estimate
    asides: tuple[Aside, ...]
    visible: tuple[Piece, ...]


def layer_cost(deeds: Sequence[Deed], earlier: Sequence[Piece] = ()) -> LayerCost:
    """Add up what the commands of one instruction do.

    Args:
        deeds: What they do, in order.
        earlier: What the stage holds before.

    Returns:
        What it costs.
    """
    below, own = list(earlier), list[Piece]()
    moments: list[Estimate] = []
    download, aside_bytes = NOTHING, NOTHING
    asides: list[Aside] = []
    for deed in deeds:
        own += _from_inside(deed, below, own)
        for piece in deed.writes:
            own.append(piece)
            download += piece.download
            moments.append(total(each.disk for each in own) + piece.transient + aside_bytes)
        asides += deed.asides
        aside_bytes = total(aside.disk for aside in asides)
        moments.append(total(each.disk for each in own) + deed.transient + aside_bytes)
        own = [piece for piece in own if not any_covers(deed.removes, piece.place)]
        below = [piece for piece in below if not any_covers(deed.removes, piece.place)]
    disk = total(piece.disk for piece in own)
    return LayerCost(
        pieces=tuple(own),
        image=total(piece.image for piece in own),
        disk=disk,
        transient=above(highest([*moments, disk + aside_bytes]), disk + aside_bytes),
        download=download,
        compressed=total(piece.compressed for piece in own),
        asides=tuple(asides),
        visible=(*(piece for piece in below if piece not in own), *own),
    )


def taken(paths: Sequence[str], into: str, visible: Sequence[Piece], ground: Estimate, what: str) -> tuple[Piece, ...]:
    """Return what copying paths out of a stage writes.

    Args:
        paths: Paths and patterns in the stage.
        into: Where they go.
        visible: What the stage's instructions left there.
        ground: The bytes of the image that the stage stands on.
        what: How the stage is named.

    Returns:
        The pieces in the layer that they are copied to.
    """
    pieces: list[Piece] = []
    for path in paths:
        whole = [piece for piece in visible if covers(path, piece.place)]
        part = [piece for piece in visible if covers_part(path, piece.place)]
        pieces += [_copied(piece, moved(piece.place, path, into)) for piece in whole]
        if not whole and not part:
            # What was written nobody knows where may well be what is taken.
            part = [piece for piece in visible if not piece.place and piece.disk.high_bytes]
        pieces += [_part_of(piece, path, into) for piece in part]
        if path.strip("/") == "" or (not whole and not part) or is_of_system(path):
            pieces += _of_ground(path, into, ground, what, certain=not whole and not part)
    return tuple(pieces)


def _from_inside(deed: Deed, below: list[Piece], own: list[Piece]) -> list[Piece]:
    """Return what a command writes that it finds in the image itself: copies, and files given another owner or mode."""
    found = [
        _copied(piece, piece.place, why="its owner or mode is changed in a later layer")
        for piece in below
        if any_covers(deed.rewrites, piece.place) and not any(_same(piece, mine) for mine in own)
    ]
    for source, destination in deed.copies:
        found += [
            _copied(piece, moved(piece.place, source, destination))
            for piece in (*below, *own)
            if covers(source, piece.place)
        ]
    for source, destination in deed.moves:
        for piece in [piece for piece in own if covers(source, piece.place)]:
            own.remove(piece)
            own.append(replace(piece, place=moved(piece.place, source, destination)))
        for piece in [piece for piece in below if covers(source, piece.place)]:
            below.remove(piece)
            found.append(_copied(piece, moved(piece.place, source, destination), why="it is moved out of a layer"))
    return found


def _same(one: Piece, other: Piece) -> bool:
    return one.name == other.name and one.place == other.place


def _copied(piece: Piece, place: str, why: str = "") -> Piece:
    source = why and f"copied: {why}"
    return replace(piece, place=place, transient=NOTHING, download=NOTHING, source=source or piece.source)


def _part_of(piece: Piece, path: str, into: str) -> Piece:
    def some(estimate: Estimate) -> Estimate:
        if not estimate.high_bytes:
            return estimate
        grade = weakest((estimate.grade, Grade.DECLARED))
        return Estimate(0, estimate.likely_bytes // 2, estimate.high_bytes, grade)

    return Piece(
        name=f"{path} of {piece.name}",
        place=into,
        image=some(piece.image),
        disk=some(piece.disk),
        compressed=some(piece.compressed),
        source="a part of it; at most the whole",
    )


def _of_ground(path: str, into: str, ground: Estimate, what: str, *, certain: bool) -> list[Piece]:
    """Return what lies there because the image below has it; how much of that image, nobody told."""
    if not ground.high_bytes:
        return []
    if path.strip("/") == "":
        size = ground
    else:
        likely_bytes = ground.high_bytes // 2 if certain else 0
        size = Estimate(0, likely_bytes, ground.high_bytes, Grade.UNKNOWN)
        if "site-packages" in path or "dist-packages" in path:
            size = Estimate(
                0, min(_PIP_BYTES, ground.high_bytes), min(4 * _PIP_BYTES, ground.high_bytes), Grade.UNKNOWN
            )
    return [
        Piece(
            name=f"files of {what} below {path}",
            place=into,
            image=size,
            disk=size,
            compressed=size,
            source="at most the whole image: what it has there is not known",
        )
    ]


_PIP_BYTES = 16_000_000
