"""Finds what can be removed from a machine's files and directories, measures it, and says what must stay and why.

Public: ``find_places(entries, *, root, environment, mount, disposable, ...) -> Findings``.

Nothing is removed here. A candidate's paths are absolute, free of symbolic links and on the filesystem that needs the
space; whatever is mounted, mounted upon, in use, kept by name or read-only is protected instead.
"""

from __future__ import annotations

import os
import stat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.adapters.host import mount_table, swap
from tonnage.adapters.reclaim import in_use
from tonnage.adapters.reclaim.path_patterns import PathMatch, expand, homes, patterns_below, printable
from tonnage.adapters.reclaim.path_sizes import is_well_enough, measure, measured_before
from tonnage.errors import UsageError
from tonnage.model.reclaim.candidate import (
    Candidate,
    CandidateId,
    CandidateKind,
    Findings,
    PlaceKind,
    Protected,
    SharedBytes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tonnage.adapters.reclaim.path_sizes import Sizes, Tally
    from tonnage.model.reclaim.candidate import CatalogueEntry

_REMOVAL_S_PER_INODE = 20e-6
_REMOVAL_S_PER_GB = 0.05
_BYTES_IN_GB = 10**9
_SNAPS = "/var/lib/snapd/snaps/*_*.snap"


class _PathGroup(Struct, frozen=True):
    """Paths that are one candidate."""

    entry: CatalogueEntry
    paths: tuple[str, ...]


class _PathSearch(Struct):
    """What the search has come by so far."""

    protected: dict[str, Protected] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    above_claimed: set[str] = field(default_factory=set)

    def take(self, path: str) -> bool:
        """Return whether a path is new: not found already, in nothing found, and around nothing found."""
        above = {*mount_table.upwards(path)} - {path}
        if path in self.claimed or path in self.above_claimed or above & self.claimed:
            return False
        self.claimed.add(path)
        self.above_claimed |= above
        return True


def find_places(
    entries: Sequence[CatalogueEntry],
    *,
    environment: Mapping[str, str],
    mount: str,
    root: str = "/",
    disposable: bool = False,
    why_not_disposable: str = "",
    kept: Mapping[str, str] | None = None,
    missing_bytes: int | None = None,
    least_bytes: int = 1_000_000,
    meanwhile: Callable[[], None] = lambda: None,
) -> Findings:
    """Find and measure what can be removed.

    Args:
        entries: The catalogue, or those entries of it that are wanted: with ``--only``, those of its kinds.
        environment: That of this process: where caches and the tool cache are.
        mount: Any path on the filesystem that needs the space.
        root: Everything is looked for below this directory, variables and homes too.
        disposable: Whether SDKs, tools and swap may go.
        why_not_disposable: Told in a note when they may not.
        kept: Paths that must stay, each with its reason: what containers mount, what the user named.
        missing_bytes: How much is needed. What is dearer to get back is no longer measured when there is well enough
            among what is cheaper; a note says so. None measures everything.
        least_bytes: What is smaller is not worth a line and is left out.
        meanwhile: Called once while it is measured: something to do instead of waiting.

    Returns:
        Candidates with their pieces, what is protected, and notes.

    Raises:
        UsageError: The root or the mount is not there or is no directory.
    """
    root = os.path.realpath(root)
    device = _device(root, mount)
    search = _PathSearch()
    groups: list[_PathGroup] = []

    def ranked() -> Iterator[tuple[tuple[float, ...], Sequence[str]]]:
        for group in _look(entries, search, environment, device, root, disposable, kept or {}):
            groups.append(group)
            yield measured_before(group.entry, wanted_bytes), group.paths

    wanted_bytes = 0 if missing_bytes is None else max(1, missing_bytes)
    sizes = measure(
        ranked(),
        device,
        enough=lambda found: wanted_bytes > 0 and is_well_enough(found, wanted_bytes),
        meanwhile=meanwhile,
    )
    notes = []
    if not disposable and any(entry.disposable_only for entry in entries):
        why = f" ({why_not_disposable})" if why_not_disposable else ""
        notes.append(f"SDKs, tools and swap are kept{why}. To remove them too: --this-machine-is-disposable")
    if left_out := {*range(len(groups))} - {*sizes.measured}:
        names = ", ".join(dict.fromkeys(groups[number].entry.what for number in sorted(left_out)))
        notes.append(f"Not measured, because there is enough that is cheaper to recreate: {names}.")
    measured = [groups[number] for number in sizes.measured]
    return _findings(measured, sizes, tuple(search.protected.values()), notes, least_bytes)


def _look(
    entries: Sequence[CatalogueEntry],
    search: _PathSearch,
    environment: Mapping[str, str],
    device: int,
    root: str,
    disposable: bool,  # noqa: FBT001 - passed on
    kept: Mapping[str, str],
) -> Iterator[_PathGroup]:
    """Yield what may go, not measured yet; what must stay is noted in the search."""
    mounts = mount_table.read_mounts()
    used = in_use.what_is_in_use(root, environment, _kept(kept))
    home = homes(root, environment)
    for entry in entries:
        if entry.disposable_only and not disposable:
            continue
        paths = []
        for found in _found(entry, root, environment, home):
            reason = _why_link(found) or (_why_stays(found.path, entry, device, mounts, used) if not found.link else "")
            if found.link and not reason:
                continue
            if found.link:
                _protect(search, entry, found.link, reason)
            elif search.take(found.path):
                if reason:
                    _protect(search, entry, found.path, reason)
                else:
                    paths.append(found.path)
        yield from (
            [_PathGroup(entry, tuple(paths))] if entry.together and paths else [_PathGroup(entry, (p,)) for p in paths]
        )


def _device(root: str, mount: str) -> int:
    for what, path in (("--root", root), ("--mount", mount)):
        if not os.path.isdir(path):  # noqa: PTH112
            raise UsageError(f"{what} {path} is not a directory", todo="Name a directory that is there.")
    return os.stat(mount).st_dev  # noqa: PTH116


def _kept(kept: Mapping[str, str]) -> tuple[in_use.Used, ...]:
    return tuple(in_use.Used(os.path.realpath(path), reason, whole=True) for path, reason in kept.items())


def _found(
    entry: CatalogueEntry, root: str, environment: Mapping[str, str], home: tuple[str, ...]
) -> Iterable[PathMatch]:
    if entry.kind is PlaceKind.SWAP:
        files = (os.path.realpath(each.path) for each in swap.read_swap_files())
        return [PathMatch(path) for path in files if mount_table.is_within(path, root)]
    if entry.kind is PlaceKind.SNAP:
        return _old_snaps(root)
    patterns = (
        pattern for path in entry.paths for pattern in patterns_below(root, path, environment=environment, home=home)
    )
    return (found for pattern in patterns for found in expand(pattern))


def _old_snaps(root: str) -> list[PathMatch]:
    """Return the revisions of snaps that are not current; only of this machine, whose snapd can remove them."""
    found = []
    for each in expand(_SNAPS) if root == "/" else ():
        name, _, revision = PurePosixPath(each.path).stem.rpartition("_")
        try:
            current = os.readlink(f"/snap/{name}/current")  # noqa: PTH115
        except OSError:
            continue
        if current != revision:
            found.append(each)
    return found


def _why_link(found: PathMatch) -> str:
    if not found.link or found.path == found.link:
        # A link that was found itself holds no bytes: it is nothing to speak of.
        return ""
    return f"{found.link} is a symbolic link; what it leads to is looked at only under its own name"


def _why_stays(
    path: str, entry: CatalogueEntry, device: int, mounts: tuple[mount_table.MountPoint, ...], used: in_use.UsedPaths
) -> str:
    """Return why a path must stay; empty when it may go."""
    try:
        told = os.lstat(path)
    except OSError as error:
        return f"it cannot be looked at: {error.strerror}"
    upon = next((each.path for each in mounts if mount_table.is_within(each.path, path)), "")
    under = mount_table.mount_under(mounts, path)
    if upon:
        return "it is a mount point" if upon == path else f"{upon} is mounted in it"
    if told.st_dev != device:
        return f"it is on another filesystem, mounted at {under.path if under else 'an unknown place'}"
    if under and under.read_only:
        return f"{under.path} is mounted read-only"
    if not (stat.S_ISDIR(told.st_mode) or stat.S_ISREG(told.st_mode)):
        return "it is neither a file nor a directory"
    if entry.kind is PlaceKind.SWAP:
        import psutil  # noqa: PLC0415 - few machines have swap in a file

        memory_bytes = int(psutil.virtual_memory().available)
        return next((swap.why_needed(each, memory_bytes) for each in swap.read_swap_files() if each.path == path), "")
    return used.why(path) if entry.kind is not PlaceKind.SNAP else ""


def _protect(search: _PathSearch, entry: CatalogueEntry, path: str, reason: str) -> None:
    name = printable(path)
    protected = Protected(
        candidate_id=CandidateId(CandidateKind.PATH, name), kind=entry.kind, name=name, reason=printable(reason)
    )
    search.protected.setdefault(path, protected)


def _findings(
    groups: Sequence[_PathGroup], sizes: Sizes, protected: tuple[Protected, ...], notes: Sequence[str], least_bytes: int
) -> Findings:
    held: dict[frozenset[int], tuple[int, int]] = {}
    for linked in sizes.linked.values():
        if sum(linked.seen.values()) >= linked.names:
            holders = frozenset(linked.seen)
            size_bytes, inodes = held.get(holders, (0, 0))
            held[holders] = (size_bytes + linked.size_bytes, inodes + 1)
    candidates: dict[int, Candidate] = {}
    for number, (group, tally) in enumerate(zip(groups, sizes.tallies, strict=True)):
        alone_bytes, alone_inodes = held.get(frozenset({number}), (0, 0))
        every_bytes = tally.own_bytes + sum(size for holders, (size, _) in held.items() if number in holders)
        if every_bytes >= max(1, least_bytes):
            candidates[number] = _candidate(group, tally, tally.own_bytes + alone_bytes, tally.inodes + alone_inodes)
    ids = {number: each.candidate_id for number, each in candidates.items()}
    pieces = [
        SharedBytes(each.unique_bytes, frozenset({each.candidate_id}), each.inodes or 0) for each in candidates.values()
    ]
    pieces += [
        # A holder that is too small to be a candidate keeps its bytes: it is not removed.
        SharedBytes(
            size_bytes,
            frozenset(ids.get(number, CandidateId(CandidateKind.PATH, groups[number].paths[0])) for number in holders),
            inodes,
        )
        for holders, (size_bytes, inodes) in held.items()
        if len(holders) > 1
    ]
    return Findings(
        candidates=tuple(candidates.values()), pieces=tuple(pieces), protected=protected, notes=tuple(notes)
    )


def _candidate(group: _PathGroup, tally: Tally, unique_bytes: int, inodes: int) -> Candidate:
    entry = group.entry
    what = f"{entry.what}; {tally.unread} directories in it could not be counted" if tally.unread else entry.what
    return Candidate(
        candidate_id=CandidateId(CandidateKind.PLACES, entry.name)
        if entry.together
        else CandidateId(CandidateKind.PATH, printable(group.paths[0])),
        kind=entry.kind,
        name=entry.what if entry.together else printable(group.paths[0]),
        unique_bytes=unique_bytes,
        cost_s=entry.cost_s(unique_bytes),
        removal_s=inodes * _REMOVAL_S_PER_INODE + unique_bytes / _BYTES_IN_GB * _REMOVAL_S_PER_GB,
        reason=what,
        breaks=entry.breaks,
        back=entry.back,
        inodes=inodes,
        last_used_s=tally.last_used_s or None,
        paths=group.paths,
        source=entry.name,
        names=(entry.name,),
    )
