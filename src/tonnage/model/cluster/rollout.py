"""What a deploy on a cluster does: images that go to nodes, labels, and the stack file that Swarm is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from tonnage.model.forecast.estimate import NOTHING

if TYPE_CHECKING:
    from tonnage.model.cluster.placement import Placement, PlacementRefusal, WrittenPlacement
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.stack import ComposeMapping


class ChosenImage(Struct, frozen=True, kw_only=True):
    """Which image a service runs, and where it is.

    Args:
        reference: What its tasks run: by digest where it came from a registry, else a tag made of its content.
        source: The engine that has it, by its address; empty for that of the environment.
        source_name: What it is called there.
        pulled: Whether nodes pull it; otherwise it is sent to them.
    """

    service: str
    reference: str
    source: str
    source_name: str
    pulled: bool


class ImageMove(Struct, frozen=True, kw_only=True):
    """One image that goes to one node.

    Args:
        host: How its engine is reached; empty where Swarm itself has to pull there.
        moved: What crosses the wire; ``kept`` what stays on the disk there.
    """

    node_id: str
    hostname: str
    host: str
    image: ChosenImage
    moved: Estimate = NOTHING
    kept: Estimate = NOTHING


class ClusterPlan(Struct, frozen=True, kw_only=True):
    """What a deploy on a cluster would do.

    Args:
        placement: Where services run; None where there is no such place.
        refusal: Why not.
        changed: The services whose tasks are replaced.
        moves: In the order in which they are made.
        reclaims: Bytes that have to be freed on nodes before, by the node's id.
        document: The stack file.
        skipped: Nodes that get nothing new, with the reason.
        through: The registry through which images that were built go to nodes; empty to send them by ssh.
    """

    stack: str
    manager: str
    services: tuple[str, ...]
    placement: Placement | None = None
    refusal: PlacementRefusal | None = None
    changed: tuple[str, ...] = ()
    moves: tuple[ImageMove, ...] = ()
    reclaims: dict[str, int] = field(default_factory=dict)
    written: WrittenPlacement | None = None
    document: ComposeMapping = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    through: str = ""

    @property
    def up_to_date(self) -> bool:
        """Whether there is nothing to do."""
        labels = self.written is not None and bool(self.written.before or self.written.after)
        return self.refusal is None and not (self.changed or self.moves or labels)
