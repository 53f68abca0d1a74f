"""What a project of uv, Poetry or PDM says for another build of PyTorch: an index of its own, and what comes from it.

A lock belongs to the tool that wrote it, so that these lines are shown with the command that renews it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.model.reports.torch import TORCH_FAMILY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.reports.torch import TorchBuild

_POETRY, _PDM = regex(r"^\s*\[\[?tool\.poetry\b", 0), regex(r"^\s*\[\[?tool\.pdm\b", 0)


class ProjectTool(StrEnum):
    """What resolves and installs a project."""

    UV = "uv"
    POETRY = "poetry"
    PDM = "pdm"


def tool_of(files: Mapping[str, str]) -> ProjectTool | None:
    """Return the tool of a project: by its lock, else by its settings; None where no project was read.

    Args:
        files: What the build reads, by name.
    """
    for tool in ProjectTool:
        if f"{tool}.lock" in files:
            return tool
    project = files.get("pyproject.toml")
    if project is None:
        return None
    lines = project.splitlines()
    if any(map(_POETRY.match, lines)):
        return ProjectTool.POETRY
    return ProjectTool.PDM if any(map(_PDM.match, lines)) else ProjectTool.UV


def project_lines(tool: ProjectTool, build: TorchBuild, versions: Mapping[str, str]) -> tuple[str, ...]:
    """Return the lines for ``pyproject.toml`` that people copy, and the command that renews the lock.

    Args:
        versions: Of the packages of PyTorch that are installed.
    """
    names = [name for name in TORCH_FAMILY if name in versions]
    renewed = f"  then: {tool} lock"
    sources = {ProjectTool.UV: "[tool.uv.sources]", ProjectTool.POETRY: "[tool.poetry.dependencies]"}
    if not build.index_url:
        where = sources.get(tool, "the [[tool.pdm.source]] that includes them")
        return (f"  take {', '.join(names)} out of {where}", renewed)
    listed = ", ".join(f'"{name}=={versions[name]}"' for name in names)
    label = f"pytorch-{build.label or 'cuda'}"
    table = "[[tool.uv.index]]" if tool is ProjectTool.UV else f"[[tool.{tool}.source]]"
    source = (f"  {table}", f'  name = "{label}"', f'  url = "{build.index_url}"')
    chosen: tuple[str, ...]
    if tool is ProjectTool.UV:
        chosen = (
            "  explicit = true",
            "  [tool.uv.sources]",
            *(f'  {name} = {{ index = "{label}" }}' for name in names),
        )
    elif tool is ProjectTool.POETRY:
        pins = (f'  {name} = {{ version = "{versions[name]}", source = "{label}" }}' for name in names)
        chosen = ('  priority = "explicit"', "  [tool.poetry.dependencies]", *pins)
    else:
        included = ", ".join(f'"{name}"' for name in names)
        chosen = (f"  include_packages = [{included}]",)
    # Poetry has them in its own table, or in both.
    declared = () if tool is ProjectTool.POETRY else (f"  in [project] dependencies: {listed}",)
    return (*declared, *source, *chosen, renewed)
