"""Which text files a stage of a build can see at a path: those that the context's files were copied to.

A requirement file is read as it will be inside of the build, so one that was never copied is not there.
"""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.model.forecast.recipe import CopyInstruction, FileSourceKind, RunInstruction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
    """The files of one stage as far as they come from a context."""

    entries: list[_Entry] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)

    def above(self) -> StageFiles:
        """Return the files of a stage that stands on this one."""
        return StageFiles(list(self.entries), dict(self.written))

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
            return TextFile(self.written[wanted], path)
        for entry in reversed(self.entries):
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
