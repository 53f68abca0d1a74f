"""Work grows with what there is to work on: twice as much of it makes at most twice as many calls.

Calls are counted and not seconds, so that a busy machine changes nothing. Seconds are printed by ``bench/scale.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.calls import calls_of
from tests.properties.stacks import harbour
from tests.simulator import Instruction, Recipe
from tests.simulator.deploying import Described, stack_of
from tests.unit.decide import observed

from tonnage.adapters.context.context_files import ContextFiles
from tonnage.adapters.context.copy_digest import FileTokens, contents_of
from tonnage.adapters.context.entries import IgnoreRules
from tonnage.decide.deploy.planning import plan_deploy
from tonnage.decide.reclaim import subset_search
from tonnage.decide.reclaim.choice import decide
from tonnage.decide.reclaim.engine_candidates import engine_findings
from tonnage.decide.reports.log_patterns import find_symptoms
from tonnage.flows.lint.stack_findings import stack_findings
from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.forecast.requirements.files import read_requirements
from tonnage.model.deploy.policy import Policy
from tonnage.model.forecast.recipe import CopyInstruction, FileSource, FileSourceKind
from tonnage.model.inventory import CacheRecord, Layer
from tonnage.model.reclaim.candidate import Roots
from tonnage.model.reports.lint import LintedFile, LintedKind
from tonnage.model.stack import BuildSpec, Service
from tonnage.sources.compose.yaml_text import read_yaml
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.inventory import Image, Inventory

# Sorting and heaps take a little more than twice as long for twice as much.
TWICE = 2.2
LAYER_BYTES = 1_003_571
RECIPE = Recipe(instructions=(Instruction(text="RUN pip", kept_bytes=1_000_003),))


def growth(work: Callable[[int], Callable[[], object]], size: int, *, threads: bool = False) -> float:
    """Return how many times as many calls twice the size makes; what is imported or made once is called before."""
    work(3)()
    once, twice = (calls_of(work(count), threads=threads) for count in (size, 2 * size))
    return twice / once


def _image(number: int) -> Image:
    names = [*(f"shared {number % 5} {each}" for each in range(3)), *(f"own {number} {each}" for each in range(3))]
    layers = tuple(Layer(chain_id=name, diff_id=name, size_bytes=LAYER_BYTES, made_by=f"RUN {name}") for name in names)
    image = observed.image(number, f"host.example.org/app{number}:1", unique_bytes=3 * LAYER_BYTES)
    return replace(image, layers=layers)


def _inventory(images: int, records: int, store: str) -> Inventory:
    cache = tuple(
        CacheRecord(
            record_id=f"record{number}",
            kind="regular",
            description=f"mount / from exec own {number // 6} {number % 3}",
            size_bytes=LAYER_BYTES + number,
            in_use=False,
            shared=number % 2 == 0,
            parents=(f"record{number - 1}",) if number % 6 else (),
        )
        for number in range(records)
    )
    there = observed.inventory(images=tuple(map(_image, range(images))))
    return replace(there, cache=cache, engine=replace(there.engine, image_store=store))


def _reclaiming(images: int, records: int, store: str) -> Callable[[], object]:
    there = _inventory(images, records, store)
    # Half of all there is: the search has to go a long way.
    target_bytes = (3 * images + records // 2) * LAYER_BYTES // 2
    needs = Roots(now_s=1_800_000_000.0)
    return lambda: decide(engine_findings(there, needs), available_bytes=0, target_bytes=target_bytes)


@pytest.fixture
def no_exact_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the search that ends at a limit of its own: to there it grows faster."""
    monkeypatch.setattr(subset_search, "MOST_LOOKED_AT", 0)


@pytest.mark.usefixtures("no_exact_search")
@pytest.mark.parametrize("store", ["classic", "containerd"])
def test_reclaiming_grows_with_the_images(store: str) -> None:
    assert growth(lambda size: _reclaiming(size, 0, store), 150) < TWICE


