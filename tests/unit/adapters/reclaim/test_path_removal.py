from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonnage.adapters.host.mount_table import mount_under, read_mounts
from tonnage.adapters.host.swap import SwapFile, read_swap_files, why_needed
from tonnage.adapters.reclaim.in_use import Processes
from tonnage.adapters.reclaim.path_removal import remove_place
from tonnage.errors import CannotReclaimError
from tonnage.model.reclaim.candidate import Candidate, CandidateId, CandidateKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tonnage.adapters.reclaim.path_removal import Removed

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


def candidate(*paths: Path, kind: str = "sdk") -> Candidate:
    return Candidate(
        candidate_id=CandidateId(CandidateKind.PATH, str(paths[0])),
        kind=kind,
        name=str(paths[0]),
        unique_bytes=7,
        cost_s=1.0,
        removal_s=1.0,
        reason="",
        paths=tuple(map(str, paths)),
    )


def remove(*paths: Path, cancel: threading.Event | None = None, threads: int = 3) -> Removed:
    return remove_place(candidate(*paths), cancel=cancel or threading.Event(), threads=threads)


def as_nobody(act: Callable[[], object]) -> bool:
    """Do something in a child process without root's rights; return whether it went well."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            act()
            code = 0
        except BaseException:  # noqa: BLE001 - the child must end here
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def grow(top: Path, directories: int, files: int) -> Path:
    for number in range(directories):
        place = top / f"d{number % 7}" / f"e{number}"
        place.mkdir(parents=True)
        for each in range(files):
            (place / f"file {each}").write_bytes(b"x" * (97 * each))
    return top


def test_a_directory_goes_with_everything_in_it_and_nothing_beside_it(tmp_path: Path) -> None:
    beside = grow(tmp_path / "beside", 3, 3)
    removed = remove(grow(tmp_path / "tree", 53, 11))
    assert removed.complete
    assert [each.name for each in tmp_path.iterdir()] == ["beside"]
    assert sum(len(files) for _, _, files in os.walk(beside)) == 9


def test_a_file_goes_and_several_paths_go(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    remove(tmp_path / "a", grow(tmp_path / "b", 2, 2), tmp_path / "never was")
    assert not list(tmp_path.iterdir())


def test_links_go_and_what_they_lead_to_stays(tmp_path: Path) -> None:
    precious = grow(tmp_path / "precious", 3, 3)
    tree = grow(tmp_path / "tree", 2, 2)
    (tree / "to directory").symlink_to(precious)
    (tree / "to file").symlink_to(precious / "d0/e0/file 1")
    (tree / "dangling").symlink_to("nowhere")
    remove(tree)
    assert not tree.exists()
    assert sum(len(files) for _, _, files in os.walk(precious)) == 9


def test_a_path_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    precious = grow(tmp_path / "precious/inner", 2, 2).parent
    (tmp_path / "parent").symlink_to(precious)
    with pytest.raises(CannotReclaimError):
        remove(tmp_path / "parent" / "inner")
    assert (precious / "inner").is_dir()


def test_a_very_deep_tree_goes_although_few_files_may_be_open(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    home = os.open(tmp_path, os.O_RDONLY)
    fd = home
    for _ in range(700):
        os.mkdir("deep" * 9, dir_fd=fd)
        below = os.open("deep" * 9, os.O_RDONLY, dir_fd=fd)
        if fd != home:
            os.close(fd)
        fd = below
    os.close(fd)
    os.close(home)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        remove(tmp_path / ("deep" * 9))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_directories_that_their_owner_closed_to_himself_go(tmp_path: Path) -> None:
    own = tmp_path
    if os.geteuid() == 0:
        # Root is refused nothing: a user is, in a directory that he may reach.
        own = Path(tempfile.mkdtemp(dir="/tmp"))
    tree = grow(own / "go/pkg/mod", 3, 3)
    (tree / "d0/e0").chmod(0o555)
    (tree / "d1/e1").chmod(0)
    if os.geteuid():
        remove(tree)
    else:
        for place, _, files in os.walk(own):
            for name in (".", *files):
                os.chown(Path(place) / name, 65534, 65534)
        assert as_nobody(lambda: remove(tree))
    assert not tree.exists()
    shutil.rmtree(own)


@needs_root
def test_what_only_root_may_remove_is_told_with_how(tmp_path: Path) -> None:
    tree = grow(tmp_path / "tree", 2, 2)
    for place in (tmp_path, *tmp_path.parents):
        if place.stat().st_uid == 0 and str(place) not in {"/", "/tmp"}:
            place.chmod(0o755)

    def refused() -> None:
        with pytest.raises(CannotReclaimError, match="could not") as told:
            remove(tree)
        assert "sudo" in str(told.value)

    assert as_nobody(refused)
    assert sum(len(files) for _, _, files in os.walk(tree)) == 4


def test_files_and_directories_that_vanish_or_appear_meanwhile_do_no_harm(tmp_path: Path) -> None:
    tree = grow(tmp_path / "tree", 331, 13)
    script = (
        "import os, shutil, sys\n"
        "for n in range(0, 331, 2):\n"
        "    shutil.rmtree(f'{sys.argv[1]}/d{n % 7}/e{n}', ignore_errors=True)\n"
        "    p = f'{sys.argv[1]}/d{n % 7}/new{n}'\n"
        "    try:\n"
        "        os.mkdir(p); open(p + '/x', 'w').close()\n"
        "    except OSError:\n"
        "        pass\n"
    )
    busy = subprocess.Popen([sys.executable, "-c", script, str(tree)])
    try:
        # What appears behind its back may keep a directory from going; that is said, and nothing else happens.
        with contextlib.suppress(CannotReclaimError):
            remove(tree)
    finally:
        busy.wait()
    if tree.exists():
        remove(tree)
    assert not tree.exists()


def test_a_directory_that_is_swapped_for_a_link_all_the_time_leads_nowhere(tmp_path: Path) -> None:
    precious = grow(tmp_path / "precious", 5, 5)
    tree = grow(tmp_path / "tree", 211, 7)
    stop = threading.Event()

    def swap() -> None:
        number = 0
        while not stop.is_set():
            number = (number + 1) % 211
            place = tree / f"d{number % 7}" / f"e{number}"
            try:
                place.rename(tree / f"moved {number}")
                place.symlink_to(precious)
            except OSError:
                continue

    attacker = threading.Thread(target=swap)
    attacker.start()
    try:
        remove(tree)
    except CannotReclaimError:
        pass
    finally:
        stop.set()
        attacker.join()
    assert sum(len(files) for _, _, files in os.walk(precious)) == 25


def test_it_stops_when_told_and_says_that_it_is_not_complete(tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    tree = grow(tmp_path / "tree", 3, 3)
    assert not remove(tree, cancel=cancel).complete
    assert sum(len(files) for _, _, files in os.walk(tree)) == 9


class OnceSomethingIsGone(threading.Event):
    """Set once fewer files are below a directory than at the beginning."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory
        self._files = self._count()

    def is_set(self) -> bool:
        return self._count() < self._files

    def _count(self) -> int:
        return sum(len(files) for _, _, files in os.walk(self._directory))


