"""What was found in files, for people: what saves most first, each with its place and what fixes it."""

from __future__ import annotations

import difflib
from collections import Counter
from typing import TYPE_CHECKING

from tonnage.escapes import visible_in_line
from tonnage.model.forecast.finding import Safety
from tonnage.units import format_bytes
from tonnage.views.text.layout import joined, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.reports.lint import LintChange, LintReport

_UNPRICED = "-"
_NARROWEST = 30


def lint_text(report: LintReport, *, width: int = 80) -> str:
    """Write what was found; ``width`` is that of the terminal, in characters."""
    findings = _by_rule(report.findings)
    sizes = [saving_text(each) for each in findings]
    widest = max(map(len, sizes), default=0)
    lines: list[str] = []
    said: list[str] = []
    for finding, size in zip(findings, sizes, strict=True):
        head, *body = _lines(finding, size.rjust(widest), width)
        # What is the same in several places is said once, below the last of them.
        if body != said:
            lines += said
        said = body
        lines.append(head)
    lines += said
    lines += [f"{each.shown}: skipped: {each.failure}" for each in report.files if each.failure]
    if lines:
        lines.append("")
    lines += _ending(report, width)
    return joined(lines)


def _by_rule(findings: Sequence[Finding]) -> list[Finding]:
    """Return what has a figure as it is, and what has none rule by rule."""
    priced = [each for each in findings if saving_text(each) != _UNPRICED]
    others = [each for each in findings if saving_text(each) == _UNPRICED]
    rules = list(dict.fromkeys(each.rule for each in others))
    return [*priced, *sorted(others, key=lambda each: rules.index(each.rule))]


def price_text(price: Estimate | None) -> str:
    """Return a price in a few characters."""
    if price is None or price.told_bytes is None:
        return _UNPRICED
    return format_bytes(price.likely_bytes)


def saving_text(finding: Finding) -> str:
    """Return what a finding saves in a few characters: what is kept, else what is needed for a moment."""
    if finding.price is None and finding.peak is not None:
        return price_text(finding.peak)
    if finding.price is None and finding.change is not None:
        return format_bytes(finding.change.now.likely_bytes - finding.change.then.likely_bytes)
    return price_text(finding.price)


def _said_of_saving(finding: Finding) -> str:
    """Say how the figure is known, and what it is of where that is not what the disk keeps."""
    if finding.price is not None and finding.price.told_bytes is not None:
        return f" ({finding.price.grade})"
    if finding.peak is not None:
        return f" (less at the worst moment, {finding.peak.grade})"
    return " (less for each change)" if finding.change is not None else ""


def _change_said(finding: Finding) -> str:
    change = finding.change
    if change is None:
        return ""
    now, then = (f"{format_bytes(each.likely_bytes)} ({each.grade})" for each in (change.now, change.then))
    return f" One change writes {now}, and {then} with this."


def change_text(change: LintChange) -> str:
    """Write what a fix changes in a file, as a diff."""
    before, after = (each.splitlines() for each in (change.before, change.after))
    name = visible_in_line(change.file.shown)
    return joined(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", lineterm=""))


def _lines(finding: Finding, size: str, width: int) -> list[str]:
    indent = " " * (len(size) + 2)
    room = max(width - len(indent), _NARROWEST)
    found = [f"{size}  {visible_in_line(str(finding.place))}  {finding.rule}{_said_of_saving(finding)}"]
    fix = finding.fix
    done = ""
    if fix is not None:
        option = "--fix" if fix.safety is Safety.SAFE else f"--fix={finding.rule}"
        done = f" Fixed by {option}: {fix.what}."
    why = f" {finding.why}" if finding.why else ""
    said = f"{finding.text}.{why}{_change_said(finding)}{done}"
    found += [indent + line for line in wrapped(visible_in_line(said), room)]
    if fix is None and finding.todo:
        for line in finding.todo.splitlines():
            copied = line.startswith("  ")
            pieces = [line] if copied else wrapped(visible_in_line(line), room)
            found += [indent + piece for piece in pieces]
    return found


def _ending(report: LintReport, width: int) -> list[str]:
    looked = sum(not each.failure for each in report.files)
    files = f"{looked} file{'s' if looked != 1 else ''}"
    if not report.findings:
        return [f"nothing found ({files} checked)"]
    count = len(report.findings)
    text = f"{count} finding{'s' if count != 1 else ''} ({files} checked)"
    if report.removable is not None and report.removable.likely_bytes > 0:
        text += f"; {price_text(report.removable)} less on disk with every fix applied ({report.removable.grade})"
    if report.unpriced:
        text += f"; savings are unknown: {report.unpriced}"
    reasons = Counter(each.unpriced for each in report.findings if each.unpriced)
    told = [f"{count} without a saving: {reason}" for reason, count in reasons.items()]
    safe = sum(each.fix is not None and each.fix.safety is Safety.SAFE for each in report.findings)
    lines = wrapped(text, width)
    for each in told:
        lines += wrapped(each, width, then="  ")
    if safe and not report.changes:
        lines.append(f"{safe} can be fixed safely:")
        lines.append("  tonnage lint --fix")
    return lines


def changed_text(changes: Sequence[LintChange], *, written: bool) -> str:
    """Say what was changed, or would be."""
    count = sum(len(each.fixed) for each in changes)
    files = ", ".join(each.file.shown for each in changes)
    if not changes:
        return "nothing to fix"
    verb = "fixed" if written else "would be fixed"
    return joined([f"{count} finding{'s' if count != 1 else ''} {verb} in {files}"])


def smaller_text(findings: Sequence[Finding], *, width: int = 80) -> str:
    """Write what would make a stack smaller, a line for each; empty for nothing."""
    if not findings:
        return ""
    sizes = [price_text(each.price) for each in findings]
    widest = max(map(len, sizes))
    lines = ["what would make it smaller (details: tonnage lint):"]
    for finding, size in zip(findings, sizes, strict=True):
        fix = finding.fix
        how = "" if fix is None else " (--fix)" if fix.safety is Safety.SAFE else f" (--fix={finding.rule})"
        line = f"  {size.rjust(widest)}  {visible_in_line(str(finding.place))}  {visible_in_line(finding.text)}"
        room = max(width, _NARROWEST) - len(how)
        lines.append((line if len(line) <= room else f"{line[: room - 3].rstrip()}...") + how)
    return joined(lines)
