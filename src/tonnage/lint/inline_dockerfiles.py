"""What rules find in Dockerfiles that stand in a compose file, on its lines; nothing there is fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.errors import TonnageError, UsageError
from tonnage.lint.dockerfiles import dockerfile_findings
from tonnage.model.stack import Place
from tonnage.sources.compose.nodes import documents
from tonnage.sources.compose.yaml_text import read_documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tonnage.lint.rule import DockerfileRule
    from tonnage.model.forecast.finding import Finding
    from tonnage.sources.compose.nodes import ComposeNode


class _Inline(Struct, frozen=True):
    """A Dockerfile in a compose file: its service, its text, and the line on which its first one stands."""

    service: str
    text: str
    line: int
    in_step: bool
    """Each line of it is a line of the file."""


def inline_findings(
    text: str,
    file: str,
    rules: Sequence[DockerfileRule],
    context_text: Callable[[str], str | None] | None = None,
) -> tuple[Finding, ...]:
    """Return what is found in the Dockerfiles of a compose file.

    Args:
        file: How the compose file is named in findings.

    Raises:
        UsageError: It is no YAML, or one of the Dockerfiles is none.
    """
    found: dict[tuple[object, ...], Finding] = {}
    for each in _inline(text, file):
        try:
            inner = dockerfile_findings(each.text, file, rules=rules, context_text=context_text)
        except TonnageError as error:
            said = str(error).splitlines()[0].removeprefix(f"{file}:").lstrip("0123456789: ")
            raise UsageError(f"the Dockerfile of {each.service}: {said}", place=str(Place(file, each.line))) from error
        # Services that share a section by an alias have one Dockerfile.
        for placed in (_placed(finding, each, file) for finding in inner):
            found.setdefault((placed.rule, placed.place, placed.text), placed)
    return tuple(sorted(found.values(), key=lambda finding: finding.place.line or 0))


def _placed(finding: Finding, of: _Inline, file: str) -> Finding:
    line = of.line + (finding.place.line or 1) - 1 if of.in_step else of.line
    end_line = of.line + finding.end_line - 1 if of.in_step and finding.end_line else line
    # What is offered as a fix has its places in another text.
    todo = finding.todo or (f"{finding.fix.what}." if finding.fix is not None else "")
    return replace(
        finding, place=Place(file, line), column=0, end_line=end_line, fix=None, tried=(), changes_at=None, todo=todo
    )


def _inline(text: str, file: str) -> Iterator[_Inline]:
    written = read_documents(text, file)
    lines = text.splitlines()
    for document in documents(written):
        for name, service in _children(_child(document, "services")):
            inline = _child(_child(service, "build"), "dockerfile_inline")
            if inline is None or not isinstance(inline.value, str) or not inline.value.strip():
                continue
            # Compose takes two signs of a dollar for one that is meant.
            own = inline.value.replace("$$", "$")
            first = (inline.place.line or 1) + 1
            there = [line.strip() for line in lines[first - 1 : first - 1 + len(inline.value.splitlines())]]
            in_step = there == [line.strip() for line in inline.value.splitlines()]
            yield _Inline(name, own, first if in_step else first - 1, in_step)


def _child(node: ComposeNode | None, name: str) -> ComposeNode | None:
    return dict(_children(node)).get(name)


def _children(node: ComposeNode | None) -> list[tuple[str, ComposeNode]]:
    return list(node.value.items()) if node is not None and isinstance(node.value, dict) else []