def test_it_stops_in_the_middle_and_keeps_no_file_open(tmp_path: Path) -> None:
    tree = grow(tmp_path / "tree", 401, 11)
    before = len(list(Path("/proc/self/fd").iterdir()))
    removed = remove(tree, cancel=OnceSomethingIsGone(tree), threads=3)
    assert not removed.complete
    assert tree.exists()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_marker_that_says_complete_goes_first(tmp_path: Path) -> None:
    version = grow(tmp_path / "Python/3.12.7", 211, 5)
    (version / "x64.complete").touch()
    assert not remove(version, cancel=OnceSomethingIsGone(version), threads=1).complete
    assert not (version / "x64.complete").exists()


@pytest.fixture
def mount() -> Iterator[Callable[..., None]]:
    """Mount with ``mount`` and unmount everything in the end."""
    points: list[Path] = []

    def act(*arguments: str | Path) -> None:
        subprocess.run(["mount", *arguments], check=True)
        if "remount" not in str(arguments):
            points.append(Path(arguments[-1]))

    yield act
    for point in reversed(points):
        subprocess.run(["umount", point], check=True)


@needs_root
@pytest.mark.parametrize("bind", [True, False])
def test_what_is_mounted_inside_stays_and_is_named(tmp_path: Path, mount: Callable[..., None], bind: bool) -> None:  # noqa: FBT001
    precious = grow(tmp_path / "precious", 2, 2)
    tree = grow(tmp_path / "tree", 5, 5)
    point = tree / "d0" / "here"
    point.mkdir()
    if bind:
        mount("--bind", precious, point)
    else:
        mount("-t", "tmpfs", "-o", "size=1m", "none", point)
        (point / "kept").write_bytes(b"x")
    with pytest.raises(CannotReclaimError, match="could not be removed") as told:
        remove(tree)
    assert str(point) in str(told.value)
    assert list(point.iterdir())
    assert sum(len(files) for _, _, files in os.walk(precious)) == 4


@needs_root
def test_a_read_only_filesystem_is_named_and_nothing_is_tried_twice(tmp_path: Path, mount: Callable[..., None]) -> None:
    tree = grow(tmp_path / "tree", 31, 5)
    mount("--bind", tree, tree)
    mount("-o", "remount,bind,ro", tree)
    with pytest.raises(CannotReclaimError) as told:
        remove(tree / "d0")
    assert "Read-only" in str(told.value)
    assert (tree / "d0").is_dir()


