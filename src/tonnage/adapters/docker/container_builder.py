"""A builder of buildx in a container of the engine: whether one is selected, what it keeps, and how that is removed.

Buildx is asked only while its container runs, since it would start one that does not.

Source: docker/buildx, ``commands/diskusage.go``, ``commands/prune.go`` and ``driver/docker-container``; checked with
0.13 and 0.29.
"""

from __future__ import annotations

import contextlib
import json
from functools import cached_property
from typing import TYPE_CHECKING

from tonnage.adapters import process
from tonnage.adapters.docker import sdk
from tonnage.adapters.docker.error_translation import speaking_to
from tonnage.adapters.docker.tools import aimed_at
from tonnage.errors import StepFailedError, TonnageError
from tonnage.lazily import regex
from tonnage.model.builder import Builder
from tonnage.model.inventory import CacheRecord
from tonnage.units import parse_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.adapters.docker.connect import DockerConnection
    from tonnage.adapters.docker.tools import Tools

_WITHIN_S = 120.0
_FIELD = regex(r"(?P<name>[A-Z][A-Za-z ]*):(?:\s+(?P<value>.*?))?\s*")
# A prune takes an id for a pattern.
_ID = regex(r"[a-z0-9]{10,64}")
_PARENT = regex(r"\s+-\s+(?P<id>\S+)\s*")


class ContainerBuilder:
    """The selected builder, where it runs in a container of this engine."""

    def __init__(self, connection: DockerConnection, tools: Tools) -> None:
        self._connection = connection
        self._tools = tools

    @cached_property
    def found(self) -> Builder | None:
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
        return Builder(
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
        done = process.run(command, environment=environment, timeout_s=_WITHIN_S)
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
            elif field := _FIELD.fullmatch(line):
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
