"""What the rules find in files that are no Dockerfiles, in the order of their lines."""

from __future__ import annotations

import contextlib
from itertools import islice
from typing import TYPE_CHECKING

from tonnage.errors import CannotFetchError, UsageError
from tonnage.forecast.requirements.encodings import decoded
from tonnage.forecast.requirements.files import read_requirements
from tonnage.lazily import regex
from tonnage.lint.ignoring import Ignored
from tonnage.lint.written_lines import WrittenLines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.lint.rule import TextRule
    from tonnage.model.forecast.finding import Finding

_VARIABLE = regex(r"\$\{([A-Z0-9_]+)\}")
# What stands in requirements, and rarely in sentences.
_MEANT = regex(r"[=<>~@\[]")
# So many lines tell what kind of file it is.
_LINES_TRIED = 200


def refuse_no_requirements(text: str, file: str) -> None:
    """Refuse a requirement file with a line that pip cannot read either; files that it includes are no question here.

    Args:
        text: As it was read, with bytes that are no text kept.

    Raises:
        UsageError: A line is no requirement, or an option lacks its value.
    """
    written = decoded(text.encode("utf-8", "surrogateescape"))
    # How many there may be is a limit of looking them up.
    with contextlib.suppress(CannotFetchError):
        # What a variable holds nobody knows here; any name and version will do.
        held = dict.fromkeys(_VARIABLE.findall(written), "1")
        read_requirements(file, lambda path: written if path == file else "", environment=held)


def is_prose(text: str, file: str) -> bool:
    """Tell whether most lines are sentences, as in a document that only has the name of a requirement file.

    Args:
        text: As it was read, with bytes that are no text kept.
    """
    written = (line for each in text.splitlines() if (line := each.strip()) and not line.startswith("#"))
    # A word alone may be either.
    lines = [line for line in islice(written, _LINES_TRIED) if " " in line or _MEANT.search(line)]
    return 2 * sum(_is_sentence(line, file) for line in lines) > len(lines)


def _is_sentence(line: str, file: str) -> bool:
    if line.startswith("- "):
        return True
    if _MEANT.search(line):
        return False
    try:
        refuse_no_requirements(line, file)
    except UsageError:
        return True
    return False


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
