"""What the jobs of generated workflows do, run with stand-ins that write down their words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.ci.programs import program
from tests.ci.runner import Runner
from tests.ci.writing import workflow_files, written

if TYPE_CHECKING:
    from pathlib import Path

TO = "--to ssh://ops@vm.example.org/srv/shop"
DEPLOY = f"tonnage deploy --no-build {TO}"


@pytest.fixture
def commands(tmp_path: Path) -> tuple[Runner, Path]:
    """Write the workflows of a chain, and make a runner whose ``tonnage`` and ``docker`` write down their words."""
    repository, temp, log = tmp_path / "repository", tmp_path / "temp", tmp_path / "log"
    for directory in (repository, temp, tmp_path / "bin", tmp_path / "home"):
        directory.mkdir()
    written(repository, "a-chain")
    for name in ("tonnage", "docker", "pipx", "sudo", "jq"):
        program(tmp_path / "bin" / name, f'echo {name} "$@" >> {log}; echo an-image')
    environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "HOME": str(tmp_path / "home")}
    machine = {"VM_HOST": "vm.example.org", "VM_USER": "ops", "VM_PATH": "srv/shop", "VM_KNOWN_HOSTS": "a line"}
    return Runner(
        repository, temp, environment, {"vars": machine, "secrets": {}, "github": {"event_name": "push"}}
    ), log


@pytest.mark.parametrize(("service", "called"), [("b", f"{DEPLOY} b"), ("all", DEPLOY)])
def test_only_what_was_chosen_goes_to_the_machine(commands: tuple[Runner, Path], service: str, called: str) -> None:
    runner, log = commands

    runner.workflow(workflow_files(runner.workspace)[1], service=service, cleanup_after=True)
    assert called in log.read_text().splitlines()


def test_what_a_pull_request_brings_is_built_and_goes_nowhere(commands: tuple[Runner, Path]) -> None:
    runner, log = commands

    runner.workflow(workflow_files(runner.workspace)[0])
    assert DEPLOY in log.read_text()
    assert "tonnage build --push" in log.read_text()
    log.unlink()
    runner.contexts["github"] = {"event_name": "pull_request"}
    runner.workflow(workflow_files(runner.workspace)[0])
    assert "tonnage build --cleanup-after a" in log.read_text()
    assert "tonnage deploy" not in log.read_text()
    assert "--push" not in log.read_text()


def test_own_first_steps_of_one_job_stay_there_and_find_what_was_checked_out(tmp_path: Path) -> None:
    world = written(tmp_path, "a-chain")
    push = workflow_files(tmp_path)[0]
    mine = "      - run: ./fetch-weights.sh\n"
    push.write_text(push.read_text().replace("      # keep: first-steps\n", f"      # keep: first-steps\n{mine}", 1))

    assert world.run("ci", "github", "--write", "--branch", "trunk") == 0
    text = push.read_text()
    assert "trunk" in text
    assert text.count(mine) == 1
    assert text.index(mine) < text.index("\n  deploy:\n")
    checkout = text[text.index("\n  deploy:\n") :].split("- uses: ")[1].split("- name:")[0]
    assert "if:" not in checkout


@pytest.mark.parametrize("name", ["no-names-to-push", "odd-but-valid-names", "local-registry"])
def test_what_another_machine_cannot_pull_is_built_there(tmp_path: Path, name: str) -> None:
    written(tmp_path, name)
    for path in workflow_files(tmp_path):
        assert "tonnage deploy --to " in path.read_text()
        assert "--no-build" not in path.read_text()


def test_who_pulls_for_another_machine_logs_in_only_where_there_is_one(commands: tuple[Runner, Path]) -> None:
    runner, log = commands
    runner.contexts["secrets"] = {"REGISTRY_USERNAME": "ops", "REGISTRY_PASSWORD": "a password"}
    (deploy,) = runner.workflow(workflow_files(runner.workspace)[0])["deploy"]
    assert "Log in to registry.example.org" in deploy.ended("success")
    assert "docker login registry.example.org --username ops --password-stdin" in log.read_text().splitlines()


def test_without_a_machine_nothing_is_deployed_and_the_job_is_good(commands: tuple[Runner, Path]) -> None:
    runner, log = commands
    runner.contexts["vars"] = {}

    (deploy,) = runner.workflow(workflow_files(runner.workspace)[0])["deploy"]
    assert not deploy.failed
    assert deploy.ended("success") == ["Install Tonnage"]
    assert "ssh://" not in log.read_text()
