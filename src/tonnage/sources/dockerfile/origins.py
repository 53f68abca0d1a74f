"""Where files come from: what the names after ``FROM`` and ``--from=`` mean, and each ``RUN --mount=...``.

Source: ``frontend/dockerfile/instructions/commands_runmount.go`` of BuildKit, read in version 0.26.
"""

from __future__ import annotations

import csv
import difflib
import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import UsageError
from tonnage.model.forecast.recipe import FileSource, FileSourceKind, RunMount
from tonnage.model.marks import unmarked
from tonnage.units import told_count

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tonnage.model.forecast.dockerfile import Dockerfile

_NAMED_IMAGE = "docker-image://"
_KINDS = frozenset({"bind", "cache", "tmpfs", "secret", "ssh"})
_KEYS = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly", "rw": "readwrite"}


class Names(Struct, frozen=True):
    """The names of one Dockerfile.

    Args:
        contexts: Named contexts, which go before images of that name.
    """

    dockerfile: Dockerfile
    contexts: Mapping[str, str]

    def stage(self, name: str, before: int) -> int | None:
        """Return the last stage of a name that stands before another stage."""
        wanted = unmarked(name).lower()
        earlier = reversed(self.dockerfile.stages[:before])
        return next((stage.index for stage in earlier if stage.name and stage.name == wanted), None)

    def target(self, name: str) -> int:
        """Return the stage that is to be built; the last without a name.

        Raises:
            UsageError: There is no such stage.
        """
        stages = self.dockerfile.stages
        if not name:
            return len(stages) - 1
        found = self.stage(name, len(stages))
        if found is not None:
            return found
        number = told_count(name)
        if number is not None and number < len(stages):
            return number
        known = [stage.name for stage in stages if stage.name]
        close = difflib.get_close_matches(name.lower(), known, 1)
        todo = f"Perhaps {close[0]} is meant." if close else f"Its stages are {', '.join(known)}." if known else ""
        raise UsageError(
            f"there is no stage {name}", todo=todo or "Give the stage a name with AS.", place=self.dockerfile.file
        )

    def base(self, reference: str, index: int, platform: str) -> FileSource:
        """Return what a stage stands on."""
        own = self.dockerfile.stages[index].name
        if own and own in self.contexts:
            return self._named(own, platform)
        if (earlier := self.stage(reference, index)) is not None:
            return self._stage(earlier)
        scratch = FileSource(FileSourceKind.SCRATCH)
        return scratch if reference == "scratch" else self._named(reference, platform)

    def copied(self, name: str, index: int, platform: str, place: str) -> FileSource:
        """Return where ``--from`` or ``from=`` takes files.

        Raises:
            UsageError: It contains a variable, or means a stage that does not stand before this one.
        """
        if "$" in name:
            raise UsageError(
                f"--from={name} cannot have a variable in it",
                todo="Name the image in a stage of its own, and copy from that stage:\n"
                f"  FROM {name} AS source\n  COPY --from=source SOURCE DESTINATION",
                place=place,
            )
        earlier = self.stage(name, index)
        if earlier is None and name.isdecimal():
            earlier = told_count(name)
            if earlier is None or earlier >= index:
                raise UsageError(
                    f"--from={name} means no stage before this one",
                    why="Stages are counted from 0.",
                    todo="Copy from a stage that stands further up.",
                    place=place,
                )
        if earlier is None and self.stage(name, len(self.dockerfile.stages)) is not None:
            raise UsageError(
                f"files are copied from {name}, which stands further down",
                todo=f"Move the stage {name} before this one.",
                place=place,
            )
        if earlier is not None:
            return self._stage(earlier)
        if name == "scratch" and name not in self.contexts:
            return FileSource(FileSourceKind.SCRATCH)
        return self._named(name, platform)

    def _stage(self, index: int) -> FileSource:
        return FileSource(FileSourceKind.STAGE, self.dockerfile.stages[index].name, index)

    def _named(self, name: str, platform: str) -> FileSource:
        """Return the named context, or the image where there is none."""
        value = self.contexts.get(name, f"{_NAMED_IMAGE}{name}")
        if value.startswith(_NAMED_IMAGE):
            return FileSource(FileSourceKind.IMAGE, value.removeprefix(_NAMED_IMAGE), None, platform)
        return FileSource(FileSourceKind.NAMED, value)


def read_mount(
    value: str, *, expand: Callable[[str], str], origin: Callable[[str], FileSource], directory: str, place: str
) -> RunMount:
    """Read one mount.

    Raises:
        UsageError: It cannot be read, its type is not known, or a bind or a cache has no target.
    """
    try:
        written = next(csv.reader([value]), [])
    except csv.Error as error:
        raise UsageError(
            "a --mount cannot be read",
            why=f"{error}.",
            todo="Write it as TYPE=VALUE pairs with commas:\n  RUN --mount=type=cache,target=/PATH COMMAND",
            place=place,
        ) from error
    fields: dict[str, str] = {}
    for field in written:
        key, _, text = field.partition("=")
        name = key.strip().lower()
        fields[_KEYS.get(name, name)] = text
    kind = expand(fields.get("type", "bind"))
    if kind not in _KINDS:
        raise UsageError(
            f"there is no mount of type {kind}", todo=f"Types are {', '.join(sorted(_KINDS))}.", place=place
        )
    target = expand(fields.get("target", ""))
    if kind in {"bind", "cache", "tmpfs"} and not target:
        raise UsageError(
            f"the {kind} mount has no target",
            todo=f"Say where it is mounted:\n  RUN --mount=type={kind},target=/PATH COMMAND",
            place=place,
        )
    if target:
        target = posixpath.normpath(posixpath.join(directory, target))
    begun = fields.get("from")
    where = origin(begun) if begun else FileSource(FileSourceKind.CONTEXT) if kind == "bind" else None
    return RunMount(
        kind=kind,
        target=target,
        source=expand(fields.get("source", "")),
        origin=where,
        identity=expand(fields.get("id", "")) or (target if kind == "cache" else ""),
    )
