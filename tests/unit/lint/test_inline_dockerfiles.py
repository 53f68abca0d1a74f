"""Dockerfiles that stand in compose files are looked at where they stand, and workflows that are none are refused."""

from __future__ import annotations

import pytest

from tonnage.errors import UsageError
from tonnage.lint.inline_dockerfiles import inline_findings
from tonnage.lint.rules import DOCKERFILE_RULES
from tonnage.lint.workflow_rules.jobs import refuse_no_workflow

COMPOSE = """\
services:
  web:
    build: &same
      context: .
      dockerfile_inline: |
        FROM python:3.11-slim
        RUN apt-get update \\
         && apt-get install -y --no-install-recommends git && echo $$HOME
        # tonnage: ignore=pip-cache
        RUN pip install one
        RUN pip install two
  worker:
    build: *same
  quoted:
    build:
      dockerfile_inline: "FROM python:3.11-slim\\nRUN pip install three\\n"
  plain:
    build: ./plain
"""


def test_findings_stand_on_the_lines_of_the_compose_file_and_have_no_fix() -> None:
    found = inline_findings(COMPOSE, "compose.yaml", DOCKERFILE_RULES)
    assert [(each.place.line, each.rule) for each in found] == [(7, "apt-lists"), (11, "pip-cache"), (16, "pip-cache")]
    assert {each.place.file for each in found} == {"compose.yaml"}
    assert not any(each.fix or each.tried for each in found)
    assert all(each.todo for each in found)


def test_a_dockerfile_that_is_none_is_refused_with_its_service_and_line() -> None:
    broken = "services:\n  web:\n    build:\n      dockerfile_inline: |\n        FROM a\n        NONSENSE b\n"
    with pytest.raises(UsageError, match="the Dockerfile of web: there is no instruction NONSENSE"):
        inline_findings(broken, "compose.yaml", DOCKERFILE_RULES)


@pytest.mark.parametrize("text", ["services: [", "\t- a", "services:\n  web: {build: {dockerfile_inline: 'NONSENSE'}}"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        inline_findings(text, "compose.yaml", DOCKERFILE_RULES)


@pytest.mark.parametrize("text", ["", "services:\n", "services: 3\n", "a: {b: c}\n---\nservices: {}\n"])
def test_a_compose_file_without_one_has_no_finding(text: str) -> None:
    assert not inline_findings(text, "compose.yaml", DOCKERFILE_RULES)


@pytest.mark.parametrize("text", ["- a\n", "a: [\n", "jobs:\n\t- x\n", "jobs: {{ cookiecutter.jobs }}: }\n"])
def test_what_is_no_workflow_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        refuse_no_workflow(text, "ci.yml")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# to be written\n",
        "on: push\njobs: {}\n",
        "jobs:\n  a:\n    env: {1: b}\n    steps:\n      - if: ${{ always() }}\n        run: >-\n          true\n",
    ],
)
def test_a_workflow_as_github_takes_it_is_none_of_these(text: str) -> None:
    refuse_no_workflow(text, "ci.yml")
