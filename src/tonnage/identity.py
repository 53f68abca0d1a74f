"""Large things as one, so that what is remembered of them need not compare all that they hold."""

from __future__ import annotations

from typing import Generic, TypeVar

_Held = TypeVar("_Held")


class ByIdentity(Generic[_Held]):
    """Equal to another that holds the very same object; it may be the key of a cache, which keeps that object."""

    def __init__(self, held: _Held) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        """Return whether both hold the same object."""
        return isinstance(other, ByIdentity) and other.held is self.held

    def __hash__(self) -> int:
        """Return the identity of what is held."""
        return id(self.held)
