"""Reads ``--progress=rawjson``: one JSON object a line, each a BuildKit ``SolveStatus``.

An object carries any of ``vertexes`` (the steps: digest, name, started, completed, cached, error), ``statuses``
(transfers inside a step), ``logs`` (vertex, stream, base64 data) and ``warnings``. A line that is no such object is
a message of the program: the final error comes that way.

Source: moby/buildkit ``client/graph.go`` 0.14 (field names), docker/buildx ``util/progress`` 0.13.
"""

from __future__ import annotations

import base64
import binascii
import codecs
from typing import TYPE_CHECKING

import msgspec

from tonnage.adapters.docker.progress.output import (
    NOTHING_HEARD,
    BuildFailure,
    BuildStep,
    Epilogue,
    ProgressLine,
    choose_failed,
    plain_text,
    was_stopped,
)

if TYPE_CHECKING:
    from codecs import IncrementalDecoder


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
    """The output of one build."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(_Status)
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
