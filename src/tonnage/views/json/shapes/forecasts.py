"""The forms of ``forecast``, ``lint``, ``report --accuracy`` and ``explain``."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from tonnage.model.forecast.estimate import EngineKind, Grade
from tonnage.model.forecast.finding import Safety
from tonnage.model.forecast.fit import FitVerdict
from tonnage.model.reports.lint import LintedKind
from tonnage.model.reports.symptom import SymptomKind
from tonnage.model.reports.torch import TorchVariant
from tonnage.views.json.shapes.parts import FiguresForm, NeedForm, Size


class ForecastFilesystemForm(TypedDict):
    """What a stack needs on a filesystem."""

    role: str
    disk_bytes: FiguresForm
    one_after_the_other_bytes: FiguresForm
    all_at_once_bytes: FiguresForm


class ForecastStackForm(TypedDict):
    """The sums of a stack."""

    name: str
    image_bytes: FiguresForm
    disk_bytes: FiguresForm
    transient_bytes: FiguresForm
    download_bytes: FiguresForm
    filesystems: list[ForecastFilesystemForm]


class ContributorForm(TypedDict):
    """Something that an instruction brings."""

    name: str
    disk_bytes: FiguresForm
    download_bytes: FiguresForm
    source: str
    brought_by: list[str]


class InstructionForm(TypedDict):
    """An instruction of a Dockerfile."""

    stage: str
    line: int
    text: str
    image_bytes: FiguresForm
    disk_bytes: FiguresForm
    transient_bytes: FiguresForm
    download_bytes: FiguresForm
    how: str
    present: bool
    contributors: list[ContributorForm]


class FindingForm(TypedDict):
    """A remark about a Dockerfile."""

    rule: str
    place: str
    text: str
    todo: str


class ServiceForecastForm(TypedDict):
    """The forecast of a service."""

    service: str
    image_bytes: FiguresForm
    disk_bytes: FiguresForm
    transient_bytes: FiguresForm
    download_bytes: FiguresForm
    target: str
    steps: list[InstructionForm]
    broken: bool
    failures: list[str]
    findings: list[FindingForm]
    notes: list[str]


class FitForm(TypedDict):
    """How a stack fits a filesystem."""

    mount: str
    roles: list[str]
    available_bytes: Size
    reserve_bytes: Size
    fit: FitVerdict
    missing_bytes: Size


class RemedyForm(TypedDict):
    """Something that would make a stack fit, or help."""

    kind: str
    what: str
    todo: list[str]
    saves_bytes: int
    missing_bytes: Size
    checked: bool


class ForecastForm(TypedDict):
    """What ``forecast`` prints."""

    engine_kind: EngineKind
    stack: ForecastStackForm
    services: list[ServiceForecastForm]
    fits: list[FitForm]
    deploy: NeedForm | None
    remedies: list[RemedyForm]


class FixForm(TypedDict):
    """What ``lint --fix`` would write."""

    what: str
    safety: Safety


class ChangePriceForm(TypedDict):
    """What one change of the sources adds to the disk, as it is and as proposed."""

    now: FiguresForm
    then: FiguresForm


class LintFindingForm(TypedDict):
    """A finding of ``lint``."""

    rule: str
    aliases: list[str]
    file: str
    line: int
    column: int | None
    end_line: int
    text: str
    why: str
    todo: str
    fix: FixForm | None
    price_bytes: FiguresForm | None
    peak_bytes: FiguresForm | None
    change_bytes: ChangePriceForm | None
    unpriced: str
    services: list[str]


class LintFileForm(TypedDict):
    """A file that was looked at; ``failure`` says why it could not be read."""

    file: str
    kind: LintedKind
    failure: str


class LintChangeForm(TypedDict):
    """A file that was changed."""

    file: str
    fixed: list[str]


class LintForm(TypedDict):
    """What ``lint`` prints."""

    findings: list[LintFindingForm]
    removable_bytes: FiguresForm | None
    files: list[LintFileForm]
    changed: list[LintChangeForm]
    unpriced: str
    notes: list[str]


class KnownEstimateForm(TypedDict):
    """What had been forecast."""

    low_bytes: int
    likely_bytes: int
    high_bytes: int
    grade: Grade


class AccuracyFigureForm(TypedDict):
    """A forecast beside what was measured; ``error`` is a share of the forecast."""

    run_id: int
    service: str
    what: str
    figure: Literal["image", "disk", "on top"]
    forecast: KnownEstimateForm
    measured_bytes: int
    error: float | None
    covered: bool


class AccuracyForm(TypedDict):
    """What ``report --accuracy`` prints."""

    figures: list[AccuracyFigureForm]


class SymptomForm(TypedDict):
    """A line of a log that shows something."""

    kind: SymptomKind
    cause: str | None
    line: int
    text: str
    told_by: str
    path: str
    when: str
    in_build: bool
    named_bytes: int | None
    subject: str


class PackageChangeForm(TypedDict):
    """A package that differs afterwards; a version is empty where it is not installed."""

    name: str
    before: str
    after: str
    expected: bool


class ServiceTorchForm(TypedDict):
    """The PyTorch of a service."""

    service: str
    wanted: TorchVariant
    why: str
    version: str
    brought_by: list[str]
    cuda: bool
    cuda_bytes: FiguresForm | None
    line: str
    lines: list[str]
    left: str
    changes: list[PackageChangeForm]
    saved_bytes: FiguresForm | None
    unchecked: str


class TorchForm(TypedDict):
    """What ``torch`` prints."""

    services: list[ServiceTorchForm]
    changed: list[str]
    written: bool
    notes: list[str]


class ExplanationForm(TypedDict):
    """A cause, and the lines that show it."""

    kind: SymptomKind
    cause: str | None
    service: str | None
    elsewhere: str | None
    what: str
    why: list[str]
    todo: str
    mount: str | None
    missing_bytes: int | None
    forecast_missing_bytes: int | None
    symptoms: list[SymptomForm]


class ExplanationsForm(TypedDict):
    """What ``explain`` prints."""

    log: str
    explanations: list[ExplanationForm]


class RunnerServiceForm(TypedDict):
    """What a service needs on two runner images."""

    service: str
    peak_bytes: int | None
    next_peak_bytes: int | None


class NextRunnerForm(TypedDict):
    """What ``ci next-runner`` prints."""

    runner: str
    engine: str
    next_runner: str
    next_engine: str
    runner_bytes: Size
    peak_bytes: int | None
    next_peak_bytes: int | None
    services: list[RunnerServiceForm]


class VerdictOnForecastForm(TypedDict):
    """What ``ci verdict`` prints; ``failure`` says why the job fails, and is null where it goes on."""

    text: str
    annotations: list[str]
    failure: str | None


class JobForm(TypedDict):
    """What ``ci summary`` prints."""

    peak_bytes: int | None
    freed_bytes: int | None
    forecast_bytes: int | None
    text: str


class WrittenFileForm(TypedDict):
    """A file of ``ci``: its text where it is shown, else how it is."""

    path: str
    text: NotRequired[str]
    state: NotRequired[Literal["written", "current", "not current"]]


class FilesForm(TypedDict):
    """What ``ci github`` and ``ci deploy-script`` print."""

    files: list[WrittenFileForm]
