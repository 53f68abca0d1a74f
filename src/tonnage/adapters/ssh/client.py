"""Reaching into a machine by the user's own ``ssh`` program: one command there, or a socket that leads there.

It knows nothing of engines. The user's ssh configuration, agent and known hosts hold; no password is asked for,
because nobody may be there to type one.
"""

from __future__ import annotations

import shlex
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tonnage.adapters import process
from tonnage.adapters.ssh.sharing import SharedConnections, listens
from tonnage.errors import EngineUnreachableError, UsageError
from tonnage.own_files import temporary_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tonnage.adapters.interface import Cancel

_OPTIONS = ("BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=5", "ServerAliveCountMax=3")
FAILED = 255
"""The exit code of ``ssh`` when it did not get there."""
_OPEN_WITHIN_S = 20.0


def host_arguments(endpoint: str) -> tuple[str, ...]:
    """Return the ``ssh`` arguments that name the machine of ``ssh://[user@]host[:port]``.

    Raises:
        UsageError: The address names no host, or holds a password or a path.
    """
    parts = urlsplit(endpoint)
    if not parts.hostname or parts.password or parts.path.strip("/"):
        raise UsageError(
            f"{endpoint!r} is not an ssh address", todo="Write it like ssh://user@host or ssh://host:2222."
        )
    port = ("-p", str(parts.port)) if parts.port else ()
    user = ("-l", parts.username) if parts.username else ()
    return (*port, *user, "--", parts.hostname)


def for_people(endpoint: str) -> str:
    """Return the address as one types it after ``ssh``."""
    parts = urlsplit(endpoint)
    port = f"-p {parts.port} " if parts.port else ""
    user = f"{parts.username}@" if parts.username else ""
    return f"{port}{user}{parts.hostname}"


def run_there(endpoint: str, script: str, *, timeout_s: float = 60.0) -> process.Completed:
    """Run a POSIX shell script on the machine and wait for it.

    Args:
        endpoint: ``ssh://[user@]host[:port]``.
        script: What ``sh`` reads there.
        timeout_s: Seconds it may take in all.

    Returns:
        Its exit code and what it printed.

    Raises:
        EngineUnreachableError: ssh itself failed, or took too long.
        EngineLacksError: There is no ``ssh`` program here.
        UsageError: The address is none.
    """
    arguments = ("ssh", *_options(endpoint), *host_arguments(endpoint), "sh -s")
    done = process.run(arguments, stdin=script.encode(), timeout_s=timeout_s)
    if done.exit_code == FAILED:
        raise failed(endpoint, done.stderr)
    return done


def command_line(endpoint: str, command: str) -> str:
    """Return the shell line that runs a command on the machine.

    Raises:
        UsageError: The address is none.
    """
    return shlex.join(("ssh", *_options(endpoint), *host_arguments(endpoint), command))


def stream_there(endpoint: str, script: str, on_line: Callable[[str], None], cancel: Cancel) -> int:
    """Run a POSIX shell script on the machine, handing over its lines, until it ends or ``cancel`` is set.

    Returns:
        Its exit code, or 255 when ssh itself failed.
    """
    arguments = ("ssh", *_options(endpoint), *host_arguments(endpoint), "sh -s")
    return process.stream(
        arguments,
        environment=None,
        directory=None,
        on_line=on_line,
        cancel=cancel,
        stdin=script.encode(),
        dies_with_us=True,
    )


def failed(endpoint: str, printed: str) -> EngineUnreachableError:
    """Return the failure for an ``ssh`` that did not get there, with what it printed."""
    said = printed.strip() or "ssh gave no reason."
    lowered = said.lower()
    at = for_people(endpoint)
    todo = f"See what ssh says:\n  ssh {at} true"
    if "permission denied" in lowered:
        todo = f"Give ssh a key that the machine knows:\n  ssh-add\n  ssh-copy-id {at}"
    elif "host key verification failed" in lowered:
        todo = f"Check the machine's key and accept it once:\n  ssh {at} true"
    elif "could not resolve" in lowered:
        todo = "Check the name of the host."
    return EngineUnreachableError(f"ssh to {endpoint} failed", why=said, todo=todo)


class Tunnel:
    """A local socket that leads, through ``ssh``, to a socket or an address that the machine can reach.

    Args:
        endpoint: ``ssh://[user@]host[:port]``.
        target: A socket's path on the machine, or ``address:port`` as seen from there.

    Raises:
        EngineUnreachableError: ssh failed, or the tunnel did not open in time.
        EngineLacksError: There is no ``ssh`` program here.
    """

    def __init__(self, endpoint: str, target: str) -> None:
        self._directory = temporary_directory("tunnel", for_socket=True)
        self.path = str(Path(self._directory.name, "tunnel.sock"))
        self._thread: threading.Thread | None = None
        self._forwards = ("-L", f"{self.path}:{target}", *host_arguments(endpoint))
        shared = _SHARED.socket_of(endpoint)
        if shared and self._ask_master(shared) and listens(self.path):
            return
        self._printed: list[str] = []
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._arguments = (
            *("ssh", "-nNT", *_options(), "-o", "ExitOnForwardFailure=yes"),
            *self._forwards,
        )
        self._thread = threading.Thread(target=self._run, name=f"tunnel {target}", daemon=True)
        self._thread.start()
        try:
            self._wait(endpoint, self._thread)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the tunnel and remove its socket."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
        # One that a master made goes with that; until then nobody finds its socket any more.
        self._directory.cleanup()

    def _ask_master(self, shared: str) -> bool:
        """Have the master of a shared connection open the tunnel; return whether it did."""
        arguments = ("ssh", "-o", f"ControlPath={shared}", "-O", "forward", *self._forwards)
        return not process.run(arguments, timeout_s=_OPEN_WITHIN_S).exit_code

    def _run(self) -> None:
        try:
            process.stream(
                self._arguments,
                environment=None,
                directory=None,
                on_line=self._printed.append,
                cancel=self._stop,
                dies_with_us=True,
            )
        except Exception as error:  # noqa: BLE001 - it is raised again where the tunnel is waited for
            self._error = error

    def _wait(self, endpoint: str, thread: threading.Thread) -> None:
        end = time.monotonic() + _OPEN_WITHIN_S
        while time.monotonic() < end:
            if listens(self.path):
                return
            if not thread.is_alive():
                if self._error is not None:
                    raise self._error
                raise failed(endpoint, "\n".join(self._printed))
            time.sleep(0.02)
        raise failed(endpoint, f"The tunnel did not open within {_OPEN_WITHIN_S:g} s.")


_SHARED = SharedConnections(failed)


def sharing(endpoint: str) -> AbstractContextManager[None]:
    """Share one connection to a machine with all that goes there, as long as the context lasts.

    Raises:
        UsageError: The address is none.
        EngineUnreachableError: ssh failed.
        EngineLacksError: There is no ``ssh`` program here.
    """
    return _SHARED.shared(endpoint, _options(), host_arguments(endpoint))


def _options(endpoint: str = "") -> tuple[str, ...]:
    """Return what each ``ssh`` is told; with an endpoint, also the connection that is shared to it."""
    options = tuple(word for option in _OPTIONS for word in ("-o", option))
    shared = _SHARED.socket_of(endpoint) if endpoint else ""
    return (*options, "-o", "ControlMaster=no", "-o", f"ControlPath={shared}") if shared else options
