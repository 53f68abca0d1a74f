"""What ``tonnage ci`` says about a job from the files it left: the summary, and the comment on a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.errors import UsageError
from tonnage.flows.ci_job_files import read_job_forecast, read_job_reclaim, read_job_run
from tonnage.lazily import regex
from tonnage.views.ci.job_summary import job_summary, job_values
from tonnage.views.ci.size_comment import marker, size_comment

if TYPE_CHECKING:
    from tonnage.cli.session import Session

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


def summarise(session: Session, typed: JobFlags) -> None:
    """Print the summary of a job as Markdown, and add its figures to the file of outputs.

    Args:
        session: Where the summary goes.
        typed: Where the job's files are.

    Raises:
        UsageError: A file holds something else, or the outputs cannot be written.
    """
    forecast, run = read_job_forecast(typed.forecast), read_job_run(typed.events)
    reclaimed = read_job_reclaim(typed.reclaim)
    values = job_values(forecast, run, reclaimed)
    text = job_summary(forecast, run, reclaimed)
    if typed.outputs:
        try:
            with open(typed.outputs, "a", encoding="utf-8") as outputs:  # noqa: PTH123 - any path
                outputs.writelines(
                    f"{name.replace('_', '-')}={'' if value is None else value}\n" for name, value in values.items()
                )
        except OSError as error:
            raise UsageError(f"--outputs: {typed.outputs} cannot be written", why=f"{error.strerror}.") from error
    if session.json:
        session.print_document("job", {**values, "text": text})
    else:
        session.print_text(text)


def comment(session: Session, typed: JobFlags) -> None:
    """Print the change of every service's forecast size, or write it on a pull request.

    Args:
        session: Where the comment goes when no pull request is named.
        typed: Where the forecasts are, and which pull request.

    Raises:
        UsageError: There is no forecast, or no repository is named.
        StepFailedError: GitHub refused.
    """
    here = read_job_forecast(typed.forecast)
    if here is None:
        raise UsageError("there is no forecast to tell of", todo="Make one:\n  tonnage forecast --json > forecast.json")
    text = size_comment(here, read_job_forecast(typed.base))
    if typed.pull_request is None:
        session.print_text(text)
        return
    repository = typed.repository or session.outside.environment.get("GITHUB_REPOSITORY", "")
    if not _REPOSITORY.fullmatch(repository):
        raise UsageError(f"{repository!r} names no repository", todo="Write --repository OWNER/NAME.")
    from tonnage.adapters.github.pull_request_comments import write_comment  # noqa: PLC0415 - only where one is written

    replaced = write_comment(
        text,
        marker=marker(here.stack.name),
        repository=repository,
        pull_request=typed.pull_request,
        environment=session.outside.environment,
    )
    session.say(f"the comment on pull request {typed.pull_request} was {'replaced' if replaced else 'written'}")
