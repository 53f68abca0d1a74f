from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tonnage.errors import UsageError
from tonnage.own_files import (
    check_private_directory,
    open_stream,
    private_directory,
    private_file,
    read_own,
    sweep,
    temporary_directory,
    write_whole,
)
from tonnage.runtime.journal.writer import Journal
from tonnage.small_files import PLAN

USER = 10_007
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which gives files away")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_missing_is_made_for_its_owner_only(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    private_directory(directory)
    private_file(directory / "file")

    assert mode(directory) == mode(tmp_path / "a") == 0o700
    assert mode(directory / "file") == 0o600
    private_directory(directory)


def test_a_link_is_no_file_to_write(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UsageError, match="is a link"):
        private_file(tmp_path / "link")
    with pytest.raises(UsageError, match="is a link"):
        write_whole(tmp_path / "link", b"7")
    with pytest.raises(UsageError, match="is a link"):
        open_stream(tmp_path / "link")
    with pytest.raises(UsageError, match="is a link"):
        private_directory(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


def test_a_directory_of_this_user_is_reached_through_a_link_of_this_user(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to("disk")
    write_whole(tmp_path / "home" / "file", b"7")

    assert (tmp_path / "disk" / "file").read_bytes() == b"7"


def test_a_directory_that_leads_in_a_circle_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(OSError, match="Too many levels"):
        write_whole(tmp_path / "a" / "file", b"7")


def test_a_directory_that_also_holds_other_things_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "own" / "forecast").mkdir(parents=True)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "letters.txt").touch()
    for name in ("own", "shared"):
        (tmp_path / name).chmod(0o755)
        private_directory(tmp_path / name)

    assert (mode(tmp_path / "own"), mode(tmp_path / "shared")) == (0o700, 0o755)


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    check_private_directory(tmp_path / "a" / "b")

    assert not (tmp_path / "a").exists()


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(OverflowError):
        write_whole(tmp_path / "file", b"new", modified_s=1e300)

    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("file", b"old")]


def test_a_written_file_that_is_there_keeps_its_mode_where_that_is_wanted(tmp_path: Path) -> None:
    for name, keep in (("kept", True), ("not", False)):
        (tmp_path / name).write_bytes(b"")
        (tmp_path / name).chmod(0o640)
        write_whole(tmp_path / name, b"7", mode=0o604, keep_mode=keep)

    assert (mode(tmp_path / "kept"), mode(tmp_path / "not")) == (0o640, 0o604)


def test_a_stream_begins_anew_or_goes_on_in_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"long and old")
    number = file.stat().st_ino
    for text, append in ((b"a", False), (b"b", True)):
        opened = open_stream(file, append=append)
        os.write(opened, text)
        os.close(opened)

    assert (file.read_bytes(), file.stat().st_ino) == (b"ab", number)


def test_a_stream_may_be_a_pipe_that_was_given_open() -> None:
    reading, writing = os.pipe()
    opened = open_stream(_open_file(writing))
    os.write(opened, b"7")
    for each in (opened, writing):
        os.close(each)

    assert read_own(_open_file(reading), PLAN, private=True) == b"7"
    os.close(reading)


def _open_file(descriptor: int) -> Path:
    return Path(f"/dev/fd/{descriptor}")


def test_a_file_with_a_second_name_is_no_stream(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    os.link(tmp_path / "victim", tmp_path / "events.jsonl")

    with pytest.raises(UsageError, match="is not written"):
        open_stream(tmp_path / "events.jsonl")
    assert (tmp_path / "victim").read_bytes() == b"precious"


@as_root
def test_the_journal_that_root_begins_below_the_home_of_the_user_of_sudo_is_that_user_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_UID", str(USER))
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, USER, USER)
    state = home / ".local" / "state" / "tonnage"

    for _ in range(2):
        with Journal(state / "journal.sqlite"):
            pass

    made = [home / ".local", home / ".local" / "state", state, *state.iterdir()]
    assert len(made) > 4
    assert {each.stat().st_uid for each in made} == {USER}


@as_root
def test_without_sudo_root_keeps_what_it_made_so_that_it_finds_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, USER, USER)
    for _ in range(2):
        with Journal(home / ".local" / "state" / "journal.sqlite"):
            pass

    assert (home / ".local" / "state" / "journal.sqlite").stat().st_uid == 0


@as_root
def test_what_was_there_before_keeps_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", str(USER))
    (tmp_path / "journal.sqlite").touch()
    os.chown(tmp_path, USER, USER)

    private_file(tmp_path / "journal.sqlite")
    assert (tmp_path / "journal.sqlite").stat().st_uid == 0


def test_temporary_files_go_where_nobody_else_can_swap_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for bits, is_good in ((0o700, True), (0o1777, True), (0o777, False)):
        place = tmp_path / f"{bits:o}"
        place.mkdir()
        place.chmod(bits)
        monkeypatch.setattr("tempfile.tempdir", str(place))
        with temporary_directory("build") as made:
            assert (Path(made).parent == place) is is_good
            assert mode(Path(made)) == 0o700


def test_a_directory_for_a_socket_has_a_path_that_the_kernel_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / ("a" * 90)
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    with temporary_directory("tunnel") as usual:
        assert Path(usual).parent == place
    with temporary_directory("tunnel", for_socket=True) as made, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{made}/tunnel.sock")
        assert mode(Path(made)) == 0o700


def test_the_directory_of_a_process_that_was_killed_goes_and_that_of_a_living_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    program = (
        "import sys, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from tonnage.own_files import temporary_directory\n"
        "directory = temporary_directory('compose')\n"
        "open(directory.name + '/secret', 'w').close()\n"
        "print(directory.name, flush=True); sys.stdin.read()"
    )
    other = tmp_path / "tonnage-now-of-a-link"
    other.symlink_to(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        sweep()
        assert (theirs / "secret").exists()
        process.kill()
    with temporary_directory("build") as made:
        sweep()
        assert not theirs.exists()
        assert Path(made).is_dir()
    assert list(tmp_path.iterdir()) == [other]
