from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.unit.adapters.file_server import Index, serving
from tests.unit.cli.simulated_ports import GOOD, make_world

from tonnage.errors import CannotFetchError
from tonnage.model.forecast.base_image import BaseImage, BaseLayer, Distribution, ReadFrom
from tonnage.model.forecast.estimate import exactly
from tonnage.model.forecast.recipe import BaseConfig
from tonnage.model.inventory import Filesystem
from tonnage.units import format_bytes
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

    from tonnage.adapters.interface import EngineFacts

COMPOSE = """\
name: shop
services:
  web:
    build: ./web
  worker:
    build: ./worker
  cache:
    image: example.org/cache:7
"""
DOCKERFILE = """\
FROM python:3.11-slim
COPY requirements.txt .
RUN pip install --no-cache-dir --no-compile -r requirements.txt
"""


class LocalLookups(RealLookups):
    """The real lookups, with the images of a registry that is not there."""

    def base_image(self, reference: str, platform: str) -> BaseImage:
        if "python" not in reference:
            raise CannotFetchError(f"{reference} is refused", "refused", why="It answers 401.")
        layer = BaseLayer(
            chain_id="sha256:base",
            diff_id="sha256:base",
            image=exactly(120_519_024),
            disk=exactly(131_000_011),
            source="told",
            compressed_bytes=45_000_017,
        )
        return BaseImage(
            reference=reference,
            platform=platform,
            layers=(layer,),
            config=BaseConfig(),
            origin=ReadFrom.REGISTRY,
            python="3.11.9",
            distribution=Distribution(name="debian", version="12"),
        )


@pytest.fixture
def index() -> Iterator[Index]:
    """An index of two projects."""
    with serving() as server:
        offered = Index(server)
        offered.wheel("lower", "1.0")
        offered.wheel("upper", "3.0", requires=("lower",))
        yield offered


