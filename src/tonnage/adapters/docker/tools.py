"""Which of the installed ``docker`` programs builds, how its output reads, and which Compose brings services up.

Chosen by what a program can do, never by where it stands: rawjson through buildx, then plain through buildx or
BuildKit inside an older CLI, then the classic builder. Nothing is started before the first question.

They get the user's own environment, but aimed at exactly one engine. What would change a run behind its back is taken
out: another context, another builder, another Compose file, orphans to be removed.
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from tonnage.adapters import process
from tonnage.errors import EngineLacksError, TonnageError, UsageError
from tonnage.lazily import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.docker.selected_builder import SelectedBuilder
    from tonnage.adapters.docker.tool_versions_cache import ToolVersionsCache

_Asked = TypeVar("_Asked")
_Told = TypeVar("_Told")

_PROBE_TIMEOUT_S = 60.0
_FIRST_LINE_BYTES = 128
_CLI_WITHOUT_BUILDKIT = 23
_CLI_VERSION = regex(r"Docker version (\d+)\.(\d+)")
_COMPOSE_VERSION = regex(r"v?(?P<major>\d+)\.\d+[\w.+-]*")


class BuilderKind(StrEnum):
    """How a build is told about."""

    RAWJSON = "rawjson"
    PLAIN = "plain"
    LEGACY = "legacy"


_BEST_FIRST = (BuilderKind.RAWJSON, BuilderKind.PLAIN, BuilderKind.LEGACY)


class BuildTool(Struct, frozen=True):
    """A program that builds.

    Args:
        program: Path of the docker program.
        kind: How its builds are told about.
        buildx: Whether it builds through ``buildx build``; otherwise through ``build``.
        version: What the program says of itself.
        switched_off_by: The setting that chose the classic builder, as it is written; empty without one.
        has_buildx: Whether buildx is there, used or not.
        has_buildkit: Whether BuildKit is there, through buildx or inside an older program, used or not.
        attests: Whether it can attach to an image how it was built and what is in it.
    """

    program: str
    kind: BuilderKind
    buildx: bool
    version: str
    switched_off_by: str = ""
    has_buildx: bool = False
    has_buildkit: bool = False
    attests: bool = False

    @property
    def described(self) -> str:
        """What it is, for people."""
        if self.switched_off_by:
            return f"the classic builder, because of {self.switched_off_by}"
        return f"progress {self.kind}"


class ComposeTool(Struct, frozen=True):
    """A Compose: the command, its generation (1 or 2) and its version."""

    command: tuple[str, ...]
    generation: int
    version: str


class _Program(Struct, frozen=True):
    """One program called docker; ``major`` is None when it is not Docker's, and ``told`` is what it says of itself."""

    program: str
    told: str
    major: int | None


