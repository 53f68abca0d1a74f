"""The release: its workflow, the recipe of the image, metadata of packages, and how they are installed."""

from __future__ import annotations

import email
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

import tonnage
from tonnage.cli.app import main

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"


def test_the_workflow_is_valid_and_without_findings(tmp_path: Path) -> None:
    for command in (
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(WORKFLOW)],
        ["zizmor", "--offline", "--no-progress", "--persona=pedantic", str(WORKFLOW)],
    ):
        done = subprocess.run([BIN / command[0], *command[1:]], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    number = 0
    for job in workflow()["jobs"].values():
        for step in job["steps"]:
            if "run" in step:
                number += 1
                assert "${{" not in step["run"], step["name"]
                (tmp_path / f"{number}.bash").write_text(f"#!/bin/bash\nset -eo pipefail\n{step['run']}")
    subprocess.run([BIN / "shellcheck", *sorted(tmp_path.glob("*.bash"))], check=True)


def test_nothing_is_published_without_a_click_and_only_there_anything_may_be_written() -> None:
    jobs = workflow()["jobs"]
    assert workflow()["permissions"] == {}
    assert jobs["build"]["permissions"] == {"contents": "read"}
    assert jobs["publish"]["environment"] == "release"
    assert jobs["publish"]["needs"] == "build"
    assert not [
        step["name"]
        for step in jobs["build"]["steps"]
        if re.search(r"publish|gh release|docker push", step.get("run", ""))
    ]


def test_the_version_is_taken_from_the_tag() -> None:
    [package] = [step for step in workflow()["jobs"]["build"]["steps"] if step["name"] == "Package"]
    assert "version=${GITHUB_REF_NAME#v}" in package["run"]
    assert 'script/package "$version"' in package["run"]
    text = (ROOT / "src" / "tonnage" / "__init__.py").read_text()
    assert len(re.findall(r'^__version__ = "[^"]+"$', text, re.MULTILINE)) == 1


def workflow() -> Any:  # noqa: ANN401 - as YAML
    return YAML(typ="safe").load(WORKFLOW.read_text())


def test_the_owner_is_named_in_one_place() -> None:
    files = [
        ROOT / "pyproject.toml",
        *(ROOT / "src").rglob("*.py"),
        *(each for each in (ROOT / "script").rglob("*") if each.suffix != ".pyc" and each.is_file()),
        WORKFLOW,
    ]
    named = [file.name for file in files if "github.com/OWNER" in file.read_text()]
    assert named == ["pyproject.toml"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["tonnage"]["repository"].endswith("/tonnage")


def test_the_image_has_nothing_that_lint_finds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--no-prices", str(ROOT / "packaging" / "Dockerfile")]) == 0
    assert "nothing" in capsys.readouterr().out


def test_what_the_image_is_made_of_is_what_its_context_lets_in() -> None:
    text = (ROOT / "packaging" / "Dockerfile").read_text()
    let_in = (ROOT / "packaging" / "Dockerfile.dockerignore").read_text().split()
    assert let_in == ["*", "!dist/*.whl", "!requirements/run.txt"]
    assert set(re.findall(r"source=([\w./]+)", text)) == {"dist", "requirements/run.txt"}
    assert "FROM debian:" in text


def test_what_is_installed_with_a_release_is_locked_in_the_versions_that_are_tested() -> None:
    def pins(name: str) -> set[str]:
        lines = (ROOT / "requirements" / name).read_text().splitlines()
        return {line.split()[0] for line in lines if "==" in line and not line.startswith(" ")}

    assert pins("run.txt") <= pins("dev.txt")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {pin.split("==")[0] for pin in pins("run.txt")}
    assert {re.split(r"[<>=]", each)[0].replace(".", "-") for each in declared} <= names


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a release makes it, with made files that stand in for manual pages."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "README.md", "LICENSE", "script", "src"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    page = copy / ".build" / "package" / "share" / "man" / "man1" / "tonnage.1"
    page.parent.mkdir(parents=True)
    page.write_text("a page\n")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(copy / "dist")],
        cwd=copy,
        check=True,
        capture_output=True,
    )
    [made] = (copy / "dist").iterdir()
    return made


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def test_a_wheel_has_version_addresses_and_pages(wheel: Path) -> None:
    found = metadata(wheel)
    assert found["Version"] == tonnage.__version__
    addresses = dict(each.split(", ", 1) for each in found.get_all("Project-URL") or ())
    assert set(addresses) == {"Homepage", "Documentation", "Changelog", "Issues", "Source"}
    assert len({address.split("/tonnage")[0] for address in addresses.values()}) == 1
    assert found["License-Expression"] == "Apache-2.0"
    assert found["Author"]
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert f"tonnage-{tonnage.__version__}.data/data/share/man/man1/tonnage.1" in names
    assert "tonnage/py.typed" in names
    assert "tonnage/__main__.py" in names
    assert not [name for name in names if name.startswith("tests")]


def test_a_wheel_installed_by_uv_runs_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    # What it depends on is that of this environment, so nothing is fetched.
    target = tmp_path / "target"
    subprocess.run(
        [BIN / "uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--target", target, wheel],
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "UV_PYTHON": sys.executable},
    )
    done = subprocess.run(
        [sys.executable, "-m", "tonnage", "--version"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(target), "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"tonnage, version {tonnage.__version__}\n"
