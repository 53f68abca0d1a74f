"""Programs that may be asking an engine to pull, here or on the machine behind ``ssh://``, and what it downloads.

Processes of other users are told with their command lines, but where they work only to root.
"""

from __future__ import annotations

import base64
import binascii
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tonnage.adapters.ssh import client as ssh
from tonnage.model.reclaim.pulls import Client

if TYPE_CHECKING:
    from collections.abc import Collection

_MARK = "tonnage-client"
_FIELDS = 8
_HOST = "DOCKER_HOST="
_SCRIPT = f"""
hz=$(getconf CLK_TCK 2>/dev/null || echo 100)
read -r up rest < /proc/uptime
for file in $(grep -lE 'NAMES' /proc/[0-9]*/cmdline 2>/dev/null); do
    pid=${{file#/proc/}} pid=${{pid%/cmdline}}
    ticks=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d ' ' -f 20)
    at=$(readlink "/proc/$pid/cwd" 2>/dev/null | base64 | tr -d '\\n')
    to=$(tr '\\0' '\\n' < "/proc/$pid/environ" 2>/dev/null | sed -n 's/^{_HOST}//p' | base64 | tr -d '\\n')
    said=$(base64 < "$file" 2>/dev/null | tr -d '\\n')
    echo "{_MARK} $pid $ticks $hz $up at:$at to:$to said:$said"
done
"""
_DOWNLOADS = ("tmp/GetImageBlob*", "image/*/layerdb/tmp/write-set-*")
"""Where the engine's own store keeps a layer that comes and one that is unpacked. Source: moby, distribution and
layer/filestore.go; checked with 20.10."""
_INGESTED = "io.containerd.content.v1.content/ingest/*/data"
"""Where containerd keeps what comes. Source: containerd, content/local."""
_CONTAINERD = ("containerd/daemon", "/var/lib/containerd")
_FRESH_S = 300.0
"""What containerd was interrupted in stays there; it is written to while it comes."""


def clients_here(programs: Collection[str]) -> tuple[Client, ...]:
    """Return processes of this machine that run one of some programs, without this very process.

    Args:
        programs: Their names.
    """
    found = []
    for pid in os.listdir("/proc"):  # noqa: PTH208
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        with suppress(OSError, psutil.Error):
            arguments = _arguments(Path(f"/proc/{pid}/cmdline").read_bytes())
            if not _runs(arguments, programs):
                continue
            directory = host = ""
            with suppress(OSError):
                directory = os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115
                host = _host(_arguments(Path(f"/proc/{pid}/environ").read_bytes()))
            began_s = psutil.Process(int(pid)).create_time()
            found.append(Client(pid=int(pid), began_s=began_s, arguments=arguments, directory=directory, host=host))
    return tuple(found)


def clients_there(endpoint: str, programs: Collection[str]) -> tuple[Client, ...]:
    """Return processes of another machine that run one of some programs.

    Args:
        endpoint: ``ssh://[user@]host[:port]``.
        programs: Their names.

    Returns:
        The processes; none where the machine does not tell them.

    Raises:
        EngineUnreachableError: ssh failed.
    """
    done = ssh.run_there(endpoint, _SCRIPT.replace("NAMES", "|".join(sorted(programs))))
    now_s = time.time()
    found = []
    for line in done.stdout.splitlines():
        words = line.split(" ")
        if words[0] != _MARK or len(words) != _FIELDS:
            continue
        with suppress(ValueError, ZeroDivisionError, binascii.Error):
            pid, ticks, hz, up = words[1:5]
            at, to, said = (base64.b64decode(word.partition(":")[2]) for word in words[5:])
            arguments = _arguments(said)
            if _runs(arguments, programs):
                client = Client(
                    pid=int(pid),
                    began_s=now_s - float(up) + int(ticks) / int(hz),
                    arguments=arguments,
                    directory=os.fsdecode(at).removesuffix("\n"),
                    host=os.fsdecode(to).strip(),
                )
                found.append(client)
    return tuple(found)


def downloading(data_root: str, now_s: float) -> bool | None:
    """Return whether an engine of this machine downloads layers now.

    Args:
        data_root: Where it keeps its data.
        now_s: Seconds since the epoch.

    Returns:
        Whether it does; None where its files may not be looked at.
    """
    root = Path(data_root)
    if not os.access(root, os.R_OK | os.X_OK) or not os.access(root / "tmp", os.R_OK | os.X_OK):
        return None
    if any(next(root.glob(pattern), None) is not None for pattern in _DOWNLOADS):
        return True
    for store in _CONTAINERD:
        for path in (root / store).glob(_INGESTED):
            with suppress(OSError):
                if now_s - path.stat().st_mtime < _FRESH_S:
                    return True
    return False


def _arguments(line: bytes) -> tuple[str, ...]:
    return tuple(os.fsdecode(each) for each in line.rstrip(b"\0").split(b"\0"))


def _host(variables: tuple[str, ...]) -> str:
    return next((each.removeprefix(_HOST) for each in variables if each.startswith(_HOST)), "")


def _runs(arguments: tuple[str, ...], programs: Collection[str]) -> bool:
    return any(each.rpartition("/")[2] in programs for each in arguments[:2])
