"""What may be removed to free bytes, what must not, and why.

Bytes are measured or declared figures of what is there now, never forecasts of what will be.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence


class CandidateKind(StrEnum):
    """What a candidate is, and so who removes it: an engine, or this machine (a path, or places of one sort)."""

    IMAGE = "image"
    CONTAINER = "container"
    CONTAINER_LOG = "container-log"
    CACHE = "cache"
    VOLUME = "volume"
    PATH = "path"
    PLACES = "places"


class NamedKind(StrEnum):
    """Kinds that go only where ``--only`` names them."""

    BUILDER_VOLUME = "builder-volume"
    OTHER_STORE = "other-store"
    DUPLICATE_BLOCKS = "duplicate-blocks"


class CandidateId(Struct, frozen=True, order=True, cache_hash=True):
    """The identity of a candidate, stable between two looks; printed as ``image sha256:...`` or ``path /opt/ghc``.

    Args:
        key: The engine's id, a volume's name, a path, or the entry of the catalogue.
    """

    kind: CandidateKind
    key: str

    def __str__(self) -> str:
        """Return kind and key."""
        return f"{self.kind} {self.key}"


class Candidate(Struct, frozen=True, kw_only=True):
    """One thing that may be removed.

    Args:
        kind: image, container, cache, volume, log, sdk, swap, package-cache, journal, core-dump, snap, ...
        unique_bytes: What comes free when it alone is removed; bytes that it shares come free only with the others.
        cost_s: Seconds that it costs to get it back, learned or estimated from size and kind.
        removal_s: Seconds that its removal takes.
        reason: Why it may be removed.
        breaks: What does not work without it; empty where nothing depends on it.
        inodes: Files and directories that come free; None where nobody counted them.
        last_used_s: When it was last used, seconds since the epoch; None where nobody knows.
        paths: The files and directories that are removed; empty for what an engine removes.
        source: The entry of the catalogue that it was found by; empty for what an engine tells.
        names: Further names that people know it by.
        removed_after: Candidates that have to be removed before it.
        copy: Whether it is a second copy of what stays usable: it goes before all else.
    """

    candidate_id: CandidateId
    kind: str
    name: str
    unique_bytes: int
    cost_s: float
    removal_s: float
    reason: str
    breaks: str = ""
    back: str = ""
    inodes: int | None = None
    last_used_s: float | None = None
    paths: tuple[str, ...] = ()
    source: str = ""
    names: tuple[str, ...] = ()
    removed_after: tuple[CandidateId, ...] = ()
    copy: bool = False


class Protected(Struct, frozen=True, kw_only=True):
    """One thing that must stay, and why.

    Args:
        size_bytes: Its bytes; None where nobody counted them.
    """

    candidate_id: CandidateId
    kind: str
    name: str
    reason: str
    size_bytes: int | None = None


class SharedBytes(Struct, frozen=True):
    """Bytes that come free when everything that holds them is removed: a layer, a directory, a record.

    Args:
        holders: One that is no candidate keeps them for ever.
        inodes: Files and directories that come free with them; 0 where nobody counted them.
    """

    size_bytes: int
    holders: frozenset[CandidateId]
    inodes: int = 0


class Findings(Struct, frozen=True, kw_only=True):
    """Everything that was found on one filesystem.

    Args:
        pieces: Which bytes come free with which of them.
        protected: What must stay.
        notes: What people should know: what was not looked at, and why.
    """

    candidates: tuple[Candidate, ...] = ()
    pieces: tuple[SharedBytes, ...] = ()
    protected: tuple[Protected, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        """Return both together."""
        return joined((self, other))


def joined(parts: Sequence[Findings]) -> Findings:
    """Return all that was found; adding up one after the other would copy everything for each."""
    return Findings(
        candidates=tuple(each for part in parts for each in part.candidates),
        pieces=tuple(each for part in parts for each in part.pieces),
        protected=tuple(each for part in parts for each in part.protected),
        notes=tuple(each for part in parts for each in part.notes),
    )


class Root(Struct, frozen=True):
    """One thing that must stay, and why.

    Args:
        what: The reference or the id of an image, or a path of the engine's machine.
        reason: Why, as a sentence without its end: ``the stack shop names it``.
    """

    what: str
    reason: str


class Builders(Struct, frozen=True, kw_only=True):
    """The builders beside the engine that its users have configured.

    Args:
        nodes: The names of their nodes.
        unknown: Why they cannot be told, in words; empty where they can.
    """

    nodes: frozenset[str] = frozenset()
    unknown: str = ""


class HostedRunner(Struct, frozen=True):
    """A machine that is thrown away after the job, and that the engine runs on.

    Args:
        image: The name and version of what the machine was made from.
        booted_s: When it began to run, seconds since the epoch.
        pulled: What was pulled on it since, by name or digest, as far as the engine still knows.
    """

    image: str
    booted_s: float
    pulled: frozenset[str] = frozenset()


class Roots(Struct, frozen=True, kw_only=True):
    """Everything that is needed, and what is known of those who need it.

    Args:
        builders: Builders whose cache is needed.
        runner: The hosted runner that all this is on; None for a machine that stays.
        worthless: Records of the build cache that runs left which came to nothing.
        build_seconds: How long building took the last time, by stack and service.
        now_s: When this was put together, seconds since the epoch.
        notes: What could not be read, for people.
    """

    images: tuple[Root, ...] = ()
    paths: tuple[Root, ...] = ()
    builders: Builders = Builders(unknown="it is not known which builders are configured")
    runner: HostedRunner | None = None
    worthless: frozenset[str] = frozenset()
    build_seconds: tuple[tuple[tuple[str, str], float], ...] = ()
    now_s: float = 0.0
    notes: tuple[str, ...] = ()


_BYTES_IN_GB = 10**9


class PlaceKind(StrEnum):
    """Kinds of things in files and directories, as ``--only`` names them."""

    SDK = "sdk"
    TOOL = "tool"
    SWAP = "swap"
    PACKAGE_CACHE = "package-cache"
    MODEL_CACHE = "model-cache"
    JOURNAL = "journal"
    LOG = "log"
    CORE_DUMP = "core-dump"
    SNAP = "snap"


def named_kinds() -> tuple[str, ...]:
    """Return the kinds that ``--only`` takes."""
    by_paths = (CandidateKind.PATH, CandidateKind.PLACES)
    return tuple(str(each) for kinds in (CandidateKind, NamedKind, PlaceKind) for each in kinds if each not in by_paths)


class CatalogueEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sort of thing: how it is found, what breaks without it, how it is got back.

    Args:
        name: Unique in the whole catalogue.
        kind: Decides how it is removed: swap is turned off first, a snap is removed by snapd, the rest is deleted.
        breaks: What does not work without it.
        back_s: Estimated seconds to get it back, whatever its size.
        back_s_per_gb: Estimated seconds on top for each 10^9 bytes.
        paths: Patterns of absolute paths. ``*``, ``?`` and ``[...]`` stand for names inside one directory; a pattern
            that begins with ``~/`` is looked for in every home, one that begins with ``$NAME/`` where that variable
            points. A thing inside one that was found already is not found again, and one around it not at all: so
            patterns of the parts come before those of the whole.
        together: All that is found makes one candidate; else each path makes one.
        disposable_only: Only on a machine that is thrown away after use.
        usual_gb: What one candidate of it usually holds, in 10^9 bytes.
        source: Where the entry's facts were read.
    """

    name: str
    kind: PlaceKind
    what: str
    breaks: str
    back: str
    back_s: float
    back_s_per_gb: float
    paths: tuple[str, ...] = ()
    together: bool = False
    disposable_only: bool = False
    usual_gb: float = 0.2
    source: str = ""

    def cost_s(self, size_bytes: int) -> float:
        """Return the estimated seconds to get ``size_bytes`` of it back."""
        return self.back_s + self.back_s_per_gb * size_bytes / _BYTES_IN_GB
