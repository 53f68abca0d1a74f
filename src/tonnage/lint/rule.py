"""What a rule looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.reports.lint import RuleText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tonnage.lint.reading import DockerfileReading
    from tonnage.lint.written_lines import WrittenLines
    from tonnage.model.forecast.finding import Finding


class DockerfileRule(RuleText, frozen=True, kw_only=True):
    """A rule about a Dockerfile, by itself."""

    check: Callable[[DockerfileReading], Iterable[Finding]]


class TextRule(RuleText, frozen=True, kw_only=True):
    """A rule about another file, line by line: its lines and how it is named in findings."""

    check: Callable[[WrittenLines, str], Iterable[Finding]]
