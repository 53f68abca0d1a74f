"""A build goes as its Dockerfile says where the shared image that it would stand on is gone; other failures stay."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from tests.simulator import Simulator

from tonnage.adapters.interface import Unwatched
from tonnage.errors import ReserveCrossedError, StepFailedError, UsageError
from tonnage.model.deploy.plan import Build, Step
from tonnage.model.stack import BuildSpec
from tonnage.runtime.deploy.shared_bases import forgiven, on_what_is_there, without_what_was_not_found

if TYPE_CHECKING:
    from tonnage.errors import TonnageError
    from tonnage.model.deploy.event import Event

SHARED = "localhost/tonnage/shared:0123456789abcdef01234567"


def build(reference: str = "hull-api", *, on: str = SHARED) -> Step:
    spec = BuildSpec(context="/api", dockerfile="/api/Dockerfile", bases=(("python:3.11-slim", on),) if on else ())
    return Step(
        name="api.build",
        action=Build(spec=spec, reference=reference),
        cause="no image yet",
        changes="adds it",
        learn_key="hull/api/build-cold-on-01234567",
    )


def test_a_build_on_an_image_that_is_gone_goes_as_its_dockerfile_says_and_teaches_nothing() -> None:
    told: list[Event] = []
    step = on_what_is_there(build(), Simulator(2_000_000_011).facts, told.append)
    assert isinstance(step.action, Build)
    assert (step.action.spec.bases, step.learn_key, step.instructions) == ((), "", ())
    assert [SHARED in str(each) for each in told] == [True]


def test_a_build_on_an_image_that_is_there_stays_as_planned() -> None:
    simulator = Simulator(2_000_000_011)
    simulator.add_to_registry(SHARED, [("layer", 5_000_003)])
    simulator.acts.pull(SHARED, progress=Unwatched(), cancel=threading.Event())
    told: list[Event] = []
    for step in (build(), build(on="")):
        assert on_what_is_there(step, simulator.facts, told.append) is step
    assert told == []


def test_a_builder_that_does_not_find_what_is_there_builds_as_the_dockerfile_says() -> None:
    told: list[Event] = []
    missed = StepFailedError(
        "the build of api failed", log=f"failed to resolve source metadata for {SHARED}: not found"
    )
    alone = without_what_was_not_found(build(), missed, threading.Event(), told.append)
    named = StepFailedError(f"the base image {SHARED} could not be obtained", log="connection refused")
    assert without_what_was_not_found(build(), named, threading.Event(), lambda _: None) == alone
    assert alone is not None
    assert isinstance(alone.action, Build)
    assert (alone.action.spec.bases, alone.learn_key) == ((), "")
    assert len(told) == 1
    stopped = threading.Event()
    stopped.set()
    assert without_what_was_not_found(build(), missed, stopped, told.append) is None
    assert without_what_was_not_found(build(on=""), missed, threading.Event(), told.append) is None
    own = StepFailedError("the build of api failed", log="exit code 1")
    for error in (None, own, ReserveCrossedError("full", log=SHARED)):
        assert without_what_was_not_found(build(), error, threading.Event(), told.append) is None


@pytest.mark.parametrize(
    ("reference", "error", "stopped"),
    [
        ("hull-api", StepFailedError("exit code 1"), False),
        (SHARED, ReserveCrossedError("the disk is full"), False),
        (SHARED, UsageError("no Dockerfile"), False),
        (SHARED, StepFailedError("the build was stopped"), True),
    ],
)
def test_only_what_services_share_may_fail(reference: str, error: TonnageError, stopped: bool) -> None:  # noqa: FBT001
    cancel = threading.Event()
    if stopped:
        cancel.set()
    assert forgiven(build(reference, on=""), error, cancel, lambda _event: None) is error


def test_a_shared_image_that_cannot_be_built_is_told_and_done_without() -> None:
    told: list[Event] = []
    assert forgiven(build(SHARED, on=""), StepFailedError("exit code 1"), threading.Event(), told.append) is None
    assert "TONNAGE_SHARE=off" in str(told[0])
