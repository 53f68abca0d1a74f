"""The lines for a project of uv, Poetry or PDM, as these tools read them."""

from __future__ import annotations

import tomllib

import pytest

from tonnage.lint.torch.project_text import ProjectTool, project_lines, tool_of
from tonnage.model.reports.torch import TorchBuild

CPU = TorchBuild(label="cpu", index_url="https://example.org/whl/cpu")
VERSIONS = {"torchvision": "0.18.1", "torch": "2.3.1"}


def settings(tool: ProjectTool) -> dict[str, object]:
    """Return what the lines say, read as TOML; the last says what to run."""
    *lines, last = project_lines(tool, CPU, VERSIONS)
    assert last == f"  then: {tool} lock"
    read: dict[str, dict[str, dict[str, object]]] = tomllib.loads(
        "\n".join(each for each in lines if not each.startswith("  in [project]"))
    )
    return read["tool"][str(tool)]


def test_uv_takes_them_from_an_explicit_index() -> None:
    said = settings(ProjectTool.UV)
    assert said["index"] == [{"name": "pytorch-cpu", "url": CPU.index_url, "explicit": True}]
    assert said["sources"] == {"torch": {"index": "pytorch-cpu"}, "torchvision": {"index": "pytorch-cpu"}}


def test_poetry_takes_them_from_an_explicit_source() -> None:
    said = settings(ProjectTool.POETRY)
    assert said["source"] == [{"name": "pytorch-cpu", "url": CPU.index_url, "priority": "explicit"}]
    assert said["dependencies"] == {
        "torch": {"version": "2.3.1", "source": "pytorch-cpu"},
        "torchvision": {"version": "0.18.1", "source": "pytorch-cpu"},
    }


def test_pdm_binds_them_to_a_source() -> None:
    assert settings(ProjectTool.PDM)["source"] == [
        {"name": "pytorch-cpu", "url": CPU.index_url, "include_packages": ["torch", "torchvision"]}
    ]


@pytest.mark.parametrize("tool", ProjectTool)
def test_the_usual_build_is_had_by_taking_the_lines_away(tool: ProjectTool) -> None:
    lines = project_lines(tool, TorchBuild(label=""), VERSIONS)
    assert lines[0].startswith("  take torch, torchvision out of ")
    assert lines[1] == f"  then: {tool} lock"


@pytest.mark.parametrize(
    ("files", "tool"),
    [
        ({"uv.lock": "", "pyproject.toml": "[tool.poetry]\n"}, ProjectTool.UV),
        ({"poetry.lock": ""}, ProjectTool.POETRY),
        ({"pdm.lock": "", "pyproject.toml": ""}, ProjectTool.PDM),
        ({"pyproject.toml": "[project]\n[[tool.poetry.source]]\n"}, ProjectTool.POETRY),
        ({"pyproject.toml": "[tool.pdm.build]\n"}, ProjectTool.PDM),
        ({"pyproject.toml": "[project]\n# [tool.pdm] some day\n"}, ProjectTool.UV),
        ({"requirements.txt": "torch\n"}, None),
    ],
)
def test_the_tool_is_known_by_its_lock_or_its_settings(files: dict[str, str], tool: ProjectTool | None) -> None:
    assert tool_of(files) is tool
