"""The comment on a pull request about what lint found: each finding with its bytes, what saves most first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.units import format_bytes
from tonnage.views.ci.markdown import COMMENT_CHARACTERS, LongTable, document, literal, word

if TYPE_CHECKING:
    from tonnage.model.reports.ci_job import Figures, JobLint, LintOfJob

MARKER = "<!-- tonnage: lint -->"
"""What a comment of ours begins with, by which it is found again."""
_HEAD = ("finding", "saves", "fixed by")


def lint_comment(found: JobLint) -> str:
    """Write the comment."""
    count = len(found.findings)
    removable = _size(found.removable_bytes)
    above = [MARKER, "### What wastes disk"]
    if not count:
        return document([*above, "Nothing was found."], _table(found), [], characters=COMMENT_CHARACTERS)
    total = f", {removable} with all that can be fixed" if removable else ""
    above.append(f"{count} finding{'s' if count != 1 else ''}{total}.")
    below = ["Prices are differences of two forecasts: nothing was built. To fix what is safe: `tonnage lint --fix`"]
    return document(above, _table(found), below, characters=COMMENT_CHARACTERS)


def _table(found: JobLint) -> LongTable:
    return LongTable(head=_HEAD, rows=map(_row, found.findings), count=len(found.findings), things="findings")


def _row(each: LintOfJob) -> tuple[str, str, str]:
    place = each.file if each.line is None else f"{each.file}:{each.line}"
    how = "a person" if each.fix is None else "--fix" if each.fix.safety == "safe" else f"--fix={each.rule}"
    said = f"{literal(place)} {literal(each.rule)}<br>{literal(each.text, 300)}"
    return said, _size(each.price_bytes), word(how) if each.fix is None else literal(how)


def _size(figures: Figures | None) -> str:
    if figures is None or figures.likely is None:
        return ""
    return f"{format_bytes(figures.likely)} ({word(figures.grade)})"
