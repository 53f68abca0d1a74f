"""What lies in images, as blocks of a treemap: of what was forecast, and of what the journal has of builds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tonnage.lazily import regex
from tonnage.model.forecast.estimate import Grade
from tonnage.units import format_bytes
from tonnage.views.html.treemap import Block

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tonnage.model.deploy.run import InstructionOutcome
    from tonnage.model.forecast.estimate import ServiceForecast

# What installers leave in a layer and nothing reads again.
_WASTE = regex(r"^(?:(?:pip|uv|poetry|npm|yarn|pnpm|conda) cache|package lists|\.deb files|fetching \.deb files)$")
_KINDS = (
    ("base", regex(r"^FROM\b", re.IGNORECASE)),
    ("files", regex(r"^(?:COPY|ADD)\b", re.IGNORECASE)),
    ("system", regex(r"\b(?:apt|apt-get|apk|dnf|yum|microdnf)\b")),
    ("python", regex(r"\b(?:pip3?|uv|poetry|pdm|pipenv|conda|mamba|requirements[\w.-]*)\b")),
)
_WORTH_TELLING = 1_000_000
_BEGINNING = 400
"""Characters of an instruction that give it its colour."""


def forecast_blocks(service: ServiceForecast) -> list[Block]:
    """Return what the image of a service will hold, instruction by instruction."""
    found = []
    for step in service.steps:
        image_bytes = step.image.likely_bytes
        if image_bytes <= 0:
            continue
        parts = [
            (each.name, each.image.likely_bytes, str(each.image.grade))
            for each in step.contributors
            if each.image.likely_bytes > 0
        ]
        # A base image that is here already has no pieces of its own.
        found.append(_block(step.text, step.line, image_bytes, str(step.image.grade), parts))
    return found


def measured_blocks(instructions: Iterable[InstructionOutcome]) -> list[Block]:
    """Return what an image holds, as far as the journal tells: measured, or else as it was forecast."""
    found = []
    for each in instructions:
        measured = each.image_bytes is not None
        image_bytes = each.image_bytes if each.image_bytes is not None else each.forecast_image.likely_bytes
        if image_bytes > 0:
            known = "measured" if measured else f"forecast, {each.forecast_image.grade}"
            parts = [(name, count, "forecast") for name, count in each.parts]
            found.append(_block(each.text, each.line, image_bytes, known, parts))
    return found


def latest_builds(instructions: Sequence[InstructionOutcome]) -> dict[str, list[InstructionOutcome]]:
    """Return the instructions of the newest build of each service.

    Args:
        instructions: Those of the newest run first.
    """
    newest: dict[str, int] = {}
    for each in instructions:
        newest[each.service] = max(each.run_id, newest.get(each.service, 0))
    found: dict[str, list[InstructionOutcome]] = {}
    for each in instructions:
        if newest[each.service] == each.run_id:
            found.setdefault(each.service, []).append(each)
    return found


def kind_of(text: str) -> str:
    """Return which kind of instruction it is, to give it its colour."""
    return next((kind for kind, pattern in _KINDS if pattern.search(text, 0, _BEGINNING)), "other")


def is_waste(name: str) -> bool:
    """Return whether something is in an image and nothing reads it again."""
    return bool(_WASTE.search(name))


def wasted_text(blocks: Iterable[Block]) -> str:
    """Return what of an image is wasted, in words; empty where nothing is known to be."""
    wasted = [(part.name, part.count_bytes) for block in blocks for part in block.parts if part.wasted]
    told = ", ".join(f"{name} {format_bytes(count)}" for name, count in wasted if count >= _WORTH_TELLING)
    return f"Wasted: {told}. tonnage lint says what to write instead." if told else ""


def _block(text: str, line: int, image_bytes: int, known: str, parts: Sequence[tuple[str, int, str]]) -> Block:
    kind = kind_of(text)
    place = f"line {line}: " if line else ""
    told = sum(count for _, count, _ in parts)
    # A layer that came out smaller than what was forecast to lie in it has everything smaller.
    scale = image_bytes / told if told > image_bytes else 1.0
    fitted = ", fitted to the layer" if told > image_bytes else ""
    blocks = [
        Block(name=name, count_bytes=int(count * scale), kind=kind, known=f"{grade}{fitted}", wasted=is_waste(name))
        for name, count, grade in parts
    ]
    rest_bytes = image_bytes - sum(each.count_bytes for each in blocks)
    if blocks and rest_bytes > 0:
        blocks.append(Block(name="the rest: compressed copies, small files", count_bytes=rest_bytes, kind=kind))
    one = len(blocks) == 1 and not blocks[0].wasted
    return Block(
        name=f"{place}{text}",
        count_bytes=image_bytes,
        kind=kind,
        known=known if known != str(Grade.UNKNOWN) else "assumed",
        parts=() if one else tuple(blocks),
    )
