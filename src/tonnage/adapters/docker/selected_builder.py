"""Which builder of buildx the user selected beside the engine, and, where it runs in the engine, what it keeps.

Buildx is asked only where a variable or its own files say that there may be one, since that takes a tenth of a second,
and about a cache only while the builder's container runs, since it would start one that does not.

Source: docker/buildx, ``store`` (``current``, ``defaults/``, ``instances/``), ``commands/inspect.go``,
``commands/diskusage.go`` and ``commands/prune.go``, ``driver/docker-container``; checked with 0.13 and 0.29.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters import process
from tonnage.adapters.docker import sdk
from tonnage.adapters.docker.data_root import usual_endpoint
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.docker.tools import aimed_at
from tonnage.errors import StepFailedError, TonnageError, UsageError
from tonnage.lazily import regex
from tonnage.model.builder import BuilderBeside
from tonnage.model.inventory import CacheRecord
from tonnage.small_files import SETTINGS, read_text
from tonnage.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.docker.tools import BuildTool, Tools

IN_A_CONTAINER = "docker-container"
_WITHIN_S = 15.0
_ENGINE_ITSELF = "default"
_FIELD = regex(r"^(?P<name>Name|Driver|Endpoint):\s+(?P<value>\S+)", re.MULTILINE)
_RECORDS_WITHIN_S = 120.0
_OF_RECORD = regex(r"(?P<name>[A-Z][A-Za-z ]*):(?:\s+(?P<value>.*?))?\s*")
# A prune takes an id for a pattern.
_ID = regex(r"[a-z0-9]{10,64}")
_PARENT = regex(r"\s+-\s+(?P<id>\S+)\s*")


class SelectedBuilder(Struct, frozen=True):
    """A builder beside the engine.

    Args:
        driver: What runs it, such as docker-container.
        nodes: The machines that it has, by name, with the engine that runs it there.
    """

    name: str
    driver: str
    nodes: tuple[tuple[str, str], ...] = ()

    @property
    def shown(self) -> str:
        """What people call it."""
        return f"the builder {self.name} ({self.driver})"

    def why_not(self, endpoint: str, environment: Mapping[str, str]) -> str:
        """Return why it cannot build for the engine at an address; empty where it can."""
        if self.driver != IN_A_CONTAINER:
            return f"its driver is {self.driver}, and what it keeps lies elsewhere"
        if len(self.nodes) != 1:
            return f"it has {len(self.nodes)} nodes, and one is followed"
        [(_, where)] = self.nodes
        return "" if _same_engine(where, endpoint, environment) else f"it runs in the engine at {where}"


def may_be_selected(environment: Mapping[str, str]) -> bool:
    """Tell whether a variable or the files of buildx select a builder, perhaps for another engine."""
    named = environment.get("BUILDX_BUILDER", "")
    return named != _ENGINE_ITSELF if named else bool(_current(environment)) or _has_defaults(environment)


def selected_builder(tool: BuildTool, environment: Mapping[str, str]) -> SelectedBuilder | None:
    """Return the builder that is selected.

    Returns:
        None where it is the engine itself, or cannot be told.

    Raises:
        UsageError: ``BUILDX_BUILDER`` names none that there is.
    """
    named = environment.get("BUILDX_BUILDER", "")
    if not tool.buildx or not may_be_selected(environment):
        return None
    try:
        done = process.run((tool.program, "buildx", "inspect"), environment=environment, timeout_s=_WITHIN_S)
    except TonnageError:
        return None
    if done.exit_code:
        if not named or "no builder" not in done.stderr:
            return None
        raise UsageError(
            f"BUILDX_BUILDER={named} names no builder",
            why=done.stderr.strip(),
            todo="Name one of these, or build in the engine itself:\n  docker buildx ls\n  unset BUILDX_BUILDER",
        )
    return read_inspected(done.stdout)


def read_inspected(text: str) -> SelectedBuilder | None:
    """Read what ``buildx inspect`` prints; None where it is the engine itself, or nothing that is known."""
    own, _, nodes = text.partition("\nNodes:")
    told = {match["name"]: match["value"] for match in _FIELD.finditer(own)}
    name, driver = told.get("Name"), told.get("Driver")
    if not name or not driver or driver == "docker":
        return None
    names = [match["value"] for match in _FIELD.finditer(nodes) if match["name"] == "Name"]
    places = [match["value"] for match in _FIELD.finditer(nodes) if match["name"] == "Endpoint"]
    return SelectedBuilder(name, driver, tuple(zip(names, places, strict=False)))


def _place(environment: Mapping[str, str]) -> Path:
    settings = environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '')}/.docker"
    return Path(environment.get("BUILDX_CONFIG") or f"{settings}/buildx")


def _current(environment: Mapping[str, str]) -> str:
    """Return the builder that is selected for some engine; empty where none is, or it was removed since.

    Buildx leaves the name there then, and builds in the engine itself.
    """
    try:
        current = json.loads(read_text(_place(environment) / "current", SETTINGS))
        name = str(current.get("Name") or "") if isinstance(current, dict) else ""
        return name if name and (_place(environment) / "instances" / name).exists() else ""
    except (OSError, ValueError):
        return ""


def _has_defaults(environment: Mapping[str, str]) -> bool:
    """Tell whether a builder is the default of some engine."""
    try:
        return any((_place(environment) / "defaults").iterdir())
    except OSError:
        return False


def _same_engine(where: str, endpoint: str, environment: Mapping[str, str]) -> bool:
    """Tell whether an address, or the name of a docker context, leads to the engine at another address."""
    if where == _ENGINE_ITSELF:
        where = environment.get("DOCKER_HOST") or usual_endpoint(environment)
    elif "://" not in where:
        try:
            context = sdk.ContextAPI.get_context(where)
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it leads nowhere
            return False
        where = str(context.Host or "") if context is not None else ""
    return where == endpoint or (_file(where) == _file(endpoint) != "")


def _file(address: str) -> str:
    """Return the path of a socket on this machine, links followed; empty for every other address."""
    return os.path.realpath(address.removeprefix("unix://")) if address.startswith("unix://") else ""


class ContainerBuilder:
    """The selected builder, where it runs in a container of this engine."""

    def __init__(self, connection: DockerConnection, tools: Tools) -> None:
        self._connection = connection
        self._tools = tools

    @cached_property
    def found(self) -> BuilderBeside | None:
        """The builder; None where none is selected, or another engine has it."""
        try:
            selected = self._tools.selected_builder
        except TonnageError:
            # Who builds is told so.
            return None
        if selected is None or selected.why_not(self._connection.endpoint, self._tools.environment):
            return None
        [(node, _)] = selected.nodes
        container = f"buildx_buildkit_{node}"
        return BuilderBeside(
            name=selected.name, container=container, volume=f"{container}_state", runs=self._is_running(container)
        )

    def records(self) -> tuple[CacheRecord, ...]:
        """Return the records of its build cache; none where it does not run.

        Raises:
            StepFailedError: Buildx does not tell.
        """
        if self.found is None or not self._is_running(self.found.container):
            return ()
        if self._tells_json:
            return read_records(self._ask("du", "--format", "json"), self.found.name)
        return read_blocks(self._ask("du", "--verbose"), self.found.name)

    @cached_property
    def _tells_json(self) -> bool:
        return "--format" in self._tools.told_by(self._tools.need_build().program, "buildx", "du", "--help")

    def remove(self, record_ids: Sequence[str]) -> None:
        """Remove records that are not in use, those that stand on others before the others.

        Raises:
            StepFailedError: Buildx refuses.
        """
        from tonnage.adapters.docker.object_acts import top_down  # noqa: PLC0415 - who reads only removes nothing

        wanted = set(record_ids)
        for record_id in top_down([each for each in self.records() if each.record_id in wanted and not each.in_use]):
            self._ask("prune", "--all", "--force", "--filter", f"id={record_id}")

    def _ask(self, verb: str, *words: str) -> str:
        assert self.found is not None  # noqa: S101 - asked where there is one
        command = (self._tools.need_build().program, "buildx", verb, "--builder", self.found.name, *words)
        environment = aimed_at(self._connection, self._tools.environment)
        done = process.run(command, environment=environment, timeout_s=_RECORDS_WITHIN_S)
        if done.exit_code:
            raise StepFailedError(
                f"the builder {self.found.name} does not answer",
                why=done.stderr.strip() or f"docker buildx {verb} ended with {done.exit_code}.",
                todo=f"Look at it:\n  docker buildx inspect {self.found.name}",
            )
        return done.stdout

    def _is_running(self, container: str) -> bool:
        with speaking_to(self._connection.endpoint, f"look at the container {container}"):
            try:
                return bool(self._connection.read(f"/containers/{container}/json")["State"]["Running"])
            except sdk.NotFound:
                return False


def read_records(text: str, builder: str) -> tuple[CacheRecord, ...]:
    """Read what ``buildx du --format json`` prints: one object on each line."""
    found = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError, TonnageError):
            found.append(_record(json.loads(line), builder))
    return tuple(each for each in found if each is not None)


def read_blocks(text: str, builder: str) -> tuple[CacheRecord, ...]:
    """Read what ``buildx du --verbose`` prints: one block of lines for each record.

    A description is as many lines as the instruction has, and may look like further fields, or like a record.
    """
    found = []
    for block in text.split("\n\n"):
        fields: dict[str, object] = {}
        parents: list[str] = []
        for line in block.splitlines():
            if (parent := _PARENT.fullmatch(line)) and "Description" not in fields:
                parents.append(parent["id"])
            elif field := _OF_RECORD.fullmatch(line):
                fields.setdefault(field["name"], field["value"] or "")
        with contextlib.suppress(TonnageError):
            found.append(_record({**fields, "Parents": parents or [fields.get("Parent")]}, builder))
    return tuple(each for each in found if each is not None)


def _record(told: object, builder: str) -> CacheRecord | None:
    """Return one record; None for what is none."""
    if not isinstance(told, dict) or not _ID.fullmatch(str(told.get("ID"))) or "Size" not in told:
        return None
    return CacheRecord(
        record_id=told["ID"],
        kind=str(told.get("Type") or ""),
        description=str(told.get("Description") or ""),
        size_bytes=parse_bytes(str(told["Size"])),
        in_use=told.get("Reclaimable") in {False, "false"},
        shared=told.get("Shared") in {True, "true"},
        parents=tuple(each for each in told.get("Parents") or () if each),
        builder=builder,
    )
