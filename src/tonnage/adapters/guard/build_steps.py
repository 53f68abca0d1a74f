"""The steps of builds that one engine of this machine runs now, and the control group of each.

Engines on one machine may share the parent of these groups, so nothing is concluded from where a group lies. A step is
this engine's when the engine's own process started it, with a bundle in the engine's own data root, and when the root
directory of its first process is the one that this bundle has. Whatever is not so, or cannot be seen, is no step.

Source: executor/runcexecutor of BuildKit: ``runc run --bundle DATA-ROOT/buildkit/executor/ID ID``, whose
``config.json`` has the command; checked with Docker 20.10, 26.1 and 28.5.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tonnage.adapters.guard.engine_process import descends_from, parent_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEP_ID_CHARACTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyz")
_SHORTEST_ID = 16
_LONGEST_CONFIG = 4_000_000
_LONGEST_COMMAND_LINE = 65536
_STARTED_FIELD = 19
_CGROUP_FIELDS = 3
_MOST_PROCESSES = 10_000


class BuildStepGroup(Struct, frozen=True, kw_only=True):
    """A step of a build with its control group.

    Args:
        directory: Where the group can be frozen.
        command: What the step runs: the program and its arguments.
        started_s: When its first process started, in seconds since the machine did.
    """

    directory: str
    command: tuple[str, ...]
    started_s: float


class FreezerMount(Struct, frozen=True):
    """Where groups can be frozen: the mount, and which part of the tree of groups it shows."""

    path: str
    root: str
    version: int


def freezer_mounts(text: str) -> tuple[FreezerMount, ...]:
    """Return the mounts of control groups that can freeze.

    Args:
        text: Of ``/proc/self/mountinfo``.

    Returns:
        Those of cgroup 1 first: where it has the freezer, the one of cgroup 2 beside it has none.

    Source: proc(5), and the kernel's cgroup-v1/freezer-subsystem and cgroup-v2.
    """
    found = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, told = left.split(), right.split()
        if len(fields) < 5 or not told:  # noqa: PLR2004 - the mount point is the fifth
            continue
        if told[0] == "cgroup" and "freezer" in told[-1].split(","):
            found.append(FreezerMount(fields[4], fields[3], 1))
        elif told[0] == "cgroup2":
            found.append(FreezerMount(fields[4], fields[3], 2))
    return tuple(sorted(found, key=lambda each: each.version))


def group_directory(text: str, mounts: tuple[FreezerMount, ...], step_id: str) -> str:
    """Return the directory of the group that a process of a step is in, where it can be frozen.

    Args:
        text: Of ``/proc/PID/cgroup``.

    Returns:
        The directory; empty where the group is not the step's alone, or is not to be seen here.
    """
    groups: dict[int, str] = {}
    for line in text.splitlines():
        number, controllers, path = [*line.split(":", _CGROUP_FIELDS - 1), "", ""][:_CGROUP_FIELDS]
        if "freezer" in controllers.split(","):
            groups[1] = path
        elif number == "0" and not controllers:
            groups[2] = path
    for mount in mounts:
        path = groups.get(mount.version, "")
        name = path.rpartition("/")[2]
        mine = name == step_id or name.endswith(f":{step_id}")
        if not mine or ".." in path.split("/") or not f"{path}/".startswith(f"{mount.root.rstrip('/')}/"):
            continue
        return mount.path + path[len(mount.root.rstrip("/")) :]
    return ""


class EngineSteps:
    """Finds the steps of one engine.

    Args:
        engine: Its process.
        data_root: As the engine sees it.
    """

    def __init__(self, engine: int, data_root: str) -> None:
        self._engine = engine
        self._data_root = data_root
        self._executor = f"{data_root.rstrip('/')}/buildkit/executor"
        self._mounts = freezer_mounts(Path("/proc/self/mountinfo").read_text(errors="replace"))
        self._hertz = os.sysconf("SC_CLK_TCK")
        self._commands: dict[str, tuple[str, ...]] = {}

    @property
    def can_be_seen(self) -> bool:
        """Whether the engine's files and groups that can be frozen are to be seen from here."""
        # An engine in a virtual machine has its data root there.
        return bool(self._mounts) and os.path.isdir(f"/proc/{self._engine}/root{self._data_root}")  # noqa: PTH112

    def now(self) -> tuple[BuildStepGroup, ...]:
        """Return the steps that run now and are certainly this engine's."""
        found = []
        for starter in children(self._engine):
            step_id = self._step_id(starter)
            if step_id:
                found += [step for first in children(starter) if (step := self._step(first, step_id)) is not None]
        return tuple(found)

    def _step_id(self, process_id: int) -> str:
        """Return the id of the step that a process starts; empty where it starts none of this engine."""
        words = _command_line(process_id)
        step_id = words[-1] if words else ""
        if len(step_id) < _SHORTEST_ID or not _STEP_ID_CHARACTERS.issuperset(step_id) or "--bundle" not in words:
            return ""
        bundle = words[words.index("--bundle") + 1]
        return step_id if bundle == f"{self._executor}/{step_id}" else ""

    def _step(self, first: int, step_id: str) -> BuildStepGroup | None:
        bundle = f"/proc/{self._engine}/root{self._executor}/{step_id}"
        try:
            if not os.path.samestat(os.stat(f"/proc/{first}/root/."), os.stat(f"{bundle}/rootfs/.")):  # noqa: PTH116 - beside samestat
                return None
            directory = group_directory(Path(f"/proc/{first}/cgroup").read_text(), self._mounts, step_id)
            if not directory or not self._all_mine(directory):
                return None
            started = Path(f"/proc/{first}/stat").read_text(errors="replace").rpartition(")")[2].split()
            return BuildStepGroup(
                directory=directory,
                command=self._command(step_id, f"{bundle}/config.json"),
                started_s=int(started[_STARTED_FIELD]) / self._hertz,
            )
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return None

    def _all_mine(self, directory: str) -> bool:
        """Return whether all that is in a group was started by the engine, and the engine itself is not in it."""
        members = Path(directory, "cgroup.procs").read_text().split()
        if not members or len(members) > _MOST_PROCESSES:
            return False
        return all(int(each) != self._engine and descends_from(int(each), self._engine) for each in members)

    def _command(self, step_id: str, config: str) -> tuple[str, ...]:
        if step_id not in self._commands:
            with open(config, "rb") as opened:  # noqa: PTH123 - bounded
                told = json.loads(opened.read(_LONGEST_CONFIG))
            self._commands[step_id] = tuple(str(each) for each in told["process"]["args"])
        return self._commands[step_id]


def _command_line(process_id: int) -> list[str]:
    with suppress(OSError), open(f"/proc/{process_id}/cmdline", "rb") as opened:  # noqa: PTH123 - bounded
        return opened.read(_LONGEST_COMMAND_LINE).decode(errors="replace").rstrip("\0").split("\0")
    return []


def children(process_id: int) -> Iterator[int]:
    """Return the children of a process, whichever of its threads started them."""
    tasks = f"/proc/{process_id}/task"
    told = False
    with suppress(OSError):
        for thread in os.listdir(tasks):  # noqa: PTH208
            with suppress(OSError):
                text = Path(tasks, thread, "children").read_text()
                told = True
                yield from map(int, text.split())
    if not told:
        # A kernel without CONFIG_PROC_CHILDREN.
        yield from (int(each) for each in os.listdir("/proc") if each.isdigit() and parent_of(int(each)) == process_id)  # noqa: PTH208
