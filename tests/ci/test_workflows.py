"""Generated workflows, as GitHub and its linters read them, for compose files of different shape."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.ci.stacks import STACKS
from tests.ci.writing import runs, workflow_files, written
from tests.unit.cli.simulated_ports import make_world

from tonnage.decide.reports.generated_files import sealed
from tonnage.model.reports.ci_job import RunnerService, RunnerStack
from tonnage.views.ci.workflows import docker_deploy, sequential_deploy

Captured = pytest.CaptureFixture[str]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize("name", STACKS)
def test_workflows_are_valid_and_without_findings(name: str, tmp_path: Path) -> None:
    written(tmp_path, name)
    files = list(map(str, workflow_files(tmp_path)))

    for command in (
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files],
        ["zizmor", "--offline", "--no-progress", "--persona=pedantic", *files],
    ):
        done = subprocess.run([BIN / command[0], *command[1:]], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", STACKS)
def test_every_shell_line_is_without_findings_and_holds_no_expression(name: str, tmp_path: Path) -> None:
    written(tmp_path, name)
    for path in workflow_files(tmp_path):
        distinct = dict(runs(path))
        for title, script in distinct.items():
            assert "${{" not in script, title
        done = subprocess.run(
            [BIN / "shellcheck", "--shell=bash", "--exclude=SC2154", "-"],
            input="\n".join(f"(\n{script})" for script in distinct.values()),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_written_files_are_current_and_written_once(tmp_path: Path, capsys: Captured) -> None:
    world = written(tmp_path, "a-chain")

    assert world.run("ci", "github", "--check") == 0
    capsys.readouterr()
    assert world.run("ci", "github", "--write") == 0
    assert capsys.readouterr().out.count(": current") == 2


def test_other_figures_alone_make_no_file_stale(tmp_path: Path) -> None:
    world = written(tmp_path, "one-service")
    path = workflow_files(tmp_path)[0]
    text = path.read_text().replace(
        "name: docker", "# Forecast: web needs 18.0 GB at its worst moment\n\nname: docker", 1
    )
    path.write_text(sealed("\n".join(text.splitlines()[:-1]) + "\n"))

    assert world.run("ci", "github", "--check") == 0
    path.write_text(path.read_text().replace("cancel-in-progress: false", "cancel-in-progress: true"))
    assert world.run("ci", "github", "--check") == 8


def test_a_changed_stack_makes_them_stale(tmp_path: Path, capsys: Captured) -> None:
    world = written(tmp_path, "one-service")
    (tmp_path / "compose.yaml").write_text(STACKS["a-chain"])

    assert world.run("ci", "github", "--check") == 8
    assert "not current" in capsys.readouterr().err
    assert world.run("ci", "github", "--write") == 0
    assert world.run("ci", "github", "--check") == 0


def test_what_the_user_writes_between_the_marks_survives(tmp_path: Path) -> None:
    world = written(tmp_path, "one-service")
    path = workflow_files(tmp_path)[0]
    mine = "      - run: ./fetch-weights.sh\n"
    text = path.read_text().replace("      # keep: first-steps\n", f"      # keep: first-steps\n{mine}")
    path.write_text(text)
    (tmp_path / "compose.yaml").write_text(STACKS["a-chain"])

    assert world.run("ci", "github", "--write") == 0
    assert mine in path.read_text()
    assert '"c"' in path.read_text()
    assert world.run("ci", "github", "--check") == 0


def test_what_was_changed_elsewhere_is_shown_and_not_overwritten(tmp_path: Path, capsys: Captured) -> None:
    world = written(tmp_path, "one-service")
    first, second = workflow_files(tmp_path)
    second.write_text(second.read_text().replace("max-parallel: 1", "max-parallel: 3"))
    (tmp_path / "compose.yaml").write_text(STACKS["a-chain"])
    before = first.read_text()

    assert world.run("ci", "github", "--write") == 2
    told = capsys.readouterr().err
    assert "-      max-parallel: 3" in told
    assert first.read_text() == before
    assert world.run("ci", "github", "--write", "--force") == 0
    assert "max-parallel: 1" in second.read_text()


def test_a_workflow_of_somebody_else_is_not_overwritten(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path, compose=STACKS["one-service"])
    (tmp_path / "Dockerfile").write_text("FROM busybox:latest\n")
    path = tmp_path / ".github" / "workflows" / "docker-deploy.yml"
    path.parent.mkdir(parents=True)
    path.write_text("name: mine\n")

    assert world.run("ci", "github", "--write") == 2
    assert "It was not written by this command." in capsys.readouterr().err
    assert path.read_text() == "name: mine\n"


def test_a_workflow_directory_that_is_a_file_is_named(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path, compose=STACKS["one-service"])
    (tmp_path / "Dockerfile").write_text("FROM busybox:latest\n")
    (tmp_path / ".github").write_text("a file")

    assert world.run("ci", "github", "--write") == 2
    assert f"{tmp_path / '.github'} is not a directory" in capsys.readouterr().err
    (tmp_path / ".github").unlink()
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "workflows").touch()
    assert world.run("ci", "github", "--check") == 2
    assert f"{tmp_path / '.github' / 'workflows'} is not a directory" in capsys.readouterr().err


def test_what_became_of_the_files_is_told_to_programs(tmp_path: Path, capsys: Captured) -> None:
    world = written(tmp_path, "one-service")
    capsys.readouterr()
    workflow_files(tmp_path)[0].unlink()

    for asked, code, states in (
        ("--check", 8, ["not current", "current"]), ("--write", 0, ["written", "current"]),
        ("--write", 0, ["current", "current"]),
    ):  # fmt: skip
        assert world.run("ci", "github", asked, "--json") == code
        document = json.loads(capsys.readouterr().out.splitlines()[0])
        assert [each["state"] for each in document["files"]] == states


def test_a_service_that_a_profile_hides_is_told(tmp_path: Path, capsys: Captured) -> None:
    written(tmp_path, "profiles")

    assert "note: " in (told := capsys.readouterr().err)
    assert "the service debug is not active" in told


def test_what_is_not_known_about_a_runner_is_told(tmp_path: Path, capsys: Captured) -> None:
    written(tmp_path, "a-chain")

    assert "cannot tell whether a, b, c will fit on a runner" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("compose", "named"),
    [
        ("services:\n  'web;reboot': {build: .}\n", "web;reboot"),
        ("services:\n  '$(reboot)': {build: .}\n", "$(reboot)"),
        ("services:\n  web: {image: 'postgres:16'}\n", "has a build section"),
    ],
)
def test_names_that_a_shell_would_read_are_refused(compose: str, named: str, tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path, compose=compose)

    assert world.run("ci", "github", "--write") == 2
    assert named in capsys.readouterr().err
    assert not (tmp_path / ".github").exists()


def test_without_a_compose_file_nothing_is_written(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path)
    (tmp_path / "compose.yaml").unlink()

    assert world.run("ci", "github", "--write") == 2
    assert "compose" in capsys.readouterr().err
    assert not (tmp_path / ".github").exists()


def test_shown_files_go_to_standard_output(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path, compose=STACKS["one-service"])
    (tmp_path / "Dockerfile").write_text("FROM busybox:latest\n")

    assert world.run("ci", "github") == 0
    shown = capsys.readouterr()
    assert "name: docker-deploy" in shown.out
    assert not (tmp_path / ".github").exists()


def chain() -> RunnerStack:
    services = (
        RunnerService(name="a", built=True),
        RunnerService(name="b", built=True, needs=("a",)),
        RunnerService(name="c", built=True, peak_bytes=18_000_000_011, grade="exact"),
    )
    return RunnerStack(name="shop", directory=".", flags=(), services=services, install="true")


def test_a_service_is_cleaned_up_when_nothing_needs_it_any_more() -> None:
    assert chain().done_with("a") == ()
    assert chain().done_with("b") == ("a", "b")
    assert chain().done_with("c") == ("c",)


def test_a_service_that_no_runner_holds_alone_is_named_with_its_figures() -> None:
    assert [each.name for each in chain().too_large] == ["c"]
    for text in (docker_deploy(chain()), sequential_deploy(chain())):
        assert "# Forecast: c needs 18.0 GB at its worst moment (exact), and a runner has 14.0 GB" in text


def test_a_new_service_can_be_chosen_by_hand(tmp_path: Path) -> None:
    world = written(tmp_path, "one-service")
    (tmp_path / "compose.yaml").write_text(STACKS["a-chain"])

    assert world.run("ci", "github", "--write") == 0
    choices: Any = YAML(typ="safe").load(workflow_files(tmp_path)[1].read_text())["on"]["workflow_dispatch"]["inputs"]
    assert choices["service"]["options"] == ["all", "a", "b", "c"]


def test_triggers_can_be_added_between_the_marks(tmp_path: Path) -> None:
    world = written(tmp_path, "one-service")
    path = workflow_files(tmp_path)[0]
    mark = "  # keep: more-triggers\n"
    path.write_text(path.read_text().replace(mark, f"{mark}  schedule:\n    - cron: 0 4 * * 1\n"))

    assert world.run("ci", "github", "--check") == 0
    assert world.run("ci", "github", "--write", "--branch", "trunk") == 0
    triggers: Any = YAML(typ="safe").load(path.read_text())["on"]
    assert triggers == {"push": {"branches": ["trunk"]}, "schedule": [{"cron": "0 4 * * 1"}]}


@pytest.mark.parametrize(
    ("compose", "told"),
    [
        ("services:\n  all: {build: .}\n", "what stands for every service"),
        ("services:\n  web: {build: .}\n  Web: {build: ., image: other}\n", "apart in the form that starts a workflow"),
    ],
)
def test_services_that_cannot_be_chosen_by_hand_are_refused(
    compose: str, told: str, tmp_path: Path, capsys: Captured
) -> None:
    world = make_world(tmp_path, compose=compose)
    (tmp_path / "Dockerfile").write_text("FROM busybox:latest\n")

    assert world.run("ci", "github", "--write") == 2
    assert told in capsys.readouterr().err


def test_each_registry_is_given_its_own_secrets_only(tmp_path: Path) -> None:
    written(tmp_path, "two-registries")
    for path in workflow_files(tmp_path):
        text = path.read_text()
        first, second = text.split('"Log in to one.example.org"')[1].split('"Log in to two.example.org:5000"')[:2]
        assert "secrets.REGISTRY_PASSWORD_ONE_EXAMPLE_ORG " in first
        assert "secrets.REGISTRY_PASSWORD_TWO_EXAMPLE_ORG_5000 " in second.split("- name:")[0]
        assert "secrets.REGISTRY_PASSWORD " not in text


def test_only_what_has_a_name_to_push_is_pushed(tmp_path: Path) -> None:
    written(tmp_path, "odd-but-valid-names")
    build: Any = YAML(typ="safe").load(workflow_files(tmp_path)[0].read_text())["jobs"]["build"]

    assert build["strategy"]["matrix"]["include"] == [
        {"service": "web.1_a-b", "push": ""},
        {"service": "9", "push": "yes"},
    ]
    assert "Push web.1_a-b" not in workflow_files(tmp_path)[1].read_text()


def test_the_token_of_the_job_pushes_to_the_registry_of_github(tmp_path: Path, capsys: Captured) -> None:
    written(tmp_path, "github-registry")
    build: Any = YAML(typ="safe").load(workflow_files(tmp_path)[0].read_text())["jobs"]["build"]

    login = next(each for each in build["steps"] if each.get("name") == "Log in to ghcr.io")
    assert build["permissions"] == {"contents": "read", "packages": "write"}
    assert login["env"]["REGISTRY_PASSWORD"] == "${{ secrets.REGISTRY_PASSWORD || github.token }}"
    told = capsys.readouterr().err
    assert "nothing for ghcr.io: the job's own token (GITHUB_TOKEN) may push to it" in told
    assert "gh secret set REGISTRY" not in told


def test_what_is_left_to_do_is_told_once_files_were_written(tmp_path: Path, capsys: Captured) -> None:
    world = written(tmp_path, "one-service")

    told = capsys.readouterr().err
    lines = told.splitlines()
    assert "    gh secret set REGISTRY_PASSWORD --env tonnage" in lines
    made = "    gh api --method PUT 'repos/{owner}/{repo}/environments/tonnage'"
    assert lines.count(made) == 1
    assert lines.index(made) < lines.index("    gh secret set REGISTRY_PASSWORD --env tonnage")
    # Without it ssh refuses the machine.
    assert any("gh variable set VM_KNOWN_HOSTS" in line for line in lines)
    assert (
        "    git add .github/workflows/docker-deploy.yml .github/workflows/sequential-deploy.yml" in told.splitlines()
    )
    assert world.run("ci", "github", "--write") == 0
    assert "next steps" not in capsys.readouterr().err


def test_workflows_of_the_user_s_own_that_do_the_same_are_named(tmp_path: Path, capsys: Captured) -> None:
    world = written(tmp_path, "one-service")
    (tmp_path / ".github" / "workflows" / "build.yml").write_text(
        "on: push\njobs:\n  b:\n    steps:\n      - run: sudo rm -rf /usr/share/dotnet\n"
        "      - run: docker build --tag registry.example.org/shop/web:2 .\n"
    )
    capsys.readouterr()

    assert world.run("ci", "github") == 0
    told = capsys.readouterr().err
    assert ".github/workflows/build.yml:5 frees disk: - run: sudo rm -rf /usr/share/dotnet" in told
    assert ".github/workflows/build.yml:6 builds registry.example.org/shop/web:1: " in told
