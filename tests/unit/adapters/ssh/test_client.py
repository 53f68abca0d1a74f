"""Reaching a machine by ssh: a real server on this machine, with keys of its own, on a free port."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.ssh_server import WHY_NONE, logins, ssh_server

from tonnage.adapters import process
from tonnage.adapters.docker.connect import connect
from tonnage.adapters.host.filesystem import local_filesystems, open_gauge, remote_filesystems
from tonnage.adapters.ssh import client as ssh
from tonnage.errors import EngineLacksError, EngineUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(bool(WHY_NONE), reason=WHY_NONE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """An ssh server whose only user key is in its directory; gives its address and that directory."""
    where = tmp_path_factory.mktemp("ssh")
    with ssh_server(where, f"unix://{where}/docker.sock") as address:
        yield address, where


@pytest.fixture
def endpoint(server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PATH", f"{server[1]}/bin:{os.environ['PATH']}")
    return server[0]


def test_a_script_runs_there_with_its_output_and_its_exit_code(endpoint: str) -> None:
    done = ssh.run_there(endpoint, "echo 'one  two'; echo three >&2; exit 7")
    assert (done.stdout, done.stderr, done.exit_code) == ("one  two\n", "three\n", 7)


def test_the_disk_is_read_there_with_the_figures_that_it_has_here(endpoint: str, tmp_path: Path) -> None:
    spaced = tmp_path / "data root"
    spaced.mkdir()
    places = [("data-root", str(spaced)), ("containerd", f"{tmp_path}/nosuch"), ("temporary", str(tmp_path))]
    (there,) = remote_filesystems(endpoint, places)
    (here,) = local_filesystems([places[0], places[2]])
    assert there.roles == here.roles == ("data-root", "temporary")
    assert (there.size_bytes, there.inodes) == (here.size_bytes, here.inodes)
    assert there.available_bytes == pytest.approx(here.available_bytes, abs=300_000_007)
    assert there.mount == here.mount


def test_a_data_root_that_is_not_there_is_said(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(EngineLacksError, match="cannot be read"):
        remote_filesystems(endpoint, [("data-root", f"{tmp_path}/nosuch")])


def test_the_gauge_there_is_fresh_and_ends_with_its_close(endpoint: str, small: Path) -> None:
    gauge = open_gauge(endpoint, [str(small)])
    before = gauge.available()[str(small)]
    (small / "file").write_bytes(bytes(1_000_003))
    time.sleep(0.5)
    assert before - gauge.available()[str(small)] == 245 * 4096
    gauge.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "gauge"]


def test_a_gauge_without_its_filesystem_says_what_was_printed_there(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachableError, match="failed") as caught:
        open_gauge(endpoint, [f"{tmp_path}/nosuch"])
    assert "nosuch" in caught.value.why


def test_a_tunnel_leads_to_a_socket_there_and_leaves_nothing(endpoint: str, tmp_path: Path) -> None:
    target = tmp_path / "target.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(target))
        listening.listen()
        tunnel = ssh.Tunnel(endpoint, str(target))
        with socket.socket(socket.AF_UNIX) as reached:
            reached.settimeout(5)
            reached.connect(tunnel.path)
            reached.sendall(b"there")
            listening.settimeout(5)
            peer, _ = listening.accept()  # the look whether the tunnel is open
            peer.close()
            peer, _ = listening.accept()
            with peer:
                assert peer.recv(5) == b"there"
        tunnel.close()
    assert not Path(tunnel.path).parent.exists()


def test_no_engine_there_is_not_no_machine(endpoint: str) -> None:
    with pytest.raises(EngineUnreachableError, match="there is no engine at") as caught:
        connect({}, endpoint)
    assert "\n  ssh -p " in caught.value.todo
    assert caught.value.todo.endswith("root@127.0.0.1 sudo systemctl start docker")


def test_a_machine_that_does_not_know_the_key_says_how_to_give_it_one(endpoint: str) -> None:
    with pytest.raises(EngineUnreachableError, match=r"ssh to .* failed") as caught:
        connect({}, endpoint.replace("root@", "nobody@"))
    assert "ermission denied" in caught.value.why
    assert "\n  ssh-copy-id -p " in caught.value.todo


def test_a_machine_that_is_not_there_is_said() -> None:
    with pytest.raises(EngineUnreachableError, match=r"ssh to ssh://root@127\.0\.0\.1:1 failed") as caught:
        connect({}, "ssh://root@127.0.0.1:1")
    assert "refused" in caught.value.why


def test_all_that_goes_to_a_machine_shares_one_connection_while_it_is_asked_for(
    endpoint: str, server: tuple[str, Path], tmp_path: Path
) -> None:
    before = logins(server[1])
    target = tmp_path / "target.sock"
    with socket.socket(socket.AF_UNIX) as listening, ssh.sharing(endpoint):
        listening.bind(str(target))
        listening.listen()
        assert ssh.run_there(endpoint, "echo 1").stdout == "1\n"
        with ssh.sharing(endpoint):
            tunnel = ssh.Tunnel(endpoint, str(target))
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(tunnel.path)
            asking.sendall(b"through")
            # Whether the tunnel is open was tried before, by a connection without a byte.
            while True:
                accepted, _ = listening.accept()
                with accepted:
                    if came := accepted.recv(7):
                        break
            assert came == b"through"
        tunnel.close()
        assert not Path(tunnel.path).exists()
        assert ssh.run_there(endpoint, "exit 3").exit_code == 3
    assert logins(server[1]) - before == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "ssh master"]
    assert ssh.run_there(endpoint, "echo 2").stdout == "2\n"
    assert logins(server[1]) - before == 2


def test_who_shares_connections_already_keeps_their_own(endpoint: str, server: tuple[str, Path]) -> None:
    client = server[1] / "client"
    written, before = client.read_text(), logins(server[1])
    try:
        client.write_text(f"{written}ControlMaster auto\nControlPath {server[1]}/own-%C\nControlPersist 20\n")
        with ssh.sharing(endpoint):
            assert not [thread for thread in threading.enumerate() if thread.name == "ssh master"]
            assert [ssh.run_there(endpoint, "echo 1").stdout for _ in range(2)] == ["1\n", "1\n"]
    finally:
        process.run(("ssh", "-O", "exit", *ssh.host_arguments(endpoint)), timeout_s=10)
        client.write_text(written)
    assert logins(server[1]) - before == 1


def test_a_master_that_is_gone_costs_a_connection_and_nothing_else(endpoint: str, server: tuple[str, Path]) -> None:
    before = logins(server[1])
    with ssh.sharing(endpoint):
        [pid] = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if _is_our_master(path)]
        os.kill(pid, signal.SIGKILL)
        assert ssh.run_there(endpoint, "echo 1").stdout == "1\n"
    assert logins(server[1]) - before == 2


def test_a_machine_that_lets_nobody_in_says_so_once(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.environ["PATH"].partition(":")[2])
    with pytest.raises(EngineUnreachableError, match="failed") as refused, ssh.sharing(endpoint):
        pass
    assert "verification failed" in refused.value.why.lower() or "denied" in refused.value.why.lower()


def _is_our_master(path: Path) -> bool:
    try:
        words = path.read_bytes().split(b"\0")
    except OSError:
        return False
    parent = (path.parent / "stat").read_text().rpartition(")")[2].split()[1]
    return words[0].endswith(b"ssh") and b"ControlMaster=yes" in words and int(parent) == os.getpid()
