from __future__ import annotations

from pathlib import Path

from tests.docs.lint_reference import page

from tonnage.lint.rules import RULES


def test_the_page_about_rules_is_what_the_rules_say() -> None:
    written = Path(__file__).resolve().parents[2] / "docs" / "lint.md"
    assert written.read_text() == page()


def test_no_name_means_two_rules_but_that_of_another_linter() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert not set(names) & {alias for rule in RULES for alias in rule.aliases}
