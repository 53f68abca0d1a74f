"""What is needed of an engine beyond what it tells itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.decide import observed

from tonnage.adapters.context.dockerfiles import images_needed
from tonnage.model.deploy.plan import Build, Plan, Purpose, Step
from tonnage.model.stack import BuildSpec, Mount
from tonnage.runtime.reclaim.roots import Project, needs_of

if TYPE_CHECKING:
    from pathlib import Path


def test_a_plan_needs_the_images_that_its_builds_stand_on_wherever_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("ARG BASE=python:3.11\nFROM $BASE\nCOPY --from=tools:1 /x /x\n")
    spec = BuildSpec(context=str(tmp_path), dockerfile=str(tmp_path / "Dockerfile"), args=(("BASE", "own-base:3"),))
    step = Step(name="web.build", service="web", action=Build(spec=spec, reference="shop-web"), cause="", changes="")
    plan = Plan(
        stack="shop",
        directory="/nowhere",
        purpose=Purpose.DEPLOY,
        engine_id="ENGINE",
        endpoint="unix:///run/e.sock",
        fingerprint="",
        filesystem="/",
        available_bytes=1,
        reserve_bytes=1,
        steps=(step,),
    )
    needs = needs_of((), (), images_needed=images_needed, plan=plan, now_s=1.0)
    assert {need.what for need in needs.images} == {"shop-web", "own-base:3", "tools:1"}


def test_what_a_stack_mounts_of_the_machine_stays_before_any_container_does() -> None:
    mounts = tuple(
        Mount(kind=kind, source=source, target="/x")
        for kind, source in (("bind", "/srv/models"), ("volume", "data"), ("bind", "relative"))
    )
    stack = observed.stack(observed.service(build=None, mounts=mounts))
    needs = needs_of((Project(stack),), (), images_needed=images_needed, now_s=1.0)
    assert [(need.what, need.reason) for need in needs.paths] == [
        ("/srv/models", "web of the stack shop mounts it"),
    ]
