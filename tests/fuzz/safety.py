"""What no reader may do while it reads: reach out, start, write, take without end. It holds until the process ends."""

from __future__ import annotations

import os
import resource
import signal
import sys
import sysconfig
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CPU_S = 4.0
"""Seconds of processor that one input may take: a hundred times what the slowest right one takes."""
MEMORY_BYTES = 1_000_000_000
"""What may be taken beside what is there at the start."""

_NEVER = frozenset(
    {
        "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname",
        "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn",
        "os.kill", "os.putenv", "os.unsetenv", "os.chdir", "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod",
        "os.chown", "os.link", "os.symlink", "os.truncate", "os.utime", "os.setxattr", "os.listdir", "os.scandir",
        "shutil.rmtree", "tempfile.mkstemp", "tempfile.mkdtemp", "pickle.find_class", "sqlite3.connect",
        "urllib.Request", "glob.glob",
    }
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class ForbiddenError(BaseException):
    """A reader did what none may do; nobody's ``except Exception`` takes it."""


class EndlessError(BaseException):
    """A reader took too long."""


class Safety:
    """Watches this process from now on, while an input is read.

    Args:
        readable: Directories whose files may be read, because modules are imported when they are first needed.
    """

    def __init__(self, *readable: Path) -> None:
        stdlib = sysconfig.get_paths()
        places = [*map(str, readable), *(stdlib[each] for each in ("stdlib", "platstdlib", "purelib", "platlib"))]
        self._readable = tuple(os.path.realpath(each) + os.sep for each in places)
        self._reading = False
        self._also: tuple[str, ...] = ()
        self.done = ""
        sys.dont_write_bytecode = True
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        signal.signal(signal.SIGVTALRM, self._takes_too_long)
        sys.addaudithook(self._heard)

    @contextmanager
    def reading(self, also: tuple[str, ...] = ()) -> Iterator[None]:
        """Watch; whatever is forbidden is raised here, even where the reader caught it.

        Args:
            also: Files that may be read as well.
        """
        self.done, self._reading, self._also = "", True, also
        signal.setitimer(signal.ITIMER_VIRTUAL, CPU_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            self._reading = False
        if self.done:
            raise ForbiddenError(self.done)

    def _takes_too_long(self, _number: int, _frame: object) -> None:
        if self._reading:
            raise EndlessError

    def _heard(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._reading or (event != "open" and event not in _NEVER):
            return
        if event == "open" and self._is_allowed(*arguments[:3]):
            return
        # Modules that are imported look at directories of modules.
        if event in {"os.listdir", "os.scandir", "glob.glob"} and self._is_below(str(arguments[0])):
            return
        self.done = f"{event}{arguments!r}"[:300]
        raise ForbiddenError(self.done)

    def _is_allowed(self, path: object, mode: object, flags: object) -> bool:
        if isinstance(path, int):
            return True
        writes = bool(set("wax+") & set(mode)) if isinstance(mode, str) else bool(int(str(flags or 0)) & _WRITING)
        return not writes and self._is_below(os.fsdecode(path) if isinstance(path, str | bytes) else "")

    def _is_below(self, path: str) -> bool:
        """Whether a path is in a directory whose files may be read."""
        # ``os.path.realpath`` opens nothing.
        return (os.path.realpath(path) + os.sep).startswith(self._readable) or path in self._also
