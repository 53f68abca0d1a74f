"""The process's standard streams: what is put in place of closed ones, and what becomes of output that nobody reads."""

from __future__ import annotations

import codecs
import io
import os
import sys
from pathlib import Path

_STDERR = 2


def let_go_of_output() -> None:
    """Keep the interpreter, which writes out at its end what is still waiting, from failing once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
