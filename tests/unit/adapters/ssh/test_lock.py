from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.ssh.lock import SshLock
from tonnage.errors import EngineUnreachableError, LockHeldError
from tonnage.runtime.lock import StackLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENGINE = f"REMOTE:{os.getpid()}"


@pytest.fixture(scope="module")
def wrapper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run an ssh server of our own, and return a directory with an ``ssh`` that knows how to reach it."""
    server = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
    client = shutil.which("ssh")
    if server is None or client is None or os.geteuid() != 0:
        pytest.skip("needs root, ssh and sshd")
    home = tmp_path_factory.mktemp("sshd")
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / key)], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (home / "ssh_config").write_text(
        f"Host *\n  Port {port}\n  IdentityFile {home}/user\n  UserKnownHostsFile /dev/null\n"
        "  StrictHostKeyChecking no\n  LogLevel ERROR\n",
        encoding="utf-8",
    )
    (home / "ssh").write_text(f'#!/bin/sh\nexec {client} -F {home}/ssh_config "$@"\n', encoding="utf-8")
    (home / "ssh").chmod(0o755)
    Path("/run/sshd").mkdir(exist_ok=True)
    options = [
        *("-o", f"ListenAddress=127.0.0.1:{port}", "-o", f"HostKey={home}/host"),
        *("-o", f"AuthorizedKeysFile={home}/user.pub", "-o", "StrictModes=no", "-o", "UsePAM=no"),
        *("-o", "PidFile=none", "-o", "PermitRootLogin=yes"),
    ]
    with subprocess.Popen([server, "-D", "-e", "-f", "/dev/null", *options], stderr=subprocess.DEVNULL) as running:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield home
        running.terminate()


@pytest.fixture
def endpoint(wrapper: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PATH", f"{wrapper}:{os.environ['PATH']}")
    return f"ssh://{getpass.getuser()}@127.0.0.1"


def wait_for(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def take_soon(stack: str) -> None:
    """Take the lock on the machine itself, as soon as the shell over there noticed that it is alone."""
    end_s = time.monotonic() + 60
    while True:
        try:
            with StackLock(ENGINE, stack):
                return
        except LockHeldError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.1)


def test_a_run_on_the_machine_itself_meets_the_lock_taken_from_afar(endpoint: str) -> None:
    with StackLock(ENGINE, "one", endpoint, command="tonnage deploy --to there", remote=SshLock(endpoint)) as lock:
        with pytest.raises(LockHeldError) as caught:
            StackLock(ENGINE, "one").__enter__()
        assert caught.value.why.endswith(": tonnage deploy --to there")
        assert f"Process {os.getpid()} of user " in caught.value.why

    take_soon("one")
    assert not lock.path.exists()


def test_a_run_from_afar_meets_the_lock_taken_on_the_machine_itself(endpoint: str) -> None:
    with (
        StackLock(ENGINE, "two", command="tonnage deploy here"),
        pytest.raises(LockHeldError) as caught,
        StackLock(ENGINE, "two", endpoint, remote=SshLock(endpoint)),
    ):
        pass

    assert caught.value.why.endswith(": tonnage deploy here")


def test_two_from_afar_keep_each_other_out_and_follow_each_other(endpoint: str) -> None:
    with (
        StackLock(ENGINE, "three", endpoint, remote=SshLock(endpoint)),
        pytest.raises(LockHeldError),
        StackLock(ENGINE, "three", endpoint, remote=SshLock(endpoint)),
    ):
        pass
    with StackLock(ENGINE, "three", endpoint, remote=SshLock(endpoint)):
        pass
    take_soon("three")


def test_a_killed_process_frees_the_machine(endpoint: str) -> None:
    program = f"""
    import sys
    from tonnage.adapters.ssh.lock import SshLock
    from tonnage.runtime.lock import StackLock
    with StackLock({ENGINE!r}, "four", remote=SshLock({endpoint!r})):
        print("held", flush=True)
        sys.stdin.read()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(LockHeldError):
            StackLock(ENGINE, "four").__enter__()
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    take_soon("four")


def test_runs_from_afar_and_on_the_machine_itself_know_what_the_others_claim_and_need(endpoint: str) -> None:
    engine = f"{ENGINE}-ledger"
    looking = StackLock(engine, "seven", remote=SshLock(endpoint))
    assert looking.others() == ()
    with (
        StackLock(engine, "six", command=r"tonnage deploy 'a\nb'", images=("redis:7",)) as here,
        StackLock(engine, "seven", endpoint, remote=SshLock(endpoint)) as afar,
    ):
        here.claim(5_000_000_029)
        wait_for(lambda: [each.claimed_bytes for each in afar.others()] == [5_000_000_029])
        [other] = afar.others()
        assert (other.stack, other.images, other.command) == ("six", ("redis:7",), r"tonnage deploy 'a\nb'")
        assert not afar.claim(2_003, known_bytes=0)
        assert afar.claim(2_003, known_bytes=5_000_000_029)
        assert [(each.stack, each.claimed_bytes) for each in here.others()] == [("seven", 2_003)]
        afar.claim(31)
        wait_for(lambda: [each.claimed_bytes for each in here.others()] == [31])
        third = StackLock(engine, "eight", remote=SshLock(endpoint))
        assert [each.stack for each in third.others()] == ["seven", "six"]
    assert looking.others() == ()


def test_a_machine_that_does_not_answer_is_told(endpoint: str) -> None:
    nobody = endpoint.replace("127.0.0.1", "127.0.0.1:1")

    with pytest.raises(EngineUnreachableError, match="ssh to ssh://"):
        StackLock(ENGINE, "five", nobody, remote=SshLock(nobody)).__enter__()
