"""What ``tonnage ci`` tells of a job from the files it left: the summary, and the comment on a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import UsageError
from tonnage.flows.ci_job_files import read_job_forecast, read_job_reclaim, read_job_run
from tonnage.lazily import regex
from tonnage.views.ci.job_summary import job_summary, job_values
from tonnage.views.ci.size_comment import marker, size_comment

if TYPE_CHECKING:
    from tonnage.flows.ports import CiPorts

_REPOSITORY = regex(r"[\w.-]+/[\w.-]+")


class JobFlags(Struct, frozen=True, kw_only=True):
    """What was typed about a job; empty where nothing was."""

    forecast: str
    events: str
    reclaim: str
    base: str
    outputs: str
    repository: str
    pull_request: int | None


def summarise(typed: JobFlags) -> tuple[str, dict[str, int | None]]:
    """Sum up a job, and add its figures to the file of outputs.

    Returns:
        The summary as Markdown, and its figures by name.

    Raises:
        UsageError: A file holds something else, or the outputs cannot be written.
    """
    forecast, run = read_job_forecast(typed.forecast), read_job_run(typed.events)
    reclaimed = read_job_reclaim(typed.reclaim)
    values = job_values(forecast, run, reclaimed)
    if typed.outputs:
        try:
            with open(typed.outputs, "a", encoding="utf-8") as outputs:  # noqa: PTH123 - any path
                outputs.writelines(
                    f"{name.replace('_', '-')}={'' if value is None else value}\n" for name, value in values.items()
                )
        except OSError as error:
            raise UsageError(f"--outputs: {typed.outputs} cannot be written", why=f"{error.strerror}.") from error
    return job_summary(forecast, run, reclaimed), values


def comment(ports: CiPorts, typed: JobFlags) -> tuple[str, bool]:
    """Tell the change of every service's forecast size, on a pull request where one is named.

    Returns:
        The comment as Markdown, and whether it replaced an earlier one.

    Raises:
        UsageError: There is no forecast, or no repository is named.
        StepFailedError: GitHub refused.
    """
    here = read_job_forecast(typed.forecast)
    if here is None:
        raise UsageError("there is no forecast to tell of", todo="Make one:\n  tonnage forecast --json > forecast.json")
    text = size_comment(here, read_job_forecast(typed.base))
    if typed.pull_request is None:
        return text, False
    repository = typed.repository or ports.environment.get("GITHUB_REPOSITORY", "")
    if not _REPOSITORY.fullmatch(repository):
        raise UsageError(f"{repository!r} names no repository", todo="Write --repository OWNER/NAME.")
    replaced = ports.write_comment(
        text, marker=marker(here.stack.name), repository=repository, pull_request=typed.pull_request
    )
    return text, replaced
