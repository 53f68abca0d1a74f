"""Parts that several documents have. Sizes are bytes, times are seconds."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

from msgspec import Meta

from tonnage.model.deploy.plan import Purpose
from tonnage.model.deploy.policy import Cleanup, Together
from tonnage.model.deploy.run import Outcome
from tonnage.model.forecast.estimate import Grade
from tonnage.model.stack import PullWhen

Size = Annotated[int, Meta(ge=0)]
"""Bytes, or how many there are: never negative."""
Seconds = Annotated[float, Meta(ge=0)]


class FiguresForm(TypedDict):
    """A forecast in bytes; null where it is not known."""

    low: int | None
    likely: int | None
    high: int | None
    grade: Grade
    weaker: NotRequired[dict[str, int]]


class EstimateForm(TypedDict):
    """A forecast of a step in bytes; null where it is not known, negative where bytes come free."""

    low_bytes: int | None
    likely_bytes: int | None
    high_bytes: int | None
    grade: Grade
    weaker_bytes: NotRequired[dict[str, int]]


class NeedForm(TypedDict):
    """What a plan needs of a filesystem at its worst moment."""

    purpose: Purpose
    mount: str
    peak_bytes: FiguresForm
    kept_bytes: FiguresForm
    step: str
    freed_bytes: Size
    missing_bytes: Size
    cleans: bool
    keep_versions: int


class OverlapForm(TypedDict):
    """What it saves to make several images at once."""

    at_once: int
    seconds: int
    bound_seconds: int
    in_turn_seconds: int


class PolicyForm(TypedDict):
    """Settings that planning depends on."""

    keep_free_bytes: Size | None
    keep_previous: bool
    keep_versions: int
    cleanup_after: bool
    cleanup: Cleanup
    push: bool
    parallel: int
    rollback: Together
    again: bool
    pull: PullWhen | None
    no_build: bool
    remove_orphans: bool
    adopt: bool


class StepForm(TypedDict):
    """A step of a plan; names of images and containers where its action has them."""

    name: str
    service: str
    kind: str
    cause: str
    changes: str
    kept: EstimateForm
    transient: EstimateForm
    after: EstimateForm
    lowest: EstimateForm
    at_reserve: list[StepForm]
    undo: list[StepForm]
    reference: NotRequired[str]
    references: NotRequired[list[str]]
    image: NotRequired[str]
    image_name: NotRequired[str]
    container: NotRequired[str]
    container_name: NotRequired[str]


class UnchangedForm(TypedDict):
    """A service that nothing is done with, and why."""

    service: str
    reason: str


class RefusalForm(TypedDict):
    """Why nothing will be done."""

    what: str
    why: str
    todo: str
    missing_bytes: Size


class SharedImageForm(TypedDict):
    """An image that several services stand on."""

    reference: str
    on: str
    services: list[str]
    wheels: list[str]
    kept_bytes: Size
    saved_bytes: int
    present: bool


class ApartForm(TypedDict):
    """Something that a service does not share, and why."""

    what: str
    why: str


class OfferForm(TypedDict):
    """What a service could share."""

    service: str
    off: bool
    could_share_bytes: Size
    apart: list[ApartForm]


class OtherVersionForm(TypedDict):
    """A line that would have to name another version."""

    service: str
    old: str
    place: str
    brought_by: list[str]


class AgreementForm(TypedDict):
    """One version of a package in place of several."""

    name: str
    version: str
    changes: list[OtherVersionForm]
    saves_bytes: int
    why: str


class SharingForm(TypedDict):
    """What services share, and why not more."""

    images: list[SharedImageForm]
    services: list[OfferForm]
    most_saved_bytes: int
    agreements: list[AgreementForm]


class PlanForm(TypedDict):
    """A plan to be shown."""

    stack: str
    purpose: Purpose
    engine_id: str
    endpoint: str
    fingerprint: str
    filesystem: str
    available_bytes: Size
    reserve_bytes: Size
    need: NeedForm | None
    summary: dict[str, Size]
    seconds: Seconds | None
    times: dict[str, Seconds]
    overlap: OverlapForm | None
    policy: PolicyForm
    services: list[str]
    steps: list[StepForm]
    unchanged: list[UnchangedForm]
    refusal: RefusalForm | None
    notes: list[str]
    sharing: NotRequired[SharingForm | None]


class MeasuredForm(TypedDict):
    """What a filesystem did while a step ran."""

    mount: str
    before_bytes: Size
    after_bytes: Size
    lowest_bytes: Size
    kept_bytes: int
    transient_bytes: Size
    samples: Size
    shared: bool


class OutcomeForm(TypedDict):
    """How a step ended."""

    name: str
    service: str
    kind: str
    outcome: Outcome
    undo: bool
    seconds: Seconds
    forecast_kept_bytes: int | None
    forecast_grade: Grade
    measured: list[MeasuredForm]
    message: str
    log: str


class RunForm(TypedDict):
    """One execution of a plan."""

    run_id: int
    stack: str
    engine_id: str
    purpose: Purpose
    rehearsal: bool
    started_s: Seconds
    seconds: Seconds
    outcome: Outcome
    filesystem: str
    reserve_bytes: Size
    message: str
    steps: list[OutcomeForm]


class TrendForm(TypedDict):
    """How a filesystem changes, and when it reaches the reserve and its end at that rate; null for never."""

    change_bytes: int
    seconds: Seconds
    bytes_per_s: float
    until_reserve_s: Seconds | None
    until_full_s: Seconds | None


class FilesystemForm(TypedDict):
    """A filesystem as it is now; headroom is negative below the reserve."""

    mount: str
    roles: list[str]
    size_bytes: Size
    available_bytes: Size
    reserved_bytes: Size
    reserve_bytes: Size
    headroom_bytes: int
    inodes: Size
    available_inodes: Size
    ballast_bytes: Size
    trend: TrendForm | None


class ErrorForm(TypedDict):
    """What ended a command."""

    exit_code: int
    title: str
    what: str
    why: str
    todo: str
    place: str
    log: str


Block = dict[str, Any]
"""A piece of a configuration that is somebody else's form."""
