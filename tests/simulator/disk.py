"""A disk of a given size that really fills. Root may write into the reserve, an ordinary process may not."""

from __future__ import annotations


class DiskFullError(Exception):
    """No space left on device: what was there has been written, the rest has not."""


class Disk:
    """Bytes by owner.

    Args:
        size_bytes: All its bytes.
        reserved_bytes: Kept for root: an engine may use them, but nobody calls them available.
        other_bytes: Files that have nothing to do with the engine.
        mount: Where it is mounted.
    """

    def __init__(
        self, size_bytes: int, *, reserved_bytes: int = 0, other_bytes: int = 0, mount: str = "/var/lib/docker"
    ) -> None:
        self.size_bytes = size_bytes
        self.reserved_bytes = reserved_bytes
        self.mount = mount
        self._owned: dict[str, int] = {"other": other_bytes}
        self._used_bytes = other_bytes
        self.lowest_bytes = self.available_bytes
        self.inodes = 0
        self.available_inodes = 0

    @property
    def free_bytes(self) -> int:
        """What root may still write."""
        return self.size_bytes - self._used_bytes

    @property
    def available_bytes(self) -> int:
        """What an ordinary process may still write."""
        return max(0, self.free_bytes - self.reserved_bytes)

    def owned_bytes(self, owner: str) -> int:
        """Return what one owner holds."""
        return self._owned.get(owner, 0)

    def owners(self, prefix: str) -> tuple[str, ...]:
        """Return the owners whose names begin so."""
        return tuple(owner for owner in self._owned if owner.startswith(prefix))

    def write(self, owner: str, count_bytes: int) -> None:
        """Write for an owner.

        Raises:
            DiskFullError: It did not fit; the disk is full now and the owner holds what was written.
        """
        written = min(count_bytes, self.free_bytes)
        self._change(owner, written)
        if written < count_bytes:
            raise DiskFullError

    def give_back(self, owner: str, count_bytes: int | None = None) -> int:
        """Free what an owner holds, or a part of it; return the bytes that came free."""
        held = self.owned_bytes(owner)
        freed = held if count_bytes is None else min(held, count_bytes)
        self._change(owner, -freed)
        if self._owned.get(owner) == 0 and owner != "other":
            del self._owned[owner]
        return freed

    def hand_over(self, giver: str, taker: str) -> None:
        """Rename what an owner holds; no byte is written."""
        count_bytes = self._owned.pop(giver, 0)
        self._owned[taker] = self._owned.get(taker, 0) + count_bytes

    def eaten_by_neighbour(self, count_bytes: int) -> None:
        """Somebody else fills the disk as far as it goes."""
        self._change("other", min(count_bytes, self.free_bytes))

    def mark(self) -> None:
        """Forget the lowest point so far."""
        self.lowest_bytes = self.available_bytes

    def _change(self, owner: str, count_bytes: int) -> None:
        self._owned[owner] = self._owned.get(owner, 0) + count_bytes
        self._used_bytes += count_bytes
        self.lowest_bytes = min(self.lowest_bytes, self.available_bytes)
