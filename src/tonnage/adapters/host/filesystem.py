"""Filesystems as the machine tells them: bytes and inodes by ``statvfs``, here or on the machine behind ``ssh://``.

Bytes that are free but kept for root are never counted as available.
"""

from __future__ import annotations

import os
import shlex
import threading
import time
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tonnage.adapters.guard.ballast import ballast_bytes
from tonnage.adapters.host.space import mount_of
from tonnage.adapters.ssh import client as ssh
from tonnage.errors import EngineLacksError, EngineUnreachableError, TonnageError
from tonnage.model.inventory import Filesystem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tonnage.adapters.interface import Gauge

_FIRST_WITHIN_S = 20.0
_SILENT_S = 10.0
_FIELDS = 6
_DATA_ROOT = "data-root"


class _Place(Struct, frozen=True):
    """One directory, the filesystem under it, and what lies there."""

    role: str
    device: str
    filesystem: Filesystem


def local_filesystems(places: Iterable[tuple[str, str]]) -> tuple[Filesystem, ...]:
    """Measure the filesystems under directories of this machine.

    Args:
        places: Role and directory. Directories on one filesystem give one entry with all their roles.

    Returns:
        One entry for each filesystem, in the order of the places.

    Raises:
        EngineLacksError: A directory is not there, or this user may not look at it.
    """
    return _merged([_local(role, directory) for role, directory in places])


def usual_filesystems(environment: Mapping[str, str], working_directory: str) -> tuple[Filesystem, ...]:
    """Measure the filesystems of this machine that programs write to without being told to.

    Raises:
        EngineLacksError: A directory is not there, or this user may not look at it.
    """
    return local_filesystems(
        [("temporary", temporary_directory(environment)), ("working directory", working_directory)]
    )


def remote_filesystems(endpoint: str, places: Sequence[tuple[str, str]]) -> tuple[Filesystem, ...]:
    """Measure the filesystems under directories of the machine behind ``ssh://``, by one command.

    Args:
        places: Role and directory. The first must be there; further ones that are not are left out.

    Returns:
        The filesystems, that of the first directory first.

    Raises:
        EngineLacksError: The first directory is not there, or the machine has no ``stat`` that knows ``-f``.
        EngineUnreachableError: ssh failed.
    """
    # df -P names the mount point in its last field; stat gives the exact figures and the device.
    script = "".join(
        f'd={shlex.quote(directory)}; stat -f -c \'%S %b %f %a %c %d\' "$d" 2>/dev/null && stat -c %d "$d"'
        " && df -P \"$d\" | sed -n '2s/.*% //p' || printf 'none\\n\\n\\n'\n"
        for _, directory in places
    )
    done = ssh.run_there(endpoint, script)
    lines = done.stdout.splitlines()
    found: list[_Place] = []
    for index, (role, _) in enumerate(places):
        figures, device, mount = (*lines[3 * index : 3 * index + 3], "", "", "")[:3]
        if len(figures.split()) == _FIELDS:
            found.append(_Place(role, device, _parsed(role, mount, figures)))
        elif index == 0:
            raise EngineLacksError(
                f"the disk of {endpoint} cannot be read",
                why=done.stderr.strip() or f"There is no {places[0][1]} there, or its stat does not know -f.",
                todo="Log in as a user who may look at the engine's data root there.",
            )
    return _merged(found)


def open_gauge(endpoint: str, mounts: Sequence[str]) -> Gauge:
    """Open a gauge for the available bytes of filesystems on the engine's machine.

    Args:
        endpoint: How the engine is reached: decides whether the disk is read here or by ssh.
        mounts: Where the filesystems are mounted there.

    Returns:
        The gauge, which the caller closes.

    Raises:
        EngineUnreachableError: ssh failed, or gave no figure in time.
        EngineLacksError: The engine is reached in a way that does not lead to its disk.
    """
    if endpoint.startswith("ssh://"):
        return _RemoteGauge(endpoint, mounts)
    if endpoint.startswith("unix://"):
        return _LocalGauge(mounts)
    raise EngineLacksError(
        f"the disk of {endpoint} cannot be read from here", todo="Reach the engine by ssh://user@host."
    )


class _LocalGauge:
    """``statvfs`` here. It writes nothing and needs no byte free."""

    def __init__(self, mounts: Sequence[str]) -> None:
        self._mounts = tuple(mounts)
        self._inodes: dict[str, int] = {}

    def inodes(self) -> Mapping[str, int]:
        """Return available inodes by mount as of the last look."""
        return self._inodes

    def available(self) -> Mapping[str, int]:
        """Return available bytes by mount, now.

        Raises:
            EngineUnreachableError: A filesystem is no longer there.
        """
        try:
            told = [(mount, os.statvfs(mount)) for mount in self._mounts]
        except OSError as error:
            raise EngineUnreachableError(
                f"the filesystem at {error.filename} cannot be read", why=str(error)
            ) from error
        self._inodes = {mount: stat.f_favail for mount, stat in told if stat.f_files}
        return {mount: stat.f_bavail * stat.f_frsize for mount, stat in told}

    def close(self) -> None:
        """Nothing is held open."""


