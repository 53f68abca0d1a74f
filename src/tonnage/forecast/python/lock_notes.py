"""What is said of a lock beside its packages: of this machine's settings, what was fetched, and what is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.forecast.python.source_archives import versions_asked_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.requirements import Requirement

    from tonnage.forecast.python.index_access import IndexAccess
    from tonnage.forecast.python.uv import Uv
    from tonnage.model.forecast.python_lock import Sdist, Target, Wheel


def machine_notes(access: IndexAccess, *, offline: bool) -> tuple[str, ...]:
    """Return what is true of this machine alone."""
    notes = []
    if access.left_out:
        left_out = ", ".join(access.left_out)
        notes.append(f"settings of pip on this machine are not used, because a build cannot see them: {left_out}")
    if offline:
        notes.append("the package index cannot be asked: what it offered when it last was is used")
    return tuple(notes)


def note_of_whole(uv: Uv, wheels: Iterable[Wheel]) -> tuple[str, ...]:
    """Return what is to be said of wheels that the resolver fetched whole."""
    # An index that tells sizes tells hashes.
    unsized = [wheel for wheel in wheels if wheel.size_bytes is None and wheel.url.startswith("http")]
    names = ", ".join(each.name for each in unsized if uv.fetched_whole(each.name, each.version))
    return (f"the index gives no hashes, so the resolver fetched all of {names}",) if names else ()


def notes_of_built(
    built: Iterable[Sdist], needed: Mapping[Wheel, tuple[Requirement, ...]], target: Target
) -> tuple[str, ...]:
    """Return what is to be said of packages that are built from source."""
    built = tuple(built)
    notes = [
        f"{each.name} has no wheel for this target: what it needs itself is "
        + ("what its archive says" if each.contents is not None and each.contents.tells else "not known")
        for each in built
    ]
    notes += [
        f"{wheel.name} {wheel.version} needs another {archive.name} than {archive.version}: the installer may take"
        " other versions, or find none"
        for archive in built
        for wheel, lines in needed.items()
        if archive.version
        and not versions_asked_for(archive.name, lines, target).contains(archive.version, prereleases=True)
    ]
    return tuple(notes)
