"""Predicted bytes, with the grade that says how they are known. Never mixed with measured ones.

A figure of the grade ``unknown`` either says nothing (:data:`UNKNOWN`) or is a bound that was assumed in place of it
(:func:`assumed`). An assumed bound is added up like any other figure, so that nothing counts as 0 in silence.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tonnage.model.forecast.finding import Finding
    from tonnage.model.forecast.sized_effects import BuildWork

DATA_ROOT = "data-root"
EXPORTED = "exported-cache"
"""The role of filesystems that ``cache_to`` of a build section writes to."""


class EngineKind(StrEnum):
    """What builds and keeps images: their terms differ.

    ``classic`` is the builder before BuildKit; ``buildkit`` is BuildKit in an engine with the classic image store;
    ``containerd`` is BuildKit in an engine that keeps images in containerd; ``container`` is a builder in a container
    of its own whose result is loaded into an engine with the classic image store, ``container-containerd`` into one
    that keeps images in containerd.
    """

    CLASSIC = "classic"
    BUILDKIT = "buildkit"
    CONTAINERD = "containerd"
    CONTAINER = "container"
    CONTAINER_CONTAINERD = "container-containerd"

    @property
    def is_beside(self) -> bool:
        """Whether the builder keeps what it builds beside the engine."""
        return self in {EngineKind.CONTAINER, EngineKind.CONTAINER_CONTAINERD}

    @property
    def keeps(self) -> EngineKind:
        """The kind of the engine by itself, which pulls images and keeps what it is given."""
        beside = {EngineKind.CONTAINER: EngineKind.BUILDKIT, EngineKind.CONTAINER_CONTAINERD: EngineKind.CONTAINERD}
        return beside.get(self, self)


class Grade(StrEnum):
    """How a figure is known."""

    EXACT = "exact"
    DECLARED = "declared"
    LEARNED = "learned"
    UNKNOWN = "unknown"


_WORST_LAST = (Grade.EXACT, Grade.DECLARED, Grade.LEARNED, Grade.UNKNOWN)
_PLACES = {grade: place for place, grade in enumerate(_WORST_LAST)}


class Estimate(Struct, frozen=True):
    """A forecast number of bytes. With the grade ``unknown`` and 0 throughout the three numbers say nothing.

    Args:
        low_bytes: It is hardly less than this.
        likely_bytes: The best single figure.
        high_bytes: It is hardly more than this.
        parts: How many of the high bytes are known better or less well than the grade says, by grade.
    """

    low_bytes: int
    likely_bytes: int
    high_bytes: int
    grade: Grade
    parts: tuple[tuple[Grade, int], ...] = ()

    @property
    def weaker(self) -> tuple[tuple[Grade, int], ...]:
        """How many of the high bytes are known less well than the grade says, by grade."""
        below = _WORST_LAST[_WORST_LAST.index(self.grade) + 1 :]
        return tuple(each for each in self.parts if each[0] in below)

    @property
    def known(self) -> bool:
        """Whether the numbers say anything: they are known, or a bound was assumed in their place."""
        return self.grade is not Grade.UNKNOWN or any((self.low_bytes, self.likely_bytes, self.high_bytes))

    @property
    def told_bytes(self) -> int | None:
        """The likely bytes as people are told them; None where nobody knows and nothing was assumed in their place."""
        return None if self.grade is Grade.UNKNOWN and self.likely_bytes == 0 else self.likely_bytes

    def or_assumed(self, bound_bytes: int) -> Estimate:
        """Return it, or a bound in place of one that says nothing."""
        return self if self.known else assumed(bound_bytes)

    def each(self, change: Callable[[int], int]) -> Estimate:
        """Return an estimate of the same grade whose figures are made from these."""
        return self._said(change(self.low_bytes), change(self.likely_bytes), change(self.high_bytes))

    def share(self, part: int, of: int) -> Estimate:
        """Return a part of it; the high figure is rounded up."""
        low_bytes, likely_bytes = self.low_bytes * part // of, self.likely_bytes * part // of
        return self._said(low_bytes, likely_bytes, -(-self.high_bytes * part // of))

    def __add__(self, other: Estimate) -> Estimate:
        """Return the sum. A part that says nothing makes a sum that says nothing.

        Its grade is that of what is worst known in it, but for a hundredth of it, and for 1 MB that nobody knows.
        """
        if not (self.known and other.known):
            return UNKNOWN
        one_bytes, other_bytes, plain = self.high_bytes, other.high_bytes, not (self.parts or other.parts)
        if plain:
            # Most sums have a nothing in them, which changes no grade.
            if other is NOTHING and one_bytes > 0:
                return self
            if self is NOTHING and other_bytes > 0:
                return other
        low_bytes, likely_bytes = self.low_bytes + other.low_bytes, self.likely_bytes + other.likely_bytes
        high_bytes = one_bytes + other_bytes
        if plain:
            if self.grade is other.grade:
                return Estimate(low_bytes, likely_bytes, high_bytes, self.grade)
            if other == NOTHING and one_bytes > 0:
                return self
            if self == NOTHING and other_bytes > 0:
                return other
        if one_bytes < 0 or other_bytes < 0:
            # What is left of something is known as badly as what is taken off, however small that is.
            return Estimate(low_bytes, likely_bytes, high_bytes, weakest((self.grade, other.grade)))
        shares = [0, 0, 0, 0]
        self._share_out(shares)
        other._share_out(shares)
        return _graded(low_bytes, likely_bytes, high_bytes, shares)

    def _share_out(self, shares: list[int]) -> None:
        """Add how many of the high bytes are known how; one after the other, the worst known ones last."""
        rest_bytes = self.high_bytes
        for grade, count in self.parts:
            shares[_PLACES[grade]] += count
            rest_bytes -= count
        if rest_bytes > 0:
            shares[_PLACES[self.grade]] += rest_bytes

    def _said(self, low_bytes: int, likely_bytes: int, high_bytes: int) -> Estimate:
        """Return what comes of a figure that says something: that it is 0 is known then."""
        if self.known and not (low_bytes or likely_bytes or high_bytes):
            return NOTHING if self.grade is Grade.UNKNOWN else Estimate(0, 0, 0, self.grade)
        parts = ((each, min(count * high_bytes // max(1, self.high_bytes), high_bytes)) for each, count in self.parts)
        return Estimate(low_bytes, likely_bytes, high_bytes, self.grade, tuple(each for each in parts if each[1] > 0))


UNKNOWN = Estimate(0, 0, 0, Grade.UNKNOWN)
NOTHING = Estimate(0, 0, 0, Grade.EXACT)
KILOBYTES = Estimate(0, 4_096, 1_000_000, Grade.DECLARED)
RECORDS = Estimate(0, 0, 0, Grade.DECLARED)
"""What an engine writes of a name, a network or a health check: nothing to speak of, but nobody counted it."""


# What a hundredth of a sum may be known less well, as an exact figure may be off by a hundredth.
_SMALL_PART, _SMALL_UNKNOWN_BYTES = 100, 1_000_000


def _graded(low_bytes: int, likely_bytes: int, high_bytes: int, shares: Sequence[int]) -> Estimate:
    """Return an estimate with the grade that nearly all of its high bytes have or are better than.

    Args:
        shares: How many of the high bytes are known how, the worst known ones last.
    """
    _, declared, learned, unknown = shares
    most = high_bytes // _SMALL_PART
    if unknown > min(most, _SMALL_UNKNOWN_BYTES):
        grade = Grade.UNKNOWN
    elif unknown + learned > most:
        grade = Grade.LEARNED
    else:
        grade = Grade.DECLARED if unknown + learned + declared > most else Grade.EXACT
    told = tuple((each, count) for each, count in zip(_WORST_LAST, shares, strict=True) if count and each is not grade)
    return Estimate(low_bytes, likely_bytes, high_bytes, grade, told)


def exactly(count_bytes: int) -> Estimate:
    """Return an estimate that is known to the byte."""
    return Estimate(count_bytes, count_bytes, count_bytes, Grade.EXACT)


def at_most(count_bytes: int) -> Estimate:
    """Return an estimate of what is declared to be that large, and may be smaller."""
    return Estimate(0, count_bytes, count_bytes, Grade.DECLARED) if count_bytes else NOTHING


def assumed(bound_bytes: int) -> Estimate:
    """Return what is put in place of a figure that nobody knows: from nothing to the bound, the bound being likely.

    A bound of 0 is one of a byte, so that it differs from a figure that says nothing and would take a sum along.
    """
    return Estimate(0, bound_bytes, max(1, bound_bytes), Grade.UNKNOWN)


def spread(low_bytes: int, likely_bytes: int, high_bytes: int, grade: Grade) -> Estimate:
    """Return an estimate of three figures in any order: they are put into theirs. That all are 0 is known."""
    low, likely, high = sorted((low_bytes, likely_bytes, high_bytes))
    return Estimate(low, likely, high, grade) if low or high or grade is not Grade.UNKNOWN else NOTHING


def weakest(grades: Iterable[Grade]) -> Grade:
    """Return the weakest of some grades; that of nothing at all is exact."""
    return max(grades, key=_WORST_LAST.index, default=Grade.EXACT)


def total(estimates: Iterable[Estimate]) -> Estimate:
    """Return the sum of some estimates: what adding one after the other gives, in one pass."""
    low_bytes = likely_bytes = high_bytes = 0
    shares = [0, 0, 0, 0]
    every = tuple(estimates)
    for each in every:
        if each is NOTHING:
            continue
        grade, high = each.grade, each.high_bytes
        if grade is Grade.UNKNOWN and not each.known:
            return UNKNOWN
        if high < 0:
            return sum(every, NOTHING)
        low_bytes += each.low_bytes
        likely_bytes += each.likely_bytes
        high_bytes += high
        if each.parts:
            each._share_out(shares)  # noqa: SLF001 - of the same kind
        else:
            shares[_PLACES[grade]] += high
    return _graded(low_bytes, likely_bytes, high_bytes, shares)


def highest(estimates: Iterable[Estimate]) -> Estimate:
    """Return the highest of some estimates, figure by figure; one that is below another for certain changes nothing."""
    found = [estimate for estimate in estimates if estimate.high_bytes or not estimate.known]
    if not all(estimate.known for estimate in found):
        return UNKNOWN
    if not found:
        return NOTHING
    floor_bytes = max(estimate.low_bytes for estimate in found)
    found = [estimate for estimate in found if estimate.high_bytes > floor_bytes or estimate.low_bytes == floor_bytes]
    grade = weakest(estimate.grade for estimate in found)
    below = _WORST_LAST[_WORST_LAST.index(grade) + 1 :]
    most = ((each, max(dict(estimate.weaker).get(each, 0) for estimate in found)) for each in below)
    return Estimate(
        floor_bytes,
        max(estimate.likely_bytes for estimate in found),
        max(estimate.high_bytes for estimate in found),
        grade,
        tuple((each, count) for each, count in most if count),
    )


def above(peak: Estimate, kept: Estimate) -> Estimate:
    """Return by how much a peak is above what is kept, graded by what not both have; with that it is never below it."""
    if not (peak.known and kept.known):
        return UNKNOWN
    figures = ((each.low_bytes, each.likely_bytes, each.high_bytes) for each in (peak, kept))
    low, likely, high = sorted(max(0, higher - lower) for higher, lower in zip(*figures, strict=True))
    if not high:
        return NOTHING
    shares, less = [0, 0, 0, 0], [0, 0, 0, 0]
    peak._share_out(shares)  # noqa: SLF001 - of the same kind
    kept._share_out(less)  # noqa: SLF001 - of the same kind
    rest_bytes = high
    for place in reversed(range(len(shares))):
        shares[place] = max(0, min(rest_bytes, shares[place] - less[place]))
        rest_bytes -= shares[place]
    grade = weakest((peak.grade, kept.grade))
    shares[_PLACES[grade]] += rest_bytes
    rest = _graded(low, likely, high, shares)
    return rest if weakest((rest.grade, grade)) is rest.grade else Estimate(low, likely, high, grade, rest.weaker)


class Contributor(Struct, frozen=True, kw_only=True):
    """One thing that weighs in an instruction: a wheel, a package, a copied directory. Its ``image`` is unpacked.

    Args:
        name: Its name, with a version where it has one.
        brought_by: What it came along with, nearest first, and at last where that is written; empty where not known.
    """

    name: str
    disk: Estimate
    image: Estimate = NOTHING
    download: Estimate = NOTHING
    source: str = ""
    brought_by: tuple[str, ...] = ()


UNPACKED = "unpacked:"
"""Begins the identity of an image's own copy of a layer, which the engine unpacks beside what BuildKit keeps."""
MADE = "made:"
"""Begins the identity of what an instruction makes."""
BLOB = "blob:"
"""Begins the identity of a layer as it is kept compressed."""
LOAD, LOADED = "load:", "loaded:"
"""Begin the identity of the load of an image from a builder beside the engine, and of what the engine keeps of it."""


