"""Readers of builders' output: what a build does now, and why it failed.

Pure: text lines in, facts out. A line that no reader understands is handed on as it is; none may stop a build.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections import deque
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Struct, field

from tonnage.lazily import learned, regex

if TYPE_CHECKING:
    from codecs import IncrementalDecoder

LOG_LINES = 40
_TERMINAL = regex(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[@-_])")
_SOURCE_LINE = regex(r"(?P<file>[^\s:]+):(?P<line>\d{1,9})")


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


_STEP = regex(r"Step (?P<number>\d{1,9})/(?P<total>\d+) : (?P<text>.*)", re.DOTALL)
_BOOKKEEPING = regex(
    r"(?: ---> (?!Using cache)(?:[0-9a-f]{12}|Running in [0-9a-f]{12}|\[Warning\].*)"
    r"|Removing intermediate container [0-9a-f]{12}|Successfully (?:built|tagged) \S+)"
)
_CONTEXT = "Sending build context to Docker daemon"


class LegacyOutput:
    """The output of a build by the classic builder: one step after the other, each begun by ``Step 2/5 : RUN ...``.

    Source: recorded from Docker 20.10.24 and 28.2.2 with ``DOCKER_BUILDKIT=0``.
    """

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


_NUMBERED = regex(r"#(?P<number>\d+) (?P<rest>.*)", re.DOTALL)
_LOGGED = regex(r"\d+\.\d+ ?(?P<text>.*)", re.DOTALL)
_RULE = regex(r"-{4,}")


class PlainOutput:
    """``--progress=plain``: BuildKit's output for people, one numbered block for each step.

    Steps that run at once are interleaved; every line carries the number of its step.

    Source: recorded from Docker 20.10.24 and, for later forms, moby/buildkit ``util/progress/progressui/printer.go``
    0.12.
    """

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


class _Vertex(msgspec.Struct, frozen=True):
    digest: str = ""
    name: str = ""
    started: str | None = None
    completed: str | None = None
    cached: bool = False
    error: str = ""


class _Log(msgspec.Struct, frozen=True):
    vertex: str = ""
    data: str = ""


class _Warning(msgspec.Struct, frozen=True):
    short: str = ""


class _Status(msgspec.Struct, frozen=True):
    vertexes: list[_Vertex] | None = None
    logs: list[_Log] | None = None
    warnings: list[_Warning] | None = None


class _Tail:
    """The unfinished last line of a step, and the unfinished last character of that line."""

    def __init__(self) -> None:
        self.decoder: IncrementalDecoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.text = ""


class RawJsonOutput:
    """``--progress=rawjson``: one JSON object a line, each a BuildKit ``SolveStatus``.

    An object carries any of ``vertexes`` (the steps: digest, name, started, completed, cached, error), ``statuses``
    (transfers inside a step), ``logs`` (vertex, stream, base64 data) and ``warnings``. A line that is no such object is
    a message of the program: the final error comes that way.

    Source: moby/buildkit ``client/graph.go`` 0.14 (field names), docker/buildx ``util/progress`` 0.13.
    """

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(learned(_Status))
        self._steps: dict[str, BuildStep] = {}
        self._tails: dict[str, _Tail] = {}
        self._epilogue = Epilogue()
        self._lines: list[str] = []

    def hear(self, line: str) -> ProgressLine:
        """Take one line."""
        if not line.lstrip().startswith("{"):
            return self._message(plain_text(line))
        try:
            status = self._decoder.decode(line)
        except msgspec.MsgspecError:
            return self._message(plain_text(line))
        for log in status.logs or ():
            self._log(log)
        where = ""
        for vertex in status.vertexes or ():
            where = self._vertex(vertex) or where
        self._lines += [
            f"warning: {_decoded(warning.short).decode(errors='replace')}" for warning in status.warnings or ()
        ]
        lines, self._lines = tuple(self._lines), []
        return ProgressLine(where, lines) if where or lines else NOTHING_HEARD

    def failure(self) -> BuildFailure:
        """Return what is known about the failure."""
        step = choose_failed(list(self._steps.values()))
        if step is None:
            return BuildFailure(reason=self._epilogue.reason, line=self._epilogue.line)
        return BuildFailure(step.name, step.error, tuple(step.log), self._epilogue.line)

    def _vertex(self, vertex: _Vertex) -> str:
        step = self._steps.setdefault(vertex.digest, BuildStep(vertex.name))
        step.name = step.name or vertex.name
        if vertex.completed:
            self._flush(vertex.digest)
        if vertex.error and not step.error:
            step.error = vertex.error
            if not was_stopped(vertex.error):
                self._lines.append(f"ERROR: {vertex.error}")
        if step.announced or not (vertex.started or vertex.cached) or step.name.startswith("[internal]"):
            return ""
        step.announced = True
        return f"{step.name} (cached)" if vertex.cached else step.name

    def _log(self, log: _Log) -> None:
        tail = self._tails.setdefault(log.vertex, _Tail())
        text = tail.text + tail.decoder.decode(_decoded(log.data))
        *whole, tail.text = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in whole:
            self._printed(log.vertex, line)

    def _flush(self, digest: str) -> None:
        tail = self._tails.pop(digest, None)
        if tail and tail.text:
            self._printed(digest, tail.text)

    def _printed(self, digest: str, line: str) -> None:
        text = plain_text(line)
        if text:
            self._steps.setdefault(digest, BuildStep("")).log.append(text)
            self._lines.append(text)

    def _message(self, text: str) -> ProgressLine:
        if not text:
            return NOTHING_HEARD
        self._epilogue.hear(text)
        # After a failure the program repeats what the failed step has already told.
        return NOTHING_HEARD if any(step.error for step in self._steps.values()) else ProgressLine(lines=(text,))


def _decoded(data: str) -> bytes:
    """Return the bytes; what is no base64 is taken as text."""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return data.encode()