@pytest.mark.usefixtures("no_exact_search")
@pytest.mark.parametrize("store", ["classic", "containerd"])
def test_reclaiming_grows_with_the_records_of_the_build_cache(store: str) -> None:
    assert growth(lambda size: _reclaiming(20, size, store), 150) < TWICE


def _planning(services: int, images: int = 0) -> Callable[[], object]:
    with harbour() as place:
        described = [Described(name=f"web{number}", recipe=RECIPE) for number in range(services)]
        stack = stack_of(place.engine, described)
        there = place.inventory(stack)
        more = tuple(map(_image, range(images)))
        needs = Roots(now_s=1_800_000_000.0)
        there = replace(there, images=(*there.images, *more), needs=needs)
        history = place.history()
    return lambda: plan_deploy(stack, there, Policy(keep_free_bytes=500_000_003), history)


def test_planning_grows_with_the_services() -> None:
    assert growth(_planning, 40) < TWICE


def test_planning_grows_with_the_images() -> None:
    assert growth(lambda size: _planning(3, size), 150) < TWICE


class Offline(RealLookups):
    """Asks nobody; a Dockerfile is what stands in the build section."""

    def __init__(self, directory: Path) -> None:
        super().__init__({"PATH": os.defpath}, directory / "cache", offline=True)

    def dockerfile(self, spec: BuildSpec) -> str:
        return spec.dockerfile_inline


Forecasting = Callable[[Callable[[int], str]], Callable[[int], Callable[[], object]]]


@pytest.fixture
def forecasting(tmp_path: Path) -> Forecasting:
    """Return what forecasts a Dockerfile of a size; in its context are 300 small files."""
    context = tmp_path / "context"
    context.mkdir()
    for number in range(300):
        (context / f"f{number}").write_text(str(number))

    def of(text: Callable[[int], str]) -> Callable[[int], Callable[[], object]]:
        def work(size: int) -> Callable[[], object]:
            spec = BuildSpec(context=str(context), dockerfile="x", dockerfile_inline=f"FROM scratch\n{text(size)}")
            service = Service(name="web", image="web", build=spec)
            return lambda: forecast_services([service], ForecastContext(), Offline(tmp_path))

        return work

    return of


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(lambda size: "".join(f"RUN make part-{n}\n" for n in range(size)), id="instructions"),
        pytest.param(
            lambda size: "RUN <<EOF\n" + "".join(f"make part-{n}\n" for n in range(size)) + "EOF\n", id="commands"
        ),
        pytest.param(lambda size: "RUN " + " && \\\n  ".join(f"echo {n}" for n in range(size)), id="lines"),
        pytest.param(lambda size: "".join(f"COPY f{n} /\n" for n in range(size)), id="copies"),
        pytest.param(
            lambda size: "RUN " + " && ".join(f"cp /f /g{n}" for n in range(size)), id="files that are copied"
        ),
        pytest.param(lambda size: "RUN " + " && ".join(f"ln /f /g{n}" for n in range(size)), id="further names"),
        pytest.param(lambda size: f"ARG A=b\nRUN echo {' '.join(['x$A'] * size)}", id="words"),
        pytest.param(lambda size: "ARG A=b\n" + "ENV B=$A\n" * size + "RUN make\n", id="metadata"),
    ],
)
def test_forecasting_grows_with_what_is_written(forecasting: Forecasting, text: Callable[[int], str]) -> None:
    assert growth(forecasting(text), 140, threads=True) < TWICE


def test_forecasting_grows_with_the_stages(forecasting: Forecasting) -> None:
    def text(size: int) -> str:
        twice = (f"COPY --from=s{n} / /\n" * 2 for n in range(size))
        stages = "".join(f"FROM scratch AS s{n + 1}\n{each}" for n, each in enumerate(twice))
        return f"COPY f1 /\nFROM scratch AS s0\nCOPY f2 /\n{stages}RUN pip install -r /gone.txt\n"

    # What each stage has is found in those below it.
    assert growth(forecasting(text), 12, threads=True) < 2 * TWICE


