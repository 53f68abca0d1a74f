"""A dockerd in namespaces of its own: when its first process is killed, the kernel ends everything in it.

Its process namespace makes sure that no container, shim or builder outlives it; its mount namespace hides the host's
containerd, runc state and engine socket from it, and makes all container mounts vanish with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.adapters import process
from tonnage.adapters.private_engine.network import netns_path
from tonnage.adapters.private_engine.programs import search_path
from tonnage.adapters.private_engine.signals import signals_later
from tonnage.errors import EngineUnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.adapters.private_engine.layout import Layout
    from tonnage.adapters.private_engine.network import Addresses

_HOST_CONFIG = Path("/etc/docker/daemon.json")
_INHERITED = ("registry-mirrors", "insecure-registries", "proxies", "storage-driver", "features")
_RESOLV = Path("/etc/resolv.conf")
_UPSTREAM_RESOLV = Path("/run/systemd/resolve/resolv.conf")
_START_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 30.0
_LOOK_S = 0.05

# Arguments: own part of /run, resolver file or nothing, configuration, own disk, own host name or nothing. The disks of
# go, or their loop devices would stay as long as this engine. The host's /run stays readable beneath; what is written
# goes to the own part.
_ENTER = r"""
set -e
own=$1 resolver=$2 config=$3 disk=$4 name=$5
mount -t proc proc /proc
if [ -n "$name" ]; then echo "$name" > /proc/sys/kernel/hostname; fi
mounts=$(cat /proc/self/mounts)
while read -r device target _; do
    case "$device $target" in
    *" $disk") ;;
    /dev/loop*\ */r[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]/m) umount -l "$target" || true ;;
    esac
done <<END
$mounts
END
if [ -n "$resolver" ]; then mount --bind "$resolver" /etc/resolv.conf; fi
mount -t tmpfs -o mode=755 tmpfs "$own"
mkdir "$own/upper" "$own/work"
mount -t overlay -o "lowerdir=/run,upperdir=$own/upper,workdir=$own/work" overlay /run
for hidden in containerd docker runc; do
    mkdir -p "/run/$hidden"
    mount -t tmpfs -o mode=700 tmpfs "/run/$hidden"
