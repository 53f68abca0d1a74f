"""Comments that say what is not to be found: those of hadolint, and ours.

``# hadolint ignore=DL3042`` or ``# tonnage: ignore=pip-cache`` above or inside of an instruction counts for it;
``# hadolint global ignore=DL3042`` or ``# tonnage: ignore-file=pip-cache`` counts for the file. Without names ours
means every rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.lazily import regex

if TYPE_CHECKING:
    from tonnage.lint.written_lines import WrittenLines
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.reports.lint import RuleText

_COMMENT = regex(
    r"#\s*(?:hadolint\s+(?P<hadolint>global\s+ignore|ignore)|tonnage:?\s*(?P<ours>ignore-file|ignore))\b\s*"
    r"(?:[=:]\s*(?P<names>[A-Za-z0-9_,/\s.-]+))?"
)
_NAME = regex(r"[A-Za-z0-9_/.-]+")


class Ignored:
    """What the comments of one file say."""

    def __init__(self, lines: WrittenLines) -> None:
        self._file: set[str] = set()
        self._lines: dict[int, set[str]] = {}
        if "#" not in lines.text or "ignore" not in lines.text:
            return
        for number in range(1, len(lines) + 1):
            line = lines.line(number)
            found = _COMMENT.search(line) if "#" in line else None
            if found is None:
                continue
            names = {each.lower() for each in _NAME.findall(found["names"] or "")} or {"*" if found["ours"] else ""}
            if (found["ours"] or "").endswith("file") or (found["hadolint"] or "").startswith("global"):
                self._file |= names
            elif line.lstrip().startswith("#"):
                self._below(lines, number, names)
            else:
                self._lines.setdefault(number, set()).update(names)

    def _below(self, lines: WrittenLines, number: int, names: set[str]) -> None:
        """Have a comment on lines of its own count for itself and for the first line below that is no comment."""
        self._lines.setdefault(number, set()).update(names)
        below = number + 1
        while below <= len(lines) and lines.line(below).lstrip().startswith("#"):
            below += 1
        self._lines.setdefault(below, set()).update(names)

    def hides(self, finding: Finding, rule: RuleText, first: int, last: int) -> bool:
        """Return whether a finding is not to be told, for something that stands on some lines."""
        said = set(self._file)
        for number in {*range(first, last + 1), finding.place.line or 0}:
            said |= self._lines.get(number, set())
        return "*" in said or bool(said & rule.names)
