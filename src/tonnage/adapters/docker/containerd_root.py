"""Where the containerd that holds an engine's images keeps its files: told by the processes that run, never assumed.

The engine says how it speaks to containerd, or its own command line and settings do; the process that listens there
says on its command line, or in the settings it was started with, what its root is. Nothing is started for it.

Source: containerd 1.6 to 2.1, ``containerd --help`` and ``docs/man/containerd-config.toml.5.md``; moby 20.10 to 28,
``cmd/dockerd/daemon.go`` (``initContainerd``) and ``libcontainerd/supervisor``.
"""

from __future__ import annotations

import fnmatch
import json
import os
import posixpath
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from tonnage.adapters.ssh import client as ssh
from tonnage.small_files import SETTINGS, read_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tonnage.adapters.docker.schemas import Info

_SETTINGS = "/etc/containerd/config.toml"
_ROOT = "/var/lib/containerd"
_ADDRESS = "/run/containerd/containerd.sock"
_DOCKER_SETTINGS = "/etc/docker/daemon.json"
_DOCKER_ROOT = "/var/lib/docker"
_OWN_ROOT = "containerd/daemon"
_OWN_ADDRESS = "/docker/containerd/containerd.sock"
_PROGRAMS = ("containerd", "dockerd")
_LIST = """\
for p in /proc/[0-9]*; do
  read -r name 2>/dev/null <"$p/comm" || continue
  case $name in containerd|dockerd) ;; *) continue ;; esac
  printf '= %s %s %s\\n' "$name" "${p#/proc/}" "$(sed -n 's/^PPid:[^0-9]*//p' "$p/status" 2>/dev/null)"
  tr '\\0' '\\n' 2>/dev/null <"$p/cmdline"
done
true
"""


class Program(Struct, frozen=True):
    """One process: its number, its parent's, and its command line."""

    name: str
    process_id: int
    parent_id: int
    words: tuple[str, ...]

    def option(self, *names: str) -> str:
        """Return the value of an option; empty where it is not given."""
        for place, word in enumerate(self.words):
            name, equals, value = word.partition("=")
            if name in names:
                return value if equals else (*self.words, "")[place + 1]
        return ""


class EngineProcesses(Protocol):
    """The processes and settings of the engine's machine."""

    def programs(self) -> Sequence[Program]:
        """Return the engines and containerds that run."""

    def text(self, path: str) -> str | None:
        """Return a file of settings: None where this user may not read it, empty where it is not there."""

    def names(self, directory: str) -> Sequence[str]:
        """Return what is in a directory."""


class Containerd(Struct, frozen=True):
    """The containerd that an engine uses: where it keeps its files, and the socket that it listens at."""

    root: str
    address: str


def containerd_root(told: Info, processes: EngineProcesses) -> str:
    """Return where the engine's containerd keeps its files.

    Args:
        told: What the engine says of itself.

    Returns:
        A directory of the engine's machine; empty where it cannot be known.
    """
    found = containerd_of(told, processes)
    return found.root if found is not None else ""


def containerd_of(told: Info, processes: EngineProcesses) -> Containerd | None:
    """Return the engine's containerd; None where its root cannot be known."""
    programs = processes.programs()
    engine = _engine(told, programs, processes)
    found = [each for each in programs if each.name == "containerd"]
    mine = [each for each in found if engine is not None and each.parent_id == engine.process_id]
    address = (told.containerd or {}).get("Address", "") or (_told_by(engine, processes) if engine else "")
    if (mine and (not address or _is_own(address))) or address.endswith(_OWN_ADDRESS):
        # An engine that starts a containerd of its own tells it where: inside its data root.
        listens = address or _address(mine[0], processes)
        return Containerd(posixpath.join(told.data_root, _OWN_ROOT), listens)
    listening = [each for each in found if _same(_address(each, processes), address or _ADDRESS)]
    root = _root(listening[0], processes) if len(listening) == 1 else ""
    return Containerd(root, _address(listening[0], processes)) if root else None


def may_be_shared(told: Info, processes: EngineProcesses) -> bool:
    """Return whether a further engine runs that may use the same containerd: one that started none of its own."""
    programs = processes.programs()
    engine = _engine(told, programs, processes)
    with_own = {each.parent_id for each in programs if each.name == "containerd"}
    if engine is None or engine.process_id in with_own:
        return engine is None
    return any(each.name == "dockerd" and each != engine and each.process_id not in with_own for each in programs)


def _engine(told: Info, programs: Sequence[Program], processes: EngineProcesses) -> Program | None:
    """Return the process of the engine: the only one, or the one with its data root."""
    engines = [each for each in programs if each.name == "dockerd"]
    if len(engines) > 1:
        engines = [each for each in engines if _data_root(each, processes) == told.data_root]
    return engines[0] if len(engines) == 1 else None


def _data_root(engine: Program, processes: EngineProcesses) -> str:
    return engine.option("--data-root") or _docker_setting(engine, processes, "data-root") or _DOCKER_ROOT


