"""What a program prints, cut into lines."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_LINE = 65536


class LinesOfOutput:
    """Cuts a stream of bytes into lines at newline, carriage return, or both."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""
        self._after_return = False

    def take(self, chunk: bytes) -> None:
        """Add bytes and hand over the lines that they complete."""
        text = self._decoder.decode(chunk)
        if not text:
            return
        if self._after_return and text.startswith("\n"):
            text = text[1:]
        self._after_return = text.endswith("\r")
        *whole, self._rest = (self._rest + text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in whole:
            self._on_line(line)
        if len(self._rest) > _LONGEST_LINE:
            rest, self._rest = self._rest, ""
            self._on_line(rest)

    def end(self) -> None:
        """Hand over what came after the last end of line."""
        rest, self._rest = self._rest + self._decoder.decode(b"", final=True), ""
        if rest:
            self._on_line(rest)
