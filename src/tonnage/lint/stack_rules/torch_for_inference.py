"""A service has all of PyTorch to run a model, which a runtime for inference would run as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.requirement_rules.torch_lines import MOST_CHARACTERS, TORCH
from tonnage.lint.rule import StackFinding, StackRule
from tonnage.lint.written_lines import WrittenLines
from tonnage.model.forecast.finding import Edit, Finding
from tonnage.model.stack import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonnage.lint.rule import LintedService

NAME = "torch-for-inference"
_WORTH_BYTES = 300_000_000
_RUNTIME = "onnxruntime"


def _check(services: Sequence[LintedService]) -> Iterator[StackFinding]:
    for service in services:
        if not service.only_infers:
            continue
        for path, (shown, text) in service.requirements.items():
            found = _of_file(service, path, shown, text)
            if found is not None:
                yield found
                break


def _of_file(service: LintedService, path: str, shown: str, text: str) -> StackFinding | None:
    lines = WrittenLines(text)
    named = [
        (number, written, found["name"])
        for number in range(1, len(lines) + 1)
        if len(written := lines.line(number)) <= MOST_CHARACTERS and (found := TORCH.match(written)) is not None
    ]
    first = next((each for each in named if each[2] == "torch"), None)
    if first is None or any(written.endswith("\\") or "--hash" in written for _, written, _ in named):
        return None
    has_runtime = any(lines.line(number).strip().startswith(_RUNTIME) for number in range(1, len(lines) + 1))
    edits = [
        Edit(
            lines.begin(number),
            lines.begin(number) + len(written),
            "" if number != first[0] or has_runtime else _RUNTIME,
        )
        for number, written, _ in named
    ]
    finding = Finding(
        rule=NAME,
        place=Place(shown, first[0]),
        text=f"{service.name} has all of PyTorch, and its code only runs a model",
        why="ONNX Runtime runs an exported model, at a tenth of the size or less.",
        todo="Export the model once, elsewhere, with torch.onnx.export; then install onnxruntime in place of torch.",
        services=(service.name,),
    )
    return StackFinding(finding=finding, services=(service.name,), path=path, edits=tuple(edits))


RULE = StackRule(
    name=NAME,
    title="all of PyTorch is there to run a model",
    why="PyTorch 2.3.1 with CUDA is 5.38 GB and ONNX Runtime 0.14 GB, which runs what `torch.onnx.export` wrote. It is"
    " found where a requirement file names torch, and the Python files of the context use it with `eval()`,"
    " `no_grad` or `inference_mode` and never for training. That does not show whether a model can be"
    " exported, so nothing is changed. That is a choice: it is only told where it saves 300 MB, and counts in no sum.",
    before="# requirements.txt\ntorch==2.3.1",
    after="# requirements.txt\nonnxruntime",
    least_bytes=_WORTH_BYTES,
    check=_check,
)
