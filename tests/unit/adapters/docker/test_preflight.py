"""What a plan needs is asked for before its first step, and only what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.docker.preflight import check_ready
from tonnage.adapters.docker.tools import Tools
from tonnage.errors import EngineLacksError
from tonnage.model.deploy.plan import Build, Plan, Purpose, RemoveContainer, StartFirst, Step, Switch
from tonnage.model.stack import BuildSpec

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.deploy.plan import Action

NEEDS_2 = {"name": "shop", "services": {"web": {"image": "web", "uts": "host"}}}
PLAIN = {"name": "shop", "services": {"web": {"image": "web"}}}


def _tools(folder: Path, compose: str = "", docker: str = "") -> Tools:
    for name, words in (("docker-compose", compose), ("docker", docker)):
        if words:
            (folder / name).write_text(f'#!/bin/sh\ncase "$1" in\n*version) echo {words};;\n*) exit 17;;\nesac\n')
            (folder / name).chmod(0o755)
    return Tools({"PATH": str(folder)})


def _step(action: Action, on_failure: tuple[Step, ...] = ()) -> Step:
    return Step(name="web.x", action=action, cause="c", changes="c", service="web", on_failure=on_failure)


def _plan(*steps: Step) -> Plan:
    return Plan(
        stack="shop",
        directory="/srv/shop",
        purpose=Purpose.DEPLOY,
        engine_id="E",
        endpoint="unix:///x",
        fingerprint="f",
        filesystem="/",
        available_bytes=104_729,
        reserve_bytes=97,
        steps=steps,
    )


def _refusal(plan: Plan, tools: Tools) -> EngineLacksError:
    with pytest.raises(EngineLacksError) as refused:
        check_ready(plan, tools)
    return refused.value


def test_a_plan_that_neither_builds_nor_starts_needs_no_program(tmp_path: Path) -> None:
    check_ready(_plan(_step(RemoveContainer(container="x"))), _tools(tmp_path))


def test_a_plan_that_starts_needs_compose(tmp_path: Path) -> None:
    assert "no Docker Compose" in _refusal(_plan(_step(Switch(project=PLAIN))), _tools(tmp_path)).what


def test_a_plan_that_builds_needs_a_builder(tmp_path: Path) -> None:
    build = _step(Build(spec=BuildSpec(context="/srv"), reference="r", labels=()))
    assert "no docker program that can build" in _refusal(_plan(build), _tools(tmp_path, "1.29.2")).what


def test_what_the_builder_lacks_is_told_before_anything_is_built(tmp_path: Path) -> None:
    spec = BuildSpec(context="/srv", platforms=("linux/amd64", "linux/arm64"))
    tools = _tools(tmp_path, docker='"Docker version 20.10.24, build 17"')
    assert "several platforms" in _refusal(_plan(_step(Build(spec=spec, reference="r", labels=()))), tools).what


@pytest.mark.parametrize("action", [Switch(project=NEEDS_2), StartFirst(project=NEEDS_2, container_name="b")])
def test_what_compose_1_lacks_is_told_before_anything_is_built(tmp_path: Path, action: Action) -> None:
    assert "services.web.uts" in _refusal(_plan(_step(action)), _tools(tmp_path, "1.29.2")).why


def test_the_way_back_is_asked_about_as_well(tmp_path: Path) -> None:
    plan = _plan(_step(Switch(project=PLAIN), on_failure=(_step(Switch(project=NEEDS_2)),)))
    assert "services.web.uts" in _refusal(plan, _tools(tmp_path, "1.29.2")).why


def test_compose_2_may_be_asked_for_everything(tmp_path: Path) -> None:
    check_ready(_plan(_step(Switch(project=NEEDS_2))), _tools(tmp_path, "2.27.0"))
