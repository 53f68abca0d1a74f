"""Findings as people read them: what is the same in several places is said once."""

from __future__ import annotations

from tonnage.model.forecast.estimate import exactly
from tonnage.model.forecast.finding import Finding
from tonnage.model.reports.lint import LintReport
from tonnage.model.stack import Place
from tonnage.views.text.lint import lint_text


def finding(rule: str, file: str, *, price_bytes: int | None = None) -> Finding:
    price = None if price_bytes is None else exactly(price_bytes)
    return Finding(rule=rule, place=Place(file, 3), text=f"{rule} is wrong", why="It costs bytes.", price=price)


def test_what_is_the_same_in_several_places_is_said_once_below_them() -> None:
    found = (
        finding("bytecode", "a", price_bytes=20_000_000),
        finding("bytecode", "b", price_bytes=19_000_000),
        finding("pip-cache", "a"),
        finding("apt-lists", "a"),
        finding("pip-cache", "b"),
    )
    lines = lint_text(LintReport(findings=found)).splitlines()
    assert lines[:3] == [
        "20.0 MB  a:3  bytecode (exact)",
        "19.0 MB  b:3  bytecode (exact)",
        "         bytecode is wrong. It costs bytes.",
    ]
    assert [line.split()[1] for line in lines[3:8] if line.lstrip().startswith("-")] == ["a:3", "b:3", "a:3"]
    assert sum("pip-cache is wrong" in line for line in lines) == 1