@needs_root
def test_it_works_at_0_bytes_free_and_measures_what_came_free(tmp_path: Path, mount: Callable[..., None]) -> None:
    image, point = tmp_path / "disk", tmp_path / "mounted"
    point.mkdir()
    with image.open("wb") as file:
        file.truncate(24 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True)
    mount("-o", "loop", image, point)
    tree = grow(point / "tree", 31, 5)
    (tree / "large").write_bytes(os.urandom(3_000_017))
    fill = subprocess.run(["dd", "if=/dev/zero", f"of={point}/rest", "bs=4096"], check=False, capture_output=True)
    assert b"No space" in fill.stderr
    held = sum(each.lstat().st_blocks * 512 for each in (tree, *tree.rglob("*")))
    removed = remove(tree)
    assert abs(removed.measured_bytes - held) <= held / 100


@needs_root
def test_a_swap_file_is_turned_off_before_it_goes(tmp_path: Path, mount: Callable[..., None]) -> None:
    image, point = tmp_path / "disk", tmp_path / "mounted"
    point.mkdir()
    with image.open("wb") as file:
        file.truncate(48 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    mount("-o", "loop", image, point)
    path = point / "swap file"
    path.write_bytes(b"\0" * (8 << 20))
    path.chmod(0o600)
    subprocess.run(["mkswap", path], check=True, capture_output=True)
    if subprocess.run(["swapon", path], check=False, capture_output=True).returncode:
        pytest.skip("this kernel takes no swap")
    try:
        assert str(path) in {each.path for each in read_swap_files()}
        removed = remove_place(candidate(path, kind="swap"), cancel=threading.Event())
    finally:
        subprocess.run(["swapoff", path], check=False, capture_output=True)
    assert not path.exists()
    assert removed.measured_bytes >= 8 << 20


def test_swap_that_would_not_fit_into_memory_is_needed() -> None:
    assert why_needed(SwapFile("/swapfile", 3_000_000_019), 2_000_000_011)
    assert not why_needed(SwapFile("/swapfile", 1_000_003), 2_000_000_011)


def test_the_table_of_swap_gives_files_only_with_their_names_unescaped(tmp_path: Path) -> None:
    table = tmp_path / "swaps"
    table.write_text(
        "Filename Type Size Used Priority\n/dev/sda2 partition 1023 0 -2\n/mnt/my\\040swap file 4194300 17 -3\n"
    )
    assert read_swap_files(str(table)) == (SwapFile("/mnt/my swap", 17 * 1024),)


def test_a_mount_that_hides_another_is_the_one_that_counts(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    line = "{} 1 8:{} / {} rw,relatime shared:1 - ext4 /dev/sda1 {}\n"
    table.write_text(
        line.format(20, 1, "/", "rw") + line.format(21, 2, "/a\\040b", "rw") + line.format(22, 3, "/a\\040b", "ro")
    )
    under = mount_under(read_mounts(str(table)), "/a b/c")
    assert under is not None
    assert under.read_only


names = st.sampled_from(["a", "b", "c c", "ü", "-rf", "*", ".hidden", "line\nbreak"])
trees = st.recursive(st.integers(0, 5003), lambda below: st.dictionaries(names, below, max_size=4), max_leaves=20)


@given(tree=st.dictionaries(names, trees, max_size=5), threads=st.integers(1, 4))
@settings(max_examples=40)
def test_any_tree_goes_whole(tmp_path_factory: pytest.TempPathFactory, tree: dict[str, object], threads: int) -> None:
    top = tmp_path_factory.mktemp("any")

    def make(place: Path, shape: object) -> None:
        if isinstance(shape, dict):
            place.mkdir(exist_ok=True)
            for name, below in shape.items():
                make(place / name, below)
        else:
            assert isinstance(shape, int)
            place.write_bytes(b"x" * shape)

    make(top, tree)
    remove(top, threads=threads)
    assert not top.exists()


@pytest.mark.parametrize("how", ["works in it", "has a file of it open", "has a file of it mapped"])
def test_what_a_process_uses_by_now_stays_and_the_rest_of_the_candidate_goes(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, free = tmp_path / "used", tmp_path / "free"
    for each in (used, free):
        each.mkdir()
        (each / "file").write_bytes(b"x" * 5003)
    programs = {
        "works in it": f"import os; os.chdir({str(used)!r})",
        "has a file of it open": f"file = open({str(used / 'file')!r})",
        "has a file of it mapped": f"import mmap; m = mmap.mmap(os.open({str(used / 'file')!r}, 0), 0, prot=1)",
    }
    program = f"import os, sys, time\n{programs[how]}\nprint('ready', flush=True)\ntime.sleep(60)"
    if "mapped" in how:
        program = program.replace("\nprint", "\nos.closerange(3, 20)\nprint")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            # The last look, of another test, may still count.
            monkeypatch.setattr("tonnage.adapters.reclaim.path_removal._PROCESSES", Processes())
            with pytest.raises(CannotReclaimError, match=rf"process python\S* \({process.pid}\) uses it by now"):
                remove(used)
            with pytest.raises(CannotReclaimError) as failure:
                remove(used, free)
        finally:
            process.terminate()
    assert f"({process.pid}) uses it by now" in failure.value.why
    assert (used / "file").exists()
    assert not free.exists()