@pytest.fixture
def world(tmp_path: Path, index: Index) -> World:
    """A stack of three services, and an index on the loopback."""
    found = make_world(tmp_path, compose=COMPOSE)
    for name, lines in (("web", "upper\n"), ("worker", "upper\n")):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "Dockerfile").write_text(DOCKERFILE)
        (tmp_path / name / "requirements.txt").write_text(lines)
        found.simulator.describe(str(tmp_path / name), GOOD)
    environment: Mapping[str, str] = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PIP_INDEX_URL": index.url,
        "PIP_CONFIG_FILE": "/dev/null",
    }

    def look_up(facts: EngineFacts | None, offline: bool) -> RealLookups:  # noqa: FBT001 - called so
        del facts
        return LocalLookups(environment, tmp_path / "cache", offline=offline)

    found.ports.looks_up = look_up
    return found


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_stack_is_forecast_without_an_engine(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.ports.reachable = False

    assert world.run("forecast", "--json", "--disk", "3GB", "web", "worker") == 0

    document = told(capsys)
    web, worker = document["services"]
    assert document["document"] == "forecast"
    assert web["image_bytes"]["grade"] == "exact"
    assert "upper 3.0" in [each["name"] for each in web["steps"][2]["contributors"]]
    assert worker["disk_bytes"] == web["disk_bytes"]
    # The same layers are counted once; each context is kept besides, in a directory of its own.
    context = 49_152 + 4096
    assert context <= document["stack"]["disk_bytes"]["likely"] - web["disk_bytes"]["likely"] <= context + 256
    assert document["fits"][0]["fit"] == "fits"


def test_what_fails_to_resolve_is_told_and_the_others_are_forecast(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    written = world.directory / "worker" / "requirements.txt"
    written.write_text("upper\nno-such-project\n")

    assert world.run("forecast", "--json") == 2

    web, worker, cache = told(capsys)["services"]
    assert not web["failures"]
    [failure] = worker["failures"]
    assert failure.startswith(f"{written}:2: no-such-project does not exist")
    assert "Correct the name, or name the index that has it." in failure
    assert f"{world.directory}/worker/Dockerfile:3: pip install" in failure
    assert worker["disk_bytes"]["grade"] == "unknown"
    assert worker["disk_bytes"]["high"] > 500_000_000
    assert cache["failures"] == ["the image example.org/cache:7: example.org/cache:7 is refused. It answers 401"]


def test_offline_what_was_asked_before_is_enough(
    world: World, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.run("forecast", "--json", "web") == 0
    before = told(capsys)
    index.server.asked.clear()

    assert world.run("forecast", "--json", "--offline", "web") == 0

    assert told(capsys)["services"][0]["disk_bytes"] == before["services"][0]["disk_bytes"]
    assert index.server.asked == []


def test_offline_without_an_answer_says_so(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run("forecast", "--json", "--offline", "web") == 0

    [web] = told(capsys)["services"]
    assert web["failures"]
    assert web["disk_bytes"]["grade"] == "unknown"


def test_a_broken_dockerfile_is_told_with_its_line(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    (world.directory / "worker" / "Dockerfile").write_text("FROM python:3.11-slim\nRUM pip install upper\n")

    assert world.run("forecast", "--json") == 2

    printed = capsys.readouterr()
    assert "worker: this cannot be built as written" in printed.err
    _, worker, _ = json.loads(printed.out)["services"]
    assert "Dockerfile:2" in worker["failures"][0]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"requirements.txt": "-r more.txt\n", "more.txt": "\n-r requirements.txt\n"},
            "more.txt:2: DIR/requirements.txt includes itself",
        ),
        ({"requirements.txt": "upper\nlower<1\n"}, "requirements.txt:2: No version of lower matches the requirement"),
        ({"requirements.txt": "upper ==\n"}, "requirements.txt:1: upper == is not a requirement"),
        ({"requirements.txt": "-r absent.txt\n"}, "requirements.txt:1: the requirement file /absent.txt is not there"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_requirement_file_is_told_with_its_line(
    world: World, files: Mapping[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = world.directory / "worker"
    (directory / "Dockerfile").write_text(DOCKERFILE.replace("requirements.txt .", "*.txt /"))
    for name, text in files.items():
        (directory / name).write_text(text)

    assert world.run("forecast", "--json", "worker") == 2

    [worker] = told(capsys)["services"]
    [failure] = worker["failures"]
    assert failure.startswith(f"{directory}/{words.replace('DIR', str(directory))}")


def test_commands_of_a_finding_stand_alone_and_sentences_end_between_words(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "lower==1.0 --index-url https://own.example.org/simple"
    (world.directory / "web" / "requirements.txt").write_text(f"{line}\n")
    world.ports.environment = {**world.ports.environment, "COLUMNS": "80"}

    assert world.run("forecast", "web") == 0

    lines = capsys.readouterr().out.splitlines()
    assert "    --index-url https://own.example.org/simple" in lines
    assert "    lower==1.0" in lines
    assert all(len(each) <= 80 or " " not in each.strip() for each in lines)


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        (("--python", "three"), "--python"),
        (("--platform", "arm64"), "--platform"),
        (("--disk", "14"), "--disk"),
        (("--assume", "much"), "assume-unknown"),
        (("--explain", "nobody"), "nobody"),
    ],
)
def test_what_was_typed_wrongly_is_named(
    world: World, typed: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.run("forecast", *typed) == 2
    assert named in capsys.readouterr().err


def test_people_see_wheels_totals_and_whether_it_fits(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run("forecast", "--disk", "1100MB", "--keep-free", "1GB", "web") == 0

    shown = capsys.readouterr().out
    assert "does not fit: " in shown
    assert "FROM python:3.11-slim" in shown


def test_one_service_is_explained_instruction_by_instruction(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run("forecast", "--explain", "web") == 0

    shown = capsys.readouterr().out
    assert "line 3: RUN pip install --no-cache-dir --no-compile -r requirements.txt" in shown
    assert "upper 3.0" in shown
    assert "zip directory" in shown


def test_a_plan_shows_what_its_builds_are_forecast_to_keep(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run("plan", "--build", "--json", "web") == 0

    [step] = told(capsys)["steps"]
    assert step["kept"]["grade"] == "exact"
    assert step["kept"]["likely_bytes"] > 131_000_011


def test_a_plan_that_cannot_fit_is_refused(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run("plan", "--build", "--keep-free", "13900MB", "web") == 3
    assert "web.build" in capsys.readouterr().err


def test_a_deploy_without_changes_asks_nobody(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    assert world.run("deploy") == 0
    asked = world.ports.forecasts

    assert world.run("deploy") == 0

    assert asked == 1
    assert world.ports.forecasts == asked


def test_forecasts_of_plans_can_be_switched_off(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.ports.environment = {**world.ports.environment, "TONNAGE_FORECAST": "false"}

    assert world.run("plan", "--build", "--json", "web") == 0

    assert told(capsys)["steps"][0]["kept"]["grade"] == "unknown"
    assert world.ports.forecasts == 0


def test_services_that_are_built_on_each_other_are_refused(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    (world.directory / "web" / "Dockerfile").write_text("FROM shop-worker\n")
    (world.directory / "worker" / "Dockerfile").write_text("FROM scratch\nCOPY --from=shop-web / /\n")

    assert world.run("forecast") == 2

    shown = capsys.readouterr().err
    assert "web -> worker -> web" in shown
    assert "worker/Dockerfile:2" in shown


def test_explain_counts_layers_that_services_share_once_as_the_forecast_does(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = world.directory / "shared"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM scratch\nCOPY weights /weights\n")
    with (context / "weights").open("wb") as weights:
        weights.truncate(400_000_000)
    services = "".join(f"  {name}: {{build: ./shared}}\n" for name in ("a", "b", "c"))
    (world.directory / "compose.yaml").write_text(f"name: three\nservices:\n{services}")
    log = tmp_path / "build.log"
    log.write_text("cc1: fatal error: error writing to /tmp/ccQ7.s: No space left on device\n")

    assert world.run("forecast", "--json") == 0
    [of_data_root] = [each for each in told(capsys)["stack"]["filesystems"] if each["role"] == "data-root"]
    at_once_bytes = of_data_root["all_at_once_bytes"]["likely"]
    assert 800_000_000 <= at_once_bytes < 900_000_000
    assert world.run("explain", str(log)) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"All 3 at once need {format_bytes(at_once_bytes)}: that fits." in said
    one_bytes = of_data_root["one_after_the_other_bytes"]["likely"]
    assert f"One after the other they need {format_bytes(one_bytes)}: that fits." in said


def test_what_would_make_it_fit_is_forecast_again(
    world: World, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    index.wheel("nvidia-cudnn-cu12", "8.9", files={"nvidia/lib.so": bytes(90_000_000)})
    index.wheel("torch", "2.3.1", files={"torch/lib.so": bytes(20_000_000)}, requires=("nvidia-cudnn-cu12",))
    without = Index(index.server, path="/cpu")
    without.wheel("torch", "2.3.1+cpu", files={"torch/lib.so": bytes(5_000_000)})
    (world.directory / "web" / "requirements.txt").write_text("torch==2.3.1\n")
    world.ports.environment = {**world.ports.environment, "TORCH_INDEX_URL": without.url}

    assert world.run("forecast", "--disk", "1200MB", "--keep-free", "1GB", "--json", "web") == 0

    document = told(capsys)
    [fit] = document["fits"]
    remedy, *others = document["remedies"]
    assert (fit["fit"], fit["missing_bytes"]) == ("does not fit", document["deploy"]["missing_bytes"])
    assert (remedy["kind"], remedy["checked"], remedy["missing_bytes"]) == ("torch-cpu", True, 0)
    # What is left is the worst moment of the base.
    assert 60_000_000 < remedy["saves_bytes"] < 110_000_000
    assert f"  ARG TORCH_INDEX_URL={without.url}" in remedy["todo"]
    assert [each["kind"] for each in others] == ["reserve"]
    [install] = [step for step in document["services"][0]["steps"] if step["text"].startswith("RUN")]
    assert install["contributors"][0]["brought_by"] == ["torch", "requirements.txt:1"]


def test_a_change_that_cannot_be_forecast_again_is_told_as_such(
    world: World, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    index.wheel("nvidia-cudnn-cu12", "8.9", files={"nvidia/lib.so": bytes(90_000_000)})
    index.wheel("torch", "2.3.1", files={"torch/lib.so": bytes(20_000_000)}, requires=("nvidia-cudnn-cu12",))
    (world.directory / "web" / "requirements.txt").write_text("torch==2.3.1\n")
    world.ports.environment = {**world.ports.environment, "TORCH_INDEX_URL": f"{index.server.address}/nowhere"}

    assert world.run("forecast", "--disk", "1200MB", "--keep-free", "1GB", "web") == 0

    shown = capsys.readouterr().out
    assert "does not fit: " in shown
    assert "what would make it fit" in shown
    assert "could not be forecast again" in shown


@pytest.mark.parametrize("command", [("plan",), ("plan", "--build"), ("deploy",), ("build",)])
def test_a_refusal_says_what_would_make_it_fit_each_planned_again(
    world: World, index: Index, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    index.wheel("nvidia-cudnn-cu12", "8.9", files={"nvidia/lib.so": bytes(90_000_000)})
    index.wheel("torch", "2.3.1", files={"torch/lib.so": bytes(20_000_000)}, requires=("nvidia-cudnn-cu12",))
    without = Index(index.server, path="/cpu")
    without.wheel("torch", "2.3.1+cpu", files={"torch/lib.so": bytes(5_000_000)})
    (world.directory / "web" / "requirements.txt").write_text("torch==2.3.1\n")
    world.ports.environment = {**world.ports.environment, "TORCH_INDEX_URL": without.url}
    assert world.run("plan", "--json", "web") == 0
    reserve_bytes = told(capsys)["available_bytes"] - 200_000_000
    images = world.simulator.facts.images()

    assert world.run(*command, "--keep-free", f"{reserve_bytes}B", "web") == 3

    told_to = capsys.readouterr()
    said = told_to.out + told_to.err
    assert "step web.build cannot fit" in said
    assert "What would make it fit, each planned again:" in said
    assert "PyTorch without CUDA in web, which request no GPU: fits" in said
    assert f"ARG TORCH_INDEX_URL={without.url}" in said
    verb = "build" if "build" in " ".join(command) else "deploy"
    assert f"tonnage {verb} --keep-free" in said
    assert world.simulator.facts.images() == images


def test_what_never_fits_is_told_apart_from_what_would_after_a_reclaim(
    world: World, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    index.wheel("torch", "2.3.1", files={"torch/lib.so": bytes(110_000_000)})
    (world.directory / "web" / "requirements.txt").write_text("torch==2.3.1\n")
    assert world.run("plan", "--json", "web") == 0
    size_bytes = world.simulator.disk.size_bytes
    told(capsys)

    assert world.run("plan", "--keep-free", f"{size_bytes - 200_000_000}B", "web") == 3

    told_to = capsys.readouterr()
    said = " ".join((told_to.out + told_to.err).split())
    assert f"is {format_bytes(size_bytes)}: with nothing else on it this would not fit either" in said
    assert "tonnage reclaim" not in said
    assert "a reserve of" in said
    proposed = said.partition(" --keep-free ")[2].partition(" ")[0]
    assert world.run("plan", "--keep-free", proposed, "web") == 0
    assert world.run("forecast", "--keep-free", proposed, "web") == 0
    assert "may not fit" not in capsys.readouterr().out, "it fits by the rule that it was proposed by"


def test_a_plan_is_refused_for_what_another_filesystem_lacks(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.simulator.identity = replace(world.simulator.identity, image_store="containerd")
    world.simulator.others = (
        Filesystem(mount="/images", roles=("containerd",), size_bytes=9_000_000_007, available_bytes=1_100_000_003),
    )

    assert world.run("plan", "--build", "web") == 3

    # The answer breaks its lines at the width of the terminal.
    said = " ".join(capsys.readouterr().out.split())
    assert "step web.build cannot fit on /images (containerd)" in said
    assert "100 MB are available above the reserve of 1.00 GB" in said
