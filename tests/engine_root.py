"""Docker of another Debian release for tests: its programs in front of those of this machine.

``script/engine-root`` makes a directory with the packages of that release. Each program of Docker in it becomes a
program on the PATH, which puts the ``/usr`` of that directory in place of this machine's, in a mount namespace of its
own, before it begins. All other paths stay, so that a project, a socket or a disk is called the same on both sides,
and whatever starts ``dockerd`` or ``docker`` has the other release without knowing.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import secrets
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters.private_engine.daemon import _host_config
from tonnage.adapters.private_engine.disk import mount_disk, unmount_disk
from tonnage.adapters.private_engine.layout import Layout, owned, root_locked
from tonnage.adapters.private_engine.programs import command
from tonnage.errors import TonnageError

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = "own"
_CLASSIC, _CONTAINERD, _APART = "classic", "containerd", "containerd-apart"
_STORES = {"bookworm": (_CLASSIC,), **dict.fromkeys(("trixie", "sid"), (_CLASSIC, _CONTAINERD, _APART))}
# The first version that keeps the images of a new engine in containerd.
_CONTAINERD_SINCE = 29
_SCRIPT = Path(__file__).parent.parent / "script" / "engine-root"
_PROGRAMS = ("docker", "docker-compose", "dockerd", "containerd", "ctr", "runc")
# In the environment it says that containerd runs beside the engine; for an engine, where its disk is.
APART_VARIABLE = "TONNAGE_TEST_CONTAINERD"
_DISKS = Path("/var/tmp/tonnage-containerd")

# Arguments: the root, a program in it, and the arguments of that. What programs and the loader look up by name is the
# root's, and the docker command has no plugins but those of the root.
_ENTER = r"""
set -e
root=$1 program=$2
shift 2
plugins=${DOCKER_CONFIG:-${HOME:-/root}/.docker}/cli-plugins
if [ -d "$plugins" ]; then mount -t tmpfs tmpfs "$plugins"; fi
mount --bind "$root/etc/alternatives" /etc/alternatives
mount --bind "$root/etc/ld.so.cache" /etc/ld.so.cache
mount --bind "$root/usr" /usr
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
"""

# In the namespaces of the engine, before it. Arguments: those of the engine, its configuration first. An engine takes
# the containerd that it finds at this socket.
_STORE = r"""
if [ "$1" = --config-file ]; then sed -i '1s/{/{"features": {"containerd-snapshotter": CONTAINERD},/' "$2"; fi
if [ -n "${TONNAGE_TEST_CONTAINERD:-}" ]; then
    containerd --config "$TONNAGE_TEST_CONTAINERD/config.toml" >"$TONNAGE_TEST_CONTAINERD/log" 2>&1 &
    until [ -S /run/containerd/containerd.sock ]; do
        kill -0 $!
        sleep 0.05
    done