class Tools:
    """The programs that act on an engine, looked for when first asked for.

    Args:
        environment: The user's: ``PATH``, ``TONNAGE_DOCKER`` and ``DOCKER_BUILDKIT`` decide, the programs get it all.
        remembered: What they said earlier; None to ask them in any case.
    """

    def __init__(self, environment: Mapping[str, str], remembered: ToolVersionsCache | None = None) -> None:
        self.environment = dict(environment)
        self._remembered = remembered

    @cached_property
    def build(self) -> BuildTool | None:
        """The best builder; None when there is none.

        Raises:
            UsageError: ``TONNAGE_DOCKER`` names no program.
        """
        found = _at_once(self._builder, self._dockers)
        return min(found, key=lambda tool: _BEST_FIRST.index(tool.kind), default=None)

    @cached_property
    def compose_2(self) -> ComposeTool | None:
        """A Compose of the second generation, the plugin first; None when there is none.

        Only that one reads stacks, and it is looked for whenever one is read: programs of the first generation are
        recognised without being started, which would take half a second.

        Raises:
            UsageError: ``TONNAGE_DOCKER`` names no program.
        """
        found = self._plugins
        if not any(found):
            compiled: list[tuple[str, ...]] = [(program,) for program in self._standalone if not _is_python(program)]
            found = _at_once(self._compose, compiled)
        return next((tool for tool in found if tool and tool.generation > 1), None)

    @cached_property
    def compose(self) -> ComposeTool | None:
        """The best Compose, second generation first; None when there is none.

        Raises:
            UsageError: ``TONNAGE_DOCKER`` names no program.
        """
        if self.compose_2 is not None:
            return self.compose_2
        return next((tool for tool in _at_once(self._compose, [(each,) for each in self._standalone]) if tool), None)

    @property
    def builder(self) -> str:
        """The kind of builder as a word: rawjson, plain, legacy or none."""
        return self.build.kind.value if self.build else "none"

    @cached_property
    def selected_builder(self) -> SelectedBuilder | None:
        """The builder that the user selected beside the engine; None where there is none.

        Raises:
            EngineLacksError: There is no program that builds.
            UsageError: ``TONNAGE_DOCKER`` names no program, or ``BUILDX_BUILDER`` no builder.
        """
        from tonnage.adapters.docker import selected_builder as builders  # noqa: PLC0415 - not for every command

        if not builders.may_be_selected(self.environment):
            return None
        return builders.selected_builder(self.need_build(), self.environment)

    def need_build(self) -> BuildTool:
        """Return the builder.

        Raises:
            EngineLacksError: There is none; the message says what was tried.
            UsageError: ``TONNAGE_DOCKER`` names no program.
        """
        if self.build is None:
            raise EngineLacksError(
                "no docker program that can build was found",
                why=self._why_none(),
                todo="Install Docker's command line, on Debian and Ubuntu with:\n  apt-get install -y docker.io\n"
                "or say which one to use:\n  export TONNAGE_DOCKER=/path/to/docker",
            )
        return self.build

    def need_compose(self) -> ComposeTool:
        """Return the Compose.

        Raises:
            EngineLacksError: There is none; the message says how to install it.
            UsageError: ``TONNAGE_DOCKER`` names no program.
        """
        if self.compose is None:
            raise EngineLacksError(
                "no Docker Compose was found, and services are started with it",
                why="Neither `docker compose` nor `docker-compose` answers. " + self._why_none(),
                todo="Install one of these, whichever your distribution has:\n  apt-get install -y docker-compose-v2\n"
                "  apt-get install -y docker-compose-plugin\n  apt-get install -y docker-compose",
            )
        return self.compose

    @cached_property
    def _found(self) -> list[_Program]:
        return _at_once(self._look_at, self._programs())

    @property
    def _dockers(self) -> list[_Program]:
        return [each for each in self._found if each.major is not None]

    def docker_programs(self) -> tuple[str, ...]:
        """Return the programs of this machine that are Docker's own, in the order of the PATH.

        Raises:
            UsageError: ``TONNAGE_DOCKER`` names no program.
        """
        return tuple(each.program for each in self._dockers)

    @cached_property
    def _plugins(self) -> list[ComposeTool | None]:
        return _at_once(self._compose, [(docker.program, "compose") for docker in self._dockers])

    @cached_property
    def _standalone(self) -> list[str]:
        return _on_path(self.environment, "docker-compose")

    def _programs(self) -> list[str]:
        chosen = self.environment.get("TONNAGE_DOCKER", "")
        if not chosen:
            return _on_path(self.environment, "docker")
        found = shutil.which(chosen, path=self.environment.get("PATH", os.defpath))
        if found is None:
            raise UsageError(
                f"TONNAGE_DOCKER={chosen} is not a program that can be executed",
                todo="Name a docker program, or remove the setting:\n  unset TONNAGE_DOCKER",
            )
        return [found]

    def _look_at(self, program: str) -> _Program:
        told = self.told_by(program, "--version").strip()
        version = _CLI_VERSION.match(told)
        return _Program(program, told.removeprefix("Docker version "), int(version[1]) if version else None)

    def _builder(self, docker: _Program) -> BuildTool:
        has_buildx = bool(self.told_by(docker.program, "buildx", "version"))
        inside = (docker.major or 0) < _CLI_WITHOUT_BUILDKIT
        wanted = self.environment.get("DOCKER_BUILDKIT", "")
        off = f"DOCKER_BUILDKIT={wanted}" if wanted.lower() in {"0", "f", "false"} else ""
        attests = False
        kind = BuilderKind.PLAIN if inside and not off else BuilderKind.LEGACY
        if has_buildx and not off:
            help_text = self.told_by(docker.program, "buildx", "build", "--help")
            kind = BuilderKind.RAWJSON if "rawjson" in help_text else BuilderKind.PLAIN
            attests = "--provenance" in help_text
        return BuildTool(
            docker.program,
            kind,
            has_buildx and not off,
            docker.told,
            switched_off_by=off,
            has_buildx=has_buildx,
            has_buildkit=has_buildx or inside,
            attests=attests,
        )

    def _compose(self, command: tuple[str, ...]) -> ComposeTool | None:
        told = self.told_by(*command, "version", "--short").strip()
        version = _COMPOSE_VERSION.fullmatch(told)
        if version is None:
            return None
        # Later major numbers continue the second generation: same commands, same file.
        return ComposeTool(command, 1 if version["major"] == "1" else 2, told.removeprefix("v"))

    def told_by(self, *arguments: str) -> str:
        """Return what a program prints; nothing when it fails or does not answer."""
        told = self._remembered.answer(arguments) if self._remembered else None
        if told is not None:
            return told
        try:
            done = process.run(arguments, environment=self.environment, timeout_s=_PROBE_TIMEOUT_S)
        except TonnageError:
            return ""
        told = done.stdout if done.exit_code == 0 else ""
        if self._remembered:
            self._remembered.keep(arguments, told)
        return told

    def _why_none(self) -> str:
        if not self._found:
            return "There is no program called docker on the PATH."
        others = [each for each in self._found if each.major is None]
        lacks = [f"{each.program} is not Docker's: {each.told or 'it does not answer'}." for each in others]
        lacks += [f"{each.program} ({each.told}) has no compose plugin." for each in self._dockers]
        return " ".join(lacks)


