"""What steps of a workflow do to the disk, job by job, as far as their text says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import UsageError
from tonnage.lazily import regex
from tonnage.sources.compose.yaml_text import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.lint.written_lines import WrittenLines

MOST_CHARACTERS = 4_000
"""Of a line that is looked at."""
BUILD = regex(
    r"docker(?:-compose| compose)(?: [^&|;\n]{0,200}?)? (?:build|up\b[^&|;\n]{0,200}--build)"
    r"|docker(?: buildx| image)? (?:build|bake)\b|uses:\s*[\"']?docker/(?:build-push|bake)-action"
)
PRUNE = regex(r"docker(?: system| builder| buildx| image) prune\b(?P<options>[^&|;\n]*)")
_JOB = regex(r"  [A-Za-z_\"'][\w\"'-]*:\s*(?:#.*)?")


class WorkflowText(Struct, frozen=True):
    """Something on a line: its number, where on it that begins (from 1), and the text."""

    line: int
    column: int
    text: str


class WorkflowJob(Struct):
    """The lines of one job, by number and without comments."""

    lines: list[tuple[int, str]]

    def found(self, pattern: object) -> list[WorkflowText]:
        """Return where a pattern stands, in order."""
        return [
            WorkflowText(number, match.start() + 1, match[0])
            for number, text in self.lines
            for match in pattern.finditer(text)  # type: ignore[attr-defined]
        ]


def refuse_no_workflow(text: str, file: str) -> None:
    """Refuse a text that is no workflow, of which rules that look at lines would have nothing to say; one may be empty.

    Raises:
        UsageError: It is no YAML, or no mapping.
    """
    try:
        written = read_yaml(text, file)
    except UsageError as error:
        # A number as a key, such as GitHub takes it, is no error here.
        if "key must be text, not" in error.what:
            return
        raise
    if written.value is not None and not isinstance(written.value, dict):
        raise UsageError("this is no workflow", why="It is no mapping with jobs.", place=file)


def jobs(lines: WrittenLines) -> Iterator[WorkflowJob]:
    """Yield the jobs of a workflow; what stands above them belongs to the first."""
    job = WorkflowJob([])
    in_jobs = False
    for number in range(1, len(lines) + 1):
        text = lines.line(number)
        if len(text) > MOST_CHARACTERS or text.lstrip().startswith("#"):
            continue
        if text.startswith("jobs:"):
            in_jobs = True
        elif in_jobs and _JOB.fullmatch(text):
            yield job
            job = WorkflowJob([])
        job.lines.append((number, text))
    yield job
