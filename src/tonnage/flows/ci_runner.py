"""For which runner workflows are written, as typed now or by an earlier call, and the words that name their stack.

Also what a stack needs on the image of that runner, and would need on the one after it, which asks no engine.
"""

from __future__ import annotations

import itertools
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.decide.deploy.expectations import reserve_bytes
from tonnage.decide.reports.known_engines import runner_image
from tonnage.errors import UsageError
from tonnage.escapes import is_visible
from tonnage.flows.forecast import forecast_now
from tonnage.flows.requests import typed_value
from tonnage.flows.stack import read_wanted
from tonnage.flows.verdict import room_of
from tonnage.forecast.costs.totals import fit_into
from tonnage.lazily import regex
from tonnage.model.forecast.estimate import DATA_ROOT
from tonnage.model.inventory import Filesystem
from tonnage.model.reports.ci_job import NextRunner, PeakOnRunners
from tonnage.units import format_bytes, parse_bytes
from tonnage.views.ci.workflows import ANEW, DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tonnage.flows.ports import ForecastPorts
    from tonnage.flows.requests import StackFlags
    from tonnage.flows.stack import DesiredState
    from tonnage.model.forecast.estimate import Estimate
    from tonnage.model.forecast.stack_forecast import StackForecast
    from tonnage.model.stack import Stack

_DEFAULTS = {"--runner": "ubuntu-24.04", "--runner-disk": "14GB", "--branch": "main"}
_REMEMBERED = (*_DEFAULTS, "--install")
_TOGETHER = "one job builds all services, one after the other:"
_LABEL = regex(r"[\w.@:/-]+")


class RunnerFlags(Struct, frozen=True, kw_only=True):
    """What was typed about the runner; None where nothing was."""

    runner: str | None = None
    runner_disk: str | None = None
    branch: str | None = None
    install: str | None = None

    def by_option(self) -> dict[str, str]:
        """Return what was typed, by the name of its option."""
        given = dict(zip(_REMEMBERED, (self.runner, self.runner_disk, self.branch, self.install), strict=True))
        return {option: value for option, value in given.items() if value is not None}


class RunnerChoice(Struct, frozen=True, kw_only=True):
    """What holds for the runner.

    Args:
        labels: Its labels, at least one.
        disk_bytes: What it has available at the least.
        branch: The branch whose pushes are built.
        install: The command that installs Tonnage there; empty when it was never said.
        words: What has to be typed for the same choice, by option; usual values left out.
    """

    labels: tuple[str, ...]
    disk_bytes: int
    branch: str
    install: str
    words: tuple[str, ...]


def choose_runner(typed: RunnerFlags, remembered: Mapping[str, str]) -> RunnerChoice:
    """Put together what was typed now and what an earlier call typed.

    Args:
        remembered: What the written file says was typed, by option.

    Returns:
        What holds.

    Raises:
        UsageError: A value cannot be used.
    """
    said = {**remembered, **typed.by_option()}
    values = {**_DEFAULTS, **said}
    for option, value in values.items():
        if not value.strip() or not is_visible(value):
            raise UsageError(f"{option}: {value!r} is not a line of text", todo="Write one line that is not empty.")
    labels = tuple(label.strip() for label in values["--runner"].split(","))
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise UsageError(
                f"--runner: {label!r} is not the label of a runner",
                todo="Write one label, or several with commas between them:\n  --runner self-hosted,linux",
            )
    words = [
        word
        for option, value in said.items()
        if value != _DEFAULTS.get(option)
        for word in (option, shlex.quote(value))
    ]
    return RunnerChoice(
        labels=labels,
        disk_bytes=typed_value("--runner-disk", values["--runner-disk"], parse_bytes),
        branch=values["--branch"],
        install=values.get("--install", ""),
        words=tuple(words),
    )


_ANEW_BEFORE = "# Written anew by: "
"""How the line began in files that were written before it had its present words."""


def remembered_options(text: str) -> dict[str, str]:
    """Return what a written workflow says was typed for it, by option; nothing where it does not say so."""
    line = _line(text, ANEW) or _line(text, _ANEW_BEFORE)
    try:
        words = shlex.split(line)
    except ValueError:
        return {}
    return {option: value for option, value in itertools.pairwise(words) if option in _REMEMBERED}


def directory_in(text: str) -> str | None:
    """Return the directory of the stack that a workflow was written for; None where it does not say so."""
    return _line(text, DIRECTORY) or None


def _line(text: str, begin: str) -> str:
    return next((line.removeprefix(begin) for line in text.splitlines() if line.startswith(begin)), "")


def stack_words(
    flags: StackFlags, stack: Stack, root: Path, environment: Mapping[str, str], here: str
) -> tuple[str, ...]:
    """Return what has to be typed in the project directory, on any machine, to mean the same stack.

    Args:
        environment: That of this process: variables of Compose choose a stack too.

    Raises:
        UsageError: A file lies outside of the repository, where no other machine has it.
    """
    words: list[str] = []
    if flags.files or environment.get("COMPOSE_FILE"):
        for file in stack.files:
            words += ["--file", _within(file, stack, root)]
    if flags.project_directory:
        words += ["--project-directory", "."]
    if flags.project_name or environment.get("COMPOSE_PROJECT_NAME"):
        words += ["--project-name", stack.name]
    for file in flags.env_files:
        words += ["--env-file", _within(os.path.join(here, file), stack, root)]  # noqa: PTH118 - either may be absolute
    for profile in flags.profiles or filter(None, environment.get("COMPOSE_PROFILES", "").split(",")):
        words += ["--profile", profile.strip()]
    return tuple(map(writable, words))


