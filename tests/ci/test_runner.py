"""The runner of workflows reads expressions and runs steps as GitHub says it does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.ci.expressions import Expressions
from tests.ci.runner import Runner

if TYPE_CHECKING:
    from pathlib import Path

CONTEXTS = {
    "inputs": {"service": "web", "cleanup_after": False, "text": "true", "empty": ""},
    "steps": {"a": {"outputs": {"x-y": "7"}, "outcome": "failure"}},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("inputs.service == 'all' || inputs.service == 'web'", True),
        ("inputs.service == 'WEB'", True),
        ("inputs.cleanup_after && (inputs.service == 'web')", False),
        ("!inputs.cleanup_after && inputs.service != 'all'", True),
        ("inputs.service != 'all' && 'one' || 'many'", "one"),
        ("inputs.empty || inputs.nothing || 'else'", "else"),
        ("steps.a.outputs.x-y == 7", True),
        ("steps.b.outcome == 'success'", False),
        ("inputs.text == true", False),
        ("'it''s'", "it's"),
        ("inputs.nothing == ''", True),
    ],
)
def test_expressions_mean_what_they_mean_at_github(text: str, value: object) -> None:
    assert Expressions(CONTEXTS, {}).value(f"${{{{ {text} }}}}") == value


WORKFLOW = """\
on: {workflow_dispatch: {inputs: {name: {default: world}}}}
env: {GREETING: hello}
jobs:
  first:
    strategy: {matrix: {n: [1, 2]}}
    steps:
      - name: sets
        id: sets
        run: |
          echo "A=$GREETING ${{ inputs.name }}" >> "$GITHUB_ENV"
          echo x=${{ matrix.n }} >> "$GITHUB_OUTPUT"
      - name: path
        env: {N: '${{ matrix.n }}'}
        run: |
          mkdir bin$N
          printf "#!/bin/sh\\necho mine\\n" > bin$N/mine
          chmod +x bin$N/mine
          echo "$PWD/bin$N" >> "$GITHUB_PATH"
      - {name: uses, run: 'mine; echo "$A $X" >> "$GITHUB_STEP_SUMMARY"', env: {X: '${{ steps.sets.outputs.x }}'}}
      - {name: lax, run: 'false | true'}
      - {name: strict, shell: bash, run: 'sh -c "exit 7" | cat'}
      - {name: not reached, run: 'true'}
      - {name: always, if: always(), run: 'true'}
      - {name: after a failure, if: failure() && steps.sets.outcome == 'success', run: 'true'}
  second:
    needs: first
    steps: [{run: 'true'}]
  third:
    if: inputs.name == 'world'
    steps: [{name: it, run: 'true'}]
"""


def test_steps_hand_on_what_they_write_and_a_failure_ends_the_job(tmp_path: Path) -> None:
    (tmp_path / "workflow.yml").write_text(WORKFLOW)

    ended = Runner(tmp_path, tmp_path, {"PATH": os.environ["PATH"]}).workflow(tmp_path / "workflow.yml")

    for number, job in enumerate(ended["first"], start=1):
        assert job.step("uses").stdout == "mine\n"
        assert job.summary == f"hello world {number}\n"
        assert job.step("strict").exit_code == 7
        assert job.ended("skipped") == ["not reached"]
        assert job.ended("success")[-3:] == ["lax", "always", "after a failure"]
    assert ended["second"][0].skipped
    assert not ended["third"][0].failed
