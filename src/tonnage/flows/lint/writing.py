"""Writing what fixes a file: whole or not at all, and only in the project or where a file was named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.own_files import write_whole
from tonnage.sources.outside import is_shown, project_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.flows.stack import DesiredState
    from tonnage.model.reports.lint import LintChange


def roots_of(here: str, wanted: DesiredState | None, named: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the directories in which files may be changed: the project, and what was named."""
    paths = (Path(here, each) for each in named)
    typed = (str(each if each.is_dir() else each.parent) for each in paths if each.exists())
    return (project_root(here), *((project_root(wanted.stack.directory),) if wanted is not None else ()), *typed)


def write_change(change: LintChange, roots: Sequence[str], *, command: str = "") -> None:
    """Write a file as it was changed, or anew.

    Args:
        roots: The directories in which files may be changed.
        command: What changes the file where it is named behind it; empty where that is not possible.

    Raises:
        UsageError: It lies elsewhere, or cannot be written.
    """
    path = Path(change.file.path)
    # What is not there yet has no other place than its own.
    there = path if path.exists() else path.parent
    if not any(is_shown(str(there), str(Path(root).resolve())) or _is_below(there, root) for root in roots):
        raise UsageError(
            f"{change.file.shown} is not changed",
            why="It is outside the project, and was not named.",
            todo=f"To have it changed all the same, name it:\n  {command} {path}" if command else "Change it by hand.",
        )
    try:
        write_whole(
            path,
            change.after.encode("utf-8", errors="surrogateescape"),
            mode=0o644,
            keep_mode=True,
            project=map(Path, roots),
        )
    except OSError as error:
        raise UsageError(f"{change.file.shown} cannot be written", why=f"{error.strerror}.") from error


def _is_below(directory: Path, root: str) -> bool:
    """Return whether a directory really lies in another one."""
    return directory.is_dir() and directory.resolve().is_relative_to(Path(root).resolve())
