"""A tree of files by its bytes alone: what ``COPY`` or ``ADD`` puts into a layer, or what lies below a path."""

from __future__ import annotations

from msgspec import Struct

from tonnage.model.forecast.estimate import NOTHING, Estimate  # noqa: TC001


class Tree(Struct, frozen=True, kw_only=True):
    """Bytes of files.

    Args:
        image: The bytes of the files, as ``docker images`` counts them.
        disk: What files and directories take on a disk with blocks of 4 KiB.
        transient: Bytes that are needed while it is made, such as an archive that is unpacked.
        compressed: What they take in a compressed layer, tried on themselves; None where that was not tried.
        inodes: Files, links and directories.
        files: Path, bytes and bytes on the disk of each; empty where they are not known or too many.
        links: What each symbolic link points to, as it is written, and its path; empty where they are too many.
        missing: What was asked for and is not there.
    """

    image: Estimate = NOTHING
    disk: Estimate = NOTHING
    download: Estimate = NOTHING
    transient: Estimate = NOTHING
    compressed: Estimate | None = None
    inodes: int = 0
    files: tuple[tuple[str, int, int], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: Tree) -> Tree:
        """Return both together."""
        # What is only fetched was not tried.
        tried = self.compressed if other.image == NOTHING else None
        return Tree(
            image=self.image + other.image,
            disk=self.disk + other.disk,
            download=self.download + other.download,
            transient=self.transient + other.transient,
            compressed=tried,
            inodes=self.inodes + other.inodes,
            files=self.files + other.files if self.image.known and other.image.known else (),
            links=self.links + other.links,
            missing=self.missing + other.missing,
            notes=self.notes + other.notes,
        )
