"""Events as JSON lines: one object for each event, the last of a run being its result."""

from __future__ import annotations

import contextlib
from threading import Lock
from typing import TYPE_CHECKING, Self, TextIO

from tonnage.views.json_forms import event_form
from tonnage.views.json_text import json_text

if TYPE_CHECKING:
    from types import TracebackType

    from tonnage.model.event import Event


class JsonLinesView:
    """Writes each event as one line and flushes it; events may come from several threads.

    A stream that takes nothing any more, because its reader is gone or its disk is full, ends nothing else.

    Args:
        stream: Where the lines go: standard output.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = Lock()

    def __enter__(self) -> Self:
        """Begin; nothing is written."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End; nothing is written."""

    def show(self, event: Event) -> None:
        """Write one event.

        Args:
            event: Any event.
        """
        line = json_text(event_form(event)) + "\n"
        with self._lock, contextlib.suppress(OSError):
            self._stream.write(line)
            self._stream.flush()
