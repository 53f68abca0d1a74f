"""PyTorch brings its own CUDA, and stands on an image that has it too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.installs import PythonInstall
from tonnage.model.forecast.recipe import FileSourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading
    from tonnage.model.forecast.finding import Finding

NAME = "cuda-twice"
_CUDA = regex(r"(?:docker\.io/|nvcr\.io/)?(?:nvidia/cuda|pytorch/pytorch|nvidia/pytorch)[:@].*")
_TORCH = frozenset({"torch", "torchvision", "torchaudio"})


def _check(read: DockerfileReading) -> Iterator[Finding]:
    bases = {stage.stage.index: stage.stage.base for stage in read.stages}
    for stage in read.stages:
        base = stage.stage.base
        while base.stage is not None:
            base = bases[base.stage]
        if base.kind is not FileSourceKind.IMAGE or not _CUDA.fullmatch(base.name) or "-base-" in base.name:
            continue
        for step in stage.runs:
            for command, effect in step.found:
                if not isinstance(effect, PythonInstall) or not _brings_cuda(effect):
                    continue
                has_torch = "pytorch" in base.name
                yield step.finding(
                    NAME,
                    f"PyTorch is installed with a CUDA of its own, and {base.name} has one",
                    command,
                    why="PyTorch does not use the CUDA of the base image."
                    if not has_torch
                    else "The base image has a whole PyTorch, which this one hides.",
                    todo="Leave PyTorch to the base image."
                    if has_torch
                    else "Stand on an image with Python alone, such as\n  FROM python:3.12-slim",
                )


def _brings_cuda(effect: PythonInstall) -> bool:
    indexes = (effect.options.index_url, *effect.options.extra_index_urls)
    return any(each.name in _TORCH for each in effect.requirements) and not any(
        "/cpu" in (each or "") for each in indexes
    )


RULE = DockerfileRule(
    name=NAME,
    aliases=("gpu/no-redundant-cuda-install",),
    title="CUDA is in the image twice",
    why="The wheels of PyTorch bring the CUDA that they were built for, 2.8 to 4.6 GB. An image of nvidia/cuda below"
    " adds another one, up to 7.4 GB, of which only the driver of the host is used. Only a requirement on the line"
    " itself is seen.",
    before="FROM nvidia/cuda:12.4.1-runtime-ubuntu22.04\nRUN pip install --no-cache-dir torch==2.3.1",
    after="FROM python:3.11-slim\nRUN pip install --no-cache-dir torch==2.3.1",
    check=_check,
)