class _RemoteGauge:
    """One ssh that prints the figures 20 times a second; the latest ones are handed out."""

    def __init__(self, endpoint: str, mounts: Sequence[str]) -> None:
        self._endpoint = endpoint
        self._mounts = tuple(mounts)
        self._latest: dict[str, int] = {}
        self._seen_s = time.monotonic()
        self._printed: list[str] = []
        self._error: TonnageError | None = None
        self._stop = threading.Event()
        self._complete = threading.Event()
        self._thread = threading.Thread(target=self._read, name="gauge", daemon=True)
        self._thread.start()
        if not self._complete.wait(_FIRST_WITHIN_S) or self._error:
            self.close()
            raise self._error or self._silent(_FIRST_WITHIN_S)

    def available(self) -> Mapping[str, int]:
        """Return the latest figures.

        Raises:
            EngineUnreachableError: The stream ended, or is silent for too long.
        """
        if self._error:
            raise self._error
        silent_s = time.monotonic() - self._seen_s
        if silent_s > _SILENT_S:
            raise self._silent(silent_s)
        return dict(self._latest)

    def inodes(self) -> Mapping[str, int]:
        """Return nothing: they are not told over there."""
        return {}

    def close(self) -> None:
        """End the stream."""
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        words = " ".join(shlex.quote(mount) for mount in self._mounts)
        script = f"while stat -f -c '= %a %S %n' {words}; do sleep 0.05 || sleep 1; done\n"
        try:
            ssh.stream_there(self._endpoint, script, self._take, self._stop)
            self._error = ssh.failed(self._endpoint, "\n".join(self._printed[-5:]))
        except TonnageError as error:
            self._error = error
        self._complete.set()

    def _take(self, line: str) -> None:
        mark, _, figures = line.partition(" ")
        blocks, _, rest = figures.partition(" ")
        size, _, mount = rest.partition(" ")
        if mark != "=" or not (blocks.isdecimal() and size.isdecimal()):
            self._printed.append(line)
            return
        self._latest = {**self._latest, mount: int(blocks) * int(size)}
        self._seen_s = time.monotonic()
        if len(self._latest) == len(self._mounts):
            self._complete.set()

    def _silent(self, seconds: float) -> EngineUnreachableError:
        return EngineUnreachableError(
            f"the disk of {self._endpoint} is no longer reported",
            why=f"The ssh that reads it gave no figure for {seconds:.0f} s.",
        )


def _local(role: str, directory: str) -> _Place:
    try:
        stat = os.statvfs(directory)
        device = os.stat(directory).st_dev  # noqa: PTH116 - beside statvfs
        mount = mount_of(directory, device)
    except OSError as error:
        raise EngineLacksError(
            f"the disk under {directory} cannot be read from here",
            why=str(error),
            todo="Run this command with sudo." if isinstance(error, PermissionError) else "",
        ) from error
    return _Place(
        role,
        str(device),
        Filesystem(
            mount=mount,
            roles=(role,),
            size_bytes=stat.f_blocks * stat.f_frsize,
            available_bytes=stat.f_bavail * stat.f_frsize,
            reserved_bytes=max(0, stat.f_bfree - stat.f_bavail) * stat.f_frsize,
            inodes=stat.f_files,
            available_inodes=stat.f_favail,
            ballast_bytes=ballast_bytes(directory) if role == _DATA_ROOT else 0,
        ),
    )


def _parsed(role: str, mount: str, figures: str) -> Filesystem:
    block, blocks, free, available, inodes, available_inodes = map(int, figures.split())
    return Filesystem(
        mount=mount,
        roles=(role,),
        size_bytes=blocks * block,
        available_bytes=available * block,
        reserved_bytes=max(0, free - available) * block,
        inodes=inodes,
        available_inodes=available_inodes,
    )


def _merged(places: Iterable[_Place]) -> tuple[Filesystem, ...]:
    """Return one filesystem for each device, with the roles of all its places."""
    found: dict[str, Filesystem] = {}
    roles: dict[str, list[str]] = {}
    for place in places:
        found.setdefault(place.device, place.filesystem)
        roles.setdefault(place.device, []).append(place.role)
    return tuple(replace(one, roles=tuple(roles[device])) for device, one in found.items())


_VARIABLES = ("TMPDIR", "TEMP", "TMP")
_USUAL = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 - only told


def temporary_directory(environment: Mapping[str, str]) -> str:
    """Return the directory for temporary files, by the order of :mod:`tempfile`.

    Returns:
        An absolute path of a directory; the working directory where there is no other.
    """
    named = (environment.get(name, "") for name in _VARIABLES)
    found = next((each for each in (*named, *_USUAL) if each and os.path.isdir(each)), ".")  # noqa: PTH112
    return os.path.abspath(found)  # noqa: PTH100
