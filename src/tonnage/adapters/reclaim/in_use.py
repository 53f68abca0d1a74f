"""What this machine uses at the moment, so that it must stay: the kernel, Perl, this program, running processes.

Of processes of other users only root is told; what cannot be seen is not reported as unused, it is not reported at all.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from tonnage.adapters.host.mount_table import is_within, upwards

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_OUR_PROGRAMS = ("docker", "docker-compose", "docker-buildx", "podman", "uv", "git", "ssh", "sudo", "sh", "snap")
_OUR_PLUGINS = ("/usr/libexec/docker", "/usr/lib/docker", "/usr/local/lib/docker", "/usr/local/libexec/docker")
_PERL = ("/usr/bin/perl", "/usr/share/perl", "/usr/share/perl5", "/usr/lib/perl5", "/etc/perl")
_EVERYBODYS = frozenset({"/", "/usr", "/usr/local"})
_MOMENT_S = 0.1
_TIMES = 3
_TOOL_CACHES = ("AGENT_TOOLSDIRECTORY", "RUNNER_TOOL_CACHE")


class Used(Struct, frozen=True):
    """Something in use.

    Args:
        path: Absolute, without symbolic links.
        reason: Why it must stay.
        whole: Whether everything in it is in use as well, not only the thing itself.
    """

    path: str
    reason: str
    whole: bool = False


class UsedPaths:
    """What is in use, so that it is told at once of any path: there are many paths, and many processes.

    Args:
        used: All of it; of two reasons the first one is told.
    """

    def __init__(self, used: Iterable[Used]) -> None:
        self._in_it: dict[str, str] = {}
        self._around_it: dict[str, str] = {}
        for each in used:
            if each.whole:
                self._around_it.setdefault(each.path, each.reason)
            for path in upwards(each.path):
                self._in_it.setdefault(path, each.reason)

    def why(self, path: str) -> str:
        """Return why a path must stay; empty when nothing is known to use it.

        Args:
            path: Absolute, without symbolic links.
        """
        found = self._in_it.get(path, "")
        return found or next((self._around_it[each] for each in upwards(path) if each in self._around_it), "")


def what_is_in_use(root: str, environment: Mapping[str, str], kept: Iterable[Used] = ()) -> UsedPaths:
    """Return everything in use that can be told."""
    return UsedPaths((*_system(root), *_this_program(environment), *_set_up(environment), *_processes(), *kept))


def _system(root: str) -> list[Used]:
    release = os.uname().release
    below = ["" if each == "/" else each for each in dict.fromkeys(("/", root))]
    found = [Used(f"{each}{modules}/{release}", "modules of the running kernel", whole=True)
             for each in below for modules in ("/lib/modules", "/usr/lib/modules")]  # fmt: skip
    found += [Used(f"{each}{path}", "Perl, which dpkg needs", whole=True) for each in below for path in _PERL]
    return found


def _this_program(environment: Mapping[str, str]) -> list[Used]:
    search = environment.get("PATH", os.defpath)
    named = environment.get("TONNAGE_DOCKER", "")
    programs = [_found_on(search, each) for each in (*_OUR_PROGRAMS, *([named] if named else []))]
    # Python's own modules, and where the packages are that are installed.
    python = [sys.executable, str(Path(os.__file__).parent), str(Path(msgspec.__file__).parents[1])]
    python += [each for each in (sys.prefix, sys.base_prefix, sys.exec_prefix) if each not in _EVERYBODYS]
    own = str(Path(__file__).resolve().parents[2])
    plugins = [*_OUR_PLUGINS, os.path.join(environment.get("HOME", "/root"), ".docker")]  # noqa: PTH118
    found = [Used(os.path.realpath(each), f"Tonnage runs {Path(each).name}") for each in programs if each]
    found += [Used(os.path.realpath(each), "Tonnage itself runs from it", whole=True) for each in (*python, own)]
    found += [Used(os.path.realpath(each), "plugins of docker, which Tonnage runs", whole=True) for each in plugins]
    # A tool cache on PATH may be a link's target too: both names count.
    return [each for each in found if each.path not in _EVERYBODYS]


def _found_on(search: str, program: str) -> str:
    """Return where a program is; empty when it is nowhere."""
    if "/" in program:
        return program
    paths = (os.path.join(directory, program) for directory in search.split(os.pathsep) if directory)  # noqa: PTH118
    return next((each for each in paths if os.access(each, os.X_OK) and os.path.isfile(each)), "")  # noqa: PTH113


def _set_up(environment: Mapping[str, str]) -> list[Used]:
    """Return what steps before this one set up, and where the job works."""
    caches = [os.path.realpath(environment[name]) for name in _TOOL_CACHES if environment.get(name)]
    on_path = [os.path.realpath(each) for each in environment.get("PATH", "").split(os.pathsep) if each.startswith("/")]
    found = [
        Used(each, "it is on PATH: an earlier step of this job set it up")
        for each in on_path
        if any(is_within(each, cache) for cache in caches)
    ]
    work = environment.get("GITHUB_WORKSPACE", "")
    return [*found, *([Used(os.path.realpath(work), "this job works there", whole=True)] if work else [])]


class Processes:
    """What running processes use. Looked at anew for each question, unless the last look was only a moment ago.

    A look takes 8 ms with 80 processes; however many there are, looking takes a quarter of the time at most.
    """

    def __init__(self) -> None:
        self._used = UsedPaths(())
        self._looked_s = -1.0
        self._took_s = 0.0

    def why_used(self, path: str) -> str:
        """Return which process uses a path now; empty when none is seen to.

        Args:
            path: Absolute, without symbolic links.
        """
        began_s = time.monotonic()
        if self._looked_s < 0 or began_s - self._looked_s > max(_MOMENT_S, _TIMES * self._took_s):
            self._used = UsedPaths(_processes())
            self._looked_s = time.monotonic()
            self._took_s = self._looked_s - began_s
        return self._used.why(path)


def _processes() -> list[Used]:
    found: dict[str, Used] = {}
    own = str(os.getpid())
    for pid in os.listdir("/proc"):  # noqa: PTH208
        if not pid.isdigit() or pid == own:
            continue
        paths = {each for each in _paths_of(pid) if each.startswith("/") and not each.endswith(" (deleted)")}
        if new := paths - found.keys():
            reason = f"process {_name_of(pid)} ({pid}) uses it"
            found |= {path: Used(path, reason) for path in new}
    return list(found.values())


def _name_of(pid: str) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    return "that has ended"


def _paths_of(pid: str) -> list[str]:
    """Return what a process runs, works in, has open and has mapped into its memory."""
    paths = []
    try:
        paths.append(os.readlink(f"/proc/{pid}/exe"))  # noqa: PTH115
    except OSError:
        # A thread of the kernel or one that has ended, which have no files, or another user's, which are not told.
        return []
    with suppress(OSError):
        paths.append(os.readlink(f"/proc/{pid}/cwd"))  # noqa: PTH115
    with suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
            with suppress(OSError):
                paths.append(os.readlink(f"/proc/{pid}/fd/{number}"))  # noqa: PTH115
    with suppress(OSError):
        with open(f"/proc/{pid}/maps", "rb") as told:  # noqa: PTH123 - pathlib takes as long as reading it
            # A file is mapped in several parts: each is decoded once.
            mapped = {line[line.index(b"/") :] for line in told.read().splitlines() if b"/" in line}
        paths += [os.fsdecode(each) for each in mapped]
    return paths