def _told_by(engine: Program, processes: EngineProcesses) -> str:
    return engine.option("--containerd") or _docker_setting(engine, processes, "containerd")


def _docker_setting(engine: Program, processes: EngineProcesses, name: str) -> str:
    text = processes.text(engine.option("--config-file") or _DOCKER_SETTINGS)
    try:
        settings = json.loads(text or "{}")
    except ValueError:
        return ""
    value = settings.get(name, "") if isinstance(settings, dict) else ""
    return value if isinstance(value, str) else ""


def _is_own(address: str) -> bool:
    return address.endswith("/containerd/containerd.sock") and not _same(address, _ADDRESS)


def _same(one: str, other: str) -> bool:
    return bool(one) and _without_link(one) == _without_link(other)


def _without_link(address: str) -> str:
    return posixpath.normpath(address.removeprefix("unix://").replace("/var/run/", "/run/", 1))


def _address(program: Program, processes: EngineProcesses) -> str:
    """Return where a containerd listens; empty where that cannot be read."""
    given = program.option("--address", "-a")
    if given:
        return given
    settings = _settings(program, processes)
    return "" if settings is None else _word(settings.get("grpc"), "address") or _ADDRESS


def _root(program: Program, processes: EngineProcesses) -> str:
    given = program.option("--root")
    if given:
        return given
    settings = _settings(program, processes)
    return "" if settings is None else _word(settings, "root") or _ROOT


def _word(table: object, name: str) -> str:
    value = table.get(name, "") if isinstance(table, dict) else ""
    return value if isinstance(value, str) else ""


def _settings(program: Program, processes: EngineProcesses) -> dict[str, Any] | None:
    """Return the settings of a containerd, what it imports over them; None where they cannot be read."""
    return _read(program.option("--config", "-c") or _SETTINGS, processes, frozenset())


def _read(path: str, processes: EngineProcesses, before: frozenset[str]) -> dict[str, Any] | None:
    import tomllib  # noqa: PLC0415 - only where images lie in containerd

    text = processes.text(path)
    if text is None:
        return None
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    imports = settings.get("imports", [])
    for pattern in imports if isinstance(imports, list) else ():
        for each in _matching(posixpath.join(posixpath.dirname(path), str(pattern)), processes):
            if each not in {path, *before}:
                more = _read(each, processes, before | {path})
                if more is None:
                    return None
                settings |= {name: value for name, value in more.items() if value}
    return settings


def _matching(pattern: str, processes: EngineProcesses) -> list[str]:
    directory, name = posixpath.split(pattern)
    if not set("*?[") & set(name):
        return [pattern]
    return [
        posixpath.join(directory, each) for each in sorted(processes.names(directory)) if fnmatch.fnmatch(each, name)
    ]


class ProcessesHere:
    """Those of this machine."""

    def programs(self) -> list[Program]:
        """Return the engines and containerds that run."""
        found = []
        for entry in os.scandir("/proc"):
            if not entry.name.isdecimal():
                continue
            place = Path(entry.path)
            try:
                name = (place / "comm").read_text().strip()
                if name not in _PROGRAMS:
                    continue
                words = (place / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                # The name stands in brackets and may hold anything: what follows the last one is counted.
                parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            found.append(Program(name, int(entry.name), parent, tuple(os.fsdecode(word) for word in words)))
        return found

    def text(self, path: str) -> str | None:
        """Return a file of settings."""
        try:
            return read_text(path, SETTINGS)
        except FileNotFoundError:
            return ""
        except (OSError, ValueError):
            return None

    def names(self, directory: str) -> list[str]:
        """Return what is in a directory."""
        try:
            return [each.name for each in Path(directory).iterdir()]
        except OSError:
            return []


class ProcessesThere:
    """Those of the machine behind ``ssh://``."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def programs(self) -> list[Program]:
        """Return the engines and containerds that run."""
        found: list[Program] = []
        for line in ssh.run_there(self._endpoint, _LIST).stdout.splitlines():
            parts = line.split()
            if line.startswith("= ") and len(parts) == len(("=", "name", "process", "parent")):
                found.append(Program(parts[1], int(parts[2]), int(parts[3]), ()))
            elif found:
                last = found.pop()
                found.append(Program(last.name, last.process_id, last.parent_id, (*last.words, line)))
        return found

    def text(self, path: str) -> str | None:
        """Return a file of settings."""
        name = shlex.quote(path)
        done = ssh.run_there(self._endpoint, f"if [ -r {name} ]; then cat {name}; else [ ! -e {name} ]; fi\n")
        return None if done.exit_code else done.stdout

    def names(self, directory: str) -> list[str]:
        """Return what is in a directory."""
        return ssh.run_there(self._endpoint, f"ls -1 {shlex.quote(directory)} 2>/dev/null; true\n").stdout.splitlines()
