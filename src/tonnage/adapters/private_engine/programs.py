"""The administration programs that a private engine needs: whether they are there, and running one."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from tonnage.adapters import process
from tonnage.adapters.private_engine.signals import signals_later
from tonnage.errors import EngineLacksError, StepFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Program and the Debian and Ubuntu package that brings it.
PROGRAMS = {
    "dockerd": "docker.io",
    "containerd": "containerd",
    "ip": "iproute2",
    "iptables": "iptables",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "umount": "mount",
    "losetup": "mount",
    "nsenter": "util-linux",
    "unshare": "util-linux",
}
_ADMIN_DIRECTORIES = "/usr/local/sbin:/usr/sbin:/sbin"


def search_path(environment_path: str) -> str:
    """Return the search path with the directories of administration programs, which some shells leave out."""
    return f"{environment_path}:{_ADMIN_DIRECTORIES}" if environment_path else f"/usr/bin:/bin:{_ADMIN_DIRECTORIES}"


def check_machine(environment_path: str) -> None:
    """Check that this machine can run a private engine.

    Args:
        environment_path: The PATH to look for programs in.

    Raises:
        EngineLacksError: Linux, root or programs are missing; the message lists all of them.
    """
    lacking = []
    if sys.platform != "linux":
        lacking.append(f"Linux (this is {sys.platform})")
    elif os.geteuid() != 0:
        lacking.append(f"root (this is user {os.geteuid()})")
    path = search_path(environment_path)
    missing = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    lacking += [f"the program {program}" for program in missing]
    if not lacking:
        return
    todo = "Run it as root on Linux." if len(lacking) > len(missing) else ""
    if missing and sys.platform == "linux":
        packages = " ".join(sorted({PROGRAMS[program] for program in missing}))
        todo = "\n".join(
            filter(None, (todo, "On Debian and Ubuntu the programs come with:", f"  apt-get install {packages}"))
        )
    raise EngineLacksError(
        "this machine cannot rehearse",
        why=f"A rehearsal mounts a disk and runs an engine of its own. Missing: {', '.join(lacking)}.",
        todo=todo,
    )


_TIMEOUT_S = 60.0


def command(arguments: Sequence[str], *, failing: str) -> str:
    """Run a program that must succeed.

    Raises:
        StepFailedError: It failed, or took longer than a minute.
        EngineLacksError: It is not installed.
    """
    done = _run(arguments)
    if done.exit_code:
        printed = (done.stderr or done.stdout).strip()
        raise StepFailedError(failing, why=f"{' '.join(arguments)} exited with {done.exit_code}: {printed}")
    return done.stdout


def succeeds(arguments: Sequence[str]) -> bool:
    """Run a program of which failure is an answer; return whether it succeeded."""
    return _run(arguments).exit_code == 0


def _run(arguments: Sequence[str]) -> process.Completed:
    environment = {**os.environ, "PATH": search_path(os.environ.get("PATH", ""))}
    with signals_later():
        return process.run(arguments, environment=environment, timeout_s=_TIMEOUT_S)
