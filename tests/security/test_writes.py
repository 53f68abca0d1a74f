"""What is written goes where it belongs: whole, closed, through no link of a stranger, to no directory of another."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.simulated_ports import make_world

from tonnage.adapters.docker.tool_versions_cache import ToolVersionsCache
from tonnage.adapters.host.checksums import Checksums
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.errors import UsageError
from tonnage.flows.state import cache_directory
from tonnage.model.stack import NeededFile, WeightsFile
from tonnage.own_files import private_directory, write_whole
from tonnage.wiring.ports import Ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]
OTHER = 10_009
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which gives files away")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def content(directory: Path) -> dict[str, bytes]:
    """Return every file below a directory with what it holds."""
    return {str(each.relative_to(directory)): each.read_bytes() for each in directory.rglob("*") if each.is_file()}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A directory outside of the project, with files that must stay as they are."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    (place / "victim").write_bytes(b"precious")
    (place / "victim").chmod(0o640)
    return place


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "project").mkdir()
    return make_world(tmp_path / "project")


@pytest.fixture(params=[0o000, 0o077, 0o277])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


# What a repository brings.


def test_links_at_the_names_that_other_processes_would_have_used_are_left_alone(world: World, elsewhere: Path) -> None:
    names = ("deploy.sh", "plan.json", "docker-deploy.yml")
    (world.directory / ".github" / "workflows").mkdir(parents=True)
    for number in range(max(1, os.getpid() - 1500), os.getpid() + 1500):
        for name, place in zip(names, (".", ".", ".github/workflows"), strict=True):
            (world.directory / place / f".{name}.{number}").symlink_to(elsewhere / "victim")

    assert world.run("ci", "deploy-script", "--write") == 0
    assert world.run("ci", "github", "--write") == 0
    assert world.run("plan", "--out", str(world.directory / "plan.json")) == 0
    assert content(elsewhere) == {"victim": b"precious"}
    assert mode(elsewhere / "victim") == 0o640
    assert os.access(world.directory / "deploy.sh", os.X_OK)


@pytest.mark.parametrize("link", [".github", ".github/workflows", ".github/workflows/docker-deploy.yml"])
@pytest.mark.parametrize("leads_out", [True, False])
def test_workflows_are_not_written_through_a_link(
    world: World, elsewhere: Path, capsys: Captured, link: str, *, leads_out: bool
) -> None:
    target = elsewhere if leads_out else world.directory / "web"
    if link.endswith(".yml"):
        target = target / ("victim" if leads_out else "Dockerfile")
    path = world.directory / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    before = content(elsewhere), content(world.directory / "web")

    for how in ((), ("--check",), ("--write",), ("--write", "--force")):
        assert world.run("ci", "github", *how) == 2
        told = capsys.readouterr().err
        assert "is a link" in told
        assert f"\n  rm {path}\n" in told
        assert "precious" not in told
    assert (content(elsewhere), content(world.directory / "web")) == before


@pytest.mark.parametrize("dangling", [True, False])
def test_a_script_is_not_written_through_a_link(
    world: World, elsewhere: Path, capsys: Captured, *, dangling: bool
) -> None:
    (world.directory / "deploy.sh").symlink_to(elsewhere / ("new" if dangling else "victim"))

    assert world.run("ci", "deploy-script", "--write", "--force") == 2
    assert "is a link" in capsys.readouterr().err
    assert content(elsewhere) == {"victim": b"precious"}


def test_a_directory_that_is_swapped_for_a_link_all_the_time_leads_nowhere(tmp_path: Path, elsewhere: Path) -> None:
    root = tmp_path / "repository"
    place = root / ".github" / "workflows"
    place.mkdir(parents=True)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                place.rename(root / "aside")
                place.symlink_to(elsewhere)
                place.unlink()
                (root / "aside").rename(place)

    attacker = threading.Thread(target=swap)
    attacker.start()
    written = 0
    try:
        for number in range(2_000):
            with contextlib.suppress(UsageError, OSError):
                write_whole(place / f"file {number % 7}", b"ours", within=root)
                written += 1
            if written >= 100:
                break
    finally:
        stop.set()
        attacker.join()
    assert content(elsewhere) == {"victim": b"precious"}
    assert written
    assert set(content(root).values()) == {b"ours"}


@pytest.mark.parametrize("moment", ["workflows", "file"])
def test_a_directory_that_is_swapped_at_the_worst_moment_leads_nowhere(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    place = tmp_path / ".github" / "workflows"
    place.mkdir(parents=True)
    really_open = os.open

    def swapping(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        # Between looking at the directory and opening it; or when the file is about to be made in it.
        if dir_fd is not None and (path == "workflows" if moment == "workflows" else flags & os.O_EXCL):
            monkeypatch.setattr(os, "open", really_open)
            place.rename(tmp_path / "aside")
            place.symlink_to(elsewhere)
        return really_open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swapping)
    with contextlib.suppress(OSError):
        write_whole(place / "deploy.yml", b"ours", within=tmp_path)
    assert place.is_symlink()
    assert content(elsewhere) == {"victim": b"precious"}
    assert content(tmp_path / "aside") == ({} if moment == "workflows" else {"deploy.yml": b"ours"})


@pytest.mark.parametrize("name", ["deploy\nextra: 1", "a\x0cb", "a\u2028b", "a\u202eb", "a\x1b[2Jb"])
def test_a_name_that_ends_a_line_stands_in_no_workflow(tmp_path: Path, capsys: Captured, name: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / name).mkdir()
    world = make_world(tmp_path / name)

    assert world.run("ci", "github", "--write") == 2
    assert "cannot stand in a file that is written" in capsys.readouterr().err
    assert not (tmp_path / ".github").exists()


@pytest.mark.parametrize("parent", [True, False])
@pytest.mark.parametrize(
    "command",
    [("deploy", "--events"), ("plan", "--out"), ("ci", "summary", "--outputs")],
    ids=["events", "plan", "outputs"],
)
def test_what_is_named_inside_of_the_project_is_not_written_through_a_link(
    world: World, elsewhere: Path, capsys: Captured, command: tuple[str, ...], *, parent: bool
) -> None:
    file = world.directory / ("out/victim" if parent else "out")
    (world.directory / "out").symlink_to(elsewhere if parent else elsewhere / "victim")

    assert world.run(*command, str(file)) == 2
    assert "is a link" in capsys.readouterr().err
    assert content(elsewhere) == {"victim": b"precious"}
    assert world.simulator.facts.containers() == ()


# Modes.


def test_modes_do_not_depend_on_the_umask(world: World, umask: int) -> None:
    del umask
    home = world.directory / "home"
    world.ports.environment = {"TONNAGE_STATE_DIR": str(home / ".local" / "state" / "tonnage"), "TERM": "dumb"}
    cache = home / ".cache" / "tonnage"
    ToolVersionsCache(cache / "programs.json", {}).keep(["docker"], "told")
    DiskCache(cache / "forecast").keep("page", "https://example.org/", b"private")
    weights = home / "model.bin"
    weights.write_bytes(b"7")
    described = WeightsFile(file="model.bin", size_bytes=1, sha256="")
    needed = NeededFile(service="web", inside="/model.bin", path=str(weights), described=described, place="")
    Checksums(cache / "checksums.json", now_ns=lambda: 2**62).look([needed], print)
    events = home / "events.jsonl"
    assert world.run("plan", "--out", str(home / "plan.json")) == 0
    assert world.run("deploy", "--events", str(events)) == 0
    for what in ("github", "deploy-script"):
        assert world.run("ci", what, "--write") == 0

    made = [each for top in (home / ".local", home / ".cache") for each in (top, *top.rglob("*"))]
    assert {mode(each) for each in made if each.is_dir()} == {0o700}
    assert {mode(each) for each in (*made, events, home / "plan.json") if each.is_file()} == {0o600}
    assert {mode(each) for each in (world.directory / ".github").rglob("*.yml")} == {0o644}
    assert mode(world.directory / ".github") == mode(world.directory / ".github" / "workflows") == 0o755
    assert mode(world.directory / "deploy.sh") == 0o755
    assert len([each for each in made if each.is_file()]) >= 5


def test_a_file_that_is_written_anew_keeps_its_mode(world: World) -> None:
    script = world.directory / "deploy.sh"
    assert world.run("ci", "deploy-script", "--write") == 0
    script.chmod(0o750)
    script.write_text(script.read_text() + "\n")

    assert world.run("ci", "deploy-script", "--write", "--force") == 0
    assert mode(script) == 0o750


def test_what_an_earlier_version_left_open_to_be_read_is_closed(world: World) -> None:
    state, cache = world.directory / "state", world.directory / "cache"
    for each in (state, cache, cache / "forecast"):
        each.mkdir()
        each.chmod(0o755)
    (state / "journal.sqlite").touch(mode=0o644)
    (cache / "programs.json").write_text("{}")
    assert world.run("deploy") == 0
    cache_directory({"TONNAGE_CACHE_DIR": str(cache)})

    assert mode(state) == mode(cache) == 0o700
    assert mode(state / "journal.sqlite") == 0o600


# Directories of others.


def _link(place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    place.with_name("real").mkdir()
    place.symlink_to("real")


def _made(place: Path, bits: int, *, owner: int = 0, group: int = 0) -> None:
    place.mkdir(parents=True)
    place.chmod(bits)
    if owner or group:
        os.chown(place, owner or os.geteuid(), group or os.getegid())


def _below_a_directory_of_all(place: Path) -> None:
    _made(place, 0o700)
    place.parent.chmod(0o777)


def _below_one_of_another_in_a_shared_place(place: Path) -> None:
    _made(place, 0o700)
    place.parent.chmod(0o1777)
    os.chown(place, OTHER, OTHER)


UNSAFE: dict[str, Callable[[Path], None]] = {
    "a link": _link,
    "writable by all": lambda place: _made(place, 0o777),
    "writable by all, and sticky": lambda place: _made(place, 0o1777),
    "below one that all may write": _below_a_directory_of_all,
    "of another user": lambda place: _made(place, 0o700, owner=OTHER),
    "writable by a group": lambda place: _made(place, 0o770, group=OTHER),
    "of another user in a shared place": _below_one_of_another_in_a_shared_place,
}
NEEDS_ROOT = ("of another user", "writable by a group")


@pytest.fixture(params=UNSAFE)
def unsafe(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that another user may have put something into."""
    if os.geteuid() and request.param.startswith(NEEDS_ROOT):
        pytest.skip("needs root, which gives files away")
    monkeypatch.delenv("SUDO_UID", raising=False)
    place = tmp_path / "shared" / "tonnage"
    UNSAFE[request.param](place)
    return place