def _on_path(environment: Mapping[str, str], name: str) -> list[str]:
    """Return every program of that name on the PATH, in its order, each file once."""
    found: dict[str, str] = {}
    for folder in environment.get("PATH", os.defpath).split(os.pathsep):
        program = shutil.which(os.path.join(folder or os.curdir, name))  # noqa: PTH118 - paths stay as the user has them
        if program:
            found.setdefault(os.path.realpath(program), program)
    return list(found.values())


def _is_python(program: str) -> bool:
    """Return whether a program is written in Python, as every Compose 1 that distributions have; Compose 2 is not."""
    try:
        with open(program, "rb") as stream:  # noqa: PTH123 - paths stay as the user has them
            first = stream.readline(_FIRST_LINE_BYTES)
    except OSError:
        return False
    return first.startswith(b"#!") and b"python" in first


def _at_once(ask: Callable[[_Asked], _Told], of: Sequence[_Asked]) -> list[_Told]:
    """Ask about several programs at the same time; the answers come in the order of the questions."""
    if len(of) < 2:  # noqa: PLR2004 - a single question needs no threads
        return [ask(each) for each in of]
    with ThreadPoolExecutor(max_workers=len(of)) as pool:
        return list(pool.map(ask, of))


_DIVERTING = frozenset(
    {"DOCKER_CONTEXT", "DOCKER_BUILDKIT", "BUILDKIT_PROGRESS", "BUILDX_BUILDER", "BUILDX_METADATA_FILE"}
)
_COMPOSE_KEPT = frozenset({"COMPOSE_HTTP_TIMEOUT", "COMPOSE_TLS_VERSION", "COMPOSE_PARALLEL_LIMIT"})


def aimed_at(connection: DockerConnection, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a program that shall act on this engine."""
    kept = {
        name: value
        for name, value in environment.items()
        if name not in _DIVERTING and (not name.startswith("COMPOSE_") or name in _COMPOSE_KEPT)
    }
    kept["DOCKER_HOST"] = connection.door
    if connection.endpoint.startswith("tcp://"):
        certificate = connection.client.api.cert
        if isinstance(certificate, tuple):
            # The certificates of a docker context lie in a directory of the form that this variable names.
            kept |= {"DOCKER_CERT_PATH": str(Path(certificate[0]).parent), "DOCKER_TLS_VERIFY": "1"}
    return kept
