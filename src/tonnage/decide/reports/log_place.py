"""Whether a log is from this machine, and which run it can belong to. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.model.deploy.run import Run
    from tonnage.model.reports.symptom import Here, LogOrigin, ReadLog

_BEFORE_S = 60.0
_AFTER_S = 15 * 60.0
_OWN_NAMES = frozenset({"localhost", "kernel"})
_HOMES = ("/home/", "/Users/")


def machine_elsewhere(log: ReadLog, here: Here) -> str:
    """Return which other machine a log is from, for people; empty for this one, or where it does not tell."""
    origin = log.origin
    others = {each for each in origin.hosts if each not in _OWN_NAMES and _short(each) != _short(here.hostname)}
    ours = any(_short(each) == _short(here.hostname) for each in origin.hosts)
    if origin.machine and origin.machine != here.runner:
        return origin.machine
    if others and not ours:
        return f"the machine {next(iter(others))}" if len(others) == 1 else "other machines"
    if any(not each.in_build and each.path in here.absent and each.path.startswith(_HOMES) for each in log.symptoms):
        return "another machine"
    return ""


def _short(host: str) -> str:
    return host.lower().partition(".")[0]


def run_of_log(runs: Sequence[Run], origin: LogOrigin, written_s: float | None, services: frozenset[str]) -> Run | None:
    """Return the run that a log can belong to: one of its time, with a failed step of a service that it names.

    Args:
        runs: The newest first.
        written_s: When the log was written, where it has no times of its own; None where nobody knows.
        services: Services that the log names; empty where it names none.
    """
    begin_s = origin.begin_s if origin.begin_s is not None else written_s
    end_s = origin.end_s if origin.end_s is not None else written_s
    if begin_s is None or end_s is None:
        return None
    for run in runs:
        if end_s < run.started_s - _BEFORE_S or begin_s > run.started_s + run.seconds + _AFTER_S:
            continue
        failed = {each.service for each in run.steps if each.outcome is Outcome.FAILED and each.service}
        if services and failed and not services & failed:
            continue
        return run
    return None
