"""What may be changed for a stack to fit."""

from __future__ import annotations

from tonnage.decide.reports.remedies import with_lines, without_caches, without_cuda
from tonnage.decide.reports.torch import found_torch
from tonnage.model.forecast.estimate import Contributor, InstructionForecast, ServiceForecast, exactly
from tonnage.model.stack import BuildSpec, Service

FILES = {"web": "web/Dockerfile", "api": "api/Dockerfile"}
INDEX = "https://own.example.org/cpu"


def forecast(service: str, *names: str, text: str = "RUN pip install -r r.txt", source: str = "") -> ServiceForecast:
    parts = tuple(Contributor(name=name, disk=exactly(1_000_003), source=source) for name in names)
    return ServiceForecast(
        service=service, steps=(InstructionForecast(stage="0", line=4, text=text, contributors=parts),)
    )


def service(name: str) -> Service:
    return Service(name=name, image=name, build=BuildSpec(context=f"/{name}"), config={})


def test_caches_that_stay_in_a_layer_are_named_with_their_line() -> None:
    found = without_caches(
        [forecast("web", "numpy 2.0", "pip cache", source="kept in the layer"), forecast("api", "numpy 2.0")], FILES
    )
    assert found is not None
    assert (found.lines, found.likely_bytes) == ({"web": {4: "ENV PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1"}}, 1_000_003)
    assert "  web/Dockerfile:4" in found.todo
    assert without_caches([forecast("web", "pip cache", source="kept outside the layer")], FILES) is None


def test_cuda_that_nobody_asked_for_is_told_with_the_lines_to_write() -> None:
    torch = found_torch([service("web")], [forecast("web", "torch 2.3.1", "nvidia-cudnn-cu12 8.9", "triton 2.3.1")])
    found = without_cuda(torch, {"web": {}}, FILES, index_url=INDEX)
    assert found is not None
    assert found.likely_bytes == 2_000_006
    assert found.lines == {"web": {4: f"RUN pip install --no-cache-dir --index-url {INDEX} torch==2.3.1"}}
    assert "has no effect" in found.todo[0]
    assert "before web/Dockerfile:4 write" in found.todo[0]
    assert found.todo[1:] == (
        f"  ARG TORCH_INDEX_URL={INDEX}",
        "  RUN pip install --no-cache-dir --index-url $TORCH_INDEX_URL torch==2.3.1",
        "or have it written with exact builds, and checked:",
        "  tonnage torch cpu web",
    )


def test_a_build_argument_that_is_declared_is_exported() -> None:
    torch = found_torch([service("web")], [forecast("web", "torch 2.3.1", "nvidia-cudnn-cu12 8.9")])
    found = without_cuda(torch, {"web": {"TORCH_INDEX_URL": None}}, FILES, index_url=INDEX)
    assert found is not None
    assert (found.lines, found.args) == ({}, {"web": {"TORCH_INDEX_URL": INDEX}})
    assert f"  export TORCH_INDEX_URL={INDEX}" in found.todo


def test_torch_without_cuda_or_from_a_lock_is_left_alone() -> None:
    for each in (
        forecast("web", "torch 2.3.1+cpu"),
        forecast("web", "torch 2.3.1", "nvidia-cudnn-cu12 8.9", text="RUN uv sync --frozen"),
        forecast("web", "torch 2.3.1", "nvidia-cudnn-cu12 8.9", text="COPY --from=0 /venv /venv"),
    ):
        assert without_cuda(found_torch([service("web")], [each]), {}, FILES, index_url=INDEX) is None


def test_lines_are_put_before_those_that_they_are_meant_for() -> None:
    assert with_lines("FROM a\nRUN b\nRUN c\n", {2: "ENV X=1", 3: "RUN d"}) == "FROM a\nENV X=1\nRUN b\nRUN d\nRUN c\n"
