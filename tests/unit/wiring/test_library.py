"""What a script does with ``tonnage``, against an engine that keeps nothing."""

from __future__ import annotations

import inspect
import json
import pydoc
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tonnage
from tonnage.model.deploy import run

if TYPE_CHECKING:
    from tests.unit.wiring.conftest import StandInEngine

Captured = pytest.CaptureFixture[str]
COMPOSE = "name: shop\nservices:\n  web: {build: .}\n  db: {image: 'example/db:3'}\n"


@pytest.fixture
def here(engine: StandInEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tonnage.StackFlags:
    """Let this process be in the directory of a stack, with the engine that keeps nothing."""
    for name, value in engine.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY weights /weights\n")
    (tmp_path / "weights").write_bytes(bytes(7_000_013))
    return tonnage.StackFlags(settings={"keep-free": "1MB"})


@pytest.fixture
def docker(here: tonnage.StackFlags, tmp_path: Path) -> None:
    """Have a docker command that can build, as far as a plan asks; nothing is built with it."""
    del here
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    printed = program.with_name("printed")
    services = {"web": {"build": {"context": str(tmp_path)}}, "db": {"image": "example/db:3"}}
    printed.write_text(json.dumps({"name": "shop", "services": services}))
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f"compose*config*) /bin/cat {printed};;\n"
        "compose*) echo 2.40.3;;\n"
        "*) echo Docker version 28.5.2, build 17 with rawjson;;\n"
        "esac\n"
    )
    program.chmod(0o755)


def test_the_stack_of_the_directory_is_read(here: tonnage.StackFlags) -> None:
    assert [service.name for service in tonnage.stack(here).services] == ["web", "db"]


def test_the_engine_of_the_environment_is_observed(here: tonnage.StackFlags, engine: StandInEngine) -> None:
    assert tonnage.observe(here).engine.engine_id.startswith(engine.info["ID"])


def test_a_forecast_tells_bytes_and_whether_they_fit(here: tonnage.StackFlags) -> None:
    web = tonnage.StackFlags(services=("web",), settings=here.settings)
    found = tonnage.forecast(web, tonnage.ForecastOptions(disk_bytes=50_000_017, offline=True))

    assert 7_000_013 <= found.stack.image.likely_bytes < 8_000_000
    assert [each.fit for each in found.fits] == ["fits"]


@pytest.mark.usefixtures("docker")
def test_a_plan_has_the_steps_and_the_settings_of_the_flags(here: tonnage.StackFlags) -> None:
    plan = tonnage.plan(here)

    assert plan.reserve_bytes == 1_000_000
    assert {step.service for step in plan.steps} == {"web", "db"}
    assert "shop" in tonnage.plan_text(plan)


def test_a_deploy_without_a_program_that_builds_touches_nothing(here: tonnage.StackFlags) -> None:
    with pytest.raises(tonnage.EngineLacksError):
        tonnage.deploy(here)


def test_a_reclaim_shows_what_would_go_and_raises_when_it_is_not_enough(
    here: tonnage.StackFlags, tmp_path: Path
) -> None:
    tool = tmp_path / "usr/local/.ghcup/ghc/9.4.8"
    tool.mkdir(parents=True)
    (tool / "library").write_bytes(bytes(5_000_011))
    request = tonnage.ReclaimRequest(free_bytes=5_000_000, root=str(tmp_path), disposable=True)

    report = tonnage.reclaim(request, here)
    assert report.done is None
    assert report.choice.freed_bytes >= 5_000_000
    assert tool.exists()
    with pytest.raises(tonnage.CannotReclaimError):
        tonnage.reclaim(tonnage.ReclaimRequest(free_bytes=50_000_000, root=str(tmp_path), disposable=True), here)


@pytest.mark.usefixtures("docker")
@pytest.mark.parametrize("where", ["docs/library.md", "the package"])
def test_an_example_runs_as_it_is_written(
    where: str, here: tonnage.StackFlags, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    del here
    monkeypatch.chdir(tmp_path)
    if where == "the package":
        assert tonnage.__doc__ is not None
        code = textwrap.dedent(tonnage.__doc__.split("::\n")[1].split("``docs")[0])
    else:
        page = (Path(__file__).resolve().parents[3] / where).read_text()
        code = page.split("```python\n")[1].split("```")[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10

    exec(compile(code, where, "exec"), {})

    told = capsys.readouterr().out
    assert "web" in told
    assert "/" in told


def test_help_of_the_package_describes_what_is_public() -> None:
    text = pydoc.plain(pydoc.render_doc(tonnage))
    for name in ("forecast(", "plan(", "observe(", "class Plan", "class Inventory", "StackFlags"):
        assert name in text


@pytest.mark.parametrize("name", [*dir(tonnage), "StepOutcome", "History"])
def test_every_public_class_and_function_has_a_signature(name: str) -> None:
    public = getattr(run, name, None) or getattr(tonnage, name)
    if callable(public):
        assert str(inspect.signature(public)).startswith("(")


def test_the_package_can_be_run_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tonnage", "--version"], capture_output=True, text=True, check=True, cwd="/"
    )
    assert done.stdout == f"tonnage, version {tonnage.__version__}\n"
