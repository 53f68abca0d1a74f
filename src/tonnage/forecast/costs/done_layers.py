"""Which instructions of earlier builds are not done again: their layers are there, or nothing needs them any more.

What an image has of a build stays as long as the image. A stage that only gave files lies in the build cache alone, and
may have gone from there; it is built again then, but only where something that takes from it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tonnage.model.deploy.run import BuiltLayer
    from tonnage.model.forecast.sized_effects import BuildWork
    from tonnage.model.inventory import CacheRecord, Inventory

_RUN = "mount / from exec "


class DoneLayers(Struct, frozen=True):
    """Identities of layers that were built on an engine.

    Args:
        there: The engine still has them.
        gone: It has an image of the build that they were made for, but not them, as far as can be seen.
    """

    there: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


def done_layers(built: Iterable[BuiltLayer], inventory: Inventory) -> DoneLayers:
    """Return what was built on this engine and may not have to be built again."""
    if not inventory.build_cache:
        return DoneLayers()
    images = {image.image_id for image in inventory.images}
    known = [each for each in built if each.image_id in images]
    cached = _texts(inventory.build_cache)
    there = frozenset(each.key for each in known if each.in_image or _is_cached(each.text, cached))
    return DoneLayers(there, frozenset(each.key for each in known) - there)


def built_again(work: BuildWork, keys: Mapping[int, Sequence[str]], there: Collection[str]) -> frozenset[str]:
    """Return the layers that a build makes, though they may have been made before.

    Args:
        keys: The identity of the layer of each instruction, by the number of its stage; empty for no layer.
        there: Layers that the engine has.
    """
    stages = {stage.index: stage for stage in work.stages}
    again: set[str] = set()
    pending, seen = [work.target], set[int]()
    while pending:
        index = pending.pop()
        if index in seen:
            continue
        seen.add(index)
        stage = stages[index]
        for step, key in zip(reversed(stage.steps), reversed(keys[index]), strict=True):
            if key in there:
                break
            again.add(key)
            pending += step.stages_read
        else:
            pending += [] if stage.on_stage is None else [stage.on_stage]
    return frozenset(again)


def _texts(records: Iterable[CacheRecord]) -> dict[str, list[str]]:
    """Return what records of the build cache say that they come from, by its last word."""
    found: dict[str, list[str]] = {}
    for record in records:
        if record.kind == "regular":
            told = record.description
            words = _words(told.partition("] ")[2] if told.startswith("[") else told)
            found.setdefault(words[-1] if words else "", []).append(" ".join(words))
    return found


def _is_cached(instruction: str, cached: Mapping[str, Sequence[str]]) -> bool:
    """Return whether a record of the build cache comes from an instruction."""
    words = _words(instruction)
    text, command = " ".join(words), " ".join(words[1:])
    return any(
        told == text or (told.startswith(_RUN) and told.endswith(f" {command}"))
        for told in cached.get(words[-1] if words else "", ())
    )


def _words(instruction: str) -> list[str]:
    """Return the words of an instruction without its flags, which builders name differently."""
    keyword, *words = instruction.split() or [""]
    while words and words[0].startswith("--"):
        del words[0]
    return [keyword, *words]
