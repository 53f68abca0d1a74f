"""What ``plan``, ``status``, ``deploy`` and ``reclaim`` print of a cluster."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class FoundBytesForm(TypedDict):
    """Forecast bytes, with their grade."""

    low_bytes: int
    likely_bytes: int
    high_bytes: int
    grade: Literal["exact", "declared", "learned", "unknown"]
    parts: list[tuple[str, int]]


class ChosenNodeForm(TypedDict):
    """A node that a service may run on."""

    node: str
    tasks: int
    stays: bool
    why: str


class PlacedServiceForm(TypedDict):
    """Where a service runs."""

    service: str
    nodes: list[ChosenNodeForm]


class NodeOutlookForm(TypedDict):
    """What a plan does to the disk of a node."""

    node: str
    mount: str
    available_bytes: int | None
    reserve_bytes: int
    reclaim_bytes: int
    low_bytes: int | None


class ImageMoveForm(TypedDict):
    """An image that goes to a node."""

    node: str
    service: str
    reference: str
    pulled: bool
    moved: FoundBytesForm
    kept: FoundBytesForm


class PlacementSearchForm(TypedDict):
    """How good a placement is."""

    proven: bool
    moved_bytes: int
    bound_bytes: int


class LeftOutForm(TypedDict):
    """A node that gets nothing new."""

    node: str
    why: str


class RuledOutForm(TypedDict):
    """Why a service cannot run on a node."""

    node: str
    why: str
    missing_bytes: int | None


class PlacementRefusalForm(TypedDict):
    """Why a stack finds no place."""

    service: str
    what: str
    why: str
    todo: str
    missing_bytes: int | None
    proven: bool
    nodes: list[RuledOutForm]


class ClusterPlanForm(TypedDict):
    """What ``plan`` prints of a stack on a cluster."""

    stack: str
    manager: str
    up_to_date: bool
    changed: list[str]
    services: list[PlacedServiceForm]
    nodes: list[NodeOutlookForm]
    moves: list[ImageMoveForm]
    notes: list[str]
    left_out: list[LeftOutForm]
    refusal: PlacementRefusalForm | None
    search: NotRequired[PlacementSearchForm]


class NodeDiskForm(TypedDict):
    """A filesystem of a node."""

    mount: str
    roles: list[str]
    size_bytes: int
    available_bytes: int | None
    reserve_bytes: int
    reclaimable_bytes: int


class NodeForm(TypedDict):
    """A node of a cluster."""

    node: str
    id: str
    role: str
    state: str
    availability: str
    observed: bool
    why_not: str
    disks: list[NodeDiskForm]
    images: list[str]
    tasks: list[str]


class ClusterServiceForm(TypedDict):
    """A service of the stack as the cluster has it."""

    service: str
    image: str
    replicas: int | None
    running: int
    nodes: list[str]
    update: str


class StackVersionForm(TypedDict):
    """A version of the stack that the cluster holds."""

    version: int
    good: bool


class ClusterForm(TypedDict):
    """What ``status``, ``deploy`` and ``rollback`` print of a cluster."""

    manager: str
    stack: str
    nodes: list[NodeForm]
    services: list[ClusterServiceForm]
    versions: list[StackVersionForm]


class ReclaimedNodeForm(TypedDict):
    """What goes of a node."""

    node: str
    images: int
    freed_bytes: int


class ClusterReclaimForm(TypedDict):
    """What ``reclaim`` prints of a cluster."""

    done: bool
    nodes: list[ReclaimedNodeForm]
