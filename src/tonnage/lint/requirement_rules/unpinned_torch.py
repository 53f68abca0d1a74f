"""PyTorch without an exact local version, beside an index that has builds without CUDA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.lint.requirement_rules.torch_lines import MOST_CHARACTERS, TORCH, has_exact_pin, with_cpu_pin
from tonnage.lint.rule import TextRule
from tonnage.model.forecast.finding import Edit, Finding, Fix, Safety
from tonnage.model.stack import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.written_lines import WrittenLines

NAME = "unpinned-torch"
_INDEX = regex(r"\s*--extra-index-url(?:=|\s+)\S*/cpu/?\s*(?:#.*)?")
_END = regex(r"\s+(?:#|--).*$|\s*\\?\s*$")


def _check(lines: WrittenLines, file: str) -> Iterator[Finding]:
    numbers = range(1, len(lines) + 1)
    if not any(_INDEX.fullmatch(lines.line(number)[:MOST_CHARACTERS]) for number in numbers):
        return
    for number in numbers:
        written = lines.line(number)
        if (
            len(written) > MOST_CHARACTERS
            or not TORCH.match(written)
            or "+" in written.partition("#")[0]
            or "@" in written.partition("#")[0]
        ):
            continue
        end = _END.search(written)
        requirement = written[: end.start()] if end else written
        begin = lines.begin(number)
        pinned = with_cpu_pin(requirement)
        exact = has_exact_pin(requirement) and pinned != requirement
        hashed = "--hash" in written or written.rstrip().endswith("\\")
        yield Finding(
            rule=NAME,
            place=Place(file, number),
            column=1,
            text=f"{requirement.strip()} may come from either index",
            why="pip takes the highest version of all indexes: the next release on the default one brings CUDA.",
            todo=f"Name the build:\n  {pinned.strip()}"
            if exact
            else "Name version and build, such as\n  torch==2.3.1+cpu",
            fix=Fix(edits=(Edit(begin, begin + len(requirement), pinned),), what=f"write {pinned.strip()}")
            if exact and not hashed
            else None,
        )


RULE = TextRule(
    name=NAME,
    title="PyTorch without a pinned build, and with a second index",
    why="pip has no order of indexes: of all that `--extra-index-url` adds it takes the highest version. `torch==2.3.1`"
    " is the CPU build as long as that index has it (`2.3.1+cpu` sorts above `2.3.1`), and `torch>=2.3` is the one"
    " with CUDA as soon as the usual index has a newer one. The exact `+cpu` cannot fall back.",
    before="--extra-index-url https://download.pytorch.org/whl/cpu\ntorch==2.3.1",
    after="--extra-index-url https://download.pytorch.org/whl/cpu\ntorch==2.3.1+cpu",
    fixes=Safety.SAFE,
    check=_check,
)
