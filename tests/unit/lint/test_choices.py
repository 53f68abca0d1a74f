"""Rules about choices: found in the commands that they are about, with fixes that hold."""

from __future__ import annotations

import pytest
from tests.unit.lint.test_corpus import FORMS

from tonnage.lint.dockerfiles import dockerfile_findings
from tonnage.lint.fixing import with_edits, with_fixes
from tonnage.lint.rules import CHOICES, DOCKERFILE_RULES, RULES
from tonnage.lint.same_commands import does_the_same
from tonnage.sources.dockerfile.parser import read_dockerfile

BASE = "FROM python:3.11-slim\n"


def found(text: str, rule: str) -> list[str]:
    findings = dockerfile_findings(BASE + text, "Dockerfile", rules=CHOICES)
    return [each.text for each in findings if each.rule == rule]


def fix(text: str, rule: str) -> str:
    return with_fixes(
        text,
        lambda each: dockerfile_findings(each, "Dockerfile", rules=(*DOCKERFILE_RULES, *CHOICES)),
        lambda each: each.rule == rule,
        same=does_the_same,
    ).text


def test_choices_are_told_from_a_figure_on_and_are_no_waste() -> None:
    assert {each.name for each in CHOICES} <= {each.name for each in RULES if each.least_bytes}
    assert not {each.name for each in CHOICES} & {each.name for each in DOCKERFILE_RULES}


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("RUN pip install -r r.txt", "RUN pip install --no-compile -r r.txt"),
        ("RUN python3 -m pip install a && b", "RUN python3 -m pip install --no-compile a && b"),
        ("RUN uv sync --compile-bytecode --frozen", "RUN uv sync --frozen"),
    ],
)
def test_bytecode_is_left_out(text: str, after: str) -> None:
    assert fix(BASE + text, "bytecode") == BASE + after
    assert not found(after, "bytecode")


@pytest.mark.parametrize(
    "text", ["RUN pip install --no-compile a", "RUN uv pip install a", "RUN pip download a", "RUN pip wheel a"]
)
def test_an_install_without_bytecode_is_no_finding(text: str) -> None:
    assert not found(text, "bytecode")


@pytest.mark.parametrize(
    "text",
    [
        "RUN pip install a && find /usr/local/lib -type d -name tests -exec rm -rf {} +",
        "RUN find / -depth -type d \\( -name test -o -name tests \\) -exec rm -rf {} + ; pip install a",
        "RUN pip download a",
    ],
)
def test_tests_that_are_removed_or_never_installed_are_no_finding(text: str) -> None:
    assert not found(text, "wheel-leftovers")


def test_tests_are_removed_where_packages_lie() -> None:
    assert "find /opt/venv -depth" in fix(
        f"{BASE}RUN python -m venv /opt/venv && /opt/venv/bin/pip install a\n", "wheel-leftovers"
    )
    assert "find /usr/local/lib -depth" in fix(f"{BASE}RUN pip install a\n", "wheel-leftovers")
    # Where another image has its packages nobody knows, and find ends a build that has no such directory.
    other = "FROM debian:bookworm AS a\nFROM a\nRUN pip install a\n"
    assert fix(other, "wheel-leftovers") == other


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rule", ["bytecode", "wheel-leftovers"])
def test_fixes_hold_in_every_form_and_are_made_once(form: str, rule: str) -> None:
    text = FORMS[form](f"{BASE}# heavy\nRUN pip install --no-cache-dir torch==2.3.1 && true\nCMD x\n")
    once = fix(text, rule)
    assert once != text
    assert fix(once, rule) == once
    read_dockerfile(once, "Dockerfile")
    assert once.count("\r\n") == (once.count("\n") if form == "carriage-returns" else 0)


@pytest.mark.parametrize(
    ("text", "tried"),
    [
        (
            "RUN pip install --no-cache-dir -r r.txt",
            "RUN uv pip install --system --no-cache --compile-bytecode -r r.txt",
        ),
        (
            "RUN set -e; python3.11 -m pip install --no-compile --no-cache-dir a; x",
            "RUN set -e; uv pip install --system --no-cache a; x",
        ),
    ],
)
def test_pip_is_forecast_as_uv_and_never_written(text: str, tried: str) -> None:
    [each] = [each for each in dockerfile_findings(BASE + text, "Dockerfile", rules=CHOICES) if each.rule == "pip-peak"]
    assert each.fix is None
    assert with_edits(BASE + text, each.tried) == BASE + tried
    assert fix(BASE + text, "pip-peak") == BASE + text
