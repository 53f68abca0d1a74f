"""Events as JSON lines: one object for each event, the last of a run being its result."""

from __future__ import annotations

import contextlib
from threading import Lock
from typing import TYPE_CHECKING, Self, TextIO

from tonnage.views.json.encode import json_text
from tonnage.views.json.plan_and_run import event_form

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.model.deploy.event import Event


class JsonLinesView:
    """Writes each event as one line and flushes it; events may come from several threads.

    A stream that takes nothing any more, because its reader is gone or its disk is full, ends nothing else.

    Args:
        monotonic: Seconds that only ever grow; each line has those since the first one.
    """

    def __init__(self, stream: TextIO, *, monotonic: Callable[[], float]) -> None:
        self._stream = stream
        self._monotonic = monotonic
        self._began_s: float | None = None
        self._lock = Lock()

    def __enter__(self) -> Self:
        """Begin; nothing is written."""
        return self

    def __exit__(self, *_: object) -> None:
        """End; nothing is written."""

    def show(self, event: Event) -> None:
        """Write one event."""
        form = event_form(event)
        with self._lock, contextlib.suppress(OSError):
            now_s = self._monotonic()
            self._began_s = now_s if self._began_s is None else self._began_s
            line = json_text({**form, "at_s": round(now_s - self._began_s, 3)}) + "\n"
            self._stream.write(line)
            self._stream.flush()
