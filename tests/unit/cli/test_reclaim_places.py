"""``tonnage reclaim`` on real directories, without an engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.simulated_ports import make_world

from tonnage.errors import CannotReclaimError
from tonnage.runtime.process_identity import this_process
from tonnage.wiring.machine import ThisMachine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tonnage.adapters.interface import Cancel
    from tonnage.model.reclaim.candidate import Candidate

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
TONNAGE = str(Path(sys.executable).parent / "tonnage")
DEAD = "unix:///nonexistent/docker.sock"
SDKS = ("usr/local/.ghcup/ghc/9.10.3", "usr/local/.ghcup/ghc/9.12.2", "usr/share/swift/usr", "usr/lib/llvm-17")
SDK_BYTES = 5_000_011
REMOVE_ONE = """
import sys, threading
from tonnage.errors import CannotReclaimError
from tonnage.wiring.machine import ThisMachine
found = ThisMachine({}).find_places(
    mount=sys.argv[1], root=sys.argv[1], disposable=True, only=(), kept={}, missing_bytes=None, meanwhile=lambda: None
)
try:
    ThisMachine({}).remove_place(found.candidates[0], threading.Event())
except CannotReclaimError as error:
    print(error.todo)
"""


def grow(root: Path) -> None:
    """Make a small runner."""
    for name in SDKS:
        (root / name).mkdir(parents=True)
        (root / name / "large").write_bytes(b"x" * SDK_BYTES)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of its own, with a small runner on it."""
    image, point = tmp_path / "image", tmp_path / "disk"
    point.mkdir()
    with image.open("wb") as file:
        file.truncate(96 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, point], check=True)
    try:
        grow(point)
        os.sync()
        yield point
    finally:
        subprocess.run(["umount", "--lazy", point], check=True)


