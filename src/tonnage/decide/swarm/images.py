"""Which image each service of a cluster runs, found among those that the engines have. Pure.

The engine that builds comes first, then the manager, then the other nodes: of several images of one name the first
counts. A service whose image is nowhere goes on with what Swarm runs of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import UsageError
from tonnage.model.cluster.rollout import ChosenImage
from tonnage.model.deploy.image_names import content_reference, is_content
from tonnage.model.references import ImagesByName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.model.inventory import Image
    from tonnage.model.stack import Service


def chosen_image(
    stack: str,
    service: Service,
    engines: Sequence[tuple[str, Sequence[Image]]],
    *,
    running: str,
) -> tuple[ChosenImage, Image]:
    """Return which image a service runs, with what the engine that has it tells of it.

    Args:
        engines: Addresses of engines with their images, in the order in which they count.
        running: What Swarm runs of this service now; empty for nothing.

    Returns:
        The choice, and the image.

    Raises:
        UsageError: The image is nowhere.
    """
    found = _first(service.image, engines)
    if found is not None:
        host, image = found
        digest = _digest_name(service, image)
        reference = digest or content_reference(stack, service.name, image.content_digest or image.image_id)
        name = next(iter(image.references), image.image_id)
        return (
            ChosenImage(
                service=service.name, reference=reference, source=host, source_name=name, pulled=bool(digest)
            ),
            image,
        )  # fmt: skip
    again = _first(running, engines) if running else None
    if again is None:
        raise _nowhere(service)
    host, image = again
    kept = ChosenImage(
        service=service.name,
        reference=running,
        source=host,
        source_name=running,
        pulled="@" in running and not is_content(running),
    )
    return kept, image


def _first(name: str, engines: Sequence[tuple[str, Sequence[Image]]]) -> tuple[str, Image] | None:
    for host, images in engines:
        image = ImagesByName.of(tuple(images)).image(name)
        if image is not None:
            return host, image
    return None


def _digest_name(service: Service, image: Image) -> str:
    """Return the name by digest of an image that came from a registry; empty for what was built."""
    if service.build is not None or not image.pullable:
        return ""
    repository = service.image.partition("@")[0]
    slash, colon = repository.rfind("/"), repository.rfind(":")
    repository = repository[:colon] if colon > slash else repository
    own = (each for each in image.digests if each.partition("@")[0].endswith(repository))
    return next(own, image.digests[0])


def _nowhere(service: Service) -> UsageError:
    if service.build is not None:
        return UsageError(
            f"the service {service.name!r} was not built: its image {service.image} is on no engine that was asked",
            why="A Swarm builds nothing; its nodes are sent what was built.",
            todo="Build it first, on this machine or on the manager:\n  tonnage build",
            place=str(service.place or ""),
        )
    return UsageError(
        f"the image {service.image} of the service {service.name!r} is on no engine that was asked",
        why="Nothing can be said of its bytes, so it is placed nowhere.",
        todo=f"Pull or load it on this machine or on the manager:\n  docker pull {service.image}",
        place=str(service.place or ""),
    )


def named(moves: Mapping[str, ChosenImage]) -> dict[str, str]:
    """Return what the tasks of each service run."""
    return {service: choice.reference for service, choice in moves.items()}
