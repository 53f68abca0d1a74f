"""Puts shared images into a plan: each is built before the first build that stands on it, and goes when none does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tonnage.decide.reclaim.protection import may_stand_on
from tonnage.decide.share.images import labels_of, spec_of
from tonnage.model.deploy.image_names import first_compose_name, is_shared
from tonnage.model.deploy.plan import Build, CleanCache, Keep, RemoveImage, Step, Switch, Tag
from tonnage.model.deploy.rolling import StartRolling
from tonnage.model.forecast.estimate import NOTHING, UNKNOWN, Estimate, Grade
from tonnage.model.references import tagged
from tonnage.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tonnage.model.deploy.expected_build import ExpectedBuild
    from tonnage.model.deploy.sharing import SharedImage
    from tonnage.model.inventory import Image, Inventory

_DIGITS = 8


def with_shared_images(
    steps: Iterable[Step],
    builds: Mapping[str, ExpectedBuild] | None,
    inventory: Inventory,
    *,
    stack: str = "",
    tidies: bool = True,
) -> list[Step]:
    """Return the steps of a plan with those that build shared images.

    Args:
        stack: Whose plan it is; containers of its services make way for new ones before their images are removed.
        tidies: Also remove those on which nothing stands after the other steps.
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
    return [*found, *needless_steps(inventory, made, _going(found, inventory, stack)), *gone]


def needless_steps(inventory: Inventory, used: Iterable[str] = (), going: Collection[str] = ()) -> list[Step]:
    """Return the steps that remove shared images on which nothing stands.

    Of what others do at this moment nothing is known: then all stay.

    Args:
        used: Names of shared images that are built on.
        going: Ids of images that are removed before.
    """
    if inventory.others:
        return []
    kept = set(used)
    return [
        _removal(image, _alone_bytes(image, inventory, going))
        for image in inventory.images
        if is_needless(image, inventory, going) and not kept & {*image.references}
    ]


def is_needless(image: Image, inventory: Inventory, going: Collection[str] = ()) -> bool:
    """Return whether an image is one of shared wheels, has no other name, and nothing is seen to stand on it.

    Args:
        going: Ids of images that do not count.
    """
    if not image.references or not all(map(is_shared, image.references)) or not image.chain:
        return False
    if any(container.image_id == image.image_id for container in inventory.containers):
        return False
    counted = (each for each in inventory.images if each.image_id != image.image_id and each.image_id not in going)
    return not any(may_stand_on(each, image) for each in counted)


def _going(steps: Sequence[Step], inventory: Inventory, stack: str) -> frozenset[str]:
    """Return the ids of images that have no name and no container left after the steps of a plan."""
    taken: dict[str, set[str]] = {}
    services: dict[str, set[str]] = {}
    moved: set[str] = set()
    named: set[str] = set()
    replaced: set[str] = set()
    for step in steps:
        match step.action:
            case RemoveImage(image=image, references=references):
                taken.setdefault(image, set()).update(references)
                services.setdefault(image, set()).add(step.service)
            case Tag(image=image, reference=reference):
                named.update((image, tagged(image)))
                moved.add(reference)
            case Build(reference=reference):
                moved.add(reference)
            case Switch(image=image, image_name=reference) | StartRolling(image=image, image_name=reference):
                named.update((image, tagged(image)))
                moved.update([tagged(reference)] if reference else [])
                replaced.add(step.service)
            case Keep():
                moved.add(first_compose_name(stack, step.service))
                # A version that comes back loses the names of the one that it was.
                named.update([step.version.image_id] if step.version is not None else [])
            case _:
                pass
    going = {
        image.image_id
        for image in inventory.images
        if image.image_id in taken
        and {*image.references} <= taken[image.image_id] | moved
        and named.isdisjoint((image.image_id, *image.references))
    }
    for each in inventory.containers:
        if each.image_id in going:
            makes_way = each.project == stack and each.service in services[each.image_id] & replaced
            going -= set() if makes_way else {each.image_id}
    return frozenset(going)


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


def _alone_bytes(image: Image, inventory: Inventory, going: Collection[str]) -> int:
    """Return the bytes that only an image has when others are gone."""
    if not going:
        return image.unique_bytes
    stay = (each for each in inventory.images if each.image_id != image.image_id and each.image_id not in going)
    held = {chain_id for each in stay for chain_id in each.chain}
    return sum(layer.size_bytes or 0 for layer in image.layers if layer.chain_id not in held)


def _removal(image: Image, alone_bytes: int) -> Step:
    [reference, *_] = image.references
    given = Estimate(-alone_bytes, -alone_bytes, 0, Grade.DECLARED) if alone_bytes else NOTHING
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
