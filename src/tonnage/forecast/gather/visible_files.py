"""Which text files a stage of a build can see at a path: those that the context's files were copied to.

A requirement file is read as it will be inside of the build, so one that was never copied is not there.
"""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tonnage.forecast.costs.image_paths import covers
from tonnage.forecast.requirements.lines import normal_name
from tonnage.model.forecast.recipe import CopyInstruction, FileSourceKind, RunInstruction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.model.forecast.debian_package import DebPackage
    from tonnage.model.forecast.python_lock import LocalWheel, ResolveRequest
    from tonnage.model.forecast.recipe import FileSource, RecipeStep

    Reader = Callable[[str], "TextFile | None"]


# A path is looked for along each way on which it may have been copied, of which stages that copy from each other have
# any number; of paths in a context there are no more than are written.
_MOST_LOOKS, _LOOKS_OF_A_STAGE = 20_000, 10
_ARCHIVES = (".whl", ".tar.gz", ".zip", "*")
# What tells that a directory is a project.
PROJECT = ("pyproject.toml", "setup.py")


class TextFile(Struct, frozen=True):
    """A text file."""

    text: str
    place: str


class ContextReader(Struct, frozen=True):
    """What reads the files of a context.

    Args:
        named: Returns the paths of files in it that installs name: wheels, packages of Debian, projects.
        wheel: Reads a wheel.
        package: Reads what a package of Debian says of itself.
    """

    read: Callable[[str], TextFile | None]
    named: Callable[[], Sequence[str]]
    wheel: Callable[[str], LocalWheel | None]
    package: Callable[[str], DebPackage | None]

    def __call__(self, path: str) -> TextFile | None:
        """Read a text file."""
        return self.read(path)


class BuiltProject(Struct, frozen=True):
    """A project that was built into a wheel: its name, and the text of its ``pyproject.toml``, both as far as known."""

    name: str
    text: str


class Made(Struct, frozen=True):
    """What ``pip wheel``, ``pip download`` and what builds a project put into a directory.

    Args:
        pins: The versions, as requirements.
        asked: From which indexes they came.
        projects: What was built from directories.
    """

    pins: tuple[str, ...]
    asked: ResolveRequest
    projects: tuple[BuiltProject, ...] = ()

    def meant_by(self, name: str) -> Made:
        """Return what a pattern of file names, or the name of an archive, means of it."""
        pins = tuple(pin for pin in self.pins if _is_meant(pin, name))
        return replace(
            self,
            pins=pins,
            projects=tuple(each for each in self.projects if not each.name or _is_meant(each.name, name)),
        )


class _Entry(Struct, frozen=True):
    """What one instruction brings: from a context, or from the files of another stage."""

    sources: tuple[str, ...]
    destination: str
    origin: Reader | StageFiles


class _Looks:
    """What is left of the looks for one path, and where it was looked for already: once is enough for each."""

    def __init__(self) -> None:
        self._left = _MOST_LOOKS
        self._seen: set[tuple[int, str]] = set()
        self.named: dict[int, dict[str, tuple[ContextReader, str]]] = {}

    def none_left(self, count: int = 1) -> bool:
        """Take some; whether there were not so many left."""
        self._left -= count
        return self._left < 0

    def seen(self, files: StageFiles, path: str) -> bool:
        """Whether a path of a stage was looked for before, where it cannot have been found; now it is."""
        known = len(self._seen)
        self._seen.add((id(files), path))
        return len(self._seen) == known

    def ended(self, files: StageFiles, path: str) -> bool:
        """Whether there is nothing more to look for there."""
        return self.none_left(_LOOKS_OF_A_STAGE) or self.seen(files, path)