fi
"""


@dataclass(frozen=True, slots=True)
class EngineName:
    """The engine that tests use: that of this machine, or one of a Debian release with a store for its images.

    Args:
        suite: The release; empty for this machine's own engine.
        store: ``classic``; ``containerd``, inside the data root; ``containerd-apart``, on a filesystem of its own.
    """

    suite: str = ""
    store: str = _CLASSIC

    @classmethod
    def read(cls, text: str) -> EngineName:
        """Read ``own``, ``trixie`` or ``trixie-containerd``.

        Raises:
            argparse.ArgumentTypeError: There is no such engine.
        """
        suite, _, store = text.partition("-")
        name = cls() if text == OWN else cls(suite, store or _CLASSIC)
        if name != cls() and name.store not in _STORES.get(suite, ()):
            known = [f"{each}-{store}".removesuffix(f"-{_CLASSIC}") for each in _STORES for store in _STORES[each]]
            raise argparse.ArgumentTypeError(f"{text} is none of {', '.join([OWN, *known])}")
        return name

    def __str__(self) -> str:
        return f"{self.suite}-{self.store}".removesuffix(f"-{_CLASSIC}") if self.suite else OWN


@dataclass(frozen=True, slots=True)
class EngineKind:
    """What tests may depend on: the version of the engine, 0 where there is none, and where images lie."""

    major: int
    store: str

    def is_of(self, *, since: int = 0, store: str = "") -> bool:
        """Tell whether the engine is at least of a version, and whether its images lie where this says."""
        return self.major >= since and self.store.startswith(store)


def engine_kind(name: EngineName) -> EngineKind:
    """Return the kind of engine that a test gets; its programs are in front already."""
    try:
        told = command(["dockerd", "--version"], failing="The engine does not tell its version")
    except TonnageError:
        return EngineKind(0, _CLASSIC)
    major = int(told.removeprefix("Docker version ").split(".")[0])
    if name.suite:
        return EngineKind(major, name.store)
    # A private engine has the features of the machine's own.
    features = _host_config().get("features")
    chosen = features.get("containerd-snapshotter") if isinstance(features, dict) else None
    return EngineKind(major, _CONTAINERD if chosen or (chosen is None and major >= _CONTAINERD_SINCE) else _CLASSIC)


@contextlib.contextmanager
def in_front(name: EngineName) -> Iterator[None]:
    """Have this process, and all that it starts, find the programs of an engine first."""
    if not name.suite:
        yield
        return
    made = subprocess.run([_SCRIPT, name.suite], check=True, stdout=subprocess.PIPE, text=True)
    root = Path(made.stdout.strip())
    before = dict(os.environ)
    with _held(root), tempfile.TemporaryDirectory(prefix="tonnage-engine-", dir="/var/tmp") as directory:
        for program in _PROGRAMS:
            _write_program(Path(directory, program), root, name)
        os.environ["PATH"] = os.pathsep.join((directory, os.environ["PATH"]))
        os.environ["TONNAGE_DOCKER"] = str(Path(directory, "docker"))
        if name.store == _APART:
            os.environ[APART_VARIABLE] = ""
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextlib.contextmanager
def _held(root: Path) -> Iterator[None]:
    """Keep a root from being replaced by one that another checkout makes in another way."""
    directory = os.open(root, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_SH)
        yield
    finally:
        os.close(directory)


def _write_program(path: Path, root: Path, name: EngineName) -> None:
    """Write a program that becomes the one of the same name in the root, if there is one."""
    inside = next(
        (f"/usr/{each}/{path.name}" for each in ("sbin", "bin") if (root / "usr" / each / path.name).exists()), ""
    )
    if not inside:
        return
    script, arguments = _ENTER, [str(root), inside]
    if path.name == "dockerd" and len(_STORES[name.suite]) > 1:
        script += _STORE.replace("CONTAINERD", str(name.store != _CLASSIC).lower(), 1)
    script += 'exec "$program" "$@"\n'
    words = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, path.name, *arguments]
    path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    path.chmod(0o755)


@contextlib.contextmanager
def disk_for_containerd(size_bytes: int) -> Iterator[Path]:
    """Make a disk on which the engines of ``containerd-apart`` keep their images, and yield where it is mounted."""
    with root_locked(_DISKS):
        for left in [Layout(_DISKS, path.name) for path in _DISKS.iterdir() if path.is_dir()]:
            with owned(left) as free:
                if free:
                    _remove_disk(left)
        layout = Layout(_DISKS, secrets.token_hex(3))
        layout.directory.mkdir()
        lock = contextlib.ExitStack()
        lock.enter_context(owned(layout))
    with lock:
        try:
            mount_disk(layout, size_bytes)
            places = {"root": str(layout.mount / "containerd"), "state": "/run/containerd"}
            settings = [f"{name} = {json.dumps(place)}" for name, place in places.items()]
            (layout.mount / "config.toml").write_text("\n".join(["version = 2", *settings]), encoding="utf-8")
            yield layout.mount
        finally:
            _remove_disk(layout)


def _remove_disk(layout: Layout) -> None:
    unmount_disk(layout)
    shutil.rmtree(layout.directory)