def reclaim(root: Path, *arguments: str, home: Path, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command on a tree, by a command that goes before it."""
    return subprocess.run(
        [
            *before,
            TONNAGE,
            "reclaim",
            "--root",
            root,
            "--mount",
            root,
            "--this-machine-is-disposable",
            "-H",
            DEAD,
            *arguments,
        ],
        cwd=home,
        env={**os.environ, "XDG_STATE_HOME": str(home / "state"), "XDG_RUNTIME_DIR": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def free_bytes(path: Path) -> int:
    """Return available bytes."""
    told = os.statvfs(path)
    return told.f_bavail * told.f_frsize


def places(root: Path) -> tuple[Candidate, ...]:
    """Return what may go."""
    found = ThisMachine({}).find_places(
        mount=str(root), root=str(root), disposable=True, only=(), kept={}, missing_bytes=None, meanwhile=lambda: None
    )
    return found.candidates


@needs_root
def test_only_what_is_needed_goes_and_the_document_tells_it(disk: Path, tmp_path: Path) -> None:
    before = free_bytes(disk)
    ended = reclaim(disk, "--until", f"{before + SDK_BYTES - 100}B", "--yes", "--json", home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["enough"]
    assert len(told["removed"]) == 1
    assert sum((disk / name).exists() for name in SDKS) == len(SDKS) - 1


@needs_root
def test_what_is_kept_is_made_up_for_by_what_would_not_have_been_measured(disk: Path, tmp_path: Path) -> None:
    target = f"{free_bytes(disk) + 2 * SDK_BYTES - 100}B"
    ended = reclaim(disk, "--until", target, "--keep", "*/ghc/*", "--yes", "--json", home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert [(disk / name).exists() for name in SDKS] == [True, True, False, False]


@needs_root
def test_one_that_was_begun_in_the_background_is_waited_for(disk: Path, tmp_path: Path) -> None:
    target = f"{free_bytes(disk) + 3 * SDK_BYTES - 100}B"
    begun = reclaim(disk, "--until", target, "--yes", "--background", home=tmp_path)
    assert begun.returncode == 0, begun.stderr
    assert "in the background" in begun.stderr
    waited = reclaim(disk, "--wait", target, home=tmp_path)
    assert waited.returncode == 0, waited.stderr
    assert sum((disk / name).exists() for name in SDKS) == 1


@needs_root
def test_a_read_only_filesystem_is_told(disk: Path, tmp_path: Path) -> None:
    target = f"{free_bytes(disk) + SDK_BYTES - 100}B"
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    ended = reclaim(disk, "--until", target, "--yes", home=tmp_path)
    assert ended.returncode == 4
    assert "read-only" in ended.stdout
    assert all((disk / name).exists() for name in SDKS)


@needs_root
def test_a_mount_point_and_a_symbolic_link_stay(disk: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_bytes(b"x" * SDK_BYTES)
    (disk / "usr/lib/llvm-18").symlink_to(elsewhere)
    mounted = disk / SDKS[0]
    subprocess.run(["mount", "--bind", elsewhere, mounted], check=True)
    try:
        ended = reclaim(disk, "--free", "90MB", "--yes", "--json", home=tmp_path)
        assert ended.returncode in {2, 4}, ended.stderr
        everything = f"{free_bytes(disk) + 3 * SDK_BYTES - 100}B"
        ended = reclaim(disk, "--until", everything, "--yes", home=tmp_path)
        assert ended.returncode == 0, ended.stderr
        assert (elsewhere / "precious").stat().st_size == SDK_BYTES
        assert (mounted / "precious").exists()
        assert not any((disk / name).exists() for name in SDKS[1:])
    finally:
        subprocess.run(["umount", mounted], check=True)


@needs_root
def test_more_than_the_disk_is_refused_also_without_an_engine(disk: Path, tmp_path: Path) -> None:
    ended = reclaim(disk, "--until", "200MB", "--yes", home=tmp_path)
    assert ended.returncode == 2
    assert "can never be available" in ended.stderr


def test_a_removal_that_was_cancelled_is_not_gone(tmp_path: Path) -> None:
    grow(tmp_path)
    cancel = threading.Event()
    cancel.set()
    chosen = places(tmp_path)[0]
    with pytest.raises(CannotReclaimError, match="was interrupted"):
        ThisMachine({}).remove_place(chosen, cancel)
    assert Path(chosen.paths[0]).exists()


@needs_root
def test_without_the_right_to_it_what_root_could_free_is_told(tmp_path: Path) -> None:
    grow(tmp_path)
    # Another user, who may look everywhere: this program may lie in a home that is closed to all others.
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    user += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    done = subprocess.run(
        [*user, sys.executable, "-c", REMOVE_ONE, tmp_path], capture_output=True, text=True, check=True
    )
    assert "Root can remove all" in done.stdout
    assert "sudo" in done.stdout
    assert all((tmp_path / name / "large").exists() for name in SDKS)


@needs_root
def test_nothing_is_done_where_there_is_enough(disk: Path, tmp_path: Path) -> None:
    assert reclaim(disk, "--until", "1MB", "--yes", home=tmp_path).returncode == 0
    assert all((disk / name).exists() for name in SDKS)


@needs_root
def test_a_second_one_in_the_background_is_refused_and_the_first_goes_on(disk: Path, tmp_path: Path) -> None:
    # A /run/lock of its own, so that no other reclaim of this machine counts, and none is refused.
    locks = tmp_path / "locks"
    locks.mkdir()
    locks.chmod(0o1777)
    own = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /run/lock; exec "$@"', str(locks))
    told = {"pid": os.getpid(), "host": this_process().host, "birth": this_process().birth}
    mark = locks / f"tonnage-reclaim-{os.geteuid()}.json"
    mark.write_text(json.dumps(told))
    ended = reclaim(disk, "--free", "1MB", "--yes", "--background", home=tmp_path, before=own)
    assert ended.returncode == 9
    assert "is already running in the background" in ended.stderr
    assert json.loads(mark.read_text()) == told
    assert all((disk / name).exists() for name in SDKS)


@needs_root
def test_the_tree_of_this_machine_is_this_machine(tmp_path: Path) -> None:
    done = subprocess.run(
        [TONNAGE, "reclaim", "--root", "//", "--free", "1B", "-H", "tcp://127.0.0.1:1"],
        cwd=tmp_path,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 6, done.stderr


@needs_root
def test_names_that_are_no_text_or_look_like_options_go_as_others_do(disk: Path, tmp_path: Path) -> None:
    versions = [b"3.1\xff", b"3.\n13", b"-rf", b"$(touch here)", b" ", "3.é".encode()]
    tools = disk / "opt/hostedtoolcache/Python"
    for version in versions:
        place = tools / os.fsdecode(version) / "x64"
        place.mkdir(parents=True)
        (place / "large").write_bytes(b"x" * SDK_BYTES)
    os.sync()
    target = f"{free_bytes(disk) + len(versions) * SDK_BYTES - 100}B"
    ended = reclaim(disk, "--until", target, "--keep", "*/llvm*", "--yes", "--json", home=tmp_path)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    names = {each["name"].removeprefix(f"{tools}/") for each in told["removed"]}
    assert names == {"3.1\\xff", "3.\\n13", "-rf", "$(touch here)", " ", "3.é"}
    assert not list(tools.iterdir())


class Busy(ThisMachine):
    """A machine on which a process begins to work in the first directory that is about to go."""

    def __init__(self) -> None:
        super().__init__({})
        self.used = ""

    def remove_place(self, candidate: Candidate, cancel: Cancel) -> None:
        if self.used:
            super().remove_place(candidate, cancel)
            return
        self.used = candidate.paths[0]
        with subprocess.Popen(["sleep", "60"], cwd=self.used) as process:
            try:
                super().remove_place(candidate, cancel)
            finally:
                process.terminate()


@needs_root
def test_a_directory_that_is_used_by_now_stays_and_the_next_one_goes(
    disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_world(tmp_path)
    world.ports.machine = busy = Busy()
    target = f"{free_bytes(disk) + SDK_BYTES - 100}B"
    arguments = ("--root", str(disk), "--this-machine-is-disposable", "--until", target, "--yes", "--json")
    assert world.run("reclaim", *arguments) == 0
    told = json.loads(capsys.readouterr().out)
    stayed = [each for each in told["removed"] if each["error"]]
    assert [each["name"] for each in stayed] == [busy.used]
    assert "process sleep" in stayed[0]["error"]
    assert Path(busy.used, "large").exists()
    assert sum((disk / name).exists() for name in SDKS) == len(SDKS) - 1