class StageFiles(Struct):
    """The files of one stage as far as they come from a context, or the build itself says what it writes.

    Args:
        written: Files that the build writes, by path; None where what they hold is not known, or they are removed.
        unknown: Directories that hold nobody knows what.
        anything: A program that may write any file has run, or the image below may have it.
        gone: Files that are removed.
        made: Directories of archives that were fetched or built.
    """

    entries: list[_Entry] = field(default_factory=list)
    written: dict[str, str | None] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    anything: bool = False
    gone: set[str] = field(default_factory=set)
    made: dict[str, Made] = field(default_factory=dict)

    def above(self) -> StageFiles:
        """Return the files of a stage that stands on this one."""
        return StageFiles(
            list(self.entries),
            dict(self.written),
            list(self.unknown),
            anything=self.anything,
            gone=set(self.gone),
            made=dict(self.made),
        )

    def put(self, path: str, text: str | None, *, gone: bool = False) -> None:
        """Write a file, or remove it; None where nobody knows what it holds."""
        name = posixpath.normpath(path)
        self.written[name] = text
        (self.gone.add if gone else self.gone.discard)(name)

    def wheels(self) -> dict[str, Callable[[], LocalWheel | None]]:
        """Return the wheels that come from contexts, by path, with what reads each."""
        found = self._named(_Looks())
        return {path: partial(each.wheel, of) for path, (each, of) in found.items() if path.endswith(".whl")}

    def packages(self) -> dict[str, Callable[[], DebPackage | None]]:
        """Return the packages of Debian that come from contexts, by path, with what reads each."""
        found = self._named(_Looks())
        return {path: partial(each.package, of) for path, (each, of) in found.items() if path.endswith(".deb")}

    def projects(self) -> set[str]:
        """Return the directories of projects of Python that come from contexts."""
        return {posixpath.dirname(path) for path in self._named(_Looks()) if path.endswith(PROJECT)}

    def _named(self, looks: _Looks) -> dict[str, tuple[ContextReader, str]]:
        known = looks.named.get(id(self))
        if known is None:
            known = looks.named[id(self)] = self._named_now(looks)
        return known

    def _named_now(self, looks: _Looks) -> dict[str, tuple[ContextReader, str]]:
        found: dict[str, tuple[ContextReader, str]] = {}
        for entry in self.entries:
            if isinstance(entry.origin, StageFiles):
                there = entry.origin._named(looks)  # noqa: SLF001 - one of its own kind
            elif isinstance(entry.origin, ContextReader):
                there = {path: (entry.origin, path) for path in entry.origin.named()}
            else:
                continue
            for path, read in there.items():
                if looks.none_left():
                    return found
                found |= dict.fromkeys(_copied_to(entry, path), read)
        return {path: read for path, read in found.items() if path not in self.gone}

    def made_in(self, directory: str) -> Made | None:
        """Return what was fetched or built into a directory, in this stage or in one that it was copied from."""
        return self._made_in(posixpath.normpath(directory), _Looks())

    def _made_in(self, wanted: str, looks: _Looks) -> Made | None:
        if wanted in self.made or looks.ended(self, wanted):
            return self.made.get(wanted)
        for entry in reversed(self.entries):
            found = self._made_by_name(entry, wanted, looks)
            if found is not None:
                return found
            for candidate in _candidates(entry, wanted) if isinstance(entry.origin, StageFiles) else ():
                assert isinstance(entry.origin, StageFiles)  # noqa: S101 - as above
                found = entry.origin._made_in(f"/{candidate.lstrip('/')}", looks)  # noqa: SLF001 - one of its own kind
                if found is not None:
                    return found
        return None

    @staticmethod
    def _made_by_name(entry: _Entry, wanted: str, looks: _Looks) -> Made | None:
        """Return what archives are, made in another stage, that are copied by their names or a pattern of them."""
        into = posixpath.normpath(entry.destination)
        for source in entry.sources if isinstance(entry.origin, StageFiles) and into == wanted else ():
            above, name = posixpath.split(posixpath.normpath(f"/{source.lstrip('/')}"))
            assert isinstance(entry.origin, StageFiles)  # noqa: S101 - as above
            found = entry.origin._made_in(above, looks) if name.endswith(_ARCHIVES) else None  # noqa: SLF001 - as above
            if found is not None:
                return found.meant_by(name)
        return None

    def may_have(self, path: str) -> bool:
        """Whether a file may be there of which nobody knows what it holds."""
        return self._may_have(posixpath.normpath(path), _Looks())

    def _may_have(self, wanted: str, looks: _Looks) -> bool:
        if wanted in self.gone or looks.seen(self, wanted):
            return False
        if looks.none_left(_LOOKS_OF_A_STAGE):
            return True
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
            if entry is not None and self._found_in(entry, path, _Looks()) is not None:
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
        return self.found_with(path, _Looks())

    def found_with(self, path: str, looks: _Looks) -> TextFile | None:
        """Return a file, as long as there are looks left: stages that copy from each other have paths without end."""
        wanted = posixpath.normpath(path)
        if wanted in self.written:
            text = self.written[wanted]
            return None if text is None else TextFile(text, path)
        if looks.seen(self, wanted):
            return None
        for entry in reversed(self.entries):
            found = self._found_in(entry, wanted, looks)
            if found is not None:
                return found
        return None

    @staticmethod
    def _found_in(entry: _Entry, wanted: str, looks: _Looks) -> TextFile | None:
        for candidate in _candidates(entry, wanted):
            below = entry.origin
            if looks.none_left(_LOOKS_OF_A_STAGE if isinstance(below, StageFiles) else 1):
                return None
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


def _copied_to(entry: _Entry, path: str) -> list[str]:
    """Return where a file of the origin lies after it was copied."""
    file = path.lstrip("/")
    into = entry.destination.rstrip("/") or "/"
    several = len(entry.sources) > 1 or entry.destination.endswith("/")
    found = []
    for source in entry.sources:
        plain = posixpath.normpath(f"/{source}").lstrip("/")
        above, name = posixpath.split(plain)
        if not plain or file.startswith(f"{plain}/"):
            found.append(posixpath.join(into, file.removeprefix(plain).lstrip("/")))
        elif posixpath.dirname(file) == above and fnmatchcase(posixpath.basename(file), name):
            found.append(posixpath.join(into, posixpath.basename(file)) if several or plain != file else into)
    return found


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


def _is_meant(pin: str, name: str) -> bool:
    """Whether a pattern of file names, or the name of an archive, means what was made of a requirement."""
    told = name.partition("*")[0].partition("?")[0].partition("[")[0]
    project = pin.partition("==")[0]
    if not told:
        return True
    named = normal_name(told.partition("-")[0])
    return normal_name(project) == named if "-" in told else normal_name(project).startswith(named)
