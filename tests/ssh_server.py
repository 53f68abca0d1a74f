"""A real ssh server on this machine, on a free port of the loopback address, with keys of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
WHY_NONE = "" if SERVER and os.geteuid() == 0 and shutil.which("ssh") else "needs an ssh server program and root"


def _wait_for(address: str, port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("the ssh server did not start")


def logins(where: Path) -> int:
    """Return how many connections a server has let in so far."""
    return (where / "log").read_text(errors="replace").count("Accepted publickey")


@contextlib.contextmanager
def ssh_server(where: Path, docker_host: str, *, address: str = "127.0.0.1", netns: str = "") -> Iterator[str]:
    """Run an ssh server and give its address.

    ``where/bin`` has to come first on the PATH of whoever shall reach it: the ``ssh`` there knows the only key.
    ``docker_host`` is what a session on the machine has as ``DOCKER_HOST``. With ``netns`` the server and its sessions
    are in that network namespace, as they are on a machine where the engine's containers can be reached.
    """
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(where / name)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (where / "server").write_text(
        f"Port {port}\nListenAddress {address}\nHostKey {where}/host\nAuthorizedKeysFile {where}/user.pub\n"
        f"PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        f"SetEnv DOCKER_HOST={docker_host}\n"
    )
    (where / "client").write_text(
        f"IdentityFile {where}/user\nIdentitiesOnly yes\nIdentityAgent none\n"
        f"UserKnownHostsFile {where}/known\nStrictHostKeyChecking accept-new\nLogLevel ERROR\n"
    )
    (where / "bin").mkdir()
    program = where / "bin" / "ssh"
    program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {where}/client "$@"\n')
    program.chmod(0o755)
    Path("/run/sshd").mkdir(exist_ok=True)
    assert SERVER is not None
    inside = ["nsenter", f"--net=/run/netns/{netns}"] if netns else []
    with (
        (where / "log").open("wb") as log,
        subprocess.Popen([*inside, SERVER, "-D", "-e", "-f", str(where / "server")], stderr=log) as running,
    ):
        _wait_for(address, port)
        try:
            yield f"ssh://root@{address}:{port}"
        finally:
            running.terminate()
