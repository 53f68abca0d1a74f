"""Which builder of buildx the user selected, where that is another than the engine itself.

Buildx is asked only where a variable or its own files say that there may be one: it takes a tenth of a second.

Source: docker/buildx, ``store`` (``current``, ``defaults/``) and ``commands/inspect.go``; checked with 0.29.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters import process
from tonnage.errors import TonnageError, UsageError
from tonnage.lazily import regex
from tonnage.small_files import SETTINGS, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.adapters.docker.tools import BuildTool

_WITHIN_S = 15.0
_ENGINE_ITSELF = "default"
_NAME = regex(r"^Name:\s+(?P<value>\S+)", re.MULTILINE)
_DRIVER = regex(r"^Driver:\s+(?P<value>\S+)", re.MULTILINE)


class SelectedBuilder(Struct, frozen=True):
    """A builder beside the engine: its name, and what runs it, such as docker-container."""

    name: str
    driver: str


def selected_builder(tool: BuildTool, environment: Mapping[str, str]) -> SelectedBuilder | None:
    """Return the builder that is selected.

    Returns:
        None where it is the engine itself, or cannot be told.

    Raises:
        UsageError: ``BUILDX_BUILDER`` names none that there is.
    """
    named = environment.get("BUILDX_BUILDER", "")
    if not tool.buildx or named == _ENGINE_ITSELF or not (named or _may_be_another(environment)):
        return None
    try:
        done = process.run((tool.program, "buildx", "inspect"), environment=environment, timeout_s=_WITHIN_S)
    except TonnageError:
        return None
    if done.exit_code:
        if named and "no builder" in done.stderr:
            raise UsageError(
                f"BUILDX_BUILDER={named} names no builder",
                why=done.stderr.strip(),
                todo="Name one of these, or build in the engine itself:\n  docker buildx ls\n  unset BUILDX_BUILDER",
            )
        return None
    name, driver = _NAME.search(done.stdout), _DRIVER.search(done.stdout)
    if name is None or driver is None or driver["value"] == "docker":
        return None
    return SelectedBuilder(name["value"], driver["value"])


def _may_be_another(environment: Mapping[str, str]) -> bool:
    """Tell whether the files of buildx select a builder for some engine."""
    settings = environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '')}/.docker"
    place = environment.get("BUILDX_CONFIG") or f"{settings}/buildx"
    try:
        current = json.loads(read_text(Path(place, "current"), SETTINGS))
        if isinstance(current, dict) and current.get("Name"):
            return True
    except (OSError, ValueError):
        pass
    try:
        return any(Path(place, "defaults").iterdir())
    except OSError:
        return False
