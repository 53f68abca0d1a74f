"""Removes what is ours from an engine, each thing looked at once more right before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.decide.uninstall.engine_traces import other_names
from tonnage.errors import StepFailedError
from tonnage.model.reports.traces import TraceKind

if TYPE_CHECKING:
    from tonnage.adapters.interface import EngineActs, EngineFacts
    from tonnage.model.inventory import Image
    from tonnage.model.reports.traces import Trace


def remove_trace(facts: EngineFacts, acts: EngineActs, trace: Trace) -> None:
    """Remove a container, a name or an image; nothing happens when it is gone already.

    Raises:
        StepFailedError: It is used by now, or is its image's last name, or the engine refuses.
        EngineUnreachableError: The engine stops answering.
        ValueError: It is none of the engine's.
    """
    match trace.kind:
        case TraceKind.CONTAINER:
            if facts.container(trace.key) is not None:
                acts.remove_container(trace.key)
        case TraceKind.NAME:
            image = _image(facts, trace)
            if image is not None and trace.name in image.references:
                if not other_names(image):
                    raise StepFailedError(f"the name {trace.name} stays: by now its image has no other")
                acts.untag(trace.name)
        case TraceKind.IMAGE:
            image = _image(facts, trace)
            if image is not None:
                _check_unused(facts, image, trace)
                acts.remove_image(image.image_id, trace.names)
        case kind:
            raise ValueError(f"no engine has a {kind}")


def _image(facts: EngineFacts, trace: Trace) -> Image | None:
    return next((each for each in facts.images() if each.image_id == trace.key), None)


def _check_unused(facts: EngineFacts, image: Image, trace: Trace) -> None:
    if other := other_names(image):
        raise StepFailedError(f"the image {trace.name} stays: it was given the name {other[0]} meanwhile")
    user = next((each.name for each in facts.containers() if each.image_id == image.image_id), "")
    if user:
        raise StepFailedError(f"the image {trace.name} stays: the container {user} uses it by now")
