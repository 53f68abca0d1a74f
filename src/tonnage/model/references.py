"""How references of images are written: engines and people write one name in several ways. Pure text."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tonnage.identity import ByIdentity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tonnage.model.inventory import Image

_SHORTEST_ID = 6
_HEXADECIMAL = frozenset("0123456789abcdef")
# The registry that Docker leaves out of names.
OWN_REGISTRY = "docker.io"


def spellings(reference: str) -> frozenset[str]:
    """Return every way in which an engine may write a name: Docker leaves its own registry out, others write it."""
    familiar = tagged(reference)
    if familiar.startswith("sha256:"):
        return frozenset({reference, familiar})
    first, slash, _ = familiar.partition("/")
    if slash and (first == "localhost" or set(".:") & set(first)):
        return frozenset({reference, familiar})
    return frozenset({reference, familiar, f"{OWN_REGISTRY}/{familiar if slash else f'library/{familiar}'}"})


def tagged(reference: str) -> str:
    """Return a reference as Docker writes it: without its own registry, by its digest where it has one, else tagged.

    Source: distribution/reference, ``ParseDockerRef`` and ``FamiliarString``.
    """
    if reference.startswith("sha256:"):
        return reference
    name, at, digest = reference.partition("@")
    for registry in (f"{OWN_REGISTRY}/", f"index.{OWN_REGISTRY}/"):
        name = name.removeprefix(registry)
    if name.count("/") == 1:
        name = name.removeprefix("library/")
    first, slash, last = name.rpartition("/")
    repository, _, tag = last.partition(":")
    if at:
        return f"{first}{slash}{repository}@{digest}"
    return f"{first}{slash}{repository}:{tag or 'latest'}"


def find_image(images: Iterable[Image], reference_or_id: str) -> Image | None:
    """Return the image that an engine would take a name for; None when it has none."""
    known = tuple(images)
    wanted = spellings(reference_or_id)
    for image in known:
        if image.image_id in wanted or not wanted.isdisjoint(image.references) or not wanted.isdisjoint(image.digests):
            return image
    return _of_beginning(known, reference_or_id)


def _of_beginning(images: Iterable[Image], beginning_of_id: str) -> Image | None:
    """Return the image whose id begins so; None for none, and for what is no beginning of an id."""
    beginning = beginning_of_id.removeprefix("sha256:")
    if len(beginning) < _SHORTEST_ID or not set(beginning) <= _HEXADECIMAL:
        return None
    return next((image for image in images if image.image_id.startswith(f"sha256:{beginning}")), None)


class ImagesByName:
    """Images by all their names, for who looks for many: each look costs as much as a name, not as all images."""

    def __init__(self, images: Iterable[Image]) -> None:
        self._images = tuple(images)
        self._places: dict[str, int] = {}
        for place, image in enumerate(self._images):
            for name in (image.image_id, *image.references, *image.digests):
                self._places.setdefault(name, place)

    @classmethod
    def of(cls, images: tuple[Image, ...]) -> ImagesByName:
        """Return the names of images that stay the same for many looks."""
        return _names_of(ByIdentity(images))

    def image(self, reference_or_id: str) -> Image | None:
        """Return what :func:`find_image` returns."""
        places = [place for name in spellings(reference_or_id) if (place := self._places.get(name)) is not None]
        if places:
            return self._images[min(places)]
        return _of_beginning(self._images, reference_or_id)


@lru_cache(maxsize=2)
def _names_of(images: ByIdentity[tuple[Image, ...]]) -> ImagesByName:
    return ImagesByName(images.held)
