"""What is still needed of an engine beyond what it tells itself: names that stacks use, versions to go back to."""

from __future__ import annotations

from msgspec import Struct


class Root(Struct, frozen=True):
    """One thing that must stay, and why.

    Args:
        what: The reference or the id of an image, or a path of the engine's machine.
        reason: Why, as a sentence without its end: ``the stack shop names it``.
    """

    what: str
    reason: str


class Roots(Struct, frozen=True, kw_only=True):
    """Everything that is needed.

    Args:
        worthless: Records of the build cache that runs left which came to nothing.
        build_seconds: How long building took the last time, by stack and service.
        now_s: When this was put together, seconds since the epoch.
        notes: What could not be looked at, for people.
    """

    images: tuple[Root, ...] = ()
    paths: tuple[Root, ...] = ()
    worthless: frozenset[str] = frozenset()
    build_seconds: tuple[tuple[tuple[str, str], float], ...] = ()
    now_s: float = 0.0
    notes: tuple[str, ...] = ()
