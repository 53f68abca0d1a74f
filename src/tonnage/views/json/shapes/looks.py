"""The forms of ``status``, ``verify``, ``report``, ``rollback --list``, ``doctor`` and ``reclaim``."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from msgspec import Meta

from tonnage.model.reports.checklist import ItemState
from tonnage.model.reports.traces import TraceKind
from tonnage.views.json.shapes.parts import Block, EstimateForm, FilesystemForm, RunForm, Seconds, Size

ContainerState = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]


class EngineForm(TypedDict):
    """The engine; ``builder`` is empty unless one beside it is selected."""

    engine_id: str
    endpoint: str
    version: str
    storage_driver: str
    image_store: str
    data_root: str
    builder: str


class UsedForm(TypedDict):
    """What the engine keeps of one sort; bytes are null where it does not tell."""

    count: Size
    bytes: Size | None


class UseForm(TypedDict):
    """What the engine keeps."""

    images: UsedForm
    containers: UsedForm
    build_cache: UsedForm
    volumes: UsedForm


class ServiceStatusForm(TypedDict):
    """A service: ``mixed`` where its containers differ, ``done`` where it ended as it shall."""

    service: str
    state: ContainerState | Literal["absent", "mixed"]
    states: list[ContainerState]
    exit_code: int | None
    done: bool
    health: Literal["healthy", "starting", "unhealthy"] | None
    running: Size
    replicas: Size
    versions: list[Annotated[str, Meta(pattern="^[0-9a-f]*$")]]
    image: str


class OrphanForm(TypedDict):
    """A container of a service that is in no file any more."""

    service: str
    container: str
    state: ContainerState


class RunAtWorkForm(TypedDict):
    """A run that is at work on the engine now; step and seconds are null where the journal does not tell."""

    stack: str
    pid: Size
    user: str
    command: str
    step: str | None
    seconds: Seconds | None


class StatusForm(TypedDict):
    """What ``status`` and ``watch`` print."""

    engine: EngineForm
    filesystems: list[FilesystemForm]
    runs: list[RunAtWorkForm]
    use: UseForm
    stack: str
    services: list[ServiceStatusForm]
    orphans: list[OrphanForm]


class VerdictForm(TypedDict):
    """Whether a service is healthy."""

    service: str
    healthy: bool
    reason: str
    log: str


class VerificationForm(TypedDict):
    """What ``verify`` prints."""

    stack: str
    healthy: bool
    services: list[VerdictForm]


class ShippedImageForm(TypedDict):
    """An image that is sent to another engine; what was measured is null where nothing was sent yet."""

    image: str
    services: list[str]
    image_id: str
    platform: str
    layers: Size
    layers_to_send: Size
    forecast_wire_bytes: Size
    kept: EstimateForm
    highest: EstimateForm
    repository: str
    pushed: EstimateForm | None
    pulled: EstimateForm | None
    up_to_date: bool
    measured_wire_bytes: Size | None
    measured_pushed_bytes: Size | None
    measured_pulled_bytes: Size | None
    digest: str | None
    compressed: bool | None
    seconds: Seconds | None


class ShipForm(TypedDict):
    """What ``ship`` prints."""

    stack: str
    endpoint: str
    mount: str
    available_bytes: Size
    reserve_bytes: Size
    lowest_bytes: int
    missing_bytes: Size
    done: bool
    images: list[ShippedImageForm]


class RunsForm(TypedDict):
    """What ``report`` prints."""

    runs: list[RunForm]


class PrunedForm(TypedDict):
    """What ``report --prune`` prints."""

    path: str
    runs_removed: Size
    runs: Size
    before_bytes: Size
    after_bytes: Size


class GuardedForm(TypedDict):
    """A filesystem that is guarded."""

    mount: str
    available_bytes: Size
    reserve_bytes: Size
    target_bytes: Size
    available_inodes: Size
    reserve_inodes: Size
    reclaimed_bytes: int


class GuardForm(TypedDict):
    """What ``guard`` prints; ``failure`` is empty where nothing is wrong."""

    filesystems: list[GuardedForm]
    ballast_bytes: Size
    failure: str


class VersionForm(TypedDict):
    """A version of a service."""

    service: str
    version: str
    image: str
    names: list[str]
    proven_s: float | None
    unique_bytes: int | None
    size_bytes: int | None
    runs: bool
    withdrawn: bool
    there: bool
    configuration_known: bool


class VersionsForm(TypedDict):
    """What ``rollback --list`` prints."""

    versions: list[VersionForm]


class CheckForm(TypedDict):
    """One check."""

    name: str
    state: Literal["ok", "warning", "failed"]
    found: str
    todo: str


class ItemForm(TypedDict):
    """One item of the checklist."""

    name: str
    state: ItemState
    found: str
    todo: str


class CollectionRuleForm(TypedDict):
    """A rule of garbage collection; 0 is no limit."""

    filters: list[str]
    unused_s: int
    reserved_bytes: Size
    max_used_bytes: Size
    min_free_bytes: Size
    every_kind: bool


class CollectionLossForm(TypedDict):
    """Cache that garbage collection may take from a stack."""

    after: str
    free_bytes: int
    removed_bytes: int
    needed_bytes: int
    needed_by: list[str]


class CollectionForm(TypedDict):
    """The engine's garbage collection."""

    engine_version: str
    builder: str
    told_by: str
    mount: str
    size_bytes: Size
    reserve_bytes: Size
    cache_bytes: Size
    rules: list[CollectionRuleForm]
    losses: list[CollectionLossForm]
    unknown: list[str]


