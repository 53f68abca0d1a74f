"""What builds that nobody measured left on the engine, as lessons: before Tonnage ran once, or by other tools.

An image tells its instructions with the bytes of their layers, the builder's records tell commands with theirs. What
the image of the same service tells is learned, like a build of it; what only a record tells may be another build's:
it counts as learned where that image knows other instructions of the same Dockerfile, else as a guess. What was
measured by Tonnage goes before both.

Source: ``GET /images/NAME/history`` and ``GET /system/df`` of Docker 20.10, 26.1 and 28.5 with BuildKit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.model.forecast.estimate import UNKNOWN, Estimate, Grade
from tonnage.model.forecast.learned import LearnedInstruction
from tonnage.model.forecast.recipe import CopyInstruction, RunInstruction
from tonnage.model.forecast.sized_effects import Lesson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tonnage.model.forecast.recipe import RecipeStep
    from tonnage.model.inventory import Inventory
    from tonnage.model.stack import Service

_SHELL = " -c "
_BUILDKIT = "# buildkit"
_EXECUTED = "mount / from exec "
_WITHIN_PERCENT = 10


class SeenBuilds(Struct, frozen=True, kw_only=True):
    """What is there of earlier builds.

    Args:
        images: By service, the bytes of the layers of its image, by the words that made them.
        records: The least and the most bytes of what else was built, by its words.
    """

    images: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    records: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def lesson(self, service: str, step: RecipeStep) -> Lesson | None:
        """Return what is there of an instruction; None where that is nothing."""
        words = _words_of(step)
        if not words:
            return None
        own = self.images.get(service, {})
        size_bytes = own.get(words)
        if size_bytes is not None:
            return Lesson(taught=_taught(size_bytes), source="from the image that is here")
        least_bytes, most_bytes = self.records.get(words, (0, 0))
        if words not in self.records:
            return None
        # Builds that differ say the same words of different files.
        guess = not own or least_bytes < most_bytes * (100 - _WITHIN_PERCENT) // 100
        return Lesson(taught=_taught(most_bytes), guess=guess, source="from a record of the build cache")


def seen_builds(inventory: Inventory, services: Iterable[Service]) -> SeenBuilds:
    """Return what an engine has of earlier builds of some services."""
    images: dict[str, dict[str, int]] = {}
    for service in services:
        image = inventory.image(service.image) if service.build is not None else None
        told = {
            words: layer.size_bytes
            for layer in (image.layers if image is not None else ())
            if layer.size_bytes is not None and (words := _told_words(layer.made_by))
        }
        if told:
            images[service.name] = told
    records: dict[str, tuple[int, int]] = {}
    for record in inventory.build_cache:
        words = _recorded_words(record.description) if record.kind == "regular" else ""
        if words:
            least_bytes, most_bytes = records.get(words, (record.size_bytes, 0))
            records[words] = min(least_bytes, record.size_bytes), max(most_bytes, record.size_bytes)
    return SeenBuilds(images=images, records=records)


def _taught(size_bytes: int) -> LearnedInstruction:
    spread_bytes = size_bytes * _WITHIN_PERCENT // 100
    # Files that it copied or fetched may be others by now.
    image = Estimate(size_bytes - spread_bytes, size_bytes, size_bytes + spread_bytes, Grade.LEARNED)
    return LearnedInstruction(image=image, disk=UNKNOWN, transient=UNKNOWN, runs=1)


def _words_of(step: RecipeStep) -> str:
    action = step.action
    if isinstance(action, RunInstruction):
        return _joined(f"RUN {action.script}") if action.script and not step.instruction.heredocs else ""
    return _without_flags(step.text) if isinstance(action, CopyInstruction) and not action.inline else ""


def _told_words(made_by: str) -> str:
    """Return the words of an instruction from what an image tells of it; empty where they are not told."""
    text = made_by.strip().removesuffix(_BUILDKIT)
    if "#(nop)" in text:
        return ""
    if text.startswith(("COPY ", "ADD ")):
        return _without_flags(text)
    _, shell, script = text.partition(_SHELL)
    return _joined(f"RUN {script}") if shell else ""


def _recorded_words(description: str) -> str:
    """Return the words of an instruction from a record of the build cache; empty for what is none."""
    if description.startswith(_EXECUTED):
        _, shell, script = description.partition(_SHELL)
        return _joined(f"RUN {script}") if shell else ""
    text = description.partition("] ")[2] if description.startswith("[") else ""
    return _without_flags(text) if text.startswith(("RUN ", "COPY ", "ADD ")) else ""


def _without_flags(text: str) -> str:
    keyword, *words = text.replace("\\\n", " ").split()
    while words and words[0].startswith("--"):
        del words[0]
    return " ".join((keyword, *words))


def _joined(text: str) -> str:
    return " ".join(text.replace("\\\n", " ").split())
