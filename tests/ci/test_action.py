"""The GitHub Action, run step by step as a runner does, where no engine is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.ci.programs import install_programs, program
from tests.ci.runner import Runner

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / "action.yml"
BIN = Path(sys.executable).parent
COMPOSE = "services:\n  web: {build: ./web}\n  worker: {build: ./worker}\n"


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """Make a repository whose images come from nothing but files, and a runner without an engine."""
    work = tmp_path / "shop"
    for name, size_bytes in (("web", 300_007), ("worker", 500_009)):
        (work / name).mkdir(parents=True)
        (work / name / "Dockerfile").write_text("FROM scratch\nCOPY data /data\n")
        (work / name / "data").write_bytes(b"x" * size_bytes)
    (work / "compose.yaml").write_text(COMPOSE)
    git(work, "init", "--quiet")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "Begin")
    programs = install_programs(tmp_path / "programs")
    (tmp_path / "temp").mkdir()
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TONNAGE_STATE_DIR": str(tmp_path / "state"),
        "TONNAGE_CACHE_DIR": str(tmp_path / "cache"),
        "DOCKER_HOST": f"unix://{tmp_path}/no-engine",
        "GITHUB_REPOSITORY": "someone/shop",
    }
    return Runner(work, tmp_path / "temp", environment, {"github": {"event_name": "push"}})


def on_a_pull_request(runner: Runner) -> None:
    base = git(runner.workspace, "rev-parse", "HEAD")
    request = {"number": 17, "base": {"sha": base}}
    runner.contexts["github"] = {"event_name": "pull_request", "event": {"pull_request": request}, "token": "t"}


def written(runner: Runner) -> list[str]:
    return (runner.temp.parent / "programs" / "gh.log").read_text().splitlines()


def comments(runner: Runner, *bodies: str) -> None:
    lines = "".join(json.dumps({"id": 40 + n, "body": body}) + "\n" for n, body in enumerate(bodies))
    (runner.temp.parent / "programs" / "gh.comments").write_text(lines)


def test_the_action_is_valid_and_without_findings(tmp_path: Path) -> None:
    for command in (
        ["check-jsonschema", "--builtin-schema", "vendor.github-actions", str(ACTION)],
        ["zizmor", "--offline", "--no-progress", "--persona=pedantic", str(ACTION)],
    ):
        done = subprocess.run([BIN / command[0], *command[1:]], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    content: Any = YAML(typ="safe").load(ACTION.read_text())
    for number, step in enumerate(content["runs"]["steps"]):
        assert "${{" not in step["run"], step["name"]
        assert step["shell"] == "bash"
        (tmp_path / f"{number}.bash").write_text(f"#!/bin/bash\nset -eo pipefail\n{step['run']}")
    subprocess.run([BIN / "shellcheck", *sorted(tmp_path.glob("*.bash"))], check=True)


def test_a_forecast_needs_no_engine_and_is_summarised(runner: Runner) -> None:
    ended = runner.action(ACTION, mode="forecast")

    assert not ended.failed, ended.told()
    assert ended.ended("success") == ["Install Tonnage", "Forecast", "Judge the forecast", "Summary"]
    assert "| <code>web</code> | 300 kB (exact)" in ended.summary
    assert "| <code>worker</code> | 500 kB (exact)" in ended.summary
    assert Path(ended.outputs["report"]).read_text() == ended.summary
    assert int(ended.outputs["forecast-bytes"]) > 800_016
    assert [file.name for file in Path(ended.outputs["html"]).iterdir()] == ["forecast.html"]
    assert (ended.outputs["peak-bytes"], ended.outputs["freed-bytes"]) == ("", "")
    installed = (runner.temp.parent / "programs" / "pip.log").read_text()
    assert installed.splitlines()[-1].endswith(f" {ROOT}")


def test_what_cannot_be_built_as_it_is_written_ends_a_forecast_and_leaves_a_build_to_itself(runner: Runner) -> None:
    (runner.workspace / "worker" / "Dockerfile").write_text("FROM scratch\nCOPPY data /data\n")

    told = runner.action(ACTION, mode="forecast")
    assert told.step("Forecast").outcome == "failure"
    assert "| <code>web</code> | 300 kB (exact)" in told.summary
    assert "| <code>worker</code> | **cannot be built**" in told.summary
    assert "::error file=worker/Dockerfile,line=2::worker: " in told.step("Judge the forecast").stdout

    built = runner.action(ACTION, mode="build")
    assert built.step("Forecast").outcome == "success"
    assert "::warning::" in built.step("Forecast").stdout
    assert built.step("Free disk").outcome != "skipped"


def test_only_the_services_that_are_named_are_forecast(runner: Runner) -> None:
    ended = runner.action(ACTION, services="\n  worker\n")

    assert not ended.failed, ended.told()
    assert "worker" in ended.summary
    assert "web" not in ended.summary


def test_a_stack_in_a_directory_is_found_there(runner: Runner) -> None:
    ended = Runner(runner.workspace.parent, runner.temp, runner.environment, runner.contexts).action(
        ACTION, directory="shop"
    )

    assert not ended.failed, ended.told()


def test_a_pull_request_gets_one_comment_with_every_change(runner: Runner) -> None:
    on_a_pull_request(runner)
    (runner.workspace / "web" / "data").write_bytes(b"x" * 340_007)
    (runner.workspace / "api").mkdir()
    (runner.workspace / "api" / "Dockerfile").write_text("FROM scratch\n")
    (runner.workspace / "compose.yaml").write_text("services:\n  web: {build: ./web}\n  api: {build: ./api}\n")
    comments(runner, "somebody's own words")

    ended = runner.action(ACTION)

    assert not ended.failed, ended.told()
    listed, posted, body = written(runner)
    assert "repos/someone/shop/issues/17/comments?per_page=100" in listed
    assert posted == "api --method POST repos/someone/shop/issues/17/comments --input -"
    rows = json.loads(body)["body"].splitlines()
    assert rows[0] == "<!-- tonnage: sizes of shop -->"
    (web,) = [row for row in rows if "web" in row]
    assert "300 kB (exact) | 340 kB (exact) | +40.0 kB |" in web
    assert any("api" in row and "| new | new |" in row for row in rows)
    assert any("worker" in row and "| gone | gone |" in row for row in rows)
    assert git(runner.workspace, "worktree", "list").count("\n") == 0


def test_a_base_that_was_not_checked_out_is_fetched(runner: Runner, tmp_path: Path) -> None:
    on_a_pull_request(runner)
    origin, work = runner.workspace, tmp_path / "shallow" / "shop"
    (origin / "web" / "data").write_bytes(b"x" * 340_007)
    git(origin, "commit", "--quiet", "--all", "--message", "Grow")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{origin}", str(work))
    assert git(work, "rev-list", "--count", "HEAD") == "1"

    ended = Runner(work, runner.temp, runner.environment, runner.contexts).action(ACTION)

    assert not ended.failed, ended.told()
    assert "300 kB (exact) | 340 kB (exact) | +40.0 kB |" in written(runner)[2]


def test_a_comment_that_is_there_is_replaced(runner: Runner) -> None:
    on_a_pull_request(runner)
    comments(runner, "words", "<!-- tonnage: sizes of another -->\n", "<!-- tonnage: sizes of shop -->\nold")

    ended = runner.action(ACTION)

    assert not ended.failed, ended.told()
    assert written(runner)[1] == "api --method PATCH repos/someone/shop/issues/comments/42 --input -"
    assert ended.step("Comment").stderr.endswith("the comment on pull request 17 was replaced\n")


def test_where_comments_may_not_be_written_only_a_warning_is_given(runner: Runner) -> None:
    on_a_pull_request(runner)
    (runner.temp.parent / "programs" / "gh.refuses").write_text("HTTP 403: Resource not accessible by integration\n")

    ended = runner.action(ACTION)

    assert not ended.failed, ended.told()
    assert "HTTP 403" in ended.step("Comment").stderr
    assert "::warning::" in ended.step("Comment").stdout


@pytest.mark.parametrize(
    ("event", "typed", "step"),
    [
        ("pull_request", "", "success"),
        ("pull_request_target", "", "success"),
        ("push", "true", "success"),
        ("push", "", "failure"),
        ("pull_request", "false", "failure"),
    ],
)
def test_a_pull_request_is_forecast_as_files_that_nobody_has_read(
    runner: Runner, event: str, typed: str, step: str
) -> None:
    on_a_pull_request(runner)
    runner.contexts["github"]["event_name"] = event
    with (runner.workspace / "compose.yaml").open("a") as file:
        file.write("volumes: {of-the-job: {external: '${OF_THE_JOB:+no }true'}}\n")
    runner.environment["OF_THE_JOB"] = "set"

    ended = runner.action(ACTION, **({"untrusted": typed} if typed else {}))

    # Where the variable of the job is put in, it is neither true nor false.
    assert ended.step("Forecast").outcome == step, ended.told()


def test_lint_annotates_what_a_pull_request_adds_and_comments_with_bytes(runner: Runner) -> None:
    on_a_pull_request(runner)
    comments(runner)
    (runner.workspace / "web" / "more").mkdir()
    (runner.workspace / "web" / "more" / "one").write_bytes(bytes(2_000_003))
    text = "FROM scratch\nCOPY data /data\nCOPY more /srv/more\nRUN chown -R 1000:1000 /srv/more\n"
    (runner.workspace / "web" / "Dockerfile").write_text(text)

    ended = runner.action(ACTION, mode="lint")

    assert not ended.failed, ended.told()
    assert ended.ended("success") == ["Install Tonnage", "Lint", "Comment on what was found"]
    assert "::warning file=web/Dockerfile,line=4" in ended.step("Lint").stdout
    assert "2.01 MB" in ended.summary
    assert "changed-later" in Path(ended.outputs["sarif"]).read_text()
    assert any("changed" in line for line in written(runner))
    over = runner.action(ACTION, mode="lint", fail_over="1MB")
    assert over.step("Lint").exit_code == 11


def test_a_pull_request_from_a_fork_has_its_table_in_the_summary(runner: Runner) -> None:
    on_a_pull_request(runner)
    runner.contexts["github"]["event"]["pull_request"]["head"] = {"repo": {"full_name": "stranger/shop"}}
    (runner.workspace / "web" / "data").write_bytes(b"x" * 340_007)

    ended = runner.action(ACTION)

    assert not ended.failed, ended.told()
    assert "::notice::a pull request from a fork" in ended.step("Comment").stdout
    assert "300 kB (exact) | 340 kB (exact) | +40.0 kB |" in ended.summary
    assert not (runner.temp.parent / "programs" / "gh.log").exists()


def test_a_pull_request_with_the_rights_of_the_base_is_not_logged_in(runner: Runner) -> None:
    runner.contexts["github"] = {"event_name": "pull_request_target", "token": "t"}

    assert runner.action(ACTION, mode="build").step("Log in to ghcr.io").outcome == "skipped"


def test_an_old_python_is_named_before_anything_is_installed(runner: Runner) -> None:
    program(runner.temp.parent / "programs" / "python3", "exit 1")

    ended = runner.action(ACTION)

    assert (ended.step("Install Tonnage").exit_code, ended.ended("success")) == (7, [])
    assert "::error::Tonnage needs Python 3.11 or newer" in ended.step("Install Tonnage").stdout


def test_a_base_that_cannot_be_forecast_is_told(runner: Runner) -> None:
    git(runner.workspace, "rm", "--quiet", "--cached", "compose.yaml")
    git(runner.workspace, "commit", "--quiet", "--message", "Without a stack")
    on_a_pull_request(runner)

    ended = runner.action(ACTION)

    assert not ended.failed, ended.told()
    assert "There is no forecast of the base branch" in written(runner)[2]


def test_one_service_of_a_matrix_writes_no_comment(runner: Runner) -> None:
    on_a_pull_request(runner)

    assert runner.action(ACTION, services="web").step("Comment").outcome == "skipped"


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"mode": "dance"}, "forecast, lint, build, deploy or reclaim"),
        ({"mode": ""}, "forecast, lint, build, deploy or reclaim"),
        ({"mode": "reclaim"}, "needs the input until"),
        ({"mode": "build", "push": "yes"}, "push and cleanup-after are true or false"),
        ({"mode": "build", "cleanup_after": ""}, "push and cleanup-after are true or false"),
    ],
)
def test_inputs_that_mean_nothing_end_the_job_before_anything_is_installed(
    runner: Runner, inputs: dict[str, str], told: str
) -> None:
    ended = runner.action(ACTION, **inputs)

    assert (ended.step("Install Tonnage").exit_code, ended.ended("success")) == (2, [])
    assert told in ended.step("Install Tonnage").stdout


def test_what_is_typed_into_inputs_is_not_run(runner: Runner) -> None:
    for inputs in (
        {"services": "$(touch hit) `touch hit`; touch hit"},
        {"keep_free": "$(touch hit)"},
        {"to": "'; touch hit; '"},
        {"services": "--out"},
    ):
        ended = runner.action(ACTION, **inputs)
        assert (ended.step("Forecast").outcome, ended.step("Forecast").exit_code) == ("failure", 2), ended.told()
        assert ended.step("Summary").outcome == "success"
        assert not (runner.workspace / "hit").exists()


@pytest.mark.parametrize(("to", "asked"), [("", True), ("ssh://nobody@127.0.0.1:9", False)])
def test_disk_of_this_machine_is_freed_as_root_and_that_of_another_with_the_keys_of_the_user(
    runner: Runner, *, to: str, asked: bool
) -> None:
    programs, log = runner.temp.parent / "programs", runner.temp / "sudo.log"
    program(programs / "id", "echo 1001")
    program(
        programs / "sudo",
        f"""
        echo "$*" >> {log}
        shift
        exec env "$@"
        """,
    )

    ended = runner.action(ACTION, mode="reclaim", until="1kB", to=to)

    assert ended.failed is not asked, ended.told()
    assert log.exists() is asked
    if asked:
        assert log.read_text().splitlines()[1].startswith(f"--preserve-env HOME={runner.environment['HOME']} /")
        assert ended.outputs["freed-bytes"] == "0"


def test_without_an_engine_a_build_says_so_and_is_summarised(runner: Runner) -> None:
    ended = runner.action(ACTION, mode="build")

    assert ended.step("Free disk").exit_code == 6, ended.told()
    assert ended.step("Build or deploy").outcome == "skipped"
    assert "<code>web</code>" in ended.summary


def test_the_log_of_a_forecast_has_its_figures(runner: Runner) -> None:
    told = runner.action(ACTION, mode="forecast").step("Judge the forecast").stdout

    assert [line.split()[:3] for line in told.splitlines()[1:3]] == [["web", "300", "kB"], ["worker", "500", "kB"]]
    assert "peak of the stack, one service after the other: " in told


def test_a_stack_that_grows_by_more_than_is_allowed_ends_the_job(runner: Runner) -> None:
    on_a_pull_request(runner)
    (runner.workspace / "web" / "data").write_bytes(b"x" * 3_300_007)

    allowed = runner.action(ACTION, **{"fail-if-it-grows-by": "8MB"})
    assert not allowed.failed, allowed.told()
    ended = runner.action(ACTION, **{"fail-if-it-grows-by": "2MB"})
    judged = ended.step("Judge the forecast")
    assert judged.exit_code == 11
    assert "::error::the stack grows by 6." in judged.stdout
    assert ended.step("Comment").outcome == "success"


def test_the_comment_of_a_service_that_cannot_be_built_says_so(runner: Runner) -> None:
    on_a_pull_request(runner)
    (runner.workspace / "worker" / "Dockerfile").write_text("FROM scratch\nCOPPY data /data\n")

    ended = runner.action(ACTION)

    assert ended.step("Forecast").exit_code == 2
    assert ended.step("Comment").outcome == "success"
    body = json.loads(written(runner)[-1])["body"]
    assert "<code>worker</code> cannot be built as it is written**" in body
    assert "| <code>worker</code> | 500 kB (exact) | **cannot be built**" in body
    assert "| **stack** (without what cannot be built) |" in body


def test_a_build_logs_in_to_the_registry_of_github_and_out_again(runner: Runner) -> None:
    runner.contexts["github"] = {"event_name": "push", "actor": "ada", "token": "t0k"}
    log = runner.temp.parent / "docker.log"
    program(
        runner.temp.parent / "programs" / "docker",
        f"""
        case $1 in
            login) echo "$* <$(cat)>" >> {log} ;;
            logout) echo "$*" >> {log} ;;
            *) exit 1 ;;
        esac
        """,
    )

    ended = runner.action(ACTION, mode="build")
    assert ended.step("Log in to ghcr.io").outcome == "success"
    assert log.read_text().splitlines() == ["login ghcr.io --username ada --password-stdin <t0k>", "logout ghcr.io"]

    (runner.temp.parent / ".docker").mkdir()
    (runner.temp.parent / ".docker" / "config.json").write_text('{"auths": {"ghcr.io": {"auth": "x"}}}')
    log.unlink()
    runner.action(ACTION, mode="build")
    assert not log.exists()
