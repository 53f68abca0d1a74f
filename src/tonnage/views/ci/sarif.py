"""What was found in files, as SARIF 2.1.0 for code scanning of GitHub, within its limits.

Source: "SARIF support for code scanning" of GitHub: 10 MB compressed, 25,000 results of which 5,000 are shown, 20 tags
for a rule, and the fingerprint ``primaryLocationLineHash``.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from tonnage.addresses import redacted
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from tonnage.model.forecast.finding import Finding
    from tonnage.model.reports.lint import LintReport, RuleText

_MOST_RESULTS, _MOST_TAGS, _MOST_UNREAD = 5_000, 20, 1_000
# Before it is compressed, and with what else is in the log: so it is below the limit in any case.
_MOST_BYTES = 8_000_000
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_ERROR_BYTES, _WARNING_BYTES = 1_000_000_000, 10_000_000


def sarif_form(report: LintReport, *, version: str) -> dict[str, object]:
    """Return the log of one run.

    What saves most comes first. What goes beyond the limits is left out, which the log says itself.

    Args:
        version: Of this program.
    """
    numbers = {rule.name: number for number, rule in enumerate(report.rules)}
    seen: dict[str, int] = {}
    results: list[dict[str, object]] = []
    left_bytes = _MOST_BYTES
    for each in report.findings[:_MOST_RESULTS]:
        result = _result(each, numbers[each.rule], seen)
        left_bytes -= len(json.dumps(result))
        if left_bytes < 0:
            break
        results.append(result)
    driver = {
        "name": "Tonnage",
        "semanticVersion": version.partition("+")[0],
        "rules": [_rule(each) for each in report.rules],
    }
    unread = [
        {"level": "error", "message": {"text": redacted(f"{each.shown}: {each.failure}")}}
        for each in [each for each in report.files if each.failure][:_MOST_UNREAD]
    ]
    left_out = _left_out(len(report.findings) - len(results))
    notes = [{"level": "warning", "message": {"text": left_out}}] if left_out else []
    run = {
        "tool": {"driver": driver},
        "results": results,
        "invocations": [{"executionSuccessful": not unread, "toolExecutionNotifications": [*unread, *notes]}],
        "columnKind": "unicodeCodePoints",
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def left_out_of_sarif(report: LintReport, form: dict[str, object]) -> str:
    """Return what a log does not say of the findings that save least; nothing where it has all of them."""
    runs = form["runs"]
    assert isinstance(runs, list)  # noqa: S101 - of our own form
    return _left_out(len(report.findings) - len(runs[0]["results"]))


def _left_out(missing: int) -> str:
    if not missing:
        return ""
    findings = "1 finding is" if missing == 1 else f"{missing:,} findings are"
    return f"{findings} left out, those that save least: code scanning shows {_MOST_RESULTS:,} and takes 10 MB"


def _rule(rule: RuleText) -> dict[str, object]:
    return {
        "id": rule.name,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why}\n\n{rule.before}\n\nbecomes\n\n{rule.after}"},
        "properties": {"tags": ["disk", *rule.aliases][:_MOST_TAGS]},
    }


def _address(file: str) -> str:
    """Return a relative path as part of an address (RFC 3986)."""
    written = file.encode(errors="surrogateescape")
    return "".join(chr(each) if chr(each) in _PLAIN else f"%{each:02X}" for each in written)


def _result(finding: Finding, number: int, seen: dict[str, int]) -> dict[str, object]:
    known = finding.price is not None and finding.price.told_bytes is not None
    price = finding.price.likely_bytes if finding.price is not None and known else None
    level = "note"
    if price is None or price >= _WARNING_BYTES:
        level = "error" if price is not None and price >= _ERROR_BYTES else "warning"
    region: dict[str, object] = {"startLine": finding.place.line or 1}
    if finding.end_line > (finding.place.line or 1):
        region["endLine"] = finding.end_line
    if finding.column:
        region["startColumn"] = finding.column
    saves = "" if price is None else f" Fixing it saves {format_bytes(price)} (forecast)."
    identity = f"{finding.rule}:{finding.place.file}:{finding.text}"
    digest = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:16]
    # The same once more in the file is another one.
    seen[digest] = seen.get(digest, 0) + 1
    return {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "level": level,
        "message": {"text": redacted(f"{finding.text}. {finding.why}{saves}".replace("  ", " "))},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _address(finding.place.file)},
                    "region": region,
                }
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": f"{digest}:{seen[digest]}"},
        "properties": {} if price is None else {"bytes": price},
    }
