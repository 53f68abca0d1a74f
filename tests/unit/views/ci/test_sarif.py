from __future__ import annotations

import json
from typing import Any, cast

import pytest

from tonnage.lint.rules import RULES
from tonnage.model.forecast.estimate import exactly
from tonnage.model.forecast.finding import Finding
from tonnage.model.reports.lint import LintReport
from tonnage.model.stack import Place
from tonnage.views.ci.sarif import left_out_of_sarif, sarif_form


def report(count: int, text: str) -> LintReport:
    findings = [
        Finding(
            rule="pip-cache", place=Place(f"s{number}/Dockerfile", 3), text=text, price=exactly(10_000_019 - number)
        )
        for number in range(count)
    ]
    return LintReport(rules=RULES, findings=tuple(findings))


@pytest.mark.parametrize(
    ("count", "text", "kept"), [(7, "short", 7), (5_003, "short", 5_000), (2_003, "long" * 2_003, None)]
)
def test_what_saves_least_is_left_out_of_a_log_that_is_too_large(count: int, text: str, kept: int | None) -> None:
    made = report(count, text)
    form = sarif_form(made, version="1.0")
    run = cast("dict[str, Any]", form)["runs"][0]
    results = run["results"]
    assert kept is None or len(results) == kept
    assert 0 < len(results) <= count
    assert len(json.dumps(form)) < 10_000_000
    assert [each["properties"]["bytes"] for each in results] == [10_000_019 - number for number in range(len(results))]
    told = [each["message"]["text"] for each in run["invocations"][0]["toolExecutionNotifications"]]
    missing = count - len(results)
    assert told == ([] if not missing else [left_out_of_sarif(made, form)])
    assert not missing or f"{missing:,} findings are left out, those that save least" in told[0]