class ChecksForm(TypedDict):
    """What ``doctor`` prints."""

    checks: list[CheckForm]
    checklist: list[ItemForm]
    filesystems: list[FilesystemForm]
    garbage_collection: CollectionForm | None


class BuilderCollectionForm(TypedDict):
    """What ``doctor --builder-gc`` prints; the block is the engine's own form."""

    path: str | None
    state: Literal["shown", "written", "current"]
    builder_gc: Block


class SettingForm(TypedDict):
    """A setting."""

    key: str
    value: str
    origin: str
    meaning: str


class SettingsForm(TypedDict):
    """What ``doctor --settings`` prints."""

    settings: list[SettingForm]


class CandidateForm(TypedDict):
    """Something that would be removed."""

    id: str
    kind: str
    name: str
    unique_bytes: Size
    inodes: int | None
    cost_s: Seconds
    removal_s: Seconds
    last_used_s: float | None
    reason: str
    breaks: str
    back: str


class RemovalForm(TypedDict):
    """Something that was removed, or was to be; ``error`` is empty where it went well."""

    id: str
    kind: str
    name: str
    promised_bytes: Size
    freed_bytes: int
    seconds: Seconds
    error: str


class ProtectedForm(TypedDict):
    """Something that stays."""

    id: str
    kind: str
    name: str
    size_bytes: int | None
    reason: str


class ReclaimForm(TypedDict):
    """What ``reclaim`` prints."""

    mount: str
    available_bytes: Size
    target_bytes: Size | None
    done: bool
    after_bytes: Size
    enough: bool
    freeable_bytes: Size
    short_bytes: Size
    chosen: list[CandidateForm]
    removed: list[RemovalForm]
    protected: list[ProtectedForm]
    reasons: list[str]
    notes: list[str]


class TraceForm(TypedDict):
    """Something that Tonnage made; ``reason`` says why it stays."""

    kind: TraceKind
    name: str
    about: str
    size_bytes: int | None
    state: Literal["shown", "removed", "failed", "stays"]
    reason: str


class UninstallForm(TypedDict):
    """What ``uninstall`` prints; without an engine the endpoint is null."""

    endpoint: str | None
    done: bool
    freeable_bytes: Size
    traces: list[TraceForm]
    notes: list[str]
