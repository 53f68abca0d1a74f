from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.real_engine import command_lines, real_engine

from tonnage.adapters.private_engine import PrivateEngine, remove_rehearsal, sweep
from tonnage.adapters.private_engine.daemon import first_processes
from tonnage.adapters.private_engine.layout import DIRECTORY_VARIABLE, Layout
from tonnage.errors import CannotFitError, InterruptedRunError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.real_engine import RealEngine

pytestmark = pytest.mark.engine

SIZE_BYTES = 536_870_923
START = """
import os, sys, time
from tonnage.adapters.private_engine import PrivateEngine
with PrivateEngine.start(536_870_923, environment=os.environ) as engine:
    print(engine.name, engine.endpoint, flush=True)
    time.sleep(60)
"""
THREE_TIMES = """
import os
from tonnage.adapters.private_engine import PrivateEngine
for _ in range(3):
    with PrivateEngine.start(536_870_923, environment=os.environ):
        pass
"""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment with a directory for rehearsals that nobody else uses; it is that of this process too."""
    monkeypatch.setenv(DIRECTORY_VARIABLE, f"/var/tmp/tonnage-test-{os.getpid()}")
    return dict(os.environ)


@pytest.fixture
def nothing_left(environment: dict[str, str]) -> Iterator[None]:
    """Check that nothing on this machine carries the name of a rehearsal that was made in the meantime."""
    directory = Path(environment[DIRECTORY_VARIABLE])
    names: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            # It vanishes with the last rehearsal, also while it is being read.
            with contextlib.suppress(FileNotFoundError):
                names.update(name for name in os.listdir(directory) if re.fullmatch("r.{6}", name))  # noqa: PTH208 - in one call

    watching = threading.Thread(target=watch)
    watching.start()
    yield
    ended.set()
    watching.join()
    assert names
    assert not directory.exists()
    assert not [line for line in everything() if any(name in line for name in names)]


def everything() -> list[str]:
    """Return a line for each thing that a private engine makes outside of its directory, and for each process."""
    lines = command_lines()
    for arguments in (
        ["ip", "netns"],
        ["ip", "-brief", "link"],
        ["iptables", "-w", "-S"],
        ["iptables", "-w", "-t", "nat", "-S"],
        ["losetup", "-a"],
        ["mount"],
        ["find", "/sys/fs/cgroup", "-maxdepth", "2", "-type", "d"],
    ):
        lines += subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.splitlines()
    return lines


def test_the_engine_has_a_disk_of_exactly_the_chosen_size(engine_factory: Callable[[int], RealEngine]) -> None:
    engine = engine_factory(SIZE_BYTES)
    disk = Path(engine.mount).parent / "disk"
    assert disk.stat().st_size == SIZE_BYTES
    found = os.statvfs(engine.mount)
    assert 0.8 * SIZE_BYTES < found.f_blocks * found.f_frsize <= SIZE_BYTES
    assert engine.client.info()["DockerRootDir"].startswith(engine.mount)


def test_a_published_port_answers_at_the_engines_address(engine: RealEngine) -> None:
    script = "mkdir /w && echo loaded > /w/index.html && exec httpd -f -h /w"
    engine.client.containers.run("busybox", ["sh", "-c", script], detach=True, ports={"80/tcp": 8017})
    url = f"http://{engine.address}:8017/"
    for _ in range(50):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.read() == b"loaded\n"
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{url} does not answer")


def test_a_container_that_mounts_the_engines_socket_gets_the_private_engine(engine: RealEngine) -> None:
    seen = engine.client.containers.run(
        "busybox",
        ["stat", "-c", "%i", "/s"],
        volumes={"/var/run/docker.sock": {"bind": "/s"}},
        remove=True,
    )
    [process] = first_processes(Layout(Path(engine.mount).parent.parent, engine.private.name))
    assert int(seen) == Path(f"/proc/{process}/root/run/docker.sock").stat().st_ino


@pytest.mark.usefixtures("nothing_left")
def test_nothing_is_left_of_an_engine_with_running_containers() -> None:
    with real_engine(SIZE_BYTES) as engine:
        engine.client.containers.run("busybox", ["sleep", "1000"], detach=True, restart_policy={"Name": "always"})
        engine.client.networks.create("further")


def test_an_engine_starts_where_the_path_lacks_the_directories_of_administration(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with PrivateEngine.start(SIZE_BYTES, environment={**environment, "PATH": "/usr/bin:/bin"}) as engine:
        assert Path(engine.mount).is_mount()


@pytest.mark.usefixtures("nothing_left")
def test_nothing_is_left_when_what_runs_inside_fails(environment: dict[str, str]) -> None:
    with pytest.raises(ZeroDivisionError), PrivateEngine.start(SIZE_BYTES, environment=environment):
        _ = 1 // 0


@pytest.mark.usefixtures("nothing_left")
def test_nothing_is_left_when_the_engine_does_not_start(environment: dict[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "dockerd"
    broken.write_text("#!/bin/sh\necho the keel is broken\nexit 1\n")
    broken.chmod(0o755)
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    with (
        pytest.raises(Exception, match="did not start") as caught,
        PrivateEngine.start(SIZE_BYTES, environment=environment),
    ):
        pass
    assert "the keel is broken" in getattr(caught.value, "log", "")


@pytest.mark.usefixtures("nothing_left")
def test_sigterm_removes_the_engine(environment: dict[str, str]) -> None:
    def ended() -> None:
        with PrivateEngine.start(SIZE_BYTES, environment=environment):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(InterruptedRunError) as caught:
        ended()
    assert caught.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("delay_s", [0.0, 0.07, 0.15, 0.3, 0.5])
def test_ctrl_c_at_any_moment_leaves_nothing(environment: dict[str, str], delay_s: float) -> None:
    started = subprocess.Popen([sys.executable, "-c", START], env=environment, stderr=subprocess.DEVNULL)
    wait_for_a_rehearsal(environment)
    time.sleep(delay_s)
    started.send_signal(signal.SIGINT)
    assert started.wait(30) != 0


@pytest.mark.usefixtures("nothing_left")
def test_what_a_killed_owner_leaves_is_swept(environment: dict[str, str]) -> None:
    started = subprocess.Popen([sys.executable, "-c", START], env=environment, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    with started.stdout:
        name = started.stdout.readline().split()[0]
    assert sweep(environment) == ()
    started.kill()
    started.wait(10)
    assert sweep(environment) == (name,)


@pytest.mark.usefixtures("nothing_left")
def test_a_kept_engine_stays_until_it_is_removed_by_name(environment: dict[str, str]) -> None:
    with PrivateEngine.start(SIZE_BYTES, environment=environment, keep=True) as engine:
        assert f"tonnage rehearse --remove {engine.name}" in engine.how_to_reach()
    assert sweep(environment) == ()
    version = subprocess.run(["docker", "-H", engine.endpoint, "version"], check=False, capture_output=True)
    assert version.returncode == 0
    with pytest.raises(UsageError, match="no rehearsal 'r000000'"):
        remove_rehearsal("r000000", environment=environment)
    remove_rehearsal(engine.name, environment=environment)


@pytest.mark.usefixtures("nothing_left")
def test_two_engines_do_not_share_addresses(environment: dict[str, str]) -> None:
    with (
        PrivateEngine.start(SIZE_BYTES, environment=environment) as one,
        PrivateEngine.start(SIZE_BYTES, environment=environment) as other,
    ):
        assert one.address != other.address
        assert one.netns != other.netns


@pytest.mark.usefixtures("nothing_left")
def test_rehearsals_that_begin_and_end_at_once_do_not_disturb_each_other(environment: dict[str, str]) -> None:
    arguments = [sys.executable, "-c", THREE_TIMES]
    started = [subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(each.communicate(timeout=600)[1], each.returncode) for each in started] == [("", 0)] * 3


def test_a_disk_larger_than_the_room_for_its_file_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(CannotFitError), PrivateEngine.start(10**15 + 7, environment=environment):
        pass


def wait_for_a_rehearsal(environment: dict[str, str]) -> None:
    directory = Path(environment[DIRECTORY_VARIABLE])
    for _ in range(500):
        if any(directory.glob("r*/state.json")):
            return
        time.sleep(0.01)
    pytest.fail("the rehearsal did not begin")
