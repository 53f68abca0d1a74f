"""What is the same for all services of a forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.model.forecast.estimate import EngineKind
from tonnage.model.inventory import tagged

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tonnage.model.forecast.learned import LearnedInstruction
    from tonnage.model.stack import Service


class ForecastContext(Struct, frozen=True, kw_only=True):
    """What is the same for all services of a forecast.

    Args:
        engine: What builds.
        platform: The platform that is built for where a service says nothing else.
        platform_forced: It holds also where a service does.
        python: The version of Python that the user chose; empty for the image's own.
        assume_bytes: What is assumed where nothing is known.
        layers_there: Chain ids of the layers that the engine has.
        taught: What instructions were measured to do.
        stack: The name of the stack.
        builders: The services of the stack that are built: others may stand on their images.
    """

    engine: EngineKind = EngineKind.BUILDKIT
    platform: str = "linux/amd64"
    platform_forced: bool = False
    python: str = ""
    assume_bytes: int = 500_000_000
    layers_there: Collection[str] = ()
    taught: Mapping[str, LearnedInstruction] = field(default_factory=dict)
    stack: str = ""
    builders: tuple[Service, ...] = ()

    def builder_of(self, reference: str) -> Service | None:
        """Return the service of the stack that builds an image; None where none does."""
        wanted = tagged(reference)
        return next((each for each in self.builders if tagged(each.image) == wanted), None)