def test_a_state_that_another_user_may_have_written_is_refused(world: World, unsafe: Path, capsys: Captured) -> None:
    world.ports.environment = {"TONNAGE_STATE_DIR": str(unsafe), "TERM": "dumb"}

    for command in ("deploy", "report", "plan"):
        assert world.run(command) == 2
        told = capsys.readouterr().err
        assert "is not used" in told
        assert "TONNAGE_STATE_DIR" in told
    assert world.simulator.facts.containers() == ()
    assert not list(unsafe.iterdir())


def test_a_cache_that_another_user_may_have_written_is_refused(unsafe: Path) -> None:
    ports = Ports({"TONNAGE_CACHE_DIR": str(unsafe), "PATH": ""})

    for use in (lambda: ports.weights, lambda: ports.programs.tools, lambda: ports.lookups(None)):
        with pytest.raises(UsageError, match="is not used") as refused:
            use()
        assert refused.value.exit_code == 2
        assert "TONNAGE_CACHE_DIR" in refused.value.todo
    assert not list(unsafe.iterdir())


@as_root
@pytest.mark.parametrize(("file_mode", "owner"), [(0o600, OTHER), (0o666, 0), (0o622, 0)])
def test_a_journal_of_another_user_in_a_directory_of_ours_is_refused(
    world: World, file_mode: int, owner: int, capsys: Captured
) -> None:
    state = world.directory / "state"
    state.mkdir(mode=0o700)
    (state / "journal.sqlite").write_bytes(b"")
    (state / "journal.sqlite").chmod(file_mode)
    os.chown(state / "journal.sqlite", owner, owner)

    for command in ("deploy", "report"):
        assert world.run(command) == 2
        assert "journal.sqlite is not used" in capsys.readouterr().err


