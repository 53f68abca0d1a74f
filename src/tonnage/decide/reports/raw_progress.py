"""The raw progress of buildx (``--progress=rawjson``), told as it tells its plain one. Pure."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tonnage.lazily import learned

if TYPE_CHECKING:
    from collections.abc import Iterator

_BEGINS = ('{"vertexes":', '{"logs":', '{"statuses":', '{"warnings":')


class _RawStep(Struct):
    digest: str
    name: str = ""
    completed: str = ""
    cached: bool = False
    error: str = ""


class _RawSaid(Struct):
    vertex: str
    data: str
    timestamp: str


class _RawTold(Struct):
    vertexes: list[_RawStep] = []
    logs: list[_RawSaid] = []


class RawProgress:
    """Knows the numbers of the steps that were seen."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    @staticmethod
    def is_it(line: str) -> bool:
        """Return whether a line is one of raw progress."""
        return line.startswith(_BEGINS)

    def plain(self, line: str) -> Iterator[str]:
        """Yield what the plain progress would say of a line; the line itself where it is something else."""
        try:
            told = msgspec.json.decode(line, type=learned(_RawTold))
        except msgspec.DecodeError:
            yield line
            return
        for vertex in told.vertexes:
            number = self._numbers.get(vertex.digest)
            if number is None:
                number = self._numbers[vertex.digest] = len(self._numbers) + 1
                yield f"#{number} {vertex.name}"
            if vertex.error:
                yield f"#{number} ERROR: {vertex.error}"
            elif vertex.completed:
                yield f"#{number} {'CACHED' if vertex.cached else 'DONE 0.0s'}"
        for each in told.logs:
            number = self._numbers.get(each.vertex, 0)
            try:
                said = b64decode(each.data).decode(errors="replace")
            except (NotBase64, ValueError):
                continue
            for text in said.splitlines():
                # Where in its step it stands is told by its time.
                yield f"{each.timestamp} #{number} 0.0 {text}"
