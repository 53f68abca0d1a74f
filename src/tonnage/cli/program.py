"""What the installed program starts: the command, and then the end of its process.

Python ends by taking apart every object of every module, which takes longer than all of ``tonnage status``. What has to
be closed is closed by its ``with`` block, and threads that still work are waited for; the rest is left to the kernel.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from typing import NoReturn

_OBJECTS_BEFORE_A_SEARCH = 50_000


def run() -> NoReturn:
    """Run the command with the process's own arguments, and end the process with its exit code."""
    # Nearly all that is made while modules are imported stays: searching it for what does not would only take time.
    gc.set_threshold(_OBJECTS_BEFORE_A_SEARCH)
    from tonnage.cli.app import main  # noqa: PLC0415 - after the line above

    end(main())


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
