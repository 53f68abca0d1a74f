from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.guard.build_steps import BuildStepGroup
from tonnage.adapters.guard.step_groups import DockerStepGroups, without_blanks
from tonnage.adapters.interface import BuildMark

if TYPE_CHECKING:
    from collections.abc import Mapping


class Steps:
    """Steps that run now, as a test says."""

    can_be_seen = True

    def __init__(self, *steps: BuildStepGroup) -> None:
        self.steps = steps

    def now(self) -> tuple[BuildStepGroup, ...]:
        return self.steps


def step(name: str, text: str, started_s: float = 100.0) -> BuildStepGroup:
    return BuildStepGroup(directory=f"/group/{name}", command=("/bin/sh", "-c", text), started_s=started_s)


def mark(*texts: str, began_s: float = 50.0) -> BuildMark:
    return BuildMark(frozenset(without_blanks(("/bin/sh", "-c", text)) for text in texts), began_s)


def found(marks: Mapping[str, BuildMark], *steps: BuildStepGroup) -> dict[str, list[str]]:
    groups = DockerStepGroups("unix:///nowhere", "/nowhere")
    groups._steps = Steps(*steps)  # type: ignore[assignment]
    return {name: list(each) for name, each in groups.of_builds(marks).items()}


def test_a_step_is_the_builds_that_runs_such_a_command() -> None:
    marks = {"web": mark("pip install torch", "make"), "db": mark("apt-get update")}
    steps = (step("a", "pip  install torch"), step("b", "apt-get update"), step("c", "curl example.org"))
    assert found(marks, *steps) == {"web": ["/group/a"], "db": ["/group/b"]}


def test_one_that_began_before_the_build_is_somebody_elses() -> None:
    assert found({"web": mark("make", began_s=101.0)}, step("a", "make", started_s=100.0)) == {}
    assert found({"web": mark("make", began_s=100.05)}, step("a", "make", started_s=100.0)) == {"web": ["/group/a"]}


def test_where_more_run_the_same_than_builds_could_none_is_taken() -> None:
    assert found({"web": mark("make")}, step("a", "make"), step("b", "make")) == {}
    both = found({"web": mark("make"), "db": mark("make")}, step("a", "make"), step("b", "make"))
    assert sorted(group for groups in both.values() for group in groups) == ["/group/a", "/group/b"]


def test_a_build_without_commands_has_no_steps() -> None:
    assert found({"web": BuildMark(frozenset(), 0.0)}, step("a", "make")) == {}


@pytest.mark.parametrize(
    ("endpoint", "builder", "user", "why"),
    [
        ("ssh://user@host.example.org", "", 0, "the engine is on another machine"),
        ("unix:///run/nowhere.sock", "mine", 0, "a builder beside the engine builds"),
        ("unix:///run/nowhere.sock", "", 1000, "only root may freeze the steps of a build"),
        ("unix:///run/nowhere.sock", "", 0, "the engine's process, or its control groups, cannot be seen from here"),
    ],
)
def test_where_nothing_can_be_frozen_it_says_why(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, builder: str, user: int, why: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    groups = DockerStepGroups(endpoint, "/nowhere", beside=bool(builder))
    assert groups.why_not() == why
    assert not groups.open()
    assert not groups.freeze(["/nowhere"], 0.0)
    groups.close()