class Holding(Struct, frozen=True, kw_only=True):
    """Bytes that stay on a filesystem under an identity, so that they are counted once however many services need them.

    Args:
        key: The identity: a layer in its chain, a cache mount, the copied sources of a context.
        role: Which filesystem: ``data-root``, ``containerd`` or ``temporary``.
        image: Of a layer of an image, its bytes as ``docker images`` counts them, whether it is present or not.
        present: The engine has them already; they add nothing.
        in_image: It is a layer of the image that is built.
        late: It is written when all instructions are done, as the image is made of them.
    """

    key: str
    role: str
    kept: Estimate
    image: Estimate = NOTHING
    download: Estimate = NOTHING
    present: bool = False
    in_image: bool = False
    late: bool = False


class InstructionForecast(Struct, frozen=True, kw_only=True):
    """What one instruction of a Dockerfile will cost.

    Args:
        stage: The stage's name, or its number.
        line: The line it begins on; 0 for what no line of the file asks for.
        text: The instruction on one line, variables put in.
        image: Bytes it adds to what ``docker images`` shows; nothing in a stage that is not the image.
        disk: Bytes that the filesystems keep; nothing for what the engine has already.
        transient: Bytes needed on top at its worst moment and given back at its end.
        others: What steps of other stages may need on top at the same moment.
        holdings: What ``disk`` consists of.
        contributors: What weighs, heaviest first.
        key: Identity of the work: where two services have the same it is done once.
        learn_key: Under which key its measured bytes are stored; empty for none.
        how: How it is known, in words.
        role: Which filesystem the transient bytes are on.
        present: The engine has its layer already: it is not done again.
    """

    stage: str
    line: int
    text: str
    image: Estimate = NOTHING
    disk: Estimate = NOTHING
    transient: Estimate = NOTHING
    others: Estimate = NOTHING
    download: Estimate = NOTHING
    holdings: tuple[Holding, ...] = ()
    contributors: tuple[Contributor, ...] = ()
    key: str = ""
    learn_key: str = ""
    how: str = ""
    role: str = DATA_ROOT
    present: bool = False


class ServiceForecast(Struct, frozen=True, kw_only=True):
    """What the image of one service will weigh, and what getting it needs.

    Args:
        image: As ``docker images`` will show it, base included.
        disk: Bytes that the filesystems keep, were it the only service.
        transient: Bytes on top of them at the worst moment.
        steps: Every instruction in the order of building.
        beside: Bytes needed for the whole time of the build and given back at its end.
        target: The Python and the platform that it was made for, in words; empty where no Python is installed into.
        failures: Why figures are missing: what a resolver or a registry answered.
        found_out: Whether anything was found out; if not, everything is assumed.
        broken: What the user wrote cannot be built, whatever the figures.
        work: What it was made from, for who changes it and forecasts again; None where nothing was found out.
    """

    service: str
    image: Estimate = NOTHING
    disk: Estimate = NOTHING
    transient: Estimate = NOTHING
    download: Estimate = NOTHING
    steps: tuple[InstructionForecast, ...] = ()
    beside: Estimate = NOTHING
    target: str = ""
    failures: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    found_out: bool = True
    broken: bool = False
    work: BuildWork | None = None

    @property
    def peak(self) -> Estimate:
        """What its worst moment needs, were it the only service."""
        return self.disk + self.transient
