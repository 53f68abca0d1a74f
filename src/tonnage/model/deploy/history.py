"""What the journal remembers of one stack on one engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Version
    from tonnage.model.forecast.learned import LearnedInstruction, LearnedStep


class History(Struct, frozen=True, kw_only=True):
    """What the journal knows about one stack on one engine.

    Args:
        learned: By the step's learn key.
        versions: Good versions, oldest first; withdrawn ones (rolled away from) are not among them.
        taught: What instructions of Dockerfiles wrote, by their learn key, whatever stack they were in.
        built: Layers that instructions made on this engine: the identity of the layer and the image that has it.
    """

    learned: dict[str, LearnedStep] = field(default_factory=dict)
    versions: tuple[Version, ...] = ()
    taught: dict[str, LearnedInstruction] = field(default_factory=dict)
    built: tuple[tuple[str, str], ...] = ()

    def versions_of(self, service: str) -> tuple[Version, ...]:
        """Return the good versions of one service, oldest first."""
        return tuple(version for version in self.versions if version.service == service)
