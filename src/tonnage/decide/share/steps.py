"""Puts shared images into a plan: each is built before the first build that stands on it, and goes when none does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.reclaim.protection import may_stand_on
from tonnage.decide.share.images import labels_of, spec_of
from tonnage.model.deploy.image_names import is_shared
from tonnage.model.deploy.plan import Build, CleanCache, RemoveImage, Step
from tonnage.model.forecast.estimate import NOTHING, UNKNOWN, Estimate, Grade
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tonnage.model.deploy.expected_build import ExpectedBuild
    from tonnage.model.deploy.sharing import SharedImage
    from tonnage.model.inventory import Image, Inventory

_DIGITS = 8


def with_shared_images(
    steps: Iterable[Step], builds: Mapping[str, ExpectedBuild] | None, inventory: Inventory, *, tidies: bool = True
) -> list[Step]:
    """Return the steps of a plan with those that build shared images.

    Args:
        tidies: Also remove those on which nothing stands, after everything else.
    """
    builds = builds or {}
    found: list[Step] = []
    made: set[str] = set()
    for step in steps:
        build = builds.get(step.service)
        if build is None or not build.stands_on or not isinstance(step.action, Build):
            found.append(step)
            continue
        for image in build.stands_on:
            if image.reference not in made:
                made.add(image.reference)
                found += [] if image.present else [_step(image, build.uv_directory, builds.get(image.reference))]
        found.append(_on(step, step.action, build, build.stands_on[-1]))
    if not (found and tidies):
        return found
    passing = [name for name in sorted(made) if name in builds and builds[name].passes]
    gone = [_removal_after(name, builds[name]) for name in reversed(passing) if not inventory.others]
    return [*found, *needless_steps(inventory, made), *gone]


def needless_steps(inventory: Inventory, used: Iterable[str] = ()) -> list[Step]:
    """Return the steps that remove shared images on which nothing stands.

    Of what others do at this moment nothing is known: then all stay.
    """
    if inventory.others:
        return []
    kept = set(used)
    return [
        _removal(image)
        for image in inventory.images
        if is_needless(image, inventory) and not kept & {*image.references}
    ]


def is_needless(image: Image, inventory: Inventory) -> bool:
    """Return whether an image is one of shared wheels, has no other name, and nothing is seen to stand on it."""
    if not image.references or not all(map(is_shared, image.references)) or not image.chain:
        return False
    if any(container.image_id == image.image_id for container in inventory.containers):
        return False
    return not any(may_stand_on(each, image) for each in inventory.images if each.image_id != image.image_id)


def _step(image: SharedImage, directory: str, expected: ExpectedBuild | None) -> Step:
    name = image.reference.rpartition(":")[2][:_DIGITS]
    count = len(image.wheels)
    return Step(
        name=f"share.{name}",
        action=Build(spec=spec_of(image, directory), reference=image.reference, labels=labels_of(image)),
        cause=f"{_listed(image.services)} have {count} wheel{'s' if count != 1 else ''} in common"
        f" ({format_bytes(image.kept_bytes)}), which saves {format_bytes(image.saved_bytes)}",
        changes=f"builds {image.reference}, the image below theirs",
        kept=expected.kept if expected is not None else UNKNOWN,
        transient=expected.transient if expected is not None else UNKNOWN,
        at_reserve=(_clean(name),),
        instructions=expected.instructions if expected is not None else (),
    )


def _clean(name: str) -> Step:
    return Step(
        name=f"share.{name}.give-back",
        action=CleanCache(),
        cause="the build was stopped: free space fell below the reserve",
        changes="prunes unused build cache of this run",
    )


def _on(step: Step, action: Build, build: ExpectedBuild, image: SharedImage) -> Step:
    """Return the step of a build that stands on a shared image; what was learned of it elsewhere is not meant."""
    spec = replace(action.spec, bases=((build.base, image.reference),), base_line=build.base_line)
    shared = image.reference.rpartition(":")[2][:_DIGITS]
    return replace(
        step,
        action=replace(action, spec=spec),
        changes=f"{step.changes}, on {image.reference}",
        learn_key=step.learn_key and f"{step.learn_key}-on-{shared}",
    )


def _removal(image: Image) -> Step:
    [reference, *_] = image.references
    given = Estimate(-image.unique_bytes, -image.unique_bytes, 0, Grade.DECLARED) if image.unique_bytes else NOTHING
    return Step(
        name=f"unshare.{reference.rpartition(':')[2][:_DIGITS]}",
        action=RemoveImage(image=image.image_id, references=image.references),
        cause="no image stands on it any more",
        changes=f"removes the image {reference}",
        kept=given,
    )


def _removal_after(reference: str, built: ExpectedBuild) -> Step:
    """Return the step that removes an image which only stages stood on that images have copies of."""
    return Step(
        name=f"unshare.{reference.rpartition(':')[2][:_DIGITS]}",
        action=RemoveImage(image=reference, references=(reference,), with_cache=True),
        cause="no image consists of it, only stages that were built on it",
        changes=f"removes the image {reference}",
        kept=replace(built.kept, low_bytes=-built.kept.high_bytes, likely_bytes=0, high_bytes=0, grade=Grade.DECLARED),
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
