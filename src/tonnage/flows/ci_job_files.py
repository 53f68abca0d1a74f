"""Reading what a job left in files: a forecast, the events of a run, what was reclaimed.

A job that failed leaves less: a file that is missing, empty or breaks off is told as what it is worth.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from tonnage.errors import UsageError
from tonnage.model.reports.ci_job import DiskMoment, JobForecast, JobReclaim, JobRun, JobStep

_Document = TypeVar("_Document", JobForecast, JobReclaim)


class _Head(msgspec.Struct, frozen=True):
    document: str = ""
    event: str = ""


class _Plan(msgspec.Struct, frozen=True):
    purpose: str
    filesystem: str
    available_bytes: int


class _Started(msgspec.Struct, frozen=True):
    plan: _Plan


class _Finished(msgspec.Struct, frozen=True):
    outcome: str
    seconds: float


class _Failed(msgspec.Struct, frozen=True):
    what: str
    why: str = ""


def read_job_forecast(file: str) -> JobForecast | None:
    """Read what ``forecast --json`` printed.

    Args:
        file: Where it is; empty for none.

    Returns:
        The forecast; None when there is none, because it failed.

    Raises:
        UsageError: The file holds something else.
    """
    return _document(file, JobForecast, "forecast")


def read_job_reclaim(file: str) -> JobReclaim | None:
    """Read what ``reclaim --json`` printed.

    Args:
        file: Where it is; empty for none.

    Returns:
        What was reclaimed; None when nothing tells, because it failed before.

    Raises:
        UsageError: The file holds something else.
    """
    return _document(file, JobReclaim, "reclaim")


def read_job_run(file: str) -> JobRun | None:
    """Read the events of a run.

    Args:
        file: JSON lines; empty for none.

    Returns:
        The run; None when there was none.

    Raises:
        UsageError: The file holds something else.
    """
    lines = _text(file).splitlines()
    if not lines:
        return None
    run = JobRun()
    for number, line in enumerate(lines, start=1):
        try:
            event = msgspec.json.decode(line, type=_Head).event
            if event == "run-started":
                plan = msgspec.json.decode(line, type=_Started).plan
                run = msgspec.structs.replace(
                    run, purpose=plan.purpose, mount=plan.filesystem, before_bytes=plan.available_bytes
                )
            elif event == "step-finished":
                run = msgspec.structs.replace(run, steps=(*run.steps, msgspec.json.decode(line, type=JobStep)))
            elif event == "run-finished":
                end = msgspec.json.decode(line, type=_Finished)
                run = msgspec.structs.replace(run, outcome=end.outcome, seconds=end.seconds)
            elif event == "error":
                failed = msgspec.json.decode(line, type=_Failed)
                run = msgspec.structs.replace(run, failure=f"{failed.what}. {failed.why}".rstrip(". ") + ".")
        except msgspec.MsgspecError as error:
            if number == len(lines):
                break  # A job that was killed ends in the middle of a line.
            raise UsageError("this is not a file of events", why=f"{error}.", place=f"{file}:{number}") from error
    return msgspec.structs.replace(run, moments=_moments(lines, run.mount))


def _moments(lines: list[str], mount: str) -> tuple[DiskMoment, ...]:
    """Return the samples of one filesystem; there are many, so they are not gathered one by one."""
    found = []
    for line in lines:
        if '"disk-sampled"' not in line:
            continue
        try:
            moment = msgspec.json.decode(line, type=DiskMoment)
        except msgspec.MsgspecError:
            continue
        if moment.mount == mount:
            found.append(moment)
    return tuple(found)


def _document(file: str, kind: type[_Document], name: str) -> _Document | None:
    text = _text(file)
    if not text.strip():
        return None
    try:
        head = msgspec.json.decode(text, type=_Head)
        if head.document == "error":
            return None
        if head.document != name:
            raise UsageError(f"this is no {name} as --json prints it", place=file)
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise UsageError(f"this is no {name} as --json prints it", why=f"{error}.", place=file) from error


def _text(file: str) -> str:
    if not file:
        return ""
    try:
        return Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read", why=f"{error}.") from error
