from __future__ import annotations

import re
import tomllib

from tests.architecture.source_tree import ROOT

EXCEPTION = re.compile(r"#\s*noqa:\s*(?P<rules>[A-Z0-9]+(?:, *[A-Z0-9]+)*)(?P<reason> - .+)?")


def test_every_exception_from_a_security_rule_has_a_reason() -> None:
    without = []
    for directory in ("src", "bench", "examples"):
        for path in sorted((ROOT / directory).rglob("*.py")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                found = EXCEPTION.search(line)
                if found and re.search(r"\bS\d", found["rules"]) and not found["reason"]:
                    without.append(f"{path.relative_to(ROOT)}:{number}")
    assert not without


def test_the_security_rules_are_on_for_what_people_run() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    assert not [rule for rule in lint["ignore"] if rule.startswith("S") and rule[1:].isdigit()]
    off = {place: [r for r in rules if re.fullmatch(r"S\d*", r)] for place, rules in lint["per-file-ignores"].items()}
    assert {place: rules for place, rules in off.items() if rules} == {
        "tests/**": ["S"],
        "bench/**": ["S603", "S607"],
        "script/**": ["S603", "S607"],
    }
