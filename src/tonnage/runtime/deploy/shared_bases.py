"""Shared images can be done without: a build that would stand on one that is not there goes as its Dockerfile says.

Nothing is learned of such a build: its instructions were expected on other layers.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.errors import ReserveCrossedError, StepFailedError, TonnageError
from tonnage.model.deploy.event import Notice
from tonnage.model.deploy.image_names import is_shared
from tonnage.model.deploy.plan import Build
from tonnage.model.references import find_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.adapters.interface import Cancel, EngineFacts
    from tonnage.model.deploy.event import Event
    from tonnage.model.deploy.plan import Step

_OFF = "To do without what services share:\n  export TONNAGE_SHARE=off"


def on_what_is_there(step: Step, facts: EngineFacts, emit: Callable[[Event], None]) -> Step:
    """Return a build as its Dockerfile says, where an image that it was to stand on is not there."""
    action = step.action
    if not isinstance(action, Build) or not action.spec.bases:
        return step
    missing = ""
    with suppress(TonnageError):
        images = facts.images()
        missing = next((name for _, name in action.spec.bases if find_image(images, name) is None), "")
    if not missing:
        return step
    return _alone(step, action, f"{missing} is not there", emit)


def without_what_was_not_found(
    step: Step, error: TonnageError | None, cancel: Cancel, emit: Callable[[Event], None]
) -> Step | None:
    """Return a build as its Dockerfile says, where the builder did not find what it was to stand on; else None."""
    action = step.action
    if not isinstance(action, Build) or not _fails(error) or cancel.is_set():
        return None
    # Which of the three has the name differs from builder to builder.
    told = f"{error.what}\n{error.why}\n{error.log}" if error is not None else ""
    missed = next((name for _, name in action.spec.bases if name in told), "")
    return _alone(step, action, f"the builder did not find {missed}", emit) if missed else None


def forgiven(
    step: Step, error: TonnageError | None, cancel: Cancel, emit: Callable[[Event], None]
) -> TonnageError | None:
    """Return what a step failed by; None where that only means that services do not share."""
    shares = isinstance(step.action, Build) and is_shared(step.action.reference)
    if error is None or not shares or not _fails(error) or cancel.is_set():
        return error
    text = f"{step.name} failed, so what would stand on it is built as its Dockerfile says: {error.what}. {_OFF}"
    emit(Notice(text=text, level="warning"))
    return None


def _fails(error: TonnageError | None) -> bool:
    """Return whether a step failed by what it does, and not by the disk, a signal or the engine."""
    return isinstance(error, StepFailedError) and not isinstance(error, ReserveCrossedError)


def _alone(step: Step, action: Build, why: str, emit: Callable[[Event], None]) -> Step:
    emit(Notice(text=f"{step.name}: {why}, so it is built as its Dockerfile says", level="warning"))
    return replace(step, action=replace(action, spec=replace(action.spec, bases=())), instructions=(), learn_key="")
