"""The workspace of uv that a project lies in: its lock and its environment are used wherever uv is started in it.

Source: uv 0.8 to 0.13, ``Workspace::discover``.
"""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tonnage.errors import TonnageError
from tonnage.forecast.python.toml_text import read_toml
from tonnage.model.forecast.installs import Installer

if TYPE_CHECKING:
    from tonnage.forecast.gather.visible_files import StageFiles
    from tonnage.model.forecast.installs import PythonInstall

_MOST_ABOVE = 40


def in_workspace(effect: PythonInstall, files: StageFiles) -> PythonInstall:
    """Return an install of a project as that of its workspace, for this project alone unless others are named."""
    project = effect.project_directory.rstrip("/")
    if effect.installer is not Installer.UV_SYNC or not project:
        return effect
    own = _table(files, project)
    name = own.get("project", {}).get("name") if isinstance(own.get("project"), dict) else None
    if not isinstance(name, str) or _workspace(own) is not None:
        return effect
    above = project
    for _ in range(_MOST_ABOVE):
        above = posixpath.dirname(above)
        workspace = _workspace(_table(files, above))
        if workspace is not None:
            break
        if above in {"/", ""}:
            return effect
    else:
        return effect
    inside = posixpath.relpath(project, above)
    if not _matches(inside, workspace.get("members")) or _matches(inside, workspace.get("exclude")):
        return effect
    environment = effect.virtual_environment
    if environment.startswith(f"{project}/"):
        environment = posixpath.join(above, environment[len(project) + 1 :])
    named = effect.packages if effect.packages or effect.all_packages else (name,)
    return replace(effect, project_directory=above, packages=named, virtual_environment=environment)


def _table(files: StageFiles, directory: str) -> dict[str, Any]:
    text = files.text(posixpath.join(directory, "pyproject.toml"))
    try:
        return read_toml(text, "pyproject.toml") if text is not None else {}
    except TonnageError:
        return {}


def _workspace(project: dict[str, Any]) -> dict[str, Any] | None:
    for key in ("tool", "uv", "workspace"):
        found = project.get(key)
        if not isinstance(found, dict):
            return None
        project = found
    return project


def _matches(path: str, patterns: object) -> bool:
    """Return whether one of some patterns names a path; a wildcard crosses no ``/``."""
    names = path.split("/")
    for pattern in patterns if isinstance(patterns, list) else ():
        parts = posixpath.normpath(pattern).split("/") if isinstance(pattern, str) else []
        if "**" in parts and all(map(fnmatchcase, names, parts[: parts.index("**")])):
            return True
        if len(parts) == len(names) and all(map(fnmatchcase, names, parts)):
            return True
    return False
