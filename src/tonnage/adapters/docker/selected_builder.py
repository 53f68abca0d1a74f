"""Which builder of buildx the user selected, where that is another than the engine itself.

Buildx is asked only where a variable or its own files say that there may be one: it takes a tenth of a second.

Source: docker/buildx, ``store`` (``current``, ``defaults/``, ``instances/``) and ``commands/inspect.go``; checked with
0.13 and 0.29.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters import process
from tonnage.adapters.docker import sdk
from tonnage.adapters.docker.data_root import usual_endpoint
from tonnage.errors import TonnageError, UsageError
from tonnage.lazily import regex
from tonnage.small_files import SETTINGS, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.adapters.docker.tools import BuildTool

IN_A_CONTAINER = "docker-container"
_WITHIN_S = 15.0
_ENGINE_ITSELF = "default"
_FIELD = regex(r"^(?P<name>Name|Driver|Endpoint):\s+(?P<value>\S+)", re.MULTILINE)


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
