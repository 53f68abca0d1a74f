"""An index is named on the line of a requirement, where pip ignores it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.lint.requirement_rules.torch_lines import MOST_CHARACTERS, TORCH, with_cpu_pin
from tonnage.lint.rule import TextRule
from tonnage.model.forecast.finding import Edit, Finding, Fix, Safety
from tonnage.model.stack import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.written_lines import WrittenLines

NAME = "index-on-requirement"
_MOST_LINES = 200
_LINE = regex(
    r"(?P<requirement>\s*[A-Za-z0-9][^\s#]*(?:\s*(?:===|==|~=|!=|<=|>=|<|>|,|;)[^#]*?)?)"
    r"(?P<option>\s+(?P<name>--extra-index-url|--index-url|-i|--find-links|-f)(?:=|\s+)(?P<value>\S+))(?P<rest>.*)",
    0,
)


def _check(lines: WrittenLines, file: str) -> Iterator[Finding]:
    for number, last in _requirements(lines):
        if last > number:
            # Its options stand among hashes and marks of continuation: a person takes them apart.
            yield from _of_several_lines(lines, file, number, last)
            continue
        written = lines.line(number)
        found = _LINE.fullmatch(written) if len(written) <= MOST_CHARACTERS else None
        if found is None or found["rest"].rstrip().endswith("\\"):
            continue
        begin = lines.begin(number)
        requirement = found["requirement"]
        pinned, index = requirement, f"{found['name']} {found['value']}"
        cpu = found["value"].rstrip("/").endswith("/cpu")
        if cpu and TORCH.match(requirement):
            # Beside PyPI, so that every other package is still found.
            pinned = with_cpu_pin(requirement)
            index = f"--extra-index-url {found['value']}"
        certain = (cpu and pinned != requirement) or found["name"].startswith("--extra")
        edits = (
            Edit(begin, begin, f"{index}{lines.newline}"),
            Edit(begin, begin + found.end("option"), pinned),
        )
        yield Finding(
            rule=NAME,
            place=Place(file, number),
            column=found.start("name") + 1,
            text=f"pip ignores {found['name']} on the line of a requirement, and uv refuses the file",
            why="The package then comes from the default index: PyTorch with CUDA.",
            todo=f"Give it a line of its own; it then counts for the whole file:\n  {index}\n  {pinned.strip()}",
            fix=Fix(
                edits=edits,
                what="give the index a line of its own",
                safety=Safety.SAFE if certain else Safety.DECISION,
            ),
        )


def _requirements(lines: WrittenLines) -> Iterator[tuple[int, int]]:
    """Yield the first and the last line of each requirement: a backslash at the end goes on in the next."""
    number = 1
    while number <= len(lines):
        first = number
        while lines.line(number).endswith("\\") and number < min(len(lines), first + _MOST_LINES):
            number += 1
        yield first, number
        number += 1


def _of_several_lines(lines: WrittenLines, file: str, first: int, last: int) -> Iterator[Finding]:
    joined = " ".join(lines.line(number).rstrip("\\").strip() for number in range(first, last + 1))
    found = _LINE.fullmatch(joined) if len(joined) <= MOST_CHARACTERS else None
    if found is not None:
        yield Finding(
            rule=NAME,
            place=Place(file, first),
            end_line=last,
            text=f"pip ignores {found['name']} on the line of a requirement, and uv refuses the file",
            why="The package then comes from the default index: PyTorch with CUDA.",
            todo=f"Give it a line of its own; it then counts for the whole file:\n  {found['name']} {found['value']}",
        )


RULE = TextRule(
    name=NAME,
    title="an index on the line of a requirement has no effect",
    why="Options such as `--index-url` count for a whole requirement file and stand on a line of their own. Behind"
    " a requirement pip ignores them without a word, so that `torch==2.3.1 --index-url .../cpu` installs 5.1 GB with"
    " CUDA instead of 0.65 GB; uv refuses the file. With a line of its own the index is asked beside the usual one,"
    " and the exact pin `+cpu` keeps pip from choosing the other build.",
    before="torch==2.3.1 --index-url https://download.pytorch.org/whl/cpu",
    after="--extra-index-url https://download.pytorch.org/whl/cpu\ntorch==2.3.1+cpu",
    fixes=Safety.SAFE,
    check=_check,
)
