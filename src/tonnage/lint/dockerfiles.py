"""What the rules find in one Dockerfile, in the order of its lines."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from tonnage.lint.ignoring import Ignored
from tonnage.lint.reading import read_for_rules
from tonnage.lint.rules import DOCKERFILE_RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.lint.reading import DockerfileReading
    from tonnage.lint.rule import DockerfileRule
    from tonnage.model.forecast.finding import Finding


def dockerfile_findings(
    text: str,
    file: str,
    *,
    build_args: Mapping[str, str] | None = None,
    target: str = "",
    rules: Sequence[DockerfileRule] = DOCKERFILE_RULES,
    context_text: Callable[[str], str | None] | None = None,
) -> tuple[Finding, ...]:
    """Return what is found in a Dockerfile.

    Args:
        file: How it is named in findings.
        context_text: Returns the text of a file of the context; None for none.

    Raises:
        UsageError: It is none, or says what no builder accepts.
    """
    return findings_of(
        read_for_rules(text, file, build_args=build_args, target=target, context_text=context_text), rules
    )


def findings_of(read: DockerfileReading, rules: Sequence[DockerfileRule] = DOCKERFILE_RULES) -> tuple[Finding, ...]:
    """Return what is found in a Dockerfile that was read."""
    ignored = Ignored(read.lines)
    begins = [each.line for each in read.dockerfile.instructions]
    ends = {each.line: each.end_line for each in read.dockerfile.instructions}
    found: dict[tuple[object, ...], Finding] = {}
    for rule in rules:
        for finding in rule.check(read):
            line = finding.place.line or 1
            first = begins[max(0, bisect_right(begins, line) - 1)]
            if not ignored.hides(finding, rule, first, ends[first]):
                # A command of a loop is read once for each turn.
                found.setdefault((finding.rule, finding.place, finding.column, finding.text), finding)
    return tuple(sorted(found.values(), key=lambda each: (each.place.line or 0, each.column)))
