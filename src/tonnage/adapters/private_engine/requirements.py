"""What a private engine needs of the machine; all that is missing is told at once."""

from __future__ import annotations

import os
import shutil
import sys

from tonnage.errors import EngineLacksError

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
        "This machine cannot rehearse",
        why=f"A rehearsal mounts a disk and runs an engine of its own. Missing: {', '.join(lacking)}.",
        todo=todo,
    )
