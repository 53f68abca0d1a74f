"""What was found in files, as annotations of GitHub Actions: one workflow command for each, at its line.

GitHub shows ten warnings of a step: the first ones save most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.addresses import redacted
from tonnage.escapes import visible_in_line
from tonnage.views.text.lint import price_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.model.forecast.finding import Finding
    from tonnage.model.reports.lint import LintReport


def annotation_lines(report: LintReport) -> str:
    """Return one line for each finding, and one for each file that could not be read."""
    lines = [_warning(each) for each in report.findings]
    lines += [f"::error file={_property(each.shown)}::{_data(each.failure)}" for each in report.files if each.failure]
    return _lines(lines)


def annotation(level: str, text: str, *, file: str = "", line: int = 0) -> str:
    """Return one annotation; without a file it stands at the job.

    Args:
        level: ``error``, ``warning`` or ``notice``.
    """
    where = f" file={_property(file)},line={line or 1}" if file else ""
    return f"::{level}{where}::{_data(text)}"


def _warning(finding: Finding) -> str:
    price = finding.price is not None and finding.price.told_bytes
    title = f"{finding.rule}: {price_text(finding.price)}" if price else finding.rule
    where = {
        "file": finding.place.file,
        "line": str(finding.place.line or 1),
        "endLine": str(finding.end_line or finding.place.line or 1),
        **({"col": str(finding.column)} if finding.column else {}),
        "title": title,
    }
    said = f"{finding.text}. {finding.why}".rstrip()
    return f"::warning {','.join(f'{name}={_property(value)}' for name, value in where.items())}::{_data(said)}"


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _data(text: str) -> str:
    """Escape a text. Source: ``toolkit/packages/core/src/command.ts``."""
    return visible_in_line(redacted(text)).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
