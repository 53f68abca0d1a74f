from __future__ import annotations

import json
import random
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.cli.simulated_ports import GOOD, make_world
from tests.unit.cli.test_forecast import COMPOSE, index, told, world

from tonnage.flows.lint import smaller

__all__ = ["index", "world"]

if TYPE_CHECKING:
    from tests.unit.cli.simulated_ports import World

WASTING = """\
FROM python:3.11-slim
COPY requirements.txt .
# what it needs
RUN pip install --no-compile -r requirements.txt
"""

KEEPING = """\
FROM python:3.11-slim
COPY requirements.txt .
RUN uv pip install --system -r requirements.txt
"""


@pytest.fixture
def wasting(world: World) -> World:
    """The stack, with a service that keeps the cache of pip."""
    (world.directory / "web" / "Dockerfile").write_text(WASTING)
    compose = next(world.directory.glob("*compose*.y*ml"))
    for name in ("web", "worker"):
        checked = f"build: ./{name}\n    healthcheck: {{test: [CMD, 'true']}}\n"
        compose.write_text(compose.read_text().replace(f"build: ./{name}\n", checked))
    return world


@pytest.fixture
def priced(wasting: World) -> World:
    """The same with what uv keeps, whatever a server says of its wheels."""
    (wasting.directory / "web" / "Dockerfile").write_text(KEEPING)
    return wasting


def test_a_finding_has_the_price_that_two_forecasts_differ_by(
    priced: World, capsys: pytest.CaptureFixture[str]
) -> None:
    dockerfile = priced.directory / "web" / "Dockerfile"
    assert priced.run("forecast", "--json", "web") == 0
    before = told(capsys)["services"][0]["disk_bytes"]["likely"]
    assert priced.run("lint", "--json") == 0
    [finding] = told(capsys)["findings"]
    dockerfile.write_text(KEEPING.replace("--system", "--system --no-cache"))
    assert priced.run("forecast", "--json", "web") == 0
    after = told(capsys)["services"][0]["disk_bytes"]["likely"]

    assert (finding["rule"], finding["file"], finding["line"]) == ("uv-cache", "web/Dockerfile", 3)
    assert finding["services"] == ["web"]
    assert finding["price_bytes"]["likely"] == before - after > 0


def test_without_prices_nothing_is_asked(wasting: World, capsys: pytest.CaptureFixture[str]) -> None:
    wasting.ports.looks_up = None
    assert wasting.run("lint", "--json", "--no-prices") == 0
    [finding] = told(capsys)["findings"]
    assert finding["price_bytes"] is None
    assert finding["fix"] == {"what": "add --no-cache-dir", "safety": "safe"}


def test_what_is_mended_is_shown_and_written_and_nothing_is_left(
    wasting: World, capsys: pytest.CaptureFixture[str]
) -> None:
    dockerfile = wasting.directory / "web" / "Dockerfile"
    dockerfile.chmod(0o640)
    assert wasting.run("lint", "--no-prices", "--fix", "--dry-run") == 0
    assert "+RUN pip install --no-cache-dir --no-compile" in capsys.readouterr().out
    assert dockerfile.read_text() == WASTING

    assert wasting.run("lint", "--no-prices", "--fix") == 0
    assert dockerfile.read_text() == WASTING.replace("pip install", "pip install --no-cache-dir")
    assert dockerfile.stat().st_mode & 0o777 == 0o640
    capsys.readouterr()
    assert wasting.run("lint", "--no-prices", "--fail-on-findings") == 0
    assert "nothing found" in capsys.readouterr().out


