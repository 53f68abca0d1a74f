"""Where the files of a private engine are, and who owns it.

Everything outside its directory (namespace, interface, rules, cgroups) is named after it, so that the directory alone
is enough to find and remove all of it, also after its owner was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict

from tonnage.errors import StepFailedError, UsageError
from tonnage.own_files import private_directory, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DIRECTORY_VARIABLE = "TONNAGE_REHEARSE_DIR"
INTERFACE_PREFIX = "tng-"
_DEFAULT_ROOT = "/var/tmp/tonnage"  # noqa: S108 - made private and checked below
_LONGEST_ROOT = 48  # the longest socket of containerd under it must stay below the 108 bytes of a socket address


class Layout(Struct, frozen=True):
    """The paths and names of one private engine.

    Args:
        root: Directory of all private engines.
        name: Name of this one: short, as it becomes part of an interface name.
    """

    root: Path
    name: str

    @property
    def directory(self) -> Path:
        """Everything that this engine keeps in files."""
        return self.root / self.name

    @property
    def disk(self) -> Path:
        """The file that is the disk."""
        return self.directory / "disk"

    @property
    def mount(self) -> Path:
        """Where the disk is mounted."""
        return self.directory / "m"

    @property
    def data_root(self) -> Path:
        """The engine's data root, on the disk."""
        return self.mount / "docker"

    @property
    def exec_root(self) -> Path:
        """The engine's sockets and run state, not on the disk."""
        return self.directory / "x"

    @property
    def run_overlay(self) -> Path:
        """Takes what the engine writes to its own view of /run."""
        return self.directory / "run"

    @property
    def socket(self) -> Path:
        """The engine's socket."""
        return self.directory / "docker.sock"

    @property
    def log(self) -> Path:
        """What the engine prints."""
        return self.directory / "dockerd.log"

    @property
    def config(self) -> Path:
        """The engine's configuration."""
        return self.directory / "daemon.json"

    @property
    def state(self) -> Path:
        """What the owner says about the engine."""
        return self.directory / "state.json"

    @property
    def lock(self) -> Path:
        """Locked by the owner as long as it lives."""
        return self.directory / "lock"

    @property
    def netns(self) -> str:
        """Name of the network namespace."""
        return f"tonnage-{self.name}"

    @property
    def interface(self) -> str:
        """The host's end of the pair of network interfaces; at most 15 characters."""
        return f"{INTERFACE_PREFIX}{self.name}"

    @property
    def cgroup(self) -> str:
        """Name of the control group below which its containers and builds run."""
        return f"tonnage-{self.name}"


class EngineState(Struct, frozen=True, kw_only=True):
    """What the owner of a private engine wrote down before making anything.

    Args:
        owner_pid: Process that made it.
        size_bytes: Size of its disk.
        network: Block of addresses that it uses, such as ``10.213.0.0/16``.
        kept: Whether it stays after its owner has ended.
    """

    owner_pid: int
    size_bytes: int
    network: str
    kept: bool = False


def rehearsal_root(environment: Mapping[str, str]) -> Path:
    """Return the directory of all private engines, there or not, usable or not.

    Args:
        environment: May name another directory in ``TONNAGE_REHEARSE_DIR``.
    """
    return Path(environment.get(DIRECTORY_VARIABLE) or _DEFAULT_ROOT)


def open_root(environment: Mapping[str, str]) -> Path:
    """Return the directory of all private engines, made when it is missing.

    Raises:
        UsageError: The chosen directory cannot be used: not absolute, too long, under /run, or not only this user's.
    """
    root = rehearsal_root(environment)
    chosen = str(root)
    todo = f"Set {DIRECTORY_VARIABLE} to another absolute directory on a disk with room."
    usable = root.is_absolute() and len(chosen) <= _LONGEST_ROOT and not any(letter.isspace() for letter in chosen)
    if not usable or Path("/run") in (root, *root.parents):
        raise UsageError(
            f"the directory {chosen} cannot hold a rehearsal",
            why=f"It must be absolute, without spaces, not under /run, and at most {_LONGEST_ROOT} characters long.",
            todo=todo,
        )
    try:
        private_directory(root, instead=todo)
    except OSError as error:
        raise UsageError(
            f"the directory {chosen} cannot be made", why=error.strerror or str(error), todo=todo
        ) from error
    return root


def write_state(layout: Layout, state: EngineState) -> None:
    """Write the state so that a reader sees the old or the new one, never half of it."""
    write_whole(layout.state, json.dumps(asdict(state)).encode())


def read_state(layout: Layout) -> EngineState | None:
    """Return the state, or None when the owner was killed before it had written one."""
    try:
        return EngineState(**json.loads(layout.state.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


@contextlib.contextmanager
def root_locked(root: Path) -> Iterator[None]:
    """Hold the lock of the directory of all private engines, waiting for it; the directory is there then.

    Directories of engines appear and vanish only under this lock. Whoever waited for it may hold the lock of a file
    that was removed in the meantime together with the directory, and begins anew.
    """
    path = root / "lock"
    while True:
        private_directory(root)
        try:
            file = path.open("ab")
        except FileNotFoundError:
            continue
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
                yield
                return


def remove_root(root: Path) -> None:
    """Remove the directory of all private engines, whose lock is held; it stays where something else lies in it."""
    (root / "lock").unlink()
    with contextlib.suppress(OSError):
        root.rmdir()


@contextlib.contextmanager
def owned(layout: Layout) -> Iterator[bool]:
    """Try to become the owner of an engine's directory; give whether that worked.

    Raises:
        StepFailedError: The file that is locked cannot be opened.
    """
    try:
        file = layout.lock.open("ab")
    except OSError as error:
        raise StepFailedError(f"{layout.lock} cannot be opened", why=error.strerror or str(error)) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
