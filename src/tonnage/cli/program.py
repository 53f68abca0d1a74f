"""What the installed program starts: the command on usable standard streams, and then the end of its process.

Python ends by taking apart every object of every module, which takes longer than all of ``tonnage status``. What has to
be closed is closed by its ``with`` block, and threads that still work are waited for; the rest is left to the kernel.
"""

from __future__ import annotations

import codecs
import contextlib
import gc
import io
import os
import sys
import threading
from pathlib import Path
from typing import NoReturn, TextIO

_OBJECTS_BEFORE_A_SEARCH = 50_000
_STDERR = 2


def run() -> NoReturn:
    """Run the command with the process's own arguments, and end the process with its exit code."""
    # Nearly all that is made while modules are imported stays: searching it for what does not would only take time.
    gc.set_threshold(_OBJECTS_BEFORE_A_SEARCH)
    leave_out_relative_places()
    from tonnage.cli.app import main  # noqa: PLC0415 - after the line above

    end(main())


def leave_out_relative_places() -> None:
    """Have no program found in the working directory, which may be a stranger's: where PATH says ``.`` or nothing."""
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join(each for each in places if each.startswith("/")) or os.defpath


def end(code: int) -> NoReturn:
    """End the process: when every thread that is not a daemon has ended, with nothing left in a buffer."""
    with contextlib.suppress(KeyboardInterrupt):
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def let_go_of_output() -> None:
    """Keep the interpreter, which writes out at its end what is still waiting, from failing once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class VisibleStream:
    """Standard error for what knows nothing of escapes, such as a library that warns and a thread that fails."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = ""

    def write(self, text: str) -> int:
        """Write the lines that are whole."""
        *lines, self._begun = (self._begun + text).split("\n")
        self._say(*(f"{line}\n" for line in lines))
        return len(text)

    def flush(self) -> None:
        """Write also the line that is not whole."""
        begun, self._begun = self._begun, ""
        self._say(begun)
        self._stream.flush()

    def __getattr__(self, name: str) -> object:
        """Return what else there is to ask of the stream."""
        return getattr(self._stream, name)

    def _say(self, *texts: str) -> None:
        from tonnage.escapes import shortened, visible  # noqa: PLC0415 - help does without it

        self._stream.writelines(shortened(visible(text)) for text in texts)


def prepare_streams() -> None:
    """Put something in place of closed standard streams, which the next open files would become; settle encodings."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - its only argument
    os.close(descriptor)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("r+", encoding="utf-8"))  # noqa: SIM115 - open to the end
    if isinstance(sys.stdout, io.TextIOWrapper) and codecs.lookup(sys.stdout.encoding).name != "utf-8":
        # JSON is UTF-8, whatever the locale says.
        sys.stdout.reconfigure(encoding="utf-8")
