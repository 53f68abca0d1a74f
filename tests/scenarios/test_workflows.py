"""Intent: the workflows that are written for a stack do what they promise when a runner carries them out.

Steps: write the workflows for three services, two of them dependent, whose images belong to a real registry; run the
steps of every job as a runner does. The machine to deploy to is not set, as in a repository that only builds.
State checked: the registry, everything on the engine, available bytes, the steps that ran.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.ci.programs import program
from tests.ci.runner import Runner
from tests.scenarios.driving import TONNAGE
from tests.ssh_server import WHY_NONE, ssh_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ci.runner import Result
    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

REGISTRY = shutil.which("docker-registry")
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(REGISTRY is None, reason="needs the program docker-registry (Debian package of that name)"),
]

ADDRESS = "localhost:18096"
CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "{address}"}}
"""
FILLING = "dd if=/dev/urandom of=/filling bs=1M count=11"


@pytest.fixture
def pushed(engine: RealEngine, tmp_path: Path) -> Iterator[Path]:
    """Start a registry in the engine's network. Yields where it keeps its images."""
    assert REGISTRY is not None
    root, file = tmp_path / "registry", tmp_path / "registry.yml"
    file.write_text(CONFIG.format(root=root, address="127.0.0.1:18096"))
    enter = ["ip", "netns", "exec", engine.netns]
    with (tmp_path / "registry.log").open("wb") as log:
        registry = subprocess.Popen([*enter, REGISTRY, "serve", str(file)], stdout=log, stderr=log)
    try:
        end = time.monotonic() + 300
        while subprocess.run([*enter, "wget", "-q", "-O", "-", f"http://{ADDRESS}/v2/"], check=False).returncode:
            assert time.monotonic() < end, (tmp_path / "registry.log").read_text()
            time.sleep(0.1)
        yield root / "docker" / "registry" / "v2" / "repositories"
    finally:
        registry.kill()
        registry.wait()


@pytest.fixture
def runner(project: Project, tmp_path: Path) -> Runner:
    """Write the workflows for three services, as their user commits them, and make a runner for them."""
    for name in ("api", "web", "worker"):
        needs = ["api"] if name == "web" else []
        project.web(name, f"{name} 1", run=FILLING, image=f"{ADDRESS}/fleet/{name}:1", depends_on=needs)
    (project.directory / ".git").mkdir()
    written = project.tonnage("ci", "github", "--write", "--install", "true")
    assert written.exit_code == 0, written.stderr
    temp = tmp_path / "runner"
    temp.mkdir()
    environment = {**project.environment, "PATH": f"{Path(TONNAGE).parent}:{os.environ['PATH']}"}
    # Images are pushed by the engine, and manifests are asked for by the program: both have to be in one network.
    programs = temp / "bin"
    programs.mkdir()
    docker = shutil.which("docker", path=environment["PATH"])
    (programs / "docker").write_text(f'#!/bin/sh\nexec nsenter --net=/run/netns/{project.real.netns} {docker} "$@"\n')
    (programs / "docker").chmod(0o755)
    environment["PATH"] = f"{programs}:{environment['PATH']}"
    return Runner(project.directory, temp, environment, {"vars": {}, "secrets": {}})


