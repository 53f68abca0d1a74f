"""What the rules find in files that are no Dockerfiles, in the order of their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lint.ignoring import Ignored
from tonnage.lint.written_lines import WrittenLines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.lint.rule import TextRule
    from tonnage.model.forecast.finding import Finding


def text_findings(text: str, file: str, rules: Sequence[TextRule]) -> tuple[Finding, ...]:
    """Return what some rules find in a file.

    Args:
        file: How it is named in findings.
    """
    lines = WrittenLines(text)
    ignored = Ignored(lines)
    found = [
        finding
        for rule in rules
        for finding in rule.check(lines, file)
        if not ignored.hides(finding, rule, finding.place.line or 1, finding.end_line or finding.place.line or 1)
    ]
    return tuple(sorted(found, key=lambda each: (each.place.line or 0, each.column)))
