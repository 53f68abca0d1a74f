"""Intent: ``deploy.sh --vm`` does on a machine behind ssh what the script does here, and says what is wrong there.

Steps: write the script with the command; deploy, test, ask, change, deploy and go back over a real ssh connection; then
machines that cannot be reached, are not known, or have no engine.
State checked: the page that the machine serves, the engine, what people are told.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tests.scenarios.driving import TONNAGE
from tests.scenarios.watching import page
from tests.ssh_server import WHY_NONE, ssh_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.scenarios.driving import Project

pytestmark = [pytest.mark.engine, pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)]


@pytest.fixture
def vm(project: Project, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Start a machine with an engine. Yields the variables of a user who deploys to it."""
    where = tmp_path / "ssh"
    where.mkdir()
    with ssh_server(where, project.real.endpoint, address=project.real.address, netns=project.real.netns) as address:
        parts = urlsplit(address)
        # The engine of this machine is another one, and is not there: everything has to happen on the VM.
        yield {
            **project.environment,
            "PATH": f"{where}/bin:{os.path.dirname(TONNAGE)}:{os.environ['PATH']}",  # noqa: PTH120 - text of a PATH
            "DOCKER_HOST": f"unix://{tmp_path}/no-engine-here",
            "VM_HOST": f"{parts.hostname}:{parts.port}",
            "VM_USER": "root",
            "VM_PATH": str(tmp_path / "srv" / "shop"),
        }


def deploy_sh(project: Project, variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["./deploy.sh", *arguments],
        cwd=project.directory,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def written(project: Project) -> None:
    (project.directory / "pages").mkdir(exist_ok=True)
    (project.directory / "pages" / "index.html").write_text("mounted there")
    project.web("web", "web 1", ports=["18097:8080"], volumes=["./pages:/pages:ro"])
    done = project.tonnage("ci", "deploy-script", "--write")
    assert done.exit_code == 0, done.stderr


def test_every_name_works_on_the_machine(project: Project, vm: dict[str, str]) -> None:
    written(project)

    deployed = deploy_sh(project, vm, "--vm")
    assert deployed.returncode == 0, deployed.stderr
    assert page(project.real.address, 18097) == "web 1"
    assert (project.directory.parent / "srv" / "shop" / "pages" / "index.html").read_text() == "mounted there"
    assert project.runs()[0].filesystem == project.real.mount

    assert deploy_sh(project, vm, "--vm", "--test").returncode == 0
    asked = deploy_sh(project, vm, "--vm", "--status", "--json")
    assert asked.returncode == 0, asked.stderr
    assert '"service":"web"' in asked.stdout
    assert project.real.mount in asked.stdout

    project.web("web", "web 2")
    assert deploy_sh(project, vm, "--vm", "--deploy-seq", "web").returncode == 0
    assert page(project.real.address, 18097) == "web 2"
    back = deploy_sh(project, vm, "--vm", "--rollback")
    assert back.returncode == 0, back.stderr
    assert page(project.real.address, 18097) == "web 1"


def test_a_machine_that_is_not_there_is_told(project: Project, vm: dict[str, str]) -> None:
    written(project)

    done = deploy_sh(project, {**vm, "VM_HOST": f"{project.real.address}:9"}, "--vm")

    assert done.returncode == 6
    assert f"root@{project.real.address}" in done.stderr
    assert "refused" in done.stderr


def test_a_machine_whose_key_is_not_known_is_told(project: Project, vm: dict[str, str], tmp_path: Path) -> None:
    written(project)
    client = tmp_path / "ssh" / "client"
    client.write_text(client.read_text().replace("accept-new", "yes"))

    done = deploy_sh(project, vm, "--vm")

    assert done.returncode == 6
    assert "Host key verification failed" in done.stderr
    assert "ssh-keyscan" in done.stderr or "known" in done.stderr
    assert not project.engine.containers("web")


def test_a_machine_without_an_engine_is_told(project: Project, vm: dict[str, str], tmp_path: Path) -> None:
    written(project)
    where = tmp_path / "other"
    where.mkdir()
    with ssh_server(
        where, f"unix://{tmp_path}/none", address=project.real.address, netns=project.real.netns
    ) as address:
        variables = {**vm, "VM_HOST": f"{urlsplit(address).hostname}:{urlsplit(address).port}"}
        done = deploy_sh(project, {**variables, "PATH": f"{where}/bin:{vm['PATH']}"}, "--vm")

    assert done.returncode == 6
    assert "there is no engine at" in done.stderr
    assert "sudo systemctl start docker" in done.stderr
