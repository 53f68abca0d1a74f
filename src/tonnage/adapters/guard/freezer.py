"""Freezes and thaws control groups, and starts the process that thaws them when this one is gone.

The watchdog is told of a group (or a process, see ``still``) before that is frozen. It thaws what is left when this
process ends, however that happens, and what is frozen past its time; then it ends. It is a session of its own and
hears no signal of a terminal.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters import process
from tonnage.adapters.guard import process_pause

if TYPE_CHECKING:
    from collections.abc import Iterable

FILES = (("freezer.state", "FROZEN", "THAWED"), ("cgroup.freeze", "1", "0"))
"""What a group is frozen and thawed by, in cgroup 1 and 2."""
_CGROUPS = "/sys/fs/cgroup/"
_KILLED = 1 << 8
"""SIGKILL among pending signals. Source: proc(5), SigPnd and ShdPnd; signal(7)."""
_ENDS_WITHIN_S = 5.0

WATCHDOG = """\
import os, select, signal, time
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
def thaw(group):
    if "@" in group and group.startswith("/proc/"):
        try:
            number, began = group[6:].split("@")
            with open("/proc/" + number + "/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[19] == began.encode():
                    os.kill(int(number), signal.SIGCONT)
        except (OSError, ValueError, IndexError):
            pass
        return
    for name, word in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
        try:
            file = os.open(group + "/" + name, os.O_WRONLY)
            try:
                os.write(file, word.encode())
            finally:
                os.close(file)
        except OSError:
            pass
frozen, text = {}, b""
while True:
    now = time.monotonic()
    for group in [each for each, until in frozen.items() if until <= now]:
        thaw(group)
        frozen[group] = now + 1.0
    wait = max(0.0, min(frozen.values()) - now) if frozen else None
    if not select.select([0], [], [], wait)[0]:
        continue
    more = os.read(0, 65536)
    if not more:
        break
    *lines, text = (text + more).split(b"\\n")
    for line in lines:
        until, _, group = line.decode("utf-8", "surrogateescape").partition(" ")
        frozen[group] = float(until)
        if not float(until):
            del frozen[group]
for _ in range(5):
    for group in frozen:
        thaw(group)
    time.sleep(0.2 if frozen else 0.0)
"""


class Watchdog:
    """The process that thaws what this one leaves frozen."""

    def __init__(self) -> None:
        # Nothing is imported there but what Python brings, whatever the environment says.
        self._started, self._pipe = process.start_told([sys.executable, "-I", "-S", "-c", WATCHDOG])

    def expect(self, directories: Iterable[str], until_s: float) -> bool:
        """Say that groups will be frozen; return whether it heard that.

        Args:
            until_s: When it thaws them whatever happens, on the monotonic clock; 0 where they are thawed.
        """
        text = "".join(f"{until_s!r} {each}\n" for each in directories)
        try:
            os.write(self._pipe, os.fsencode(text))
        except OSError:
            return False
        return self._started.exit_code() is None

    def close(self) -> None:
        """Let it thaw what is left, and end."""
        os.close(self._pipe)
        self._started.wait(_ENDS_WITHIN_S)


def freeze(directory: str) -> None:
    """Begin to freeze a group; it is frozen a moment later.

    Raises:
        OSError: It cannot be frozen, or is gone.
    """
    _write(directory, 1)


def thaw(directory: str) -> None:
    """Thaw a group; nothing happens where it is gone.

    Raises:
        OSError: It is there and cannot be thawed.
    """
    try:
        _write(directory, 2)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError:
        # Removed while it was being written to.
        if os.path.isdir(directory):  # noqa: PTH112 - a string is asked for
            raise


def is_frozen(directory: str) -> bool:
    """Return whether nothing of a group runs; also where it is gone."""
    state = _text(f"{directory}/freezer.state")
    if state:
        return state.strip() == "FROZEN"
    events = _text(f"{directory}/cgroup.events")
    return "frozen 1" in events.splitlines() or not os.path.isdir(directory)  # noqa: PTH112


def is_ended(directory: str) -> bool:
    """Return whether a group is empty, or all in it was killed and ends as soon as it is thawed."""
    members = _text(f"{directory}/cgroup.procs").split()
    return all(_is_killed(each) for each in members)


def may_be_thawed(directory: str) -> bool:
    """Return whether this is a control group: what a note names is written to only then."""
    real = os.path.realpath(directory)
    return real == directory and real.startswith(_CGROUPS) and any(Path(real, name).is_file() for name, _, _ in FILES)


def thaw_all(directories: Iterable[str]) -> bool:
    """Thaw what others have frozen; what is neither a control group nor the name of a process is left alone.

    Returns:
        Whether nothing of it is frozen any more, as far as it is there.
    """
    done = True
    for directory in directories:
        if directory.startswith(process_pause.BEGINNING):
            done = process_pause.resume_process(directory) and done
        elif may_be_thawed(directory):
            try:
                thaw(directory)
            except OSError:
                done = False
    return done


def _is_killed(process_id: str) -> bool:
    for line in _text(f"/proc/{process_id}/status").splitlines():
        name, _, value = line.partition(":")
        if name in {"SigPnd", "ShdPnd"} and int(value, 16) & _KILLED:
            return True
        if name == "State" and value.strip()[:1] in {"Z", "X"}:
            return True
    return not os.path.isdir(f"/proc/{process_id}")  # noqa: PTH112


def _text(path: str) -> str:
    with suppress(OSError), open(path, encoding="ascii", errors="replace") as opened:  # noqa: PTH123
        return opened.read()
    return ""


def _write(directory: str, place: int) -> None:
    file = -1
    for each in FILES:
        try:
            file = os.open(f"{directory}/{each[0]}", os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            os.write(file, each[place].encode())
        finally:
            os.close(file)
        return
    raise FileNotFoundError(directory)