done
exec dockerd --config-file "$config"
"""


def configuration(
    layout: Layout, addresses: Addresses, mtu: int, host_config: Mapping[str, object]
) -> dict[str, object]:
    """Return the configuration of the private engine."""
    return {
        **{key: host_config[key] for key in _INHERITED if key in host_config},
        "data-root": str(layout.data_root),
        "exec-root": str(layout.exec_root),
        # The second is in its own view of /run: a service that mounts the engine's socket gets this engine,
        # not the host's.
        "hosts": [f"unix://{layout.socket}", "unix:///run/docker.sock"],
        "pidfile": "/run/docker/dockerd.pid",
        "bip": addresses.bridge,
        "default-address-pools": [{"base": addresses.pool, "size": 24}],
        "mtu": mtu,
        "cgroup-parent": f"/{layout.cgroup}",
        # The other driver asks the host's systemd, which does not know the process ids of this namespace.
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
    }


def start_daemon(
    layout: Layout, addresses: Addresses, mtu: int, environment: Mapping[str, str], host_name: str = ""
) -> process.StartedProcess:
    """Start the engine and wait until it answers.

    Args:
        host_name: What the engine calls its machine; empty for the name of this one.

    Returns:
        Its first process, which the caller waits for.

    Raises:
        EngineUnreachableError: It ended, or did not answer within a minute; with the last lines of its log.
        EngineLacksError: A program is missing.
    """
    layout.exec_root.mkdir(exist_ok=True)
    layout.run_overlay.mkdir(exist_ok=True)
    config = configuration(layout, addresses, mtu, _host_config())
    layout.config.write_text(json.dumps(config, indent=1), encoding="utf-8")
    started: process.StartedProcess | None = None
    try:
        with signals_later():
            started = process.start(
                _arguments(layout, host_name),
                log_path=str(layout.log),
                environment={
                    # DOCKER_* would move its temporary files off the disk or change its storage.
                    **{name: value for name, value in environment.items() if not name.startswith("DOCKER_")},
                    "PATH": search_path(environment.get("PATH", "")),
                    # What its programs leave there when they are killed goes with it.
                    "TMPDIR": str(layout.exec_root),
                },
            )
        _wait_for_answer(layout, started)
    except BaseException:
        if started:
            started.kill()
            started.wait(_END_TIMEOUT_S)
        raise
    return started


def end_daemon(layout: Layout) -> bool:
    """Kill the engine with everything that runs in it; return whether all of it ended."""
    give_up_at = time.monotonic() + _END_TIMEOUT_S
    while firsts := first_processes(layout):
        for pid in firsts:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() >= give_up_at:
            return False
        time.sleep(_LOOK_S)
    return True


def first_processes(layout: Layout) -> list[int]:
    """Return the processes that are the first of a process namespace within the engine's network namespace.

    These are the engine itself, never something that only looks into its network, and killing it ends all the rest.
    """
    try:
        wanted = netns_path(layout).stat().st_ino
    except FileNotFoundError:
        return []
    firsts = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "ns/net").stat().st_ino != wanted:
                continue
            status = (entry / "status").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has ended
            continue
        levels = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), [])
        if len(levels) > 1 and levels[-1] == "1":
            firsts.append(int(entry.name))
    return firsts


def remove_cgroups(layout: Layout) -> None:
    """Remove the empty control groups that the engine's containers and builds leave when they are killed."""
    tops = [*Path("/sys/fs/cgroup").glob(layout.cgroup), *Path("/sys/fs/cgroup").glob(f"*/{layout.cgroup}")]
    for top in tops:
        for directory, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                Path(directory).rmdir()


def log_tail(layout: Layout, lines: int = 20) -> str:
    """Return the last lines that the engine printed."""
    try:
        text = layout.log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _arguments(layout: Layout, host_name: str) -> list[str]:
    """Return the command that enters the namespaces and becomes the engine."""
    script_arguments = [layout.run_overlay, _resolver(), layout.config, layout.mount, host_name]
    named = ["--uts"] if host_name else []
    return [
        *("nsenter", f"--net={netns_path(layout)}"),
        *("unshare", "--mount", "--propagation", "slave", "--pid", *named, "--fork", "--kill-child"),
        *("sh", "-c", _ENTER, "tonnage-engine", *map(str, script_arguments)),
    ]


def _wait_for_answer(layout: Layout, started: process.StartedProcess) -> None:
    """Wait until the engine answers, or say why it does not."""
    give_up_at = time.monotonic() + _START_TIMEOUT_S
    while not _answers(layout.socket):
        why = ""
        if started.exit_code() is not None:
            why = "It ended."
        elif time.monotonic() >= give_up_at:
            why = f"It did not answer within {_START_TIMEOUT_S:g} s."
        if why:
            raise EngineUnreachableError("the private engine did not start", why=why, log=log_tail(layout))
        time.sleep(_LOOK_S)


def _resolver() -> str:
    """Return the resolver file to use instead of one that names only addresses of the host itself; empty for none."""
    try:
        text = _RESOLV.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    servers = [
        line.split()[1] for line in text.splitlines() if line.startswith("nameserver ") and len(line.split()) > 1
    ]
    only_loopback = bool(servers) and all(server.startswith("127.") or server == "::1" for server in servers)
    return str(_UPSTREAM_RESOLV) if only_loopback and _UPSTREAM_RESOLV.exists() else ""


def _host_config() -> dict[str, object]:
    """Return the configuration of the host's own engine; empty when it has none that can be read."""
    try:
        found = json.loads(_HOST_CONFIG.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _answers(path: Path) -> bool:
    """Ask the engine whether it is ready."""
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(5.0)
        try:
            asked.connect(str(path))
            asked.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in asked.recv(64)
        except OSError:
            return False
