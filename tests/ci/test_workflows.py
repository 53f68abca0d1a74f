"""Generated workflows, as GitHub and its linters read them, for compose files of different shape."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML
from tests.ci.stacks import STACKS
from tests.unit.cli.outside import make_world

from tonnage.decide.written_files import sealed
from tonnage.model.workflow import RunnerService, RunnerStack
from tonnage.views.workflows import docker_deploy, sequential_deploy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.cli.outside import World

Captured = pytest.CaptureFixture[str]
BIN = Path(sys.executable).parent


def written(tmp_path: Path, name: str) -> World:
    world = make_world(tmp_path, compose=STACKS[name])
    (tmp_path / "Dockerfile").write_text("FROM busybox:latest\n")
    (tmp_path / ".git").mkdir()
    assert world.run("ci", "github", "--write") == 0
    return world


def workflow_files(tmp_path: Path) -> list[Path]:
    found = sorted((tmp_path / ".github" / "workflows").iterdir())
    assert [path.name for path in found] == ["docker-deploy.yml", "sequential-deploy.yml"]
    return found


def runs(path: Path) -> Iterator[tuple[str, str]]:
    jobs: Any = YAML(typ="safe").load(path.read_text())["jobs"]
    for job in jobs.values():
        for step in job["steps"]:
            if "run" in step:
                yield step["name"], step["run"]


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
    assert capsys.readouterr().err.count(": current") == 2


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
    assert f"{tmp_path / '.github'} is no directory" in capsys.readouterr().err
    (tmp_path / ".github").unlink()
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "workflows").touch()
    assert world.run("ci", "github", "--check") == 2
    assert f"{tmp_path / '.github' / 'workflows'} is no directory" in capsys.readouterr().err


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

    assert "whether a runner can hold a, b, c is not known" in capsys.readouterr().err


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


def test_what_was_typed_about_the_runner_holds_until_something_else_is_typed(tmp_path: Path) -> None:
    world = written(tmp_path, "one-service")
    typed = (
        "--runner",
        "self-hosted, linux",
        "--runner-disk",
        "30GB",
        "--branch",
        "it's $x",
        "--install",
        "pip x 'y z'",
    )

    assert world.run("ci", "github", "--write", *typed) == 0
    path = workflow_files(tmp_path)[0]
    before = path.read_text()
    assert world.run("ci", "github", "--check") == 0
    assert world.run("ci", "github", "--write") == 0
    assert path.read_text() == before
    content: Any = YAML(typ="safe").load(before)
    assert content["on"]["push"]["branches"] == ["it's $x"]
    assert content["jobs"]["build"]["runs-on"] == ["self-hosted", "linux"]
    assert dict(runs(path))["Install Tonnage"] == "pip x 'y z'\n"
    sequence: Any = YAML(typ="safe").load(workflow_files(tmp_path)[1].read_text())["jobs"]["sequential"]
    assert sequence["strategy"]["matrix"]["runner"] == [["self-hosted", "linux"]]
    assert world.run("ci", "github", "--write", "--runner", "big") == 0
    assert 'runs-on: "big"' in path.read_text()
    assert "--runner-disk 30GB" in path.read_text()


@pytest.mark.parametrize(
    "typed",
    [
        ("--runner", ""), ("--runner", "[a, b]"), ("--runner", "a,,b"), ("--branch", " "), ("--install", ""),
        ("--install", "one\ntwo"), ("--runner-disk", "14"),
    ],
)  # fmt: skip
def test_what_cannot_stand_in_a_workflow_is_refused(tmp_path: Path, typed: tuple[str, ...], capsys: Captured) -> None:
    world = make_world(tmp_path, compose=STACKS["one-service"])
    (tmp_path / "Dockerfile").write_text("FROM busybox:latest\n")

    assert world.run("ci", "github", "--write", *typed) == 2
    assert typed[0] in capsys.readouterr().err
    assert not (tmp_path / ".github").exists()


def test_files_are_named_as_they_are_found_on_a_runner(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path, compose=STACKS["one-service"])
    for directory in (tmp_path, tmp_path / "below"):
        directory.mkdir(exist_ok=True)
        (directory / "Dockerfile").write_text("FROM busybox:latest\n")
        (directory / "a stack.yml").write_text(STACKS["profiles"])
    (tmp_path / ".git").mkdir()
    for typed in (("-f", "below/a stack.yml"), ("-f", str(tmp_path / "below" / "a stack.yml"))):
        assert world.run("ci", "github", *typed, "--profile", "debug") == 0
        told = capsys.readouterr().out
        assert '        working-directory: "below"\n' in told
        assert "tonnage deploy --file 'a stack.yml' --profile debug \"$SERVICE\"" in told
        assert str(tmp_path) not in told


def test_a_file_that_no_runner_has_is_refused(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / "repository" / "Dockerfile").write_text("FROM busybox:latest\n")
    (tmp_path / "more.yml").write_text(STACKS["one-service"])
    world = make_world(tmp_path / "repository", compose=STACKS["one-service"])

    assert world.run("ci", "github", "-f", "compose.yaml", "-f", "../more.yml") == 2
    assert "more.yml lies outside of" in capsys.readouterr().err


def test_the_workflows_of_another_stack_are_not_overwritten(tmp_path: Path, capsys: Captured) -> None:
    written(tmp_path, "one-service")
    other = tmp_path / "other"
    other.mkdir()
    (other / "Dockerfile").write_text("FROM busybox:latest\n")
    world = make_world(other, compose=STACKS["one-service"])

    assert world.run("ci", "github", "--write") == 2
    assert "for the stack in the directory . of the repository" in capsys.readouterr().err


def test_a_check_does_not_care_what_the_directory_is_called(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "elsewhere").mkdir()
    written(tmp_path / "here", "one-service")
    world = make_world(tmp_path / "elsewhere", compose=STACKS["one-service"])
    (tmp_path / "elsewhere" / "Dockerfile").write_text("FROM busybox:latest\n")
    for name in (".git", ".github"):
        (tmp_path / "here" / name).rename(tmp_path / "elsewhere" / name)

    assert world.run("ci", "github", "--check") == 0


def test_where_nobody_knows_how_tonnage_is_installed_it_has_to_be_said(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path, compose=STACKS["one-service"])
    (tmp_path / "Dockerfile").write_text("FROM busybox:latest\n")
    world.outside.installs_with = ""

    assert world.run("ci", "github", "--write") == 2
    assert "--install" in capsys.readouterr().err
    assert world.run("ci", "github", "--write", "--install", "pip install it") == 0
    assert world.run("ci", "github", "--check") == 0


@pytest.mark.parametrize(
    ("compose", "told"),
    [
        ("services:\n  all: {build: .}\n", "what stands for every service"),
        ("services:\n  web: {build: .}\n  Web: {build: ., image: other}\n", "cannot be told from"),
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
