"""Files of variables are often in no repository: what starts no container reads a stack without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.runtime.test_load_stack import Refuses

from tonnage.errors import UsageError
from tonnage.runtime.load_stack import StackRequest, load_stack

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.runtime.load_stack import ComposeConfig

COMPOSE = """\
services:
  web:
    image: a
    env_file: [web/.env, {path: here.env}, {path: other.env, required: false}]
    label_file: labels
    environment: {A: "1"}
"""
NOTES = (
    "web/.env does not exist, which containers need: a deploy would be refused",
    "labels does not exist, which containers need: a deploy would be refused",
)


@pytest.fixture
def request_of(tmp_path: Path) -> StackRequest:
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    (tmp_path / "here.env").write_text("B=2\n")
    return StackRequest(working_directory=str(tmp_path), project_name="p")


@pytest.mark.parametrize("compose", [None, Refuses()])
@pytest.mark.parametrize("marks", [True, False])
def test_what_starts_nothing_reads_a_stack_without_them_and_says_so(
    request_of: StackRequest, compose: ComposeConfig | None, *, marks: bool
) -> None:
    stack = load_stack(request_of, environment={}, compose=compose, runs=False, marks=marks)

    assert stack.notes == NOTES
    assert stack.service("web").config["environment"] == {"A": "1", "B": "2"}


@pytest.mark.parametrize("compose", [None, Refuses()])
def test_what_may_start_containers_refuses_it_with_its_line(
    request_of: StackRequest, compose: ComposeConfig | None
) -> None:
    with pytest.raises(UsageError) as refused:
        load_stack(request_of, environment={}, compose=compose)

    assert str(refused.value).startswith(f"{request_of.working_directory}/compose.yaml:4: the file of variables")


def test_nothing_else_may_be_missing(request_of: StackRequest, tmp_path: Path) -> None:
    for text in (f"{COMPOSE}  other: {{extends: {{file: gone.yaml, service: a}}}}\n", f"{COMPOSE}    bad: 1\n"):
        (tmp_path / "compose.yaml").write_text(text)
        for compose in (None, Refuses()):
            with pytest.raises(UsageError):
                load_stack(request_of, environment={}, compose=compose, runs=False)


def test_a_file_of_variables_that_was_named_has_to_be_there(request_of: StackRequest) -> None:
    named = StackRequest(working_directory=request_of.working_directory, env_files=("gone.env",))
    with pytest.raises(UsageError, match=r"gone\.env"):
        load_stack(named, environment={}, compose=None, runs=False)


def test_of_very_many_the_first_ones_are_told(request_of: StackRequest, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n" + "".join(f"  s{n}: {{image: a, env_file: {n}.env}}\n" for n in range(30))
    )
    notes = load_stack(request_of, environment={}, compose=None, runs=False).notes
    assert len(notes) == 11
    assert notes[-1] == "20 more files that containers need do not exist"


def test_a_name_stays_in_its_line(request_of: StackRequest, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text('services: {web: {image: a, env_file: "x\\n::error::y"}}\n')
    (note,) = load_stack(request_of, environment={}, compose=None, runs=False).notes
    assert "\n" not in note
