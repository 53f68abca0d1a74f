"""Reads the output of the classic builder: one step after the other, each begun by ``Step 2/5 : RUN ...``.

Source: recorded from Docker 20.10.24 and 28.2.2 with ``DOCKER_BUILDKIT=0``.
"""

from __future__ import annotations

import re

from tonnage.adapters.docker.progress.output import NOTHING_HEARD, BuildFailure, BuildStep, ProgressLine, plain_text
from tonnage.lazily import regex

_STEP = regex(r"Step (?P<number>\d+)/(?P<total>\d+) : (?P<text>.*)", re.DOTALL)
_BOOKKEEPING = regex(
    r"(?: ---> (?!Using cache)(?:[0-9a-f]{12}|Running in [0-9a-f]{12}|\[Warning\].*)"
    r"|Removing intermediate container [0-9a-f]{12}|Successfully (?:built|tagged) \S+)"
)
_CONTEXT = "Sending build context to Docker daemon"


class LegacyOutput:
    """The output of one build."""

    def __init__(self) -> None:
        self._step: BuildStep | None = None
        self._number: int | None = None
        self._last = ""

    @property
    def instruction(self) -> int | None:
        """Which instruction of the Dockerfile is under way, counted from 1; None before the first."""
        return self._number

    def hear(self, line: str) -> ProgressLine:
        """Take one line."""
        text = plain_text(line)
        if not text:
            return NOTHING_HEARD
        begun = _STEP.fullmatch(text)
        if begun:
            self._number = int(begun["number"])
            self._step = BuildStep(f"[{begun['number']}/{begun['total']}] {begun['text']}")
            self._last = ""
            return ProgressLine(where=self._step.name)
        if text.startswith(_CONTEXT):
            return ProgressLine(where=f"sending the build context {text.removeprefix(_CONTEXT).strip()}".rstrip())
        if text == " ---> Using cache" and self._step:
            return ProgressLine(where=f"{self._step.name} (cached)")
        if _BOOKKEEPING.fullmatch(text):
            return NOTHING_HEARD
        if self._step:
            self._step.log.append(text)
        self._last = text
        return ProgressLine(lines=(text,))

    def failure(self) -> BuildFailure:
        """Return what is known about the failure; the classic builder's last line is its reason."""
        if self._step is None:
            return BuildFailure(reason=self._last)
        log = tuple(self._step.log)
        if log and log[-1] == self._last:
            log = log[:-1]
        return BuildFailure(self._step.name, self._last, log)
