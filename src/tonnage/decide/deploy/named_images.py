"""Which images the steps of a plan speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.deploy.plan import Build, Pull, Push, RemoveImage, Switch, Tag, Untag
from tonnage.model.deploy.rolling import StartRolling

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tonnage.model.deploy.plan import Step


def images_named(steps: Iterable[Step]) -> Iterator[str]:
    """Yield the names and ids of images that steps, and the steps that belong to them, speak of."""
    for step in steps:
        match step.action:
            case Build(spec=spec, reference=name):
                yield from (name, *(image for _, image in spec.bases))
            case Pull(reference=name) | Push(reference=name) | Untag(reference=name):
                yield name
            case Tag(image=image, reference=name):
                yield from (image, name)
            case (Switch() | StartRolling()) as own:
                pinned = own.project.get("services", {}).get(step.service, {}).get("image", "")
                marked = own.candidate if isinstance(own, Switch) else ""
                yield from filter(None, (own.image, own.image_name, pinned, marked))
            case RemoveImage():
                yield step.action.image
            case _:
                pass
        yield from images_named((*step.at_reserve, *step.on_failure))
