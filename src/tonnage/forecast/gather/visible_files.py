"""Which text files a stage of a build can see at a path: those that the context's files were copied to.

A requirement file is read as it will be inside of the build, so one that was never copied is not there.
"""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.forecast.costs.copied_image_files import covers
from tonnage.model.forecast.recipe import CopyInstruction, FileSourceKind, RunInstruction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tonnage.model.forecast.installs import PythonInstall
    from tonnage.model.forecast.recipe import FileSource, RecipeStep

    Reader = Callable[[str], "TextFile | None"]


_MOST_LOOKS = 20_000


class TextFile(Struct, frozen=True):
    """A text file."""

    text: str
    place: str


class _Entry(Struct, frozen=True):
    """What one instruction brings: from a context, or from the files of another stage."""

    sources: tuple[str, ...]
    destination: str
    origin: Reader | StageFiles


class StageFiles(Struct):
    """The files of one stage as far as they come from a context, or the build itself says what it writes.

    Args:
        written: Files that the build writes, by path; None where what they hold is not known, or they are removed.
        unknown: Directories that hold nobody knows what.
        anything: A program that may write any file has run, or the image below may have it.
        gone: Files that are removed.
        exports: Requirement files that a lock was written as, with what installing from the lock does.
    """

    entries: list[_Entry] = field(default_factory=list)
    written: dict[str, str | None] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    anything: bool = False
    gone: set[str] = field(default_factory=set)
    exports: dict[str, PythonInstall] = field(default_factory=dict)

    def above(self) -> StageFiles:
        """Return the files of a stage that stands on this one."""
        return StageFiles(
            list(self.entries),
            dict(self.written),
            list(self.unknown),
            anything=self.anything,
            gone=set(self.gone),
            exports=dict(self.exports),
        )

    def put(self, path: str, text: str | None, *, gone: bool = False) -> None:
        """Write a file, or remove it; None where nobody knows what it holds."""
        name = posixpath.normpath(path)
        self.written[name] = text
        self.exports.pop(name, None)
        (self.gone.add if gone else self.gone.discard)(name)

    def export(self, path: str) -> tuple[PythonInstall, StageFiles] | None:
        """Return what a requirement file was written from, and the files of the stage that did it; None for no lock."""
        wanted = posixpath.normpath(path)
        if wanted in self.exports:
            return self.exports[wanted], self
        for entry in reversed(self.entries) if self.file(path) is None else ():
            for candidate in _candidates(entry, wanted):
                made = (
                    entry.origin.exports.get(f"/{candidate.lstrip('/')}")
                    if isinstance(entry.origin, StageFiles)
                    else None
                )
                if made is not None and isinstance(entry.origin, StageFiles):
                    return made, entry.origin
        return None

    def may_have(self, path: str) -> bool:
        """Whether a file may be there of which nobody knows what it holds."""
        return self._may_have(posixpath.normpath(path), iter(range(_MOST_LOOKS)))

    def _may_have(self, wanted: str, looks: Iterator[int]) -> bool:
        if next(looks, None) is None or wanted in self.gone:
            return wanted not in self.gone
        if self.anything or wanted in self.written or any(covers(each, wanted) for each in self.unknown):
            return True
        return any(
            entry.origin._may_have(f"/{candidate.lstrip('/')}", looks)  # noqa: SLF001 - one of its own kind
            for entry in self.entries
            if isinstance(entry.origin, StageFiles)
            for candidate in _candidates(entry, wanted)
        )

    def take(self, step: RecipeStep, context: Callable[[FileSource], Reader], stages: Mapping[int, StageFiles]) -> None:
        """Take what a ``COPY`` or an ``ADD`` brings."""
        action = step.action
        if not isinstance(action, CopyInstruction):
            return
        several = len(action.sources) + len(action.inline) > 1 or action.destination.endswith("/")
        for document in action.inline:
            path = f"{action.destination.rstrip('/')}/{document.name}" if several else action.destination
            self.written[posixpath.normpath(path)] = document.body
        origin = self._origin(action.origin, context, stages)
        if origin is not None and action.sources:
            self.entries.append(_Entry(action.sources, action.destination, origin))
        if (origin is None or action.adds) and action.sources:
            # Of an image, an address or an archive nobody lists what is in it.
            self.unknown.append(action.destination)
        covered = [path for path in self.written if covers(action.destination, path)] if action.sources else []
        for path in covered:
            entry = _Entry(action.sources, action.destination, origin) if origin is not None else None
            if entry is not None and self._found_in(entry, path, iter(range(_MOST_LOOKS))) is not None:
                del self.written[path]

    def seen_by(
        self, step: RecipeStep, context: Callable[[FileSource], Reader], stages: Mapping[int, StageFiles]
    ) -> StageFiles:
        """Return the files that a ``RUN`` sees, its bind mounts included."""
        action = step.action
        if not isinstance(action, RunInstruction) or not any(mount.kind == "bind" for mount in action.mounts):
            return self
        seen = self.above()
        for mount in action.mounts:
            if mount.kind == "bind" and mount.target and mount.origin is not None:
                origin = self._origin(mount.origin, context, stages)
                if origin is not None:
                    seen.entries.append(_Entry((mount.source or ".",), mount.target, origin))
        return seen

    def text(self, path: str) -> str | None:
        """Return the text of a file; None where none is known to be there."""
        found = self.file(path)
        return None if found is None else found.text

    def shown(self, path: str) -> str:
        """Return where the user finds a file; its path in the image where it is not known to come from elsewhere."""
        found = self.file(path)
        return path if found is None else found.place

    def file(self, path: str) -> TextFile | None:
        """Return a file; None where none is known to be there."""
        return self.found_with(path, iter(range(_MOST_LOOKS)))

    def found_with(self, path: str, looks: Iterator[int]) -> TextFile | None:
        """Return a file, as long as there are looks left: stages that copy from each other have paths without end."""
        wanted = posixpath.normpath(path)
        if wanted in self.written:
            text = self.written[wanted]
            return None if text is None else TextFile(text, path)
        for entry in reversed(self.entries):
            found = self._found_in(entry, wanted, looks)
            if found is not None:
                return found
        return None

    @staticmethod
    def _found_in(entry: _Entry, wanted: str, looks: Iterator[int]) -> TextFile | None:
        for candidate in _candidates(entry, wanted):
            if next(looks, None) is None:
                return None
            below = entry.origin
            found = (
                below.found_with(f"/{candidate.lstrip('/')}", looks)
                if isinstance(below, StageFiles)
                else below(candidate)
            )
            if found is not None:
                return found
        return None

    @staticmethod
    def _origin(
        origin: FileSource, context: Callable[[FileSource], Reader], stages: Mapping[int, StageFiles]
    ) -> Reader | StageFiles | None:
        if origin.stage is not None:
            return stages.get(origin.stage)
        if origin.kind in {FileSourceKind.CONTEXT, FileSourceKind.NAMED}:
            return context(origin)
        return None


def _candidates(entry: _Entry, wanted: str) -> list[str]:
    """Return the paths in the origin that may have become a path of the image."""
    destination = posixpath.normpath(entry.destination)
    if wanted != destination and not wanted.startswith(f"{destination.rstrip('/')}/"):
        return []
    inside = wanted.removeprefix(destination).lstrip("/")
    found = []
    for source in entry.sources:
        plain = posixpath.normpath(f"/{source}").lstrip("/")
        name = posixpath.basename(plain)
        if not inside:
            found.append(plain)
            continue
        above = posixpath.dirname(plain)
        if "/" not in inside and fnmatchcase(inside, name or "\0"):
            found.append(f"{above}/{inside}".lstrip("/"))
        found.append(f"{plain}/{inside}".lstrip("/"))
    return found
