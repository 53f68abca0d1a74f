"""A real engine of a user other than root for tests, with ``busybox:latest`` in it.

The user exists for what runs here alone: in a mount namespace, where the tables of users have one line more. So
nothing is changed on the machine.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
from tests.real_engine import BUSYBOX, busybox_archive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_USER, _ID, _FIRST_SUB_ID = "tonnage-tester", 31_117, 3_111_700_000
_STARTS = Path("/usr/share/docker.io/contrib/dockerd-rootless.sh")
_TUN = Path("/dev/net/tun")
_PROGRAMS = ("rootlesskit", "slirp4netns", "newuidmap", "newgidmap", "setpriv")
_TABLES = ("passwd", "group", "subuid", "subgid")
_NEEDED = tuple(dict.fromkeys((Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parent.parent)))
"""What a user must reach to start the command: Python, its environment, and this repository."""
_WITHIN_S = 60.0
_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class RootlessEngine:
    """The engine, and its user.

    Args:
        home: The user's, with the data root of the engine in ``data``.
        environment: The user's.
    """

    home: Path
    environment: dict[str, str]
    client: docker.DockerClient

    def run(self, *command: str, directory: Path) -> subprocess.CompletedProcess[str]:
        """Run a command as the user."""
        return subprocess.run(
            _as_user(command, self.home), cwd=directory, env=self.environment, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=300, check=False,
        )  # fmt: skip


def why_no_rootless() -> str:
    """Return why there can be no such engine here; empty when there can."""
    if os.geteuid():
        return "needs root, to add a user"
    path = f"{_PATH}:{os.environ.get('PATH', '')}"
    missing = [name for name in _PROGRAMS if not shutil.which(name, path=path)]
    files = _STARTS, _TUN, *(Path("/etc", name) for name in _TABLES)
    missing += [str(each) for each in files if not each.exists()]
    return f"there is no {missing[0]}" if missing else ""


@contextlib.contextmanager
def rootless_engine(place: Path) -> Iterator[RootlessEngine]:
    """Start one; its data lie in a new directory below ``place``, which its user must be able to reach."""
    home = place / "home"
    runtime = home / "run"
    runtime.mkdir(parents=True)
    for each in (home, runtime):
        os.chown(each, _ID, _ID)
        each.chmod(0o700)
    _write_tables(place)
    environment = {
        "HOME": str(home), "USER": _USER, "LOGNAME": _USER, "PATH": _PATH, "XDG_RUNTIME_DIR": str(runtime),
        "LANG": "C.UTF-8", "TMPDIR": str(runtime),
    }  # fmt: skip
    endpoint = runtime / "docker.sock"
    words = [
        "bash", str(_STARTS), "--data-root", str(home / "data"), "--exec-root", str(runtime / "x"), "--pidfile",
        str(runtime / "docker.pid"), "--host", f"unix://{endpoint}",
    ]  # fmt: skip
    with (place / "log").open("wb") as log:
        engine = subprocess.Popen(
            _as_user(words, home), cwd=home, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    client = None
    try:
        client = _answering(engine, endpoint, place / "log")
        api: Any = client.api
        name, tag = BUSYBOX.split(":")
        api.import_image_from_data(busybox_archive(), repository=name, tag=tag)
        yield RootlessEngine(home, environment, client)
    finally:
        if client is not None:
            client.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(engine.pid, signal.SIGTERM)
        try:
            engine.wait(30.0)
        except subprocess.TimeoutExpired:
            os.killpg(engine.pid, signal.SIGKILL)
            engine.wait()
        shutil.rmtree(home, ignore_errors=True)


def _write_tables(place: Path) -> None:
    """Write the tables of users with one more."""
    added = {
        "passwd": f"{_USER}:x:{_ID}:{_ID}::{place / 'home'}:/bin/sh",
        "group": f"{_USER}:x:{_ID}:",
        "subuid": f"{_USER}:{_FIRST_SUB_ID}:65536",
        "subgid": f"{_USER}:{_FIRST_SUB_ID}:65536",
    }
    for name, line in added.items():
        (place / name).write_text(f"{Path('/etc', name).read_text()}{line}\n")


def _as_user(command: tuple[str, ...] | list[str], home: Path) -> list[str]:
    """Return a command that becomes the user in a namespace of its own."""
    lines = ["set -e", *_opened(_NEEDED, home.parent / "needed")]
    lines += (f"mount --bind {shlex.quote(str(home.parent / name))} /etc/{name}" for name in _TABLES)
    if not _TUN.stat().st_mode & stat.S_IWOTH:
        # Where no udev runs nobody has given it the mode that it has elsewhere.
        lines += ("mount -t tmpfs tmpfs /dev/net", f"mknod --mode=0666 {_TUN} c 10 200")
    lines.append(f'exec setpriv --reuid={_ID} --regid={_ID} --clear-groups "$@"')
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(lines), "sh", *command]


def _opened(needed: Iterable[Path], place: Path) -> Iterator[str]:
    """Yield commands after which directories can be reached by everybody: a home of root hides what is below it."""
    closed: dict[Path, list[Path]] = {}
    for each in needed:
        above = next((one for one in reversed(each.parents) if not one.stat().st_mode & stat.S_IXOTH), None)
        if above is not None:
            closed.setdefault(above, []).append(each)
    for number, (above, below) in enumerate(closed.items()):
        for position, each in enumerate(below):
            aside = shlex.quote(str(place / f"{number}-{position}"))
            yield f"mkdir --parents {aside}"
            yield f"mount --bind {shlex.quote(str(each))} {aside}"
        yield f"mount -t tmpfs -o mode=0755 tmpfs {shlex.quote(str(above))}"
        for position, each in enumerate(below):
            yield f"mkdir --parents {shlex.quote(str(each))}"
            yield f"mount --bind {shlex.quote(str(place / f'{number}-{position}'))} {shlex.quote(str(each))}"


def _answering(engine: subprocess.Popen[bytes], path: Path, log: Path) -> docker.DockerClient:
    """Wait until the engine answers."""
    end = time.monotonic() + _WITHIN_S
    while not _listens(path):
        assert engine.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < end, log.read_text()[-3000:]
        time.sleep(0.1)
    client = docker.DockerClient(base_url=f"unix://{path}", timeout=60)
    client.ping()
    return client


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as one:
        try:
            one.connect(str(path))
        except OSError:
            return False
    return True
