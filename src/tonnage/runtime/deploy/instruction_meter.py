"""What each instruction of a build was measured to do, from the builder's progress and the samples of the disk.

A builder says when an instruction begins. What the data root's filesystem did from there to the next beginning is put
to that instruction; where several stages or steps run at the same time nobody can tell them apart, and nothing is said.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.lazily import regex
from tonnage.model.deploy.event import StepLog, StepProgress
from tonnage.model.deploy.run import MeasuredInstruction
from tonnage.model.references import tagged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tonnage.adapters.interface import EngineFacts
    from tonnage.model.deploy.event import Event
    from tonnage.model.deploy.expected_build import ExpectedInstruction
    from tonnage.model.inventory import Image

_CACHED = " (cached)"
_NUMBERED = regex(r"^\[(?P<where>[^\]]*)\]\s*(?P<text>.*)$", re.DOTALL)


class _Part(Struct):
    """One stretch of a build: what began, and what the disk did until something else began."""

    text: str
    cached: bool
    began_bytes: int
    ended_bytes: int
    lowest_bytes: int


class InstructionMeter:
    """Is told how a build goes on and what is available; tells afterwards what each instruction did."""

    def __init__(self, mount: str) -> None:
        self._mount = mount
        self._lock = threading.Lock()
        self._latest: int | None = None
        self._parts: list[_Part] = []
        self._running = False

    def begin(self) -> None:
        """Forget the build before: another one begins."""
        with self._lock:
            self._parts = []
            self._running = True

    def sample(self, available: Mapping[str, int]) -> None:
        """Take one sample of the disk."""
        count = available.get(self._mount)
        if count is None:
            return
        with self._lock:
            self._latest = count
            if self._running and self._parts:
                part = self._parts[-1]
                part.ended_bytes = count
                part.lowest_bytes = min(part.lowest_bytes, count)

    def at(self, where: str) -> None:
        """Take what the builder says about where it is."""
        with self._lock:
            if not self._running or self._latest is None:
                return
            cached = where.endswith(_CACHED)
            text = instruction_text(where)
            if cached and self._parts and self._parts[-1].text == text:
                # The classic builder names an instruction first, and says then that it was cached.
                self._parts[-1].cached = True
                return
            self._parts.append(_Part(text, cached, self._latest, self._latest, self._latest))

    def end(self, expected: Sequence[ExpectedInstruction], *, alone: bool = True) -> tuple[MeasuredInstruction, ...]:
        """End the build; ``alone`` says that no other step ran meanwhile."""
        with self._lock:
            self._running = False
            parts = list(self._parts)
        apart = alone and len({each.stage for each in expected}) == 1
        found = []
        for each in expected:
            text = instruction_text(each.text)
            part = next((part for part in parts if part.text == text), None)
            if part is None:
                found.append(MeasuredInstruction())
                continue
            parts.remove(part)
            kept_bytes = part.began_bytes - part.ended_bytes
            transient_bytes = max(0, min(part.began_bytes, part.ended_bytes) - part.lowest_bytes)
            found.append(
                MeasuredInstruction(
                    kept_bytes=kept_bytes if apart else None,
                    transient_bytes=transient_bytes if apart else None,
                    cached=part.cached,
                )
            )
        return tuple(found)


class MeteredProgress:
    """Turns a step's progress into events, and tells its meter where a build is."""

    def __init__(self, step: str, emit: Callable[[Event], None], meter: InstructionMeter) -> None:
        self._step = step
        self._emit = emit
        self._meter = meter

    def at(self, text: str) -> None:
        """Tell where the step is."""
        self._meter.at(text)
        self._emit(StepProgress(step=self._step, text=text))

    def log(self, line: str) -> None:
        """Tell a line that it printed."""
        self._emit(StepLog(step=self._step, line=line))


def instruction_text(where: str) -> str:
    """Return the instruction that a builder's progress names, blanks made single."""
    text = where.removesuffix(_CACHED)
    numbered = _NUMBERED.match(text)
    if numbered and not text.startswith("[internal]"):
        text = numbered["text"]
    return re.sub(r"\s+", " ", text).strip()


def with_layers(
    expected: Sequence[ExpectedInstruction],
    measured: Sequence[MeasuredInstruction],
    facts: EngineFacts,
    reference: str,
) -> tuple[tuple[MeasuredInstruction, ...], str]:
    """Add the bytes of each layer, as the engine counts them, where layers and instructions can be put together.

    Returns:
        What was measured, and the image's id; empty when it is not there.

    Raises:
        EngineUnreachableError: The engine stopped answering.
    """
    wanted = tagged(reference)
    image = next((image for image in facts.images() if wanted in image.references), None)
    if image is None:
        return tuple(measured), ""
    sizes = _sizes(expected, image)
    return (
        tuple(
            MeasuredInstruction(
                image_bytes=sizes[number][0] if number in sizes else None,
                blob_bytes=(sizes[number][1] or None) if number in sizes else None,
                kept_bytes=seen.kept_bytes,
                transient_bytes=seen.transient_bytes,
                cached=seen.cached,
            )
            for number, seen in enumerate(measured)
        ),
        image.image_id,
    )


def _sizes(expected: Sequence[ExpectedInstruction], image: Image) -> dict[int, tuple[int, int]]:
    """Return the bytes of layers, and of their blobs, by the number of the instruction, as far as they go together."""
    in_image = [number for number, each in enumerate(expected) if each.in_image]
    for left_out in ((), ("WORKDIR ",)):
        numbers = [number for number in in_image if not expected[number].text.startswith(left_out or ("\0",))]
        if sum(expected[number].layers for number in numbers) == len(image.layers):
            break
    else:
        return {}
    found: dict[int, tuple[int, int]] = {}
    at = 0
    for number in numbers:
        layers = image.layers[at : at + expected[number].layers]
        known = [layer.size_bytes for layer in layers if layer.size_bytes is not None]
        if len(known) == len(layers):
            blobs = sum(layer.blob_bytes for layer in layers)
            found[number] = (sum(known) + blobs, blobs)
        at += expected[number].layers
    return found