def test_more_than_is_allowed_ends_with_eleven(priced: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert priced.run("lint", "--fail-over", "1B") == 11
    assert "are allowed" in capsys.readouterr().err
    assert priced.run("lint", "--fail-over", "1GB") == 0
    assert priced.run("lint", "--no-prices", "--fail-on-findings") == 11
    assert priced.run("lint", "--no-prices", "--fail-over", "1B") == 2


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_done(
    wasting: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (wasting.directory / "broken.Dockerfile").write_text("this is none\n")
    (wasting.directory / "requirements.txt").write_bytes("flask==3.0\n".encode("utf-16"))
    (wasting.directory / "more-requirements.txt").write_text("-r requirements.txt\ntorch = = 1\n")
    assert wasting.run("lint", "--json", "--no-prices") == 2
    document = told(capsys)
    assert [each["rule"] for each in document["findings"]] == ["pip-cache"]
    failures = {each["file"]: each["failure"] for each in document["files"] if each["failure"]}
    assert sorted(failures) == ["broken.Dockerfile", "more-requirements.txt"]
    assert failures["more-requirements.txt"] == "line 2: torch = = 1 is not a requirement"
    assert "there is no instruction THIS" in failures["broken.Dockerfile"]


def test_links_are_neither_followed_nor_written_through(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    (outside / "Dockerfile").write_text(WASTING)
    (project / "linked.Dockerfile").symlink_to(outside / "Dockerfile")
    found = make_world(project, compose="services:\n  web:\n    build:\n      context: ../outside\n")
    found.simulator.describe(str(outside), GOOD)

    assert found.run("lint", "--no-prices", "--fix") == 2
    assert "outside the project" in capsys.readouterr().err
    assert found.run("lint", "--no-prices", "--fix=safe", "linked.Dockerfile") == 2
    assert (outside / "Dockerfile").read_text() == WASTING


def test_rules_are_named_as_other_linters_do(wasting: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert wasting.run("lint", "--no-prices", "--fix=DL3042", "--dry-run") == 0
    assert "would be fixed" in capsys.readouterr().out
    assert wasting.run("lint", "--no-prices", "--fix=nothing") == 2
    assert "there is no rule nothing" in capsys.readouterr().err


def test_files_and_services_are_named_alike(wasting: World, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("web", "web/Dockerfile", "./web"):
        assert wasting.run("lint", "--json", "--no-prices", name) == 0
        assert [each["rule"] for each in told(capsys)["findings"]] == ["pip-cache"], name
    assert wasting.run("lint", "--no-prices", "nowhere") == 2


def test_findings_are_told_to_github_and_to_code_scanning(priced: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert priced.run("lint", "--output", "github") == 0
    line = capsys.readouterr().out.strip()
    assert line.startswith("::warning file=web/Dockerfile,line=3,endLine=3,col=5,title=uv-cache%3A ")
    assert priced.run("lint", "--output", "sarif") == 0
    log: dict[str, Any] = json.loads(capsys.readouterr().out)
    [run] = log["runs"]
    [result] = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "uv-cache"
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("web/Dockerfile", 3)
    assert result["properties"]["bytes"] > 0
    assert all(len(rule["properties"]["tags"]) <= 20 for rule in run["tool"]["driver"]["rules"])


def test_a_requirement_file_is_mended_where_an_index_has_no_effect(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert COMPOSE
    written = world.directory / "web" / "requirements.txt"
    written.write_text(
        "# heavy\r\ntorch==2.3.1 --index-url https://download.pytorch.org/whl/cpu  # small\r\nflask>=3\r\n", newline=""
    )
    assert world.run("lint", "--no-prices", "--fix", "web") == 0
    assert written.read_bytes().decode() == (
        "# heavy\r\n--extra-index-url https://download.pytorch.org/whl/cpu\r\ntorch==2.3.1+cpu  # small\r\nflask>=3\r\n"
    )
    capsys.readouterr()
    assert world.run("lint", "--no-prices", "web") == 0
    assert "nothing found" in capsys.readouterr().out


def test_pytorch_with_cuda_is_found_where_no_service_asks_for_a_device(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("web", "worker"):
        (world.directory / name / "requirements.txt").write_text("torch==2.3.1\n")
    compose = world.directory / "compose.yaml"
    devices = "deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]}}}"
    compose.write_text(COMPOSE.replace("build: ./worker", f"build: ./worker\n    {devices}"))

    assert world.run("lint", "--json", "--no-prices") == 0
    found = [(each["rule"], each["file"]) for each in told(capsys)["findings"] if each["rule"] != "no-health-check"]
    assert found == [("torch-cuda", "web/requirements.txt")]
    assert world.run("lint", "--no-prices", "--fix=torch-cuda") == 0
    assert (world.directory / "web" / "requirements.txt").read_text().endswith("/whl/cpu\ntorch==2.3.1+cpu\n")
    assert (world.directory / "worker" / "requirements.txt").read_text() == "torch==2.3.1\n"


def test_the_hooks_of_pre_commit_find_and_mend_the_files_that_they_are_given(
    wasting: World, capsys: pytest.CaptureFixture[str]
) -> None:
    hooks = (Path(__file__).resolve().parents[3] / ".pre-commit-hooks.yaml").read_text()
    entries = re.findall(r"entry: tonnage (.+)", hooks)
    patterns = re.findall(r"files: (.+)", hooks)
    assert len(entries) == len(patterns) == 2
    for name, meant in (
        ("a/Dockerfile", True),
        ("web.dockerfile", True),
        ("requirements-dev.txt", True),
        ("a.py", False),
    ):
        assert all((re.search(pattern, name) is not None) is meant for pattern in patterns), name
    assert [wasting.run(*entry.split(), "web/Dockerfile") for entry in entries] == [11, 0]
    assert "--no-cache-dir" in (wasting.directory / "web" / "Dockerfile").read_text()
    capsys.readouterr()


def test_nothing_is_quoted_of_a_file_outside_that_a_stack_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("hunter2:x:0:0\n")
    build = f"web: {{build: ./web}}\n  worker: {{build: {{context: ./web, dockerfile: {secret}}}}}"
    found = make_world(project, compose=f"services:\n  {build}\n")
    (project / "web" / "Dockerfile").unlink(missing_ok=True)
    (project / "web" / "Dockerfile").symlink_to(secret)

    assert found.run("lint", "--no-prices") == 2
    told_text = "".join(capsys.readouterr())
    assert "outside the project" in told_text
    assert "hunter2" not in told_text.lower()


def test_services_are_looked_at_together_with_prices_for_the_stack(
    wasting: World, capsys: pytest.CaptureFixture[str]
) -> None:
    web, worker = wasting.directory / "web", wasting.directory / "worker"
    good = "COPY requirements.txt .\nRUN pip install --no-cache-dir --no-compile -r requirements.txt\n"
    (web / "Dockerfile").write_text(f"FROM python:3.11-slim\n{good}")
    (worker / "Dockerfile").write_text(f"FROM python:3.11-slim\nRUN true\nCOPY . .\n{good}")
    (web / "Dockerfile").write_text(f"FROM python:3.11-slim\nCOPY . .\nRUN true\n{good}")
    (worker / ".git").mkdir()
    (worker / ".git" / "pack").write_bytes(bytes(70_001))
    (web / ".dockerignore").write_text("*.md\n")
    assert wasting.run("lint", "--json") == 0
    document = told(capsys)
    rules = {each["rule"]: each for each in document["findings"]}
    assert rules["no-ignore-file"]["price_bytes"]["likely"] == 70_001
    assert rules["no-ignore-file"]["file"] == "worker/Dockerfile"
    assert rules["different-order"]["services"] == ["web", "worker"]
    assert wasting.run("lint", "--json", "worker/Dockerfile") == 0
    assert not [each for each in told(capsys)["findings"] if each["rule"] in {"different-order", "no-ignore-file"}]


def test_a_service_without_a_health_check_is_found_in_the_compose_file(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    compose = next(world.directory.glob("*compose*.y*ml"))
    compose.write_text(compose.read_text().replace("  worker:\n", "  worker:  # tonnage: ignore=no-health-check\n"))
    assert world.run("lint", "--no-prices", "--json") == 0
    found = [each for each in told(capsys)["findings"] if each["rule"] == "no-health-check"]
    assert [(each["file"], each["services"]) for each in found] == [(compose.name, ["web"])]


@pytest.mark.parametrize("settings", ["{one-shot: true}", "{probe: {port: 8000, path: /}}"])
def test_a_service_that_a_deploy_checks_by_its_settings_needs_no_other_health_check(
    world: World, capsys: pytest.CaptureFixture[str], settings: str
) -> None:
    compose = next(world.directory.glob("*compose*.y*ml"))
    assert world.run("lint", "--no-prices", "--json") == 0
    before = {
        name for each in told(capsys)["findings"] if each["rule"] == "no-health-check" for name in each["services"]
    }
    assert "worker" in before
    compose.write_text(compose.read_text().replace("  worker:\n", f"  worker:\n    x-tonnage: {settings}\n"))
    assert world.run("lint", "--no-prices", "--json") == 0
    after = {
        name for each in told(capsys)["findings"] if each["rule"] == "no-health-check" for name in each["services"]
    }
    assert after == before - {"worker"}


def test_of_a_pull_request_only_what_it_adds_is_told(wasting: World, capsys: pytest.CaptureFixture[str]) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *who, "-C", str(wasting.directory), *words], check=True, capture_output=True)

    git("init", "--quiet", "--initial-branch=main")
    git("add", "-A")
    git("commit", "--quiet", "-m", "begin")
    assert wasting.run("lint", "--no-prices", "--diff", "main", "--json") == 0
    assert not told(capsys)["findings"]

    dockerfile = wasting.directory / "web" / "Dockerfile"
    dockerfile.write_text(f"{WASTING}RUN pip install --no-compile flask\nRUN useradd -u 1000700 app\n")
    (wasting.directory / "new.Dockerfile").write_text(WASTING)
    assert wasting.run("lint", "--no-prices", "--diff", "HEAD", "--json") == 0
    found = [(each["file"], each["rule"]) for each in told(capsys)["findings"]]
    assert sorted(found) == [
        ("new.Dockerfile", "pip-cache"),
        ("web/Dockerfile", "high-user-id"),
        ("web/Dockerfile", "pip-cache"),
    ]

    assert wasting.run("lint", "--no-prices", "--diff", "nowhere") == 2
    assert "there is no commit nowhere here" in capsys.readouterr().err
    assert wasting.run("lint", "--no-prices", "--diff", "--output=x") == 2


def test_without_a_repository_there_is_nothing_to_compare_with(
    wasting: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert wasting.run("lint", "--no-prices", "--diff", "main") == 2
    assert "not in a git repository" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["forecast", "doctor"])
def test_a_forecast_ends_with_what_would_make_it_smaller(
    wasting: World, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (wasting.directory / "web" / "data").mkdir()
    (wasting.directory / "web" / "data" / "one").write_bytes(random.Random(7).randbytes(3_000_000))
    (wasting.directory / "web" / "Dockerfile").write_text(f"{WASTING}COPY data /srv\nRUN chown -R 1000:1000 /srv\n")
    assert wasting.run("forecast") == 0
    if command == "doctor":
        capsys.readouterr()
        wasting.run("doctor")
    shown = capsys.readouterr().out
    heading, found, *others = shown[shown.index("what would make it smaller") :].splitlines()
    assert "tonnage lint" in heading
    assert "MB  web/Dockerfile:6" in found
    assert found.endswith("(--fix=changed-later)")
    assert len(others) <= 4
    assert wasting.run("forecast", "--explain", "web") == 0
    assert "smaller" not in capsys.readouterr().out


@pytest.mark.parametrize(("most", "shown"), [(1, ["b"]), (2, ["b", "a"])])
def test_of_many_findings_those_of_the_heaviest_services_have_prices(
    wasting: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], most: int, shown: list[str]
) -> None:
    monkeypatch.setattr(smaller, "_MOST_PRICED", most)
    for name, size in (("a", 3_000_017), ("b", 5_000_011)):
        (wasting.directory / name / "data").mkdir(parents=True)
        (wasting.directory / name / "data" / "one").write_bytes(random.Random(7).randbytes(size))
        (wasting.directory / name / "Dockerfile").write_text(
            "FROM scratch\nCOPY data /srv\nRUN chown -R 1000:1000 /srv\n"
        )
    compose = next(wasting.directory.glob("*compose*.y*ml"))
    compose.write_text("services:\n  a: {build: ./a}\n  b: {build: ./b}\n")
    assert wasting.run("forecast") == 0
    out = capsys.readouterr().out
    lines = out[out.index("what would make it smaller") :].splitlines()
    assert [name for line in lines for name in ("a", "b") if f" {name}/Dockerfile:" in line] == shown


def test_settings_of_pip_are_read_where_they_are_copied_from(
    wasting: World, capsys: pytest.CaptureFixture[str]
) -> None:
    web = wasting.directory / "web"
    (web / "Dockerfile").write_text(WASTING.replace("COPY", "COPY pip.conf /etc/\nCOPY", 1))
    (web / "pip.conf").write_text("[global]\nno-cache-dir = true\n")
    assert wasting.run("lint", "--json", "--no-prices") == 0
    assert not told(capsys)["findings"]
    outside = wasting.directory / "pip.conf"
    (web / "pip.conf").rename(outside)
    (web / "pip.conf").symlink_to(outside)
    assert wasting.run("lint", "--json", "--no-prices") == 0
    assert [each["rule"] for each in told(capsys)["findings"]] == ["pip-cache"]


def test_workflows_that_are_none_are_told_and_dockerfiles_in_compose_files_are_looked_at(
    wasting: World, capsys: pytest.CaptureFixture[str]
) -> None:
    workflows = wasting.directory / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (workflows / "broken.yml").write_text("jobs: [\n")
    (workflows / "good.yml").write_text("jobs:\n  a:\n    steps:\n      - run: docker compose build\n")
    (wasting.directory / "deploy").mkdir()
    (wasting.directory / "deploy" / "compose.yaml").write_text(
        "services:\n  a:\n    build:\n      dockerfile_inline: |\n"
        "        FROM python:3.11-slim\n        RUN pip install b\n"
    )
    assert wasting.run("lint", "--json", "--no-prices") == 2
    document = told(capsys)
    assert [each["file"] for each in document["files"] if each["failure"]] == [".github/workflows/broken.yml"]
    found = {(each["file"], each["rule"], each["line"]) for each in document["findings"]}
    assert {("deploy/compose.yaml", "pip-cache", 6), (".github/workflows/good.yml", "no-disk-check", 4)} <= found
    (workflows / "broken.yml").unlink()
    assert wasting.run("lint", "--no-prices", "--fix") == 0
    assert "RUN pip install b\n" in (wasting.directory / "deploy" / "compose.yaml").read_text()


def test_a_cache_mount_has_the_price_of_what_it_keeps_beside_the_image(
    wasting: World, capsys: pytest.CaptureFixture[str]
) -> None:
    mount = "RUN --mount=type=cache,target=/root/.cache/uv"
    mounted = WASTING.replace("RUN pip install --no-compile", f"{mount} uv pip install")
    dockerfile = wasting.directory / "web" / "Dockerfile"
    dockerfile.write_text(mounted)
    assert wasting.run("forecast", "--json", "web") == 0
    before = told(capsys)["services"][0]["disk_bytes"]["likely"]
    assert wasting.run("lint", "--json") == 0
    [finding] = told(capsys)["findings"]
    dockerfile.write_text(mounted.replace("install", "install --no-cache"))
    assert wasting.run("forecast", "--json", "web") == 0
    after = told(capsys)["services"][0]["disk_bytes"]["likely"]
    assert (finding["rule"], finding["fix"]) == ("cache-mount", None)
    assert finding["price_bytes"]["likely"] == before - after > 0


def test_a_document_with_the_name_of_a_requirement_file_is_left_out_unless_it_is_named(
    wasting: World, capsys: pytest.CaptureFixture[str]
) -> None:
    written = "# Software requirements\n\nThe service shall start in 5 seconds.\n- it shall log\nPerformance\n"
    (wasting.directory / "software-requirements.txt").write_text(written)
    assert wasting.run("lint", "--no-prices", "--json") == 0
    said = capsys.readouterr()
    assert "software-requirements.txt is left out: most of its lines are no requirements" in said.err
    assert "software-requirements.txt" not in {each["file"] for each in json.loads(said.out)["files"]}
    assert wasting.run("lint", "--no-prices", "software-requirements.txt") == 2
    assert "is not a requirement" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["numpy==", "numpy>>1", "numpy>=1 <2", "numpy== 1.2 extra"])
def test_a_requirement_whose_versions_cannot_be_read_is_told(
    line: str, wasting: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (wasting.directory / "web" / "requirements.txt").write_text(f"starlette\n{line}\n")
    assert wasting.run("lint", "--no-prices") == 2
    assert f"web/requirements.txt: line 2: {line} is not a requirement" in capsys.readouterr().err


def test_what_is_wrong_with_a_broken_compose_file_is_told_once_on_each_stream(
    wasting: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (wasting.directory / "compose.yaml").write_text("services:\n  web: [\n")
    assert wasting.run("lint", "--no-prices") == 2
    out, err = capsys.readouterr()
    assert out.count("not valid YAML") == err.count("not valid YAML") == 1
    assert "note: savings are unknown, because the stack cannot be read\n" in err