def stack_variables(flags: StackFlags, stack: Stack, root: Path, here: str) -> dict[str, str]:
    """Return the variables of Compose that mean the same stack as what was typed, in the project directory.

    Args:
        root: The directory that everything has to lie in.

    Raises:
        UsageError: There is no variable for what was typed, or a file lies elsewhere.
    """
    if flags.project_directory:
        raise UsageError(
            "deploy.sh is written into the project directory, and cannot name another one",
            todo="Leave out --project-directory, and name the files with -f.",
        )
    env_files = [os.path.join(here, file) for file in flags.env_files]  # noqa: PTH118 - either may be absolute
    values = {
        "COMPOSE_FILE": ":".join(_within(file, stack, root) for file in stack.files) if flags.files else "",
        "COMPOSE_ENV_FILES": ",".join(_within(file, stack, root) for file in env_files),
        "COMPOSE_PROFILES": ",".join(flags.profiles),
        "COMPOSE_PROJECT_NAME": flags.project_name,
    }
    return {name: writable(value) for name, value in values.items() if value}


def writable(text: str) -> str:
    """Return a name that can stand in a written file, where a line break would begin a line of its own.

    Raises:
        UsageError: Something in it cannot be seen.
    """
    if not is_visible(text):
        raise UsageError(
            f"{text!r} cannot stand in a file that is written",
            why="It holds a line break, or something else that cannot be seen.",
            todo="Rename it.",
        )
    return text


def _within(file: str, stack: Stack, root: Path) -> str:
    path = Path(file).resolve()
    if not path.is_relative_to(root):
        raise UsageError(
            f"{file} is outside {root}",
            why="What is written has to find it on any machine.",
            todo="Move it in there, with what belongs to it.",
        )
    return os.path.relpath(path, Path(stack.directory).resolve())


def one_runner(wanted: DesiredState, whole: StackForecast | None, chosen: RunnerChoice, *, was_together: bool) -> str:
    """Find out whether one runner holds all services of a stack, one after the other.

    Args:
        whole: What they need there; None where nothing was forecast, and workflows stay as they were written.
        was_together: Whether they are built so by what was written before: a little more changes nothing then.

    Returns:
        What says so in a workflow; empty where it does not.
    """
    built = [each.name for each in wanted.stack.built]
    if len(built) < 2:  # noqa: PLR2004 - one alone is built alone
        return ""
    if whole is None:
        return _TOGETHER if was_together else ""
    if {*built} - {each.service for each in whole.services}:
        return ""
    size_bytes, keep_free_bytes = chosen.disk_bytes, wanted.policy.keep_free_bytes
    disk = Filesystem(mount="a runner", roles=(DATA_ROOT,), size_bytes=size_bytes, available_bytes=size_bytes)
    reserve = reserve_bytes(disk, keep_free_bytes if (keep_free_bytes or size_bytes) < size_bytes else None)
    fits = fit_into(whole, [room_of(disk, reserve)])
    for each in fits:
        needed = each.one_after_the_other
        most_bytes = needed.likely_bytes if was_together else needed.high_bytes
        if not needed.known or most_bytes > each.room.headroom_bytes:
            return ""
    needs = format_bytes(max((each.one_after_the_other.likely_bytes for each in fits), default=0))
    return f"{_TOGETHER} they need {needs}, and a runner has {format_bytes(size_bytes)}"


def next_runner(ports: ForecastPorts, flags: StackFlags, chosen: RunnerChoice) -> NextRunner:
    """Forecast the stack of this directory for both images.

    Raises:
        UsageError: The stack cannot be read, or it is not known which image comes after that of this runner.
    """
    image = runner_image(chosen.labels)
    if image is None or not image.successor:
        raise UsageError(
            f"--runner: which image comes after {', '.join(chosen.labels)} is not known",
            todo="Write the label of a hosted runner:\n  --runner ubuntu-24.04",
        )
    wanted = read_wanted(ports, flags)
    return compared(ports, wanted, chosen, forecast_now(ports, wanted, target=image.engine))


def compared(ports: ForecastPorts, wanted: DesiredState, chosen: RunnerChoice, here: StackForecast) -> NextRunner:
    """Compare the forecast for the image of a runner with that for the one after it, which there must be.

    Raises:
        UsageError: There is none.
    """
    image = runner_image(chosen.labels)
    after = runner_image([image.successor]) if image is not None else None
    if image is None or after is None:
        raise UsageError(f"--runner: nothing is known of {', '.join(chosen.labels)}")
    there = forecast_now(ports, wanted, target=after.engine)
    built = [each.name for each in wanted.stack.built]
    return NextRunner(
        here=image,
        there=after,
        whole=PeakOnRunners(name=wanted.stack.name, here=_whole(here, built), there=_whole(there, built)),
        services=tuple(PeakOnRunners(name=name, here=_peak(here, name), there=_peak(there, name)) for name in built),
        runner_bytes=chosen.disk_bytes,
        left_out=there.left_out,
    )


def _peak(forecast: StackForecast, service: str) -> Estimate | None:
    return next((each.peak for each in forecast.services if each.service == service), None)


def _whole(forecast: StackForecast, built: Sequence[str]) -> Estimate | None:
    known = {each.service for each in forecast.services}
    return forecast.disk + forecast.transient if known.issuperset(built) else None
