"""``deploy.sh`` is other names for the command: each name is tried with a stand-in that prints what it was given."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from tests.unit.cli.simulated_ports import make_world

from tonnage.decide.reports.generated_files import sealed

SCRIPT = Path(str(files("tonnage").joinpath("written", "deploy.sh")))


def ran(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "bin").mkdir(exist_ok=True)
    program = tmp_path / "bin" / "tonnage"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$PWD" "$*"\n')
    program.chmod(0o755)
    (tmp_path / "a b").mkdir(exist_ok=True)
    script = shutil.copy(SCRIPT, tmp_path / "a b" / "deploy.sh")
    environment = {"PATH": f"{tmp_path}/bin:{os.defpath}", **variables}
    return subprocess.run(
        ["sh", script, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("typed", "called"),
    [
        (["--deploy-sequential"], "deploy"),
        (["--deploy-seq", "web", "--keep-free", "2GB"], "deploy web --keep-free 2GB"),
        (["--build"], "build"),
        (["--build", "web"], "build web"),
        (["--test"], "verify"),
        (["--rollback", "web"], "rollback web"),
        (["--status"], "status"),
        (["--cleanup-disk"], "reclaim --until 14GB"),
        (["--cleanup-disk", "--yes"], "reclaim --until 14GB --yes"),
    ],
)
def test_each_name_is_a_command(typed: list[str], called: str, tmp_path: Path) -> None:
    done = ran(tmp_path, *typed)

    assert done.stdout.splitlines() == [str(tmp_path / "a b"), called]


def test_the_target_of_a_clean_up_can_be_set(tmp_path: Path) -> None:
    assert ran(tmp_path, "--cleanup-disk", CLEANUP_UNTIL="3GB").stdout.endswith("reclaim --until 3GB\n")


def test_on_a_vm_the_same_goes_to_its_engine(tmp_path: Path) -> None:
    vm = {"VM_HOST": "vm.example.org", "VM_USER": "ops", "VM_PATH": "/srv/shop"}

    assert ran(tmp_path, "--vm", **vm).stdout.endswith("deploy --to ssh://ops@vm.example.org/srv/shop\n")
    assert ran(tmp_path, "--vm", "--test", VM_HOST="vm").stdout.endswith("verify --to ssh://vm\n")
    assert ran(tmp_path, "--vm", VM_HOST="vm", VM_PATH="srv/shop").stdout.endswith("--to ssh://vm/srv/shop\n")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["--vm"], "VM_HOST"),
        (["--deploy-seq"], "SERVICE"),
        (["--deploy-seq", ""], "SERVICE"),
        (["--deploy-seq", "--keep-free", "2GB"], "SERVICE"),
        (["--dance"], "--dance"),
        (["--vm", "--vm"], "VM_HOST"),
    ],
)
def test_what_is_missing_or_unknown_is_said(typed: list[str], told: str, tmp_path: Path) -> None:
    done = ran(tmp_path, *typed)

    assert done.returncode == 2
    assert told in done.stderr
    assert not done.stdout


def test_help_and_nothing_show_every_name(tmp_path: Path) -> None:
    shown = ran(tmp_path, "--help").stdout
    assert ran(tmp_path).stdout == shown
    for name in ("--deploy-sequential", "--deploy-seq", "--cleanup-disk", "--vm", "--build", "--test", "--rollback"):
        assert name in shown


EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "vision" / "deploy.sh"


def test_the_script_is_without_findings() -> None:
    subprocess.run([Path(sys.executable).parent / "shellcheck", SCRIPT, EXAMPLE], check=True)


def test_the_script_of_the_example_is_the_one_that_is_written() -> None:
    assert EXAMPLE.read_text() == sealed(SCRIPT.read_text())
    assert os.access(EXAMPLE, os.X_OK)


def test_a_script_that_is_stale_is_told_with_what_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = make_world(tmp_path)

    assert world.run("ci", "deploy-script", "--check") == 8
    assert "tonnage ci deploy-script --write" in capsys.readouterr().err
    assert world.run("ci", "deploy-script", "--write") == 0
    (tmp_path / "deploy.sh").write_text((tmp_path / "deploy.sh").read_text().replace("14GB", "3GB"))
    assert world.run("ci", "deploy-script", "--write") == 2
    assert "tonnage ci deploy-script --write --force" in capsys.readouterr().err


def test_the_script_is_for_the_stack_that_was_named(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    (tmp_path / "compose.yaml").rename(tmp_path / "the stack.yml")

    assert world.run("ci", "deploy-script", "--write", "-f", "the stack.yml", "-p", "shop", "--profile", "debug") == 0
    script = tmp_path / "deploy.sh"
    subprocess.run([Path(sys.executable).parent / "shellcheck", script], check=True)
    shown = subprocess.run(
        ["sh", "-c", "tonnage() { :; }; . ./deploy.sh --help > /dev/null; env"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert {"COMPOSE_FILE=the stack.yml", "COMPOSE_PROFILES=debug", "COMPOSE_PROJECT_NAME=shop"} <= set(shown)
    assert world.run("ci", "deploy-script", "--write", "-f", "the stack.yml", "--project-directory", ".") == 2


def test_services_after_two_dashes_go_to_the_machine_too(tmp_path: Path) -> None:
    assert ran(tmp_path, "--vm", "--build", "--", "web", VM_HOST="vm").stdout.endswith("build --to ssh://vm -- web\n")


def test_a_command_that_is_not_installed_is_told() -> None:
    done = subprocess.run(
        ["/bin/sh", SCRIPT, "--status"], env={"PATH": os.defpath}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "tonnage is not installed" in done.stderr
