"""What is the same for all services of a forecast, and what a forecast says beside its figures."""

from __future__ import annotations

import textwrap
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from tonnage.errors import CannotResolveError
from tonnage.forecast.costs.seen_builds import SeenBuilds
from tonnage.model.forecast.estimate import EngineKind
from tonnage.model.references import tagged
from tonnage.sources.outside import NOT_SHOWN, is_shown, unquote

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tonnage.errors import TonnageError
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.forecast.installs import PythonInstall
    from tonnage.model.forecast.learned import LearnedInstruction
    from tonnage.model.forecast.requirements import Requirement
    from tonnage.model.stack import Service

_LONGEST_COMMAND = 80


class ForecastContext(Struct, frozen=True, kw_only=True, dict=True):
    """What is the same for all services of a forecast.

    Args:
        platform: The platform that is built for where a service says nothing else.
        platform_forced: It holds also where a service does.
        python: The version of Python that the user chose; empty for the image's own.
        layers_there: Layers that the engine has; None for one that has nothing, wherever base images are read.
        beside: The images that a builder beside the engine has pulled.
        seen: What is there of builds that nobody measured.
        root: The directory of the project: nothing is quoted of files outside of it.
        builders: The services of the stack that are built: others may stand on their images.
        ask_hosts: Hosts that are asked although the address holds a value of the environment; ``all`` for every one.
    """

    engine: EngineKind = EngineKind.BUILDKIT
    platform: str = "linux/amd64"
    platform_forced: bool = False
    python: str = ""
    assume_bytes: int = 500_000_000
    layers_there: Collection[str] | None = ()
    beside: frozenset[str] = frozenset()
    taught: Mapping[str, LearnedInstruction] = field(default_factory=dict)
    seen: SeenBuilds = SeenBuilds()
    stack: str = ""
    root: str = ""
    builders: tuple[Service, ...] = ()
    ask_hosts: tuple[str, ...] = ()

    def builder_of(self, reference: str) -> Service | None:
        """Return the service of the stack that builds an image; None where none does."""
        return self._builder_by_image.get(tagged(reference))

    @cached_property
    def _builder_by_image(self) -> dict[str, Service]:
        # Of several the first one counts.
        return {tagged(each.image): each for each in reversed(self.builders)}


class Diagnostics(Struct):
    """What was found out beside figures.

    Args:
        root: The directory of the project: nothing is quoted of files outside of it.
    """

    root: str = ""
    failures: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    targets: dict[str, None] = field(default_factory=dict)
    broken: bool = False


def failure_of(error: TonnageError, effect: PythonInstall, lines: Iterable[Requirement], root: str) -> str:
    """Return why an install is not known, and where that is written; nothing of files outside is quoted."""
    names = error.packages if isinstance(error, CannotResolveError) else ()
    blamed = [each.place for each in lines if each.name and each.name in names]
    where = error.place or ", ".join(dict.fromkeys(map(str, blamed)))
    error.place = error.place or next((str(place) for place in blamed if not is_shown(place.file, root)), "")
    unquote(error, root)
    command = f"{effect.place}: {shown_command(effect.command)}"
    told = in_one_line("\n".join(part for part in (error.what, error.why, error.todo) if part))
    return f"{where}: {told} [{command}]" if where and where != str(effect.place) else f"{command}: {told}"


def shown_command(command: str) -> str:
    """Return a command as messages name it: cut between words, so that no address reads as another one."""
    return (
        textwrap.shorten(command, _LONGEST_COMMAND, placeholder=" ...") if len(command) > _LONGEST_COMMAND else command
    )


def finding_shown(finding: Finding, root: str) -> Finding:
    """Return a finding without what the line says, where its file lies outside of the project."""
    if is_shown(finding.place.file, root):
        return finding
    return replace(finding, text=f"something in this line does not do what it says. {NOT_SHOWN}", todo="")


def in_one_line(text: str) -> str:
    """Return what a failure says, sentence after sentence."""
    told = ""
    for line in text.splitlines():
        between = " " if told.endswith((".", ":", "?", "!")) else ". "
        told = f"{told}{between if told else ''}{' '.join(line.split())}"
    return told