@pytest.fixture
def forgotten(project: Project) -> str:
    """Put an image onto the engine that nothing needs."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("data")
        entry.size = 97_000_003
        tar.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    project.real.client.api.import_image_from_data(made.getvalue(), repository="forgotten", tag="1")
    return "forgotten:1"


def workflow(project: Project, name: str) -> Path:
    return project.directory / ".github" / "workflows" / name


def tags(pushed: Path) -> set[str]:
    return {path.parents[2].name for path in pushed.glob("fleet/*/_manifests/tags/1")}


def available(project: Project) -> int:
    os.sync()
    disk = os.statvfs(project.real.mount)
    return disk.f_bavail * disk.f_frsize


def sequential(project: Project, runner: Runner, service: str, *, cleanup_after: bool) -> tuple[Result, Result]:
    ended = runner.workflow(workflow(project, "sequential-deploy.yml"), service=service, cleanup_after=cleanup_after)
    return ended["sequential"][0], ended["verify"][0]


@pytest.mark.each_engine
@pytest.mark.parametrize(
    ("service", "names"),
    [
        ("all", {"api", "web", "worker"}),
        pytest.param("web", {"web"}, marks=pytest.mark.long("all services are tried always")),
    ],
)
def test_with_clean_up_images_are_in_the_registry_and_the_disk_is_as_before(
    project: Project, runner: Runner, pushed: Path, service: str, names: set[str]
) -> None:
    before, before_bytes, cached = project.engine.everything(), available(project), project.engine.cache()

    sequence, verify = sequential(project, runner, service, cleanup_after=True)

    assert not sequence.failed, sequence.told()
    assert tags(pushed) == names
    after = project.engine.everything()
    assert [after[kind] for kind in ("containers", "images", "volumes")] == [
        before[kind] for kind in ("containers", "images", "volumes")
    ]
    # Where images lie in containerd, deploys of other tests leave theirs.
    assert project.engine.cache().keys() <= cached.keys()
    assert before_bytes - available(project) < 5_000_011
    assert not verify.failed, verify.told()
    assert all(f"| <code>{name}</code> |" in sequence.summary for name in names)


@pytest.mark.parametrize(("service", "names"), [("all", {"api", "web", "worker"}), ("web", {"web"})])
@pytest.mark.long("the same job as with clean-up, but for its last step")
def test_without_clean_up_images_and_containers_stay(
    project: Project, runner: Runner, pushed: Path, service: str, names: set[str]
) -> None:
    sequence, verify = sequential(project, runner, service, cleanup_after=False)

    assert not sequence.failed, sequence.told()
    assert not verify.failed, verify.told()
    assert sequence.step("Verify what runs here").outcome == "success"
    pushes = verify.step("Verify that every image was pushed").outcome
    assert pushes == ("success" if service == "all" else "skipped")
    assert tags(pushed) == names
    for name in names:
        assert project.engine.health(name) == "healthy"
        assert project.engine.image_id(f"{ADDRESS}/fleet/{name}:1")
    assert not any("Clean up" in name for name in sequence.ended("success"))


def test_a_service_that_fails_ends_the_job_with_its_code_and_is_reported(
    project: Project, runner: Runner, pushed: Path
) -> None:
    project.web("web", "web 2", run="echo no room for this; exit 7")

    sequence, verify = sequential(project, runner, "all", cleanup_after=True)

    failed = sequence.step("Build and verify web")
    assert (failed.outcome, failed.exit_code) == ("failure", 10), sequence.told()
    assert "no room for this" in failed.stderr
    assert tags(pushed) == {"api"}
    assert sequence.step("Push worker").outcome == "skipped"
    assert sequence.step("Report").outcome == "success"
    assert "the build of web failed" in sequence.summary
    assert verify.skipped


def test_what_the_disk_lacks_is_freed_before_the_build(
    project: Project, runner: Runner, pushed: Path, forgotten: str
) -> None:
    # The line is where the disk is past it already, by less than the forgotten image takes.
    project.top["x-tonnage"] = {"keep-free": f"{available(project) + 5_000_011}B"}
    project.write()

    # Who runs the steps there is not root, and may become it.
    program(runner.temp / "bin" / "id", "echo 1001")
    program(
        runner.temp / "bin" / "sudo",
        f"""
        echo "$*" >> {runner.temp}/sudo.log
        shift
        exec env "$@"
        """,
    )
    sequence, _ = sequential(project, runner, "worker", cleanup_after=True)

    assert not sequence.failed, sequence.told()
    assert tags(pushed) == {"worker"}
    asked, done = (runner.temp / "sudo.log").read_text().splitlines()
    assert asked == "--non-interactive true"
    assert done.startswith(f"--preserve-env HOME={runner.environment['HOME']} /")
    assert f"tonnage reclaim --for {runner.temp}/plan.json --yes" in done
    assert not project.engine.image_id(forgotten)
    freed = next(step for step in sequence.steps if step.name.startswith("Free disk") and step.outcome == "success")
    assert f"image {forgotten}" in freed.stdout


def test_on_a_push_each_service_is_built_pushed_and_removed(project: Project, runner: Runner, pushed: Path) -> None:
    before = project.engine.everything()

    jobs = runner.workflow(workflow(project, "docker-deploy.yml"))

    assert [job.failed for job in jobs["build"]] == [False, False, False], jobs["build"][0].told()
    assert tags(pushed) == {"api", "web", "worker"}
    assert project.engine.everything() == before
    assert not jobs["deploy"][0].failed
    assert jobs["deploy"][0].ended("success") == ["Install Tonnage"]


@pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)
@pytest.mark.usefixtures("pushed")
def test_where_a_machine_is_named_the_stack_is_deployed_there(project: Project, runner: Runner, tmp_path: Path) -> None:
    (project.directory / "pages").mkdir()
    (project.directory / "pages" / "index.html").write_text("mounted there")
    project.services.clear()
    project.web("web", "web 1", image=f"{ADDRESS}/fleet/web:1", volumes=["./pages:/pages:ro"])
    assert project.tonnage("ci", "github", "--write", "--install", "true").exit_code == 0
    where, real = tmp_path / "ssh", project.real
    where.mkdir()
    with ssh_server(where, real.endpoint, address=real.address, netns=real.netns) as address:
        runner.environment |= {"PATH": f"{where}/bin:{runner.environment['PATH']}", "HOME": str(tmp_path / "home")}
        machine = {"VM_HOST": address.split("@")[1], "VM_USER": "root", "VM_PATH": f"{tmp_path}/srv"}
        runner.contexts["vars"] = {**machine, "VM_KNOWN_HOSTS": "a line"}
        runner.contexts["secrets"] = {"VM_SSH_KEY": "a key"}
        (tmp_path / "home").mkdir()
        deploying = runner.workflow(workflow(project, "docker-deploy.yml"))

    (deploy,) = deploying["deploy"]
    assert not deploy.failed, deploy.told()
    assert project.engine.health("web") == "healthy"
    assert (tmp_path / "srv" / "pages" / "index.html").read_text() == "mounted there"
    key = tmp_path / "home" / ".ssh" / "id_ed25519"
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("a key\n", 0o600)
