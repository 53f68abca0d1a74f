"""What one instruction leaves in its layer and what it needs on the way, from what its commands do in their order.

What is written and removed again by the same instruction was only needed on the way. What an earlier instruction wrote
stays in its layer whatever happens to it later, and a change of its owner or mode writes it once more. A further name
of a file has no bytes while the first one is in the same layer, and all of them after that: in a later layer every name
is a file of its own, which overlayfs copies by itself. Source: overlayfs without ``index=on``, measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.forecast.costs.copied_image_files import copied_paths, from_inside
from tonnage.forecast.costs.effect_sizes import derived_pieces
from tonnage.forecast.costs.followed_links import behind_copied, with_holes
from tonnage.forecast.costs.found_files import AS_BEFORE, landing, near, paths_of, replaced
from tonnage.forecast.costs.image_paths import any_covers, covers, covers_part, stands
from tonnage.forecast.costs.links import links_in, through_links
from tonnage.forecast.costs.removals import left, takes_away
from tonnage.model.forecast.estimate import NOTHING, Estimate, Grade, above, highest, total
from tonnage.model.forecast.sized_effects import Aside, OtherName, SizedEffect, WrittenBytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from collections.abc import Set as AbstractSet


class LayerCost(Struct, frozen=True, kw_only=True):
    """What one instruction costs.

    Args:
        visible: Everything that can be seen in the stage afterwards, earlier layers included.
    """

    pieces: tuple[WrittenBytes, ...]
    image: Estimate
    disk: Estimate
    transient: Estimate
    download: Estimate
    compressed: Estimate
    asides: tuple[Aside, ...]
    visible: tuple[WrittenBytes, ...]


def layer_cost(
    effects: Sequence[SizedEffect],
    earlier: Sequence[WrittenBytes] = (),
    base_size: Estimate = NOTHING,
    mounted: Sequence[WrittenBytes] = (),
    beside: Sequence[tuple[str, str]] = (),
    known: Collection[tuple[str, str]] | None = None,
    paths: AbstractSet[str] | None = None,
) -> LayerCost:
    """Add up what the commands of one instruction do.

    Args:
        beside: Places that lie on a mount, with the cache that keeps what is written there; empty for none.
        known: Names and places among which those of all earlier pieces are; None to look.
        paths: Paths among which those of all files of earlier pieces are; None to look.
    """
    layer = _LayerBeingWritten(earlier, mounted, paths)
    moments: list[Estimate] = []
    downloads: list[Estimate] = []
    aside_bytes = NOTHING
    asides: list[Aside] = []
    for told in _together(effects):
        effect = through_links(told, layer.links)
        layer.before_writes(effect, base_size)
        for piece in effect.writes:
            layer.write(piece)
            downloads.append(piece.download)
            # Without anything on top, the moment after the last piece is the worst.
            if piece.transient is not NOTHING:
                moments.append(layer.written + piece.transient + aside_bytes)
        asides += effect.asides
        aside_bytes = total((aside_bytes, *(aside.disk for aside in effect.asides)))
        moments.append(layer.written + effect.transient + _set_aside(effect, layer.below) + aside_bytes)
        layer.after_writes(effect)
    own, below = layer.own, layer.below
    if beside:
        kept_beside = [(piece, cache) for piece in own for place, cache in beside if covers(place, piece.place)]
        own = [piece for piece in own if not any_covers([place for place, _ in beside], piece.place)]
        asides += [
            Aside(key=f"cache:{cache}\0{piece.name}", name=piece.name, disk=piece.disk)
            for piece, cache in kept_beside
            if cache
        ]
        aside_bytes = total(aside.disk for aside in asides)
    disk = total(piece.disk for piece in own)
    return LayerCost(
        pieces=tuple(own),
        image=total(piece.image for piece in own),
        disk=disk,
        transient=above(highest([*moments, disk + aside_bytes]), disk + aside_bytes),
        download=total(downloads),
        compressed=total(piece.compressed for piece in own),
        asides=tuple(asides),
        visible=(*_without(below, own, known), *_alone(own)),
    )


def _together(effects: Sequence[SizedEffect]) -> Iterable[SizedEffect]:
    """Return the effects, moves that follow each other as one: what is there is looked through once for all of them.

    They take nothing away in between, so that the last moment is the worst. A move that has to do with what those
    before it moved begins anew.
    """
    moves: list[tuple[str, str]] = []
    seen: set[str] = set()
    ends: set[str] = set()
    for effect in effects:
        joins = effect.moves and effect == SizedEffect(moves=effect.moves)
        touched = [path.rstrip("/") for move in effect.moves for path in move if not stands(path)]
        over = {above for path in touched for above in _above(path)}
        if moves and not (joins and seen.isdisjoint(touched) and ends.isdisjoint(over)):
            yield SizedEffect(moves=tuple(moves))
            moves, seen, ends = [], set(), set()
        if not joins:
            yield effect
            continue
        moves += effect.moves
        # What is above it may be made by it, or go with it.
        seen.update(touched, over)
        ends.update(touched)
    if moves:
        yield SizedEffect(moves=tuple(moves))


def _above(path: str) -> Iterable[str]:
    while path := path.rpartition("/")[0]:
        yield path


class _LayerBeingWritten:
    """What a layer holds while its commands are gone through, and what can still be seen of earlier ones.

    What is looked for among all pieces is looked for only where a command changed them.
    """

    def __init__(
        self, earlier: Sequence[WrittenBytes], mounted: Sequence[WrittenBytes], paths: AbstractSet[str] | None
    ) -> None:
        self.below = list(earlier)
        self.own: list[WrittenBytes] = []
        self._written, self._unadded = NOTHING, list[Estimate]()
        self.links = links_in((*mounted, *earlier))
        self._mounted = mounted
        self._earlier_paths = paths_of(earlier) if paths is None else paths
        self._own_paths: set[str] = set()
        self._renewed: list[WrittenBytes] = []
        # Whether what was written has to be added up again, and whether links have to be looked for.
        self._changed = self._relinked = False

    @property
    def written(self) -> Estimate:
        """What the disk keeps of what is written so far."""
        if self._unadded:
            self._written, self._unadded = total((self._written, *self._unadded)), []
        return self._written

    @written.setter
    def written(self, kept: Estimate) -> None:
        self._written, self._unadded = kept, []

    def before_writes(self, effect: SizedEffect, base_size: Estimate) -> None:
        """Do what a command does to what is there, up to where it writes what is known of itself."""
        made = _links(effect, (*self._mounted, *self.below, *self.own)) if effect.links else []
        self._changed = self._relinked = False
        self.links |= links_in(made)
        if effect.alters:
            self.own[:] = _parted(self.own, effect)
        if _finds_files(effect):
            seen = (*self._mounted, *self.below, *_alone(self.own)) if effect.follows else ()
            made += from_inside(effect, self.below, self.own, base_size, self._mounted)
            made += behind_copied(effect, seen, base_size)
            made = list(map(with_holes, made)) if effect.holes else made
            made += derived_pieces(effect, (*self._mounted, *self.below, *_alone((*self.own, *made))), base_size)
            made += _further_names(effect, (*self.own, *made), (*self._mounted, *self.below, *self.own, *made))
            self._changed = bool(effect.moves) or effect.percent != AS_BEFORE
            self._relinked = _takes_over(effect) or any(piece.links_to for piece in made)
            if self._changed:
                self._own_paths |= paths_of(self.own)
        fresh = paths_of((*_alone(made), *effect.writes))
        if effect.certain:
            self._replace(fresh)
        self._own_paths |= fresh
        self.own += made
        self._renewed = []
        if effect.renews and effect.certain:
            self._renewed = [each for each in self.own if (each.place, each.name) in effect.renews]
        if not effect.sets_aside:
            # Its files are written over, or removed before.
            self._drop_renewed()
        if self._changed:
            self.written = total(each.disk for each in self.own)
        elif made:
            self.written += total(each.disk for each in made)
        self._relinked, self._changed = self._relinked or self._changed, False

    def write(self, piece: WrittenBytes) -> None:
        """Write one piece."""
        self.own.append(piece)
        self._unadded.append(piece.disk)
        self._relinked = self._relinked or bool(piece.links_to)

    def after_writes(self, effect: SizedEffect) -> None:
        """Do what a command does at its end."""
        self._drop_renewed()
        if effect.renews and effect.certain:
            self.below = [each for each in self.below if (each.place, each.name) not in effect.renews]
            self._changed = True
        if takes_away(effect):
            self.own, self.below = _settled(left(self.own, effect)), left(self.below, effect)
            self._changed = True
        if self._changed:
            self.written = total(each.disk for each in self.own)
        if self._changed or self._relinked:
            self.links = links_in((*self._mounted, *self.below, *self.own))

    def _replace(self, fresh: AbstractSet[str]) -> None:
        if not fresh.isdisjoint(self._own_paths):
            self.own, self._changed = replaced(self.own, fresh), True
        if not fresh.isdisjoint(self._earlier_paths):
            self.below, self._changed = replaced(self.below, fresh), True

    def _drop_renewed(self) -> None:
        if self._renewed:
            gone = {id(each) for each in self._renewed}
            self.own, self._renewed, self._changed = [each for each in self.own if id(each) not in gone], [], True


def _links(effect: SizedEffect, seen: Sequence[WrittenBytes]) -> list[WrittenBytes]:
    """Return the symbolic links that a command makes; they have no bytes."""
    placed = ((target, landing(target, place, seen)) for target, place in effect.links)
    return [
        WrittenBytes(name=place, place=place, is_file=True, links_to=target, source="a link")
        for target, place in placed
    ]


def _finds_files(effect: SizedEffect) -> bool:
    """Return whether a command finds what it writes, or takes, among files that are there."""
    return _takes_over(effect) or bool(effect.copies or effect.file_copies or effect.derives)


def _takes_over(effect: SizedEffect) -> bool:
    """Return whether a command changes or moves files that are there, links among them."""
    return bool(effect.rewrites or effect.rewrites_found or effect.alters or effect.appends or effect.moves)


def _without(
    below: Sequence[WrittenBytes], own: Sequence[WrittenBytes], known: Collection[tuple[str, str]] | None
) -> Sequence[WrittenBytes]:
    """Return what of earlier layers is not the same as something that the instruction wrote, whoever brought it."""
    among = {(piece.name, piece.place) for piece in below} if known is None and own else known or ()
    same = {_what(piece) for piece in own if (piece.name, piece.place) in among}
    return [piece for piece in below if _what(piece) not in same] if same else below


def _what(piece: WrittenBytes) -> tuple[str, str, Estimate, Estimate]:
    return piece.name, piece.place, piece.image, piece.disk


def _set_aside(effect: SizedEffect, below: Sequence[WrittenBytes]) -> Estimate:
    """Return what a command copies out of earlier layers because it moves it: pip does so before it uninstalls.

    Source: pip 23.0 on overlayfs, measured.
    """
    gone = (*effect.uninstalls, *effect.renews) if effect.sets_aside else ()
    if not gone:
        return NOTHING
    return total(piece.disk for piece in below if (piece.place, piece.name) in gone)


def _further_names(
    effect: SizedEffect, own: Sequence[WrittenBytes], visible: Sequence[WrittenBytes]
) -> list[WrittenBytes]:
    """Return the names that a command gives to files which the layer has by now."""
    found = []
    for source, destination in effect.hard_links:
        into = landing(source, destination, visible)
        for first in (*near(source, own), *(piece for piece in own if not piece.place)):
            for copy in copied_paths((source,), into, (first,), NOTHING, "the image"):
                name = replace(
                    copy,
                    image=NOTHING,
                    disk=NOTHING,
                    compressed=NOTHING,
                    files=(),
                    parts=(),
                    wheel=None,
                    other_name=OtherName(first.name, first.image, replace(copy, twin_of=first.name)),
                )
                found.append(name if effect.certain else _perhaps_a_name(name, copy, 0))
    return found


def _settled(own: Sequence[WrittenBytes]) -> list[WrittenBytes]:
    """Return the pieces of a layer after something was removed: what has lost its first name counts by itself."""
    if not any(piece.other_name for piece in own):
        return [*own]
    there = {(piece.name, piece.image) for piece in own if piece.other_name is None}
    names = {name for name, _ in there}
    found = []
    for piece in own:
        told = piece.other_name
        if told is None or (told.of, told.image) in there:
            found.append(piece)
        elif told.of in names:
            # The first name has lost some of its files; which of them this one has too is not followed.
            found.append(_perhaps_a_name(piece, told.alone, told.alone.image.likely_bytes))
        else:
            found.append(told.alone)
            there.add((told.of, told.image))
            names.add(told.of)
    return found


def _parted(own: Sequence[WrittenBytes], effect: SizedEffect) -> list[WrittenBytes]:
    """Return the pieces of a layer before files are written anew: that parts what only had further names."""
    if not any(piece.other_name for piece in own):
        return [*own]
    firsts = {(piece.name, piece.image): piece.place for piece in own if piece.other_name is None}
    found = []
    for piece in own:
        told = piece.other_name
        places = () if told is None else (piece.place, firsts.get((told.of, told.image), piece.place))
        whole = any(any_covers(effect.alters, place) for place in places)
        if told is None or not (whole or any(covers_part(path, place) for path in effect.alters for place in places)):
            found.append(piece)
        elif effect.certain and whole:
            found.append(replace(told.alone, twin_of=""))
        else:
            # Which of the files below it are written anew is not followed.
            found.append(_perhaps_a_name(piece, told.alone, told.alone.image.likely_bytes))
    return found


def _alone(pieces: Iterable[WrittenBytes]) -> list[WrittenBytes]:
    """Return pieces as a later layer sees them, or a command that copies them: every name has all of its bytes."""
    return [piece if piece.other_name is None else piece.other_name.alone for piece in pieces]


def _perhaps_a_name(piece: WrittenBytes, copy: WrittenBytes, likely_bytes: int) -> WrittenBytes:
    def some(size: Estimate) -> Estimate:
        return Estimate(0, min(likely_bytes, size.high_bytes), size.high_bytes, Grade.DECLARED)

    return replace(piece, image=some(copy.image), disk=some(copy.disk), compressed=some(copy.compressed))
