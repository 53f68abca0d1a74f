"""PyTorch comes with CUDA, although no service asks for a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.deploy.build_environment import CPU_INDEX
from tonnage.lazily import regex
from tonnage.lint.requirement_rules.torch_lines import MOST_CHARACTERS, TORCH, has_exact_pin, with_cpu_pin
from tonnage.lint.rule import TextRule
from tonnage.model.forecast.finding import Edit, Finding, Fix, Safety
from tonnage.model.stack import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.written_lines import WrittenLines

NAME = "torch-cuda"
_INDEX = regex(r"\s*(?:--extra-index-url|--index-url|-i|--find-links|-f)\b.*")


def _check(lines: WrittenLines, file: str) -> Iterator[Finding]:
    texts = [(number, lines.line(number)) for number in range(1, len(lines) + 1)]
    texts = [(number, text.partition(" #")[0].rstrip()) for number, text in texts if len(text) <= MOST_CHARACTERS]
    if any("/whl/" in text or "--index-url" in text or _INDEX.match(text) for _, text in texts):
        # Another index may well have builds without CUDA, or the very ones that are wanted.
        return
    named = [(number, text) for number, text in texts if TORCH.match(text)]
    open_ends = [text for _, text in named if "+" in text or "@" in text or text.endswith("\\") or "--hash" in text]
    if not named or open_ends:
        return
    exact = all(has_exact_pin(text) for _, text in named)
    first = lines.begin(named[0][0])
    edits = [Edit(first, first, f"--extra-index-url {CPU_INDEX}{lines.newline}")]
    edits += [Edit(lines.begin(number), lines.begin(number) + len(text), with_cpu_pin(text)) for number, text in named]
    yield Finding(
        rule=NAME,
        place=Place(file, named[0][0]),
        column=1,
        end_line=named[-1][0],
        text="PyTorch comes with CUDA, and no service that installs it requests a GPU",
        why="It also installs the wheels of CUDA and Triton, which nothing can use there.",
        todo=f"Name the build without CUDA, and the index that has it:\n  --extra-index-url {CPU_INDEX}\n"
        f"  {with_cpu_pin(named[0][1]).strip() if exact else 'torch==VERSION+cpu'}",
        fix=Fix(edits=tuple(edits), what="take the builds without CUDA", safety=Safety.DECISION) if exact else None,
    )


RULE = TextRule(
    name=NAME,
    title="PyTorch comes with CUDA where no GPU is requested",
    why="On x86-64 the usual index has PyTorch with CUDA, and since 2.11 on arm64 too: 5.1 GB on the disk instead"
    " of 0.65 GB for PyTorch 2.3.1, and 8.1 GB while pip installs it. What asks for a device is a reservation in the"
    " compose file; a file of which no service is built is not judged. The fix names an index beside the usual one,"
    " and the exact builds of it, so it needs versions that are exact, and a decision. `tonnage torch cpu` does so for"
    " any file, says who brings PyTorch, and shows what else would change.",
    before="torch==2.3.1",
    after="--extra-index-url https://download.pytorch.org/whl/cpu\ntorch==2.3.1+cpu",
    fixes=Safety.DECISION,
    check=_check,
)
