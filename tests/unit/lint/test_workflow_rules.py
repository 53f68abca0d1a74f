from __future__ import annotations

import pytest

from tonnage.lint.rules import WORKFLOW_RULES
from tonnage.lint.text_files import text_findings

HEAD = "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n"


def found(text: str) -> list[tuple[str, int]]:
    whole = text if text.startswith("on:") else HEAD + text
    return [(each.rule, each.place.line or 0) for each in text_findings(whole, "ci.yml", WORKFLOW_RULES)]


def rules_in(text: str) -> list[str]:
    return [rule for rule, _ in found(text)]


@pytest.mark.parametrize("rule", WORKFLOW_RULES, ids=lambda rule: rule.name)
def test_a_rule_finds_what_its_page_shows_and_not_what_it_advises(rule: object) -> None:
    assert rule.name in rules_in(rule.before)  # type: ignore[attr-defined]
    assert not rules_in(rule.after)  # type: ignore[attr-defined]


def test_a_pasted_list_is_one_finding_at_its_first_line() -> None:
    text = "      - run: |\n          sudo rm -rf /usr/share/dotnet /opt/ghc\n          rm -rf $AGENT_TOOLSDIRECTORY\n"
    assert found(text) == [("pasted-cleanup", 7)]
    assert rules_in("      - uses: jlumbroso/free-disk-space@v1.3.1\n") == ["pasted-cleanup"]
    assert not rules_in("      - run: rm -rf build/ /tmp/x\n      # rm -rf /opt/ghc\n")


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("      - run: docker build a && docker system prune -af && docker build b\n", True),
        ("      - run: docker build a\n      - run: docker builder prune --all\n      - run: docker build b\n", True),
        ("      - run: docker system prune -af\n      - run: docker build a\n      - run: docker build b\n", False),
        ("      - run: docker build a\n      - run: docker build b\n      - run: docker system prune -af\n", False),
        ("      - run: docker build a\n      - run: docker image prune -f\n      - run: docker build b\n", False),
        (
            (
                "      - uses: docker/build-push-action@v6\n      - run: docker system prune -af\n"
                "  other:\n    steps:\n      - run: docker build b\n"
            ),
            False,
        ),
    ],
)  # fmt: skip
def test_a_prune_between_two_builds_of_a_job_is_found(text: str, finds: bool) -> None:  # noqa: FBT001 - a case
    assert ("prune-between-builds" in rules_in(text)) is finds


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("      - run: docker compose -f a.yml build --pull\n", True),
        ("      - run: docker compose up -d --build\n", True),
        ("      - uses: docker/bake-action@v5\n", True),
        ("      - run: docker build .\n", False),
        ("      - run: df -h\n      - run: docker compose build\n", False),
        ("      - uses: example/tonnage@v1\n      - run: docker compose build\n", False),
        ("      - run: docker compose up -d\n", False),
        ("      - run: |\n          # tonnage: ignore=no-disk-check\n          docker compose build\n", False),
    ],
)
def test_builds_without_a_look_at_the_disk_are_found(text: str, finds: bool) -> None:  # noqa: FBT001 - a case
    assert ("no-disk-check" in rules_in(text)) is finds


@pytest.mark.parametrize("text", ["", "\x00\xff", "jobs:\n" * 50, "docker compose up " * 2_000, "rm -rf " * 5_000])
def test_what_is_no_workflow_is_no_trouble(text: str) -> None:
    assert isinstance(found(f"on: push\n{text}\n"), list)
