"""One connection to a machine for all that goes there: commands, tunnels, the gauge, the lock.

Opening one costs a handshake and a login, some round trips and a key that is used; a run needs a dozen. So ``ssh`` is
started once as a master, which dies with this process, and the others are told its socket. Who has set up sharing for
this machine, or forbids it, keeps what is in the user's own configuration. A server that allows fewer sessions, or a
master that is gone, costs nothing but time: ``ssh`` then opens a connection of its own.

Source: ssh_config(5), ``ControlMaster``, ``ControlPath``, ``ControlPersist``; ssh(1), ``-G``, ``-O``.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters import process
from tonnage.errors import TonnageError
from tonnage.own_files import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_CONFIG_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.01
_MOST_LINES = 50
_NONE = frozenset({"", "none"})


class SharedConnections:
    """The masters of this process, by machine. Safe to use from several threads.

    Args:
        failed: Makes the failure of an ``ssh`` that did not get there, from what it printed.
        opens_within_s: How long a master is waited for.
    """

    def __init__(self, failed: Callable[[str, str], TonnageError], opens_within_s: float = 20.0) -> None:
        self._failed = failed
        self._opens_within_s = opens_within_s
        self._lock = threading.Lock()
        self._held: dict[str, _Master] = {}

    @contextlib.contextmanager
    def shared(self, machine: str, options: Sequence[str], host: Sequence[str]) -> Iterator[None]:
        """Share one connection as long as the context lasts, with everybody who shares it then.

        Args:
            machine: Its address, as the others say it.
            options: What each ``ssh`` is told.
            host: The arguments that name the machine.

        Raises:
            TonnageError: ``ssh`` did not get there, or there is no such program.
        """
        with self._lock:
            master = self._held.get(machine)
            if master is None:
                master = self._held[machine] = _Master(options, host)
            master.users += 1
        try:
            why = master.wait(self._opens_within_s)
            if why is not None:
                raise self._failed(machine, why)
            yield
        finally:
            with self._lock:
                master.users -= 1
                last = not master.users
                if last:
                    del self._held[machine]
            if last:
                master.close()

    def socket_of(self, machine: str) -> str:
        """Return the socket of the master of a machine; empty where nothing is shared."""
        with self._lock:
            master = self._held.get(machine)
        return master.path if master is not None and master.open else ""


class _Master:
    """One master; none is started where the user's configuration decides about sharing."""

    def __init__(self, options: Sequence[str], host: Sequence[str]) -> None:
        self.users = 0
        self.path = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._options, self._host = tuple(options), tuple(host)
        self._begun = False
        # A server may print as much as it likes.
        self._printed: deque[str] = deque(maxlen=_MOST_LINES)
        self._error: TonnageError | None = None

    @property
    def open(self) -> bool:
        """Whether it answers."""
        return bool(self.path) and self._thread is not None and self._thread.is_alive() and listens(self.path)

    def wait(self, within_s: float) -> str | None:
        """Start it, where that was not done, and wait until it answers; return what ``ssh`` printed when it does not.

        Raises:
            TonnageError: There is no ``ssh`` program.
        """
        with self._lock:
            if not self._begun:
                self._begun = True
                if not _decided_by_user(self._options, self._host):
                    self._start()
            if self._thread is None or self.path:
                return None
            end = time.monotonic() + within_s
            path = str(Path(self._directory.name, "master"))
            while self._thread.is_alive() and time.monotonic() < end:
                if listens(path):
                    self.path = path
                    return None
                time.sleep(_LOOK_EVERY_S)
            if self._error is not None:
                raise self._error
            return "\n".join(self._printed) or f"It did not open within {within_s:g} s."

    def _start(self) -> None:
        self._directory = temporary_directory("ssh", for_socket=True)
        path = Path(self._directory.name, "master")
        words = ("ssh", "-nNT", "-o", "ControlMaster=yes", "-o", "ControlPersist=no", "-o", f"ControlPath={path}")
        arguments = (*words, *self._options, *self._host)
        self._thread = threading.Thread(target=self._run, args=(arguments,), name="ssh master", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it, and what still goes over it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._directory.cleanup()

    def _run(self, arguments: Sequence[str]) -> None:
        try:
            process.stream(
                arguments,
                environment=None,
                directory=None,
                on_line=self._printed.append,
                cancel=self._stop,
                dies_with_us=True,
            )
        except TonnageError as error:
            self._error = error


def _decided_by_user(options: Sequence[str], host: Sequence[str]) -> bool:
    """Return whether the user's configuration says how connections to this machine are shared."""
    told = process.run(("ssh", *options, "-G", *host), timeout_s=_CONFIG_WITHIN_S)
    words = dict(line.lower().split(" ", 1) for line in told.stdout.splitlines() if " " in line)
    return bool(told.exit_code) or words.get("controlpath", "") not in _NONE or words.get("controlmaster") == "yes"


def listens(path: str) -> bool:
    """Tell whether something takes connections at a socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
