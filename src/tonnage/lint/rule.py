"""What a rule looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.model.reports.lint import RuleText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tonnage.lint.reading import DockerfileReading
    from tonnage.lint.written_lines import WrittenLines
    from tonnage.model.forecast.finding import Edit, Finding
    from tonnage.model.stack import Place


class DockerfileRule(RuleText, frozen=True, kw_only=True):
    """A rule about a Dockerfile, by itself."""

    check: Callable[[DockerfileReading], Iterable[Finding]]


class TextRule(RuleText, frozen=True, kw_only=True):
    """A rule about another file, line by line: its lines and how it is named in findings."""

    check: Callable[[WrittenLines, str], Iterable[Finding]]


class LintedService(Struct, frozen=True, kw_only=True):
    """A service that is built, as rules about a stack look at it.

    Args:
        place: Where the compose file names it.
        dockerfile: Its Dockerfile; None where that cannot be read.
        path: Where that lies; empty where it stands in the compose file.
        has_health_check: The compose file says how its health is checked, or that it is not.
        has_ignore_file: Its context has a ``.dockerignore``, or there is one for its Dockerfile.
        unneeded: Directories of its context that no image needs, with their bytes.
        pins: Exact versions in its requirement files, by name, each with its place.
        requirements: Those files, by path: how each is named, and what it holds.
        only_infers: Its Python files use PyTorch to run models, and nothing in them trains one.
    """

    name: str
    place: Place
    dockerfile: DockerfileReading | None = None
    path: str = ""
    has_health_check: bool = False
    has_ignore_file: bool = True
    unneeded: tuple[tuple[str, int], ...] = ()
    pins: Mapping[str, tuple[str, Place]] = {}
    requirements: Mapping[str, tuple[str, str]] = {}
    only_infers: bool = False


class StackFinding(Struct, frozen=True, kw_only=True):
    """Something about a stack.

    Args:
        path: The Dockerfile that would be changed, for its price; empty for none.
        edits: How.
        unneeded_bytes: Bytes that would not be copied; None where that is not about copies.
    """

    finding: Finding
    services: tuple[str, ...]
    path: str = ""
    edits: tuple[Edit, ...] = ()
    unneeded_bytes: int | None = None


class StackRule(RuleText, frozen=True, kw_only=True):
    """A rule about the services of a stack together."""

    check: Callable[[Sequence[LintedService]], Iterable[StackFinding]]
