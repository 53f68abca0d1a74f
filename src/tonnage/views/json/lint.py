"""What was found in files, as the documented form of ``docs/json.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.addresses import redacted
from tonnage.views.json.forms import figures

if TYPE_CHECKING:
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.reports.lint import LintedFile, LintReport


def lint_form(report: LintReport) -> dict[str, object]:
    """Return what was found."""
    aliases = {rule.name: rule.aliases for rule in report.rules}
    return {
        "findings": [_finding_form(each, aliases.get(each.rule, ())) for each in report.findings],
        "removable_bytes": None if report.removable is None else figures(report.removable),
        "files": [
            {"file": each.shown, "kind": str(each.kind), "failure": redacted(each.failure)} for each in report.files
        ],
        "changed": [
            {"file": each.file.shown, "fixed": [f"{one.rule} {one.place}" for one in each.fixed]}
            for each in report.changes
        ],
        "unpriced": report.unpriced,
        "notes": list(report.notes),
    }


def _file_form(file: LintedFile) -> dict[str, object]:
    return {"file": file.shown, "kind": str(file.kind), "failure": redacted(file.failure)}


def _finding_form(finding: Finding, aliases: tuple[str, ...]) -> dict[str, object]:
    fix = finding.fix
    return {
        "rule": finding.rule,
        "aliases": list(aliases),
        "file": finding.place.file,
        "line": finding.place.line,
        "column": finding.column or None,
        "end_line": finding.end_line or finding.place.line,
        "text": redacted(finding.text),
        "why": redacted(finding.why),
        "todo": redacted(finding.todo),
        "fix": None if fix is None else {"what": fix.what, "safety": str(fix.safety)},
        "price_bytes": None if finding.price is None else figures(finding.price),
        "peak_bytes": None if finding.peak is None else figures(finding.peak),
        "change_bytes": None
        if finding.change is None
        else {"now": figures(finding.change.now), "then": figures(finding.change.then)},
        "unpriced": finding.unpriced,
        "services": list(finding.services),
    }
