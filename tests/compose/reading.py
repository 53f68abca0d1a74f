"""The built-in reader on the files of a case, in memory: what it makes of them, or its complaint."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from tests.compose.cases import DIRECTORY, told

from tonnage.sources.compose.canonical import canonical
from tonnage.sources.compose.checks import check_form
from tonnage.sources.compose.consistency import check_project
from tonnage.sources.compose.file_selection import select_files
from tonnage.sources.compose.loading import load_files
from tonnage.sources.compose.to_stack import ComposeExtras, build_stack

if TYPE_CHECKING:
    from tests.compose.cases import Case

    from tonnage.small_files import FileKind


class FilesOfCase:
    """The files of a case, as if they lay in its directory."""

    def __init__(self, case: Case) -> None:
        self._files = {
            f"{DIRECTORY}/{name}": text.encode("utf-8", "surrogateescape") for name, text in case.files.items()
        }
        self._directories = {
            above for path in self._files for above in (path[:at] or "/" for at, sign in enumerate(path) if sign == "/")
        }  # fmt: skip

    def read(self, path: str, what: FileKind, *, piped: bool = False) -> bytes:
        """Return a file."""
        del what, piped
        path = posixpath.normpath(path)
        if path == "/dev/null":
            return b""
        if path in self._files:
            return self._files[path]
        if path in self._directories:
            raise IsADirectoryError(21, "Is a directory")
        raise FileNotFoundError(2, "No such file or directory")

    def kind(self, path: str) -> str:
        """Return what is there."""
        path = posixpath.normpath(path)
        if path == "/dev/null":
            return "other"
        return "file" if path in self._files else "directory" if path in self._directories else ""


def read(case: Case) -> dict[str, Any]:
    """Return what the reader makes of a case.

    Raises:
        UsageError: It refuses the files.
    """
    selection = select_files(
        files=case.named,
        directory="",
        profiles=case.profiles,
        env_files=(),
        working_directory=DIRECTORY,
        environment=case.variables,
        where=FilesOfCase(case),
    )
    loaded = load_files(selection, project_name="")
    form = canonical(loaded, profiles=selection.profiles)
    check_project(form, loaded.tree)
    extras = ComposeExtras(
        tree=loaded.tree, files=selection.files, directory=selection.directory, profiles=selection.profiles
    )
    build_stack(check_form(form, extras), extras)
    return told(form)