@as_root
def test_what_belongs_to_the_user_of_sudo_or_to_root_is_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    state = world.directory / "state"
    _made(state, 0o700, owner=OTHER, group=OTHER)
    monkeypatch.setenv("SUDO_UID", str(OTHER))

    assert world.run("deploy") == 0
    assert {each.stat().st_uid for each in state.iterdir()} == {OTHER}
    assert world.run("status") == 0


@as_root
def test_only_root_believes_who_used_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _made(tmp_path / "state", 0o700, owner=OTHER)
    for told in ("", "-1", "x", str(OTHER + 1)):
        monkeypatch.setenv("SUDO_UID", told)
        with pytest.raises(UsageError, match="is not used"):
            private_directory(tmp_path / "state")


def test_a_shared_place_is_good_for_a_directory_of_our_own(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    private_directory(shared / "tonnage" / "state")

    assert mode(shared / "tonnage") == mode(shared / "tonnage" / "state") == 0o700


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (Path("/proc/nowhere/tonnage"), tmp_path / "file" / "tonnage"):
        cache = cache_directory({"TONNAGE_CACHE_DIR": str(place)})
        DiskCache(cache).keep("page", "https://example.org/", b"7")
        ToolVersionsCache(cache / "programs.json", {}).keep(["docker"], "told")
        assert DiskCache(cache).read("page", "https://example.org/") is None


# Plan files.


def _owned(file: Path) -> None:
    os.chown(file, OTHER, OTHER)


def _of_a_group(file: Path) -> None:
    file.chmod(0o660)
    os.chown(file, 0, OTHER)


def _linked(file: Path) -> None:
    file.rename(file.with_name("real.json"))
    file.symlink_to("real.json")


@as_root
@pytest.mark.parametrize(
    "spoil",
    [_owned, _linked, lambda file: file.chmod(0o602), _of_a_group],
    ids=["of another user", "a link", "writable by all", "writable by a group"],
)
@pytest.mark.parametrize("command", [("deploy", "--plan"), ("reclaim", "--yes", "--for")], ids=["deploy", "reclaim"])
def test_a_plan_that_another_user_may_have_written_is_refused(
    world: World, capsys: Captured, spoil: Callable[[Path], object], command: tuple[str, ...]
) -> None:
    file = world.directory / "plan.json"
    assert world.run("plan", "--out", str(file)) == 0
    spoil(file)
    capsys.readouterr()

    assert world.run(*command, str(file)) == 2
    assert f"{file} is not used" in capsys.readouterr().err
    assert world.simulator.facts.containers() == ()


def test_a_plan_that_others_may_only_read_is_carried_out(world: World) -> None:
    file = world.directory / "plan.json"
    assert world.run("plan", "--out", str(file)) == 0
    file.chmod(0o644)

    assert json.loads(file.read_text())["sum"]
    assert world.run("deploy", "--plan", str(file)) == 0
