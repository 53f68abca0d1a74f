"""What the three readers of build output have in common: what a line told, and why a build failed.

Pure: text lines in, facts out. A line that no reader understands is handed on as it is; none may stop a build.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from msgspec import Struct, field

from tonnage.lazily import regex

LOG_LINES = 40
_TERMINAL = regex(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[@-_])")
_SOURCE_LINE = regex(r"(?P<file>[^\s:]+):(?P<line>\d+)")


class ProgressLine(Struct, frozen=True):
    """What one line of a builder's output told.

    Args:
        where: Where the build is now, such as ``[3/7] RUN pip install``; empty when it did not move.
        lines: Lines that people may want to read.
    """

    where: str = ""
    lines: tuple[str, ...] = ()


NOTHING_HEARD = ProgressLine()


class BuildFailure(Struct, frozen=True):
    """Why a build failed, as far as its output tells.

    Args:
        step: The step that failed, such as ``[3/7] RUN pip install``; empty when none had begun.
        reason: The builder's own words.
        log: Last lines that the step printed, oldest first.
        line: Line of the step in its Dockerfile, where the builder names it.
    """

    step: str = ""
    reason: str = ""
    log: tuple[str, ...] = ()
    line: int | None = None


class BuildOutput(Protocol):
    """Reads the output of one build, line by line."""

    def hear(self, line: str) -> ProgressLine:
        """Take one line."""

    def failure(self) -> BuildFailure:
        """Return what is known about the failure; only asked for once a build has failed."""


class BuildStep(Struct):
    """One step while its output is read: its name, its last lines, and the error it ended with."""

    name: str
    log: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    error: str = ""
    announced: bool = False


def plain_text(line: str) -> str:
    """Return the line without colours and without blanks at its end."""
    return _TERMINAL.sub("", line).rstrip()


def was_stopped(error: str) -> bool:
    """Tell whether a step ended only because the build did."""
    return "context canceled" in error.lower()


def choose_failed(steps: list[BuildStep]) -> BuildStep | None:
    """Return the step that failed first for a reason of its own: those that were only stopped do not count."""
    failed = [step for step in steps if step.error]
    own = [step for step in failed if not was_stopped(step.error)]
    return next(iter(own or failed), None)


class Epilogue:
    """The text in which BuildKit repeats a failure at the end: the Dockerfile's line and the final reason."""

    def __init__(self) -> None:
        self.reason = ""
        self.line: int | None = None

    def hear(self, text: str) -> None:
        """Take one line of it; rules, excerpts of the file and repeated log lines tell nothing new."""
        source = _SOURCE_LINE.fullmatch(text.strip())
        if source:
            self.line = int(source["line"])
        elif text.startswith("ERROR: "):
            self.reason = text.removeprefix("ERROR: ")
        elif text and not text.startswith(("-", " ", "#", ">")):
            self.reason = text