@pytest.mark.parametrize(
    "piece", ["- a\n", "- &a b\n", "- {a: b}\n", "- [a, b, 'c']\n", "- |\n  a\n", "- !a b\n", "\n", "# a\n"]
)
def test_reading_yaml_grows_with_the_text(piece: str) -> None:
    assert growth(lambda size: lambda: read_yaml(f"x:\n{piece * size}", "compose.yaml"), 200) < TWICE


@pytest.mark.parametrize(
    "line", ["a-{0}==1.0\n", "a-{0} \\\n  >=1\n", "a{0}; python_version > '3'\n", "# {0}\n", "-r b.txt\n"]
)
def test_reading_requirements_grows_with_their_lines(line: str) -> None:
    def work(size: int) -> Callable[[], object]:
        files = {"/a.txt": "".join(line.format(number) for number in range(size)), "/b.txt": "b\n"}
        return lambda: read_requirements("/a.txt", files.get)

    assert growth(work, 100) < TWICE


@pytest.mark.parametrize("pattern", ["a{0}\n", "**/*.{0}\n", "!a{0}*\n", "a/b/{0}/**\n"])
def test_leaving_out_of_a_context_grows_with_the_patterns(pattern: str) -> None:
    def work(size: int) -> Callable[[], object]:
        text = "".join(pattern.format(number) for number in range(size))
        return lambda: [IgnoreRules(text).hit(f"a/b/{number}") for number in range(20)]

    assert growth(work, 100) < TWICE


def _linting(services: int) -> Callable[[], object]:
    """Return what looks at services together, each with a Dockerfile and requirements in a context of its own."""
    texts, built = {}, []
    for number in range(services):
        context = f"/nowhere/s{number}"
        spec = BuildSpec(context=context, dockerfile=f"{context}/Dockerfile")
        built.append(Service(name=f"s{number}", image="s", build=spec))
        for name, kind, text in (
            ("Dockerfile", LintedKind.DOCKERFILE, f"FROM python:3.11-slim\nRUN make part-{number}\n"),
            ("requirements.txt", LintedKind.REQUIREMENTS, f"numpy==1.{number}\n"),
        ):
            path = f"{context}/{name}"
            texts[path] = (LintedFile(path=path, shown=path, kind=kind), text)
    return lambda: stack_findings(built, texts, "/nowhere")


def test_looking_at_services_together_grows_with_the_services() -> None:
    # More than are compared with each other.
    assert growth(_linting, 80) < TWICE


def test_explaining_grows_with_the_log() -> None:
    def work(size: int) -> Callable[[], object]:
        text = "".join(f"write /a/{n}: no space left on device\n#7 1.2 building {n}\n" for n in range(size))
        return lambda: find_symptoms(text)

    assert growth(work, 200) < TWICE


def test_of_a_log_of_nothing_but_complaints_so_many_are_looked_at() -> None:
    found = find_symptoms("".join(f"write /a/{n}: no space left on device\n" for n in range(10_500)))
    assert len(found) == 10_000
    assert (found[0].line, found[999].line, found[1_000].line, found[-1].line) == (1, 1_000, 1_501, 10_500)


def _deep_tree(directory: Path, levels: int) -> Callable[[], object]:
    """Return what reads a tree that is so deep, with a file at each level."""
    here = os.open(directory, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=below))
        os.close(here)
        here = below
    os.close(here)
    files = ContextFiles(str(directory))
    copy = CopyInstruction(sources=(".",), destination="/", origin=FileSource(FileSourceKind.CONTEXT))
    return lambda: contents_of(copy, files, FileTokens())


def test_looking_at_a_context_grows_with_the_levels_of_its_tree(tmp_path: Path) -> None:
    made = iter(range(3))
    assert growth(lambda levels: _deep_tree(_directory(tmp_path, next(made)), levels), 100) < TWICE


def _directory(above: Path, number: int) -> Path:
    made = above / str(number)
    made.mkdir()
    return made
