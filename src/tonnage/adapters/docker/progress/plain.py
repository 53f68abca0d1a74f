"""Reads ``--progress=plain``: BuildKit's output for people, one numbered block for each step.

Steps that run at once are interleaved; every line carries the number of its step.

Source: recorded from Docker 20.10.24 and, for later forms, moby/buildkit ``util/progress/progressui/printer.go`` 0.12.
"""

from __future__ import annotations

import re

from tonnage.adapters.docker.progress.output import (
    NOTHING_HEARD,
    BuildFailure,
    BuildStep,
    Epilogue,
    ProgressLine,
    choose_failed,
    plain_text,
)
from tonnage.lazily import regex

_NUMBERED = regex(r"#(?P<number>\d+) (?P<rest>.*)", re.DOTALL)
_LOGGED = regex(r"\d+\.\d+ ?(?P<text>.*)", re.DOTALL)
_RULE = regex(r"-{4,}")


class PlainOutput:
    """The output of one build."""

    def __init__(self) -> None:
        self._steps: dict[str, BuildStep] = {}
        self._current: BuildStep | None = None
        self._epilogue = Epilogue()
        self._ending = False

    def hear(self, line: str) -> ProgressLine:
        """Take one line."""
        text = plain_text(line)
        if not text:
            return NOTHING_HEARD
        if _RULE.fullmatch(text) and any(step.error for step in self._steps.values()):
            self._ending = True
        if self._ending:
            self._epilogue.hear(text)
            return NOTHING_HEARD
        numbered = _NUMBERED.fullmatch(text)
        if numbered is None:
            return self._continued(text)
        return self._numbered(numbered["number"], numbered["rest"])

    def failure(self) -> BuildFailure:
        """Return what is known about the failure."""
        step = choose_failed(list(self._steps.values()))
        reason = self._epilogue.reason
        if step is None:
            return BuildFailure(reason=reason, line=self._epilogue.line)
        return BuildFailure(step.name, step.error or reason, tuple(step.log), self._epilogue.line)

    def _numbered(self, number: str, rest: str) -> ProgressLine:
        step = self._steps.get(number)
        logged = _LOGGED.fullmatch(rest)
        if number == "0":
            # No step has this number: buildx names its builder so, and BuildKit 0.11 numbered some log lines so.
            if not logged or self._current is None:
                return NOTHING_HEARD
            step = self._current
        if step is None:
            step = self._steps[number] = BuildStep(rest)
            return self._at(step)
        if rest == step.name:
            return self._at(step)
        self._current = step
        if logged:
            step.log.append(logged["text"])
            return ProgressLine(lines=(logged["text"],))
        if rest == "CACHED":
            return ProgressLine(where=f"{step.name} (cached)")
        if rest.startswith("ERROR"):
            step.error = rest.removeprefix("ERROR").removeprefix(":").strip() or "it failed"
            return ProgressLine(lines=(rest,))
        return NOTHING_HEARD

    def _at(self, step: BuildStep) -> ProgressLine:
        moved = step is not self._current
        self._current = step
        return ProgressLine(where=step.name) if moved and not step.name.startswith("[internal]") else NOTHING_HEARD

    def _continued(self, text: str) -> ProgressLine:
        """A line without a number: the rest of a line that had a carriage return, or a message of the program."""
        self._epilogue.hear(text)
        if self._current is not None:
            self._current.log.append(text)
        return ProgressLine(lines=(text,))
