"""What ``tonnage ci`` tells of a job from the files it left: the summary, and the comment on a pull request.

A job that failed leaves less: a file that is missing, empty or breaks off is told as what it is worth.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tonnage.errors import CannotFitError, LimitPassedError, UsageError
from tonnage.flows.ci_files import repository
from tonnage.flows.requests import typed_value
from tonnage.lazily import learned, regex
from tonnage.model.forecast.fit import FitVerdict
from tonnage.model.reports.ci_job import (
    DiskMoment,
    Figures,
    ForecastOfDeploy,  # noqa: TC001 - msgspec reads it
    JobForecast,
    JobLint,
    JobReclaim,
    JobRun,
    JobStep,
)
from tonnage.own_files import open_stream
from tonnage.small_files import TOLD_BY_JOB, read_text
from tonnage.units import format_bytes, parse_bytes
from tonnage.views.ci.annotations import annotation
from tonnage.views.ci.job_log import broken_annotations, changes_log, forecast_log
from tonnage.views.ci.job_summary import job_summary, job_values
from tonnage.views.ci.lint_comment import MARKER, lint_comment
from tonnage.views.ci.size_comment import marker, size_comment

if TYPE_CHECKING:
    from tonnage.errors import TonnageError
    from tonnage.flows.ports import CiPorts

_MOST_GROWN = 10
_Document = TypeVar("_Document", JobForecast, JobLint, JobReclaim)
_REPOSITORY = regex(r"[\w.-]+/[\w.-]+")


class _Head(Struct, frozen=True):
    document: str = ""
    event: str = ""


class _Plan(Struct, frozen=True):
    purpose: str
    filesystem: str
    available_bytes: int
    need: ForecastOfDeploy | None = None


class _Started(Struct, frozen=True):
    plan: _Plan


class _Finished(Struct, frozen=True):
    outcome: str
    seconds: float


class _Failed(Struct, frozen=True):
    what: str
    why: str = ""


def _read_run(file: str) -> JobRun | None:
    """Read the events of a run from JSON lines; None when there was none."""
    lines = _text(file).splitlines()
    if not lines:
        return None
    run = JobRun()
    for number, line in enumerate(lines, start=1):
        try:
            event = msgspec.json.decode(line, type=learned(_Head)).event
            if event == "run-started":
                plan = msgspec.json.decode(line, type=learned(_Started)).plan
                expected = plan.need.peak_bytes if plan.need is not None else Figures()
                run = replace(
                    run,
                    purpose=plan.purpose,
                    mount=plan.filesystem,
                    before_bytes=plan.available_bytes,
                    expected=expected,
                )
            elif event == "step-finished":
                run = replace(run, steps=(*run.steps, msgspec.json.decode(line, type=learned(JobStep))))
            elif event == "run-finished":
                end = msgspec.json.decode(line, type=learned(_Finished))
                run = replace(run, outcome=end.outcome, seconds=end.seconds)
            elif event == "error":
                failed = msgspec.json.decode(line, type=learned(_Failed))
                run = replace(run, failure=f"{failed.what}. {failed.why}".rstrip(". ") + ".")
        except (msgspec.MsgspecError, RecursionError) as error:
            if number == len(lines):
                break  # A job that was killed ends in the middle of a line.
            raise UsageError("this is not a file of events", why=f"{error}.", place=f"{file}:{number}") from error
    return replace(run, moments=_moments(lines, run.mount))


def _moments(lines: list[str], mount: str) -> tuple[DiskMoment, ...]:
    """Return the samples of one filesystem; there are many, so they are not gathered one by one."""
    found = []
    for line in lines:
        if '"disk-sampled"' not in line:
            continue
        try:
            moment = msgspec.json.decode(line, type=learned(DiskMoment))
        except (msgspec.MsgspecError, RecursionError):
            continue
        if moment.mount == mount:
            found.append(moment)
    return tuple(found)


def _document(file: str, kind: type[_Document], name: str) -> _Document | None:
    """Read what a command printed with ``--json``; None when nothing tells, because it failed before."""
    text = _text(file)
    if not text.strip():
        return None
    try:
        head = msgspec.json.decode(text, type=learned(_Head))
        if head.document == "error":
            return None
        if head.document != name:
            raise UsageError(f"this is no {name} as --json prints it", place=file)
        return msgspec.json.decode(text, type=learned(kind))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UsageError(f"this is no {name} as --json prints it", why=f"{error}.", place=file) from error


def _text(file: str) -> str:
    if not file:
        return ""
    try:
        return read_text(file, TOLD_BY_JOB, piped=True)
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{file} cannot be read", why=f"{why}.") from error


class JobFlags(Struct, frozen=True, kw_only=True):
    """What was typed about a job; empty where nothing was."""

    forecast: str
    events: str
    reclaim: str
    base: str
    lint: str
    outputs: str
    repository: str
    pull_request: int | None
    must_fit: bool = False
    grows_at_most: str = ""


def summarise(ports: CiPorts, typed: JobFlags) -> tuple[str, dict[str, int | None]]:
    """Sum up a job, and add its figures to the file of outputs.

    Returns:
        The summary as Markdown, and its figures by name.

    Raises:
        UsageError: A file holds something else, or the outputs cannot be written.
    """
    forecast, run = _document(typed.forecast, JobForecast, "forecast"), _read_run(typed.events)
    reclaimed = _document(typed.reclaim, JobReclaim, "reclaim")
    values = job_values(forecast, run, reclaimed)
    if typed.outputs:
        try:
            opened = open_stream(Path(typed.outputs), append=True, project=(Path(ports.working_directory),))
            with open(opened, "w", encoding="utf-8") as outputs:  # noqa: PTH123 - a descriptor
                outputs.writelines(
                    f"{name.replace('_', '-')}={'' if value is None else value}\n" for name, value in values.items()
                )
        except OSError as error:
            raise UsageError(f"--outputs: {typed.outputs} cannot be written", why=f"{error.strerror}.") from error
    return job_summary(forecast, run, reclaimed), values


class JobVerdict(Struct, frozen=True, kw_only=True):
    """What a forecast means for a job.

    Args:
        text: The forecast for its log.
        annotations: Workflow commands of GitHub, one a line, whose values are escaped already.
        failure: What ends the job; None for nothing.
    """

    text: str
    annotations: tuple[str, ...] = ()
    failure: TonnageError | None = None


def judge(working_directory: str, typed: JobFlags) -> JobVerdict:
    """Compare a forecast with what a job asks of it: that it fits, and that it grows no further.

    Args:
        working_directory: Where the stack is: files are told from the root of its repository.

    Returns:
        The forecast as plain lines, annotations, and the failure that the job ends with.

    Raises:
        UsageError: There is no forecast, or a file holds something else.
    """
    here = _document(typed.forecast, JobForecast, "forecast")
    most_bytes = typed_value("--grows-at-most", typed.grows_at_most, parse_bytes) if typed.grows_at_most else None
    if here is None:
        raise UsageError("there is no forecast", todo="Make one:\n  tonnage forecast --json > forecast.json")
    base = _document(typed.base, JobForecast, "forecast")
    lines, annotations = (
        [forecast_log(here)],
        broken_annotations(here, partial(_in_repository, Path(working_directory).resolve())),
    )
    failures: list[TonnageError] = []
    tight = next((each for each in here.fits if each.fit == FitVerdict.NOT), None)
    if tight is not None:
        what = f"the stack does not fit on {tight.mount}: {format_bytes(tight.missing_bytes)} are missing"
        annotations.append(annotation("error" if typed.must_fit else "warning", what))
        if typed.must_fit:
            failures.append(CannotFitError(what, todo="See what would make it fit:\n  tonnage forecast"))
    if typed.must_fit and not here.fits:
        annotations.append(annotation("warning", "whether the stack fits is not known: no disk was measured"))
    if most_bytes is not None:
        growth = _growth(here, base, most_bytes)
        lines += [growth.text] if growth.text else []
        annotations += list(growth.annotations)
        failures += [growth.failure] if growth.failure is not None else []
    return JobVerdict(text="\n".join(lines), annotations=tuple(annotations), failure=next(iter(failures), None))


def _in_repository(directory: Path, file: str) -> str:
    """Return how GitHub calls a file; what lies outside of the repository stays as it is."""
    whole = directory / file
    root = repository(directory)
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else file


def _growth(here: JobForecast, base: JobForecast | None, most_bytes: int) -> JobVerdict:
    if base is None:
        said = annotation("notice", "how much the stack grows is not known: there is no forecast of the base")
        return JobVerdict(text="", annotations=(said,))
    now, before = here.stack.disk_bytes.likely, base.stack.disk_bytes.likely
    if here.broken or base.broken or now is None or before is None:
        said = annotation("warning", "how much the stack grows is not known: a part of it has no figures")
        return JobVerdict(text="", annotations=(said,))
    grown = now - before
    if grown <= most_bytes:
        told = f"the stack grows by {format_bytes(max(0, grown))}, of {format_bytes(most_bytes)} at the most"
        return JobVerdict(text=told)
    what = f"the stack grows by {format_bytes(grown)}, more than {format_bytes(most_bytes)}"
    earlier = {each.service: each.disk_bytes.likely or 0 for each in base.services}
    changes = [(each.service, (each.disk_bytes.likely or 0) - earlier.get(each.service, 0)) for each in here.services]
    largest = sorted((each for each in changes if each[1] > 0), key=lambda each: -each[1])[:_MOST_GROWN]
    told = changes_log(largest)
    return JobVerdict(text=told, annotations=(annotation("error", what),), failure=LimitPassedError(what))


def comment(ports: CiPorts, typed: JobFlags) -> tuple[str, bool]:
    """Tell the change of every service's forecast size, on a pull request where one is named.

    Returns:
        The comment as Markdown, and whether it replaced an earlier one.

    Raises:
        UsageError: There is no forecast, or no repository is named.
        StepFailedError: GitHub refused.
    """
    text, begins = _comment_text(typed)
    if typed.pull_request is None:
        return text, False
    repository = typed.repository or ports.environment.get("GITHUB_REPOSITORY", "")
    if not _REPOSITORY.fullmatch(repository):
        raise UsageError(f"{repository!r} names no repository", todo="Write --repository OWNER/NAME.")
    replaced = ports.write_comment(text, marker=begins, repository=repository, pull_request=typed.pull_request)
    return text, replaced


def _comment_text(typed: JobFlags) -> tuple[str, str]:
    """Return a comment, and what it begins with: of what lint found where that is named, else of forecast sizes."""
    if typed.lint:
        found = _document(typed.lint, JobLint, "lint")
        if found is None:
            raise UsageError("there is no output of lint", todo="Make it:\n  tonnage lint --json > lint.json")
        return lint_comment(found), MARKER
    here = _document(typed.forecast, JobForecast, "forecast")
    if here is None:
        raise UsageError("there is no forecast", todo="Make one:\n  tonnage forecast --json > forecast.json")
    return size_comment(here, _document(typed.base, JobForecast, "forecast")), marker(here.stack.name)
