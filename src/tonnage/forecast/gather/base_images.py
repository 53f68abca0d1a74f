"""The images that one build stands on or takes files from, each looked up once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.errors import TonnageError
from tonnage.forecast.costs.base_layers import ground_of, unknown_ground
from tonnage.model.forecast.recipe import FileSourceKind

if TYPE_CHECKING:
    from collections.abc import Collection

    from tonnage.forecast.gather.diagnostics import Diagnostics
    from tonnage.forecast.gather.lookups import Lookups
    from tonnage.model.forecast.base_image import BaseImage
    from tonnage.model.forecast.recipe import BaseConfig, FileSource
    from tonnage.model.forecast.sized_effects import BaseLayers


# The bound for commands may be set to a few megabytes; an image that cannot be had is still an image.
_LEAST_ASSUMED_BYTES = 500_000_000


class Bases:
    """The images of one build.

    Args:
        lookups: The outside.
        said: Failures and notes are added here.
        layers_there: Chain ids of the layers that the engine has.
        assume_bytes: What is assumed of an image that cannot be had; 500 MB at the least.
    """

    def __init__(self, lookups: Lookups, said: Diagnostics, layers_there: Collection[str], assume_bytes: int) -> None:
        self._layers_there = layers_there
        self._assume_bytes = max(assume_bytes, _LEAST_ASSUMED_BYTES)
        self._lookups = lookups
        self._said = said
        self._known: dict[tuple[str, str], BaseImage | None] = {}
        self._why: dict[str, str] = {}

    def find(self, reference: str, platform: str) -> BaseImage | None:
        """Return an image, or None where it cannot be had; why is noted."""
        key = (reference, platform)
        if key not in self._known:
            try:
                self._known[key] = self._lookups.base_image(reference, platform)
            except TonnageError as error:
                self._known[key] = None
                why = " ".join(f"{error.what}. {error.why}".split()).rstrip(". ")
                self._why[reference] = why
                self._said.failures.append(f"the image {reference}: {why}")
            else:
                found = self._known[key]
                self._said.notes += [f"{reference}: {note}" for note in (found.notes if found else ())]
        return self._known[key]

    def config(self, origin: FileSource, platform: str) -> BaseConfig | None:
        """Return what an image gives to the stage on it."""
        if origin.kind is not FileSourceKind.IMAGE:
            return None
        base = self.find(origin.name, origin.platform or platform)
        return None if base is None else base.config

    def layers(self, reference: str, base: BaseImage | None) -> BaseLayers:
        """Return what a stage stands on."""
        if base is None:
            why = self._why.get(reference, "it could not be read")
            return unknown_ground(reference, self._assume_bytes, why)
        return ground_of(base, self._layers_there, self._assume_bytes)
