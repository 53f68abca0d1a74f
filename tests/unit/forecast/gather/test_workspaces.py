"""uv started in a project of a workspace works on the workspace."""

from __future__ import annotations

import pytest

from tonnage.forecast.gather.visible_files import StageFiles
from tonnage.forecast.gather.workspaces import in_workspace
from tonnage.model.forecast.installs import Installer, PythonInstall
from tonnage.model.stack import Place

ROOT = (
    '[project]\nname = "root"\n[tool.uv.workspace]\nmembers = ["packages/*", "tools/**"]\nexclude = ["packages/old"]\n'
)


@pytest.fixture
def files() -> StageFiles:
    made = StageFiles()
    made.put("/ws/pyproject.toml", ROOT)
    for name in ("packages/web", "packages/old", "tools/deep/er", "apart", "packages/odd"):
        made.put(f"/ws/{name}/pyproject.toml", f'[project]\nname = "{name.rpartition("/")[2]}"\n')
    made.put("/ws/packages/odd/pyproject.toml", "[project\n")
    return made


def sync(
    directory: str, environment: str = "", packages: tuple[str, ...] = (), installer: Installer = Installer.UV_SYNC
) -> PythonInstall:
    return PythonInstall(
        command="uv sync",
        place=Place(file="Dockerfile", line=4),
        installer=installer,
        project_directory=directory,
        packages=packages,
        virtual_environment=environment or f"{directory}/.venv",
    )


@pytest.mark.parametrize(("inside", "name"), [("packages/web", "web"), ("tools/deep/er", "er")])
def test_a_project_is_installed_with_the_lock_and_into_the_environment_of_its_workspace(
    files: StageFiles, inside: str, name: str
) -> None:
    found = in_workspace(sync(f"/ws/{inside}"), files)
    assert (found.project_directory, found.packages) == ("/ws", (name,))
    assert found.virtual_environment == "/ws/.venv"
    assert in_workspace(sync(f"/ws/{inside}", "/opt/venv"), files).virtual_environment == "/opt/venv"


def test_what_is_named_stays_named(files: StageFiles) -> None:
    found = in_workspace(sync("/ws/packages/web", packages=("core",)), files)
    assert (found.project_directory, found.packages) == ("/ws", ("core",))


@pytest.mark.parametrize(
    "directory", ["/ws", "/ws/apart", "/ws/packages/old", "/ws/packages/odd", "/ws/packages/none", "/elsewhere", "/"]
)
def test_what_lies_in_no_workspace_is_a_project_of_its_own(files: StageFiles, directory: str) -> None:
    assert in_workspace(sync(directory), files) == sync(directory)


def test_other_installers_know_no_workspaces(files: StageFiles) -> None:
    told = sync("/ws/packages/web", installer=Installer.POETRY)
    assert in_workspace(told, files) == told
