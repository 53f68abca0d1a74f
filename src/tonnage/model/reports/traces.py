"""What Tonnage has left on an engine and on this machine, and what of it can be removed."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class TraceKind(StrEnum):
    """What a trace is, and so who removes it."""

    CONTAINER = "container"
    """One that was started to be checked, and whose run was killed."""
    NAME = "name"
    """A name of ours; the image stays, as it has another name."""
    IMAGE = "image"
    """An image that has names of ours alone."""
    CACHE = "cache"
    JOURNAL = "journal"
    GUARD = "guard"
    """The systemd unit of the guard, which a command of its own removes together with the ballast."""


class Trace(Struct, frozen=True, kw_only=True):
    """One thing that is ours.

    Args:
        name: What people call it: a name of an image or container, or a path.
        about: What it is for.
        size_bytes: What it takes; None where nobody knows. Images may share some of it.
        key: The id of an image or container; empty for what a path or a name is enough for.
        names: All names that go with an image.
        stays: Why it is not removed; empty where it is.
    """

    kind: TraceKind
    name: str
    about: str
    size_bytes: int | None = None
    key: str = ""
    names: tuple[str, ...] = ()
    stays: str = ""


class TraceOutcome(Struct, frozen=True, kw_only=True):
    """What came of one removal; ``error`` is empty where it is gone."""

    trace: Trace
    error: str = ""


class TraceReport(Struct, frozen=True, kw_only=True):
    """What was found, and what was done.

    Args:
        endpoint: The engine; empty where none answers.
        traces: Everything that is ours, also what stays.
        freeable_bytes: What images give back together; build cache can still hold some of it.
        outcomes: What was tried; None where it was only shown.
        notes: What else there is to know.
    """

    endpoint: str
    traces: tuple[Trace, ...]
    freeable_bytes: int = 0
    outcomes: tuple[TraceOutcome, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def removable(self) -> tuple[Trace, ...]:
        """What goes."""
        return tuple(each for each in self.traces if not each.stays)

    @property
    def failed(self) -> tuple[TraceOutcome, ...]:
        """What could not be removed."""
        return tuple(each for each in self.outcomes or () if each.error)
