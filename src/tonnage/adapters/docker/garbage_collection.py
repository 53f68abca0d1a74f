"""What an engine's builder tells of its garbage collection, and the file that it is configured in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters import process
from tonnage.errors import TonnageError
from tonnage.lazily import regex
from tonnage.model.reclaim.garbage_collection import CollectionRule
from tonnage.units import parse_bytes, parse_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.adapters.docker.tools import BuildTool

_WITHIN_S = 15.0
_RULE = regex(r"GC Policy rule#\d{1,3}:")
_FIELD = regex(r"\s+(All|Filters|Keep Duration|Keep Bytes|Reserved Space|Max Used Space|Min Free Space):\s+(.*\S)\s*")
_SETTINGS = "/etc/docker/daemon.json"


def told_rules(
    tool: BuildTool | None, environment: Mapping[str, str], *, builder: str = "", three_limits: bool
) -> tuple[CollectionRule, ...] | None:
    """Return the rules that a builder applies, with sizes as it rounds them; None where it does not tell.

    Args:
        environment: What aims the program at the engine.
        builder: The builder's name; empty for the engine's own.
        three_limits: The builder has three limits, or may have: a buildx before 0.18 tells one of them.
    """
    if tool is None or not tool.buildx:
        return None
    try:
        done = process.run(
            (tool.program, "buildx", "inspect", builder or "default"), environment=environment, timeout_s=_WITHIN_S
        )
        if done.exit_code != 0 or "Status:" not in done.stdout or (three_limits and "Keep Bytes:" in done.stdout):
            return None
        return read_rules(done.stdout)
    except TonnageError:
        return None


def read_rules(text: str) -> tuple[CollectionRule, ...]:
    """Read the rules in what ``buildx inspect`` prints.

    Source: docker/buildx, ``commands/inspect.go``; since 0.18 "Keep Bytes" is called "Reserved Space".

    Raises:
        UsageError: A figure is written in a way that is not known.
    """
    found: list[dict[str, str]] = []
    for line in text.splitlines():
        if _RULE.match(line):
            found.append({})
        elif found and (field := _FIELD.fullmatch(line)):
            found[-1].setdefault(field[1], field[2])
        elif found and line and not line.startswith((" ", "\t")):
            # What follows the rules, such as files, may hold lines that look like theirs.
            break
    return tuple(_rule(fields) for fields in found)


def _rule(fields: Mapping[str, str]) -> CollectionRule:
    return CollectionRule(
        filters=tuple(fields.get("Filters", "").split()),
        unused_s=int(parse_seconds(fields.get("Keep Duration", "0s"))),
        reserved_bytes=parse_bytes(fields.get("Reserved Space") or fields.get("Keep Bytes") or "0B"),
        max_used_bytes=parse_bytes(fields.get("Max Used Space", "0B")),
        min_free_bytes=parse_bytes(fields.get("Min Free Space", "0B")),
        every_kind=fields.get("All") == "true",
    )


def settings_file(environment: Mapping[str, str], *, rootless: bool) -> Path:
    """Return the file that an engine of this machine is configured in, unless it was told another one.

    Source: Docker's documentation of the daemon and of rootless mode.
    """
    if not rootless:
        return Path(_SETTINGS)
    home = environment.get("XDG_CONFIG_HOME") or os.path.join(environment.get("HOME", "/"), ".config")  # noqa: PTH118
    return Path(home, "docker", "daemon.json")
