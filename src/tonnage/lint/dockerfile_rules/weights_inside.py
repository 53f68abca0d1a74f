"""Weights of a model are in the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.lint.rule import DockerfileRule
from tonnage.model.forecast.effects import Download, GitClone
from tonnage.model.forecast.recipe import FileSourceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.reading import DockerfileReading, ReadCommand, ReadStage
    from tonnage.model.forecast.effects import AnyEffect
    from tonnage.model.forecast.finding import Finding

NAME = "weights-inside"
_FILE = regex(r"\S*(?:\.(?:safetensors|gguf|ggml|ckpt|pth?|onnx|h5|tflite)|pytorch_model[\w.*-]*\.bin)(?:\?\S*)?")
_CODE = regex(r"\.from_pretrained\s*\(|snapshot_download\s*\(|hf_hub_download\s*\(|SentenceTransformer\s*\(")
_TOOLS = frozenset({"hf", "huggingface-cli"})


def _check(read: DockerfileReading) -> Iterator[Finding]:
    for stage in read.stages:
        if stage.in_image:
            yield from _of_stage(stage)


def _of_stage(stage: ReadStage) -> Iterator[Finding]:
    why = "They are pulled and pushed with every version of the code, and no service shares them."
    todo = "Mount them: a volume that is filled once, or a directory of the host; x-tonnage.weights checks it first."
    for step in stage.steps:
        if step.copy is not None and step.copy.origin.kind is FileSourceKind.CONTEXT:
            named = next((each for each in step.copy.sources if _FILE.fullmatch(each)), "")
            if named:
                yield step.finding(NAME, f"{named} is copied into the image", why=why, todo=todo)
        for command in step.commands if step.run is not None else ():
            if _fetches(command) and not _kept_elsewhere(command):
                yield step.finding(NAME, "weights are downloaded into the image", command, why=why, todo=todo)


def _fetches(command: ReadCommand) -> bool:
    words = command.words
    if command.program in _TOOLS:
        return "download" in words
    if command.program.startswith("python"):
        return any(_CODE.search(word) for word in words)
    return any(_is_of_model(each) for each in command.effects)


def _kept_elsewhere(command: ReadCommand) -> bool:
    """Return whether the instruction has a cache mount, which is where such tools keep what they fetch."""
    run = command.step.run
    return run is not None and any(mount.kind in {"cache", "tmpfs"} for mount in run.mounts)


def _is_of_model(effect: AnyEffect) -> bool:
    if isinstance(effect, Download):
        return _FILE.fullmatch(effect.address) is not None
    return isinstance(effect, GitClone) and "huggingface.co/" in effect.address


RULE = DockerfileRule(
    name=NAME,
    title="model weights are in the image",
    why="Weights change less often than code and are larger: in the image every version of the code is a copy of them"
    " for who stores, pulls and pushes it, and two services with one model have it twice. A mount has them once."
    " `x-tonnage.weights` has deploys check that they are there and whole. Files that another stage makes are not"
    " found, and neither is what a cache mount keeps.",
    before="COPY model.safetensors /models/model.safetensors",
    after="# in the compose file: volumes: [./models:/models:ro]",
    check=_check,
)
