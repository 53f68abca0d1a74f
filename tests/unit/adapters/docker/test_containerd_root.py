from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tonnage.adapters.docker import wire
from tonnage.adapters.docker.containerd_root import ProcessesHere, Program, containerd_root, may_be_shared

if TYPE_CHECKING:
    from tonnage.adapters.docker.schemas import Info

SYSTEM = "/run/containerd/containerd.sock"
OWN = "/var/run/docker/containerd/containerd.sock"
OWN_SETTINGS = "/var/run/docker/containerd/containerd.toml"


@dataclass
class Machine:
    """Processes and files as a machine has them; a file that is None may not be read."""

    running: list[Program]
    files: dict[str, str | None] = field(default_factory=dict)

    def programs(self) -> list[Program]:
        return self.running

    def text(self, path: str) -> str | None:
        return self.files.get(path, "")

    def names(self, directory: str) -> list[str]:
        return [path.rpartition("/")[2] for path in self.files if fnmatch.fnmatch(path, f"{directory}/*")]


def told(address: str = SYSTEM, data_root: str = "/var/lib/docker") -> Info:
    # Docker 26 does not say how it speaks to containerd.
    return wire.info({"DockerRootDir": data_root, "Containerd": {"Address": address} if address else None})


def containerd(*options: str, process_id: int = 20, parent: int = 1) -> Program:
    return Program("containerd", process_id, parent, ("containerd", *options))


def dockerd(*options: str, process_id: int = 30) -> Program:
    return Program("dockerd", process_id, 1, ("/usr/sbin/dockerd", *options))


@pytest.mark.parametrize("address", [SYSTEM, "/var/run/containerd/containerd.sock", ""])
@pytest.mark.parametrize(
    ("options", "files", "root"),
    [
        ((), {}, "/var/lib/containerd"),
        ((), {"/etc/containerd/config.toml": 'version = 2\nroot = "/data/containerd"\n'}, "/data/containerd"),
        (("--config", "/etc/mine.toml"), {"/etc/mine.toml": "root = '/data/c'"}, "/data/c"),
        (("-c=/etc/mine.toml", "--root=/data/typed"), {"/etc/mine.toml": "root = '/data/c'"}, "/data/typed"),
        (("--root", "/data/typed"), {"/etc/containerd/config.toml": "root = '/data/c'"}, "/data/typed"),
        (
            (),
            {
                "/etc/containerd/config.toml": "root = '/data/c'\nimports = ['conf.d/*.toml']\n",
                "/etc/containerd/conf.d/10.toml": "root = '/data/imported'",
            },
            "/data/imported",
        ),
    ],
)
def test_the_root_is_what_the_process_was_started_with(
    address: str, options: tuple[str, ...], files: dict[str, str | None], root: str
) -> None:
    machine = Machine([containerd(*options), dockerd()], files)
    assert containerd_root(told(address), machine) == root


def test_settings_that_import_each_other_are_read_once() -> None:
    files: dict[str, str | None] = {
        "/etc/containerd/config.toml": "root = '/data/c'\nimports = ['/etc/containerd/config.toml', '/etc/other.toml']",
        "/etc/other.toml": "imports = ['/etc/containerd/config.toml']",
    }
    assert containerd_root(told(), Machine([containerd()], files)) == "/data/c"


@pytest.mark.parametrize("address", [OWN, ""])
def test_a_containerd_that_the_engine_started_is_inside_its_data_root(address: str) -> None:
    own = containerd("--config", OWN_SETTINGS, parent=30)
    machine = Machine([containerd(process_id=21), dockerd(), own], {OWN_SETTINGS: None})
    assert containerd_root(told(address, "/data/docker"), machine) == "/data/docker/containerd/daemon"


def test_of_several_containerds_it_is_the_one_that_the_engine_speaks_to() -> None:
    files: dict[str, str | None] = {"/etc/k.toml": "root = '/data/k'\n[grpc]\naddress = '/run/k/containerd.sock'\n"}
    machine = Machine([containerd("--config=/etc/k.toml"), containerd("--root=/data/c", process_id=21)], files)
    assert containerd_root(told(), machine) == "/data/c"
    assert containerd_root(told("/run/k/containerd.sock"), machine) == "/data/k"


def test_an_engine_that_does_not_say_to_whom_it_speaks_was_told_by_its_own_settings() -> None:
    other = containerd("--address", "/run/other/containerd.sock", "--root", "/data/other", process_id=21)
    running = [containerd("--root", "/data/c"), other]
    assert containerd_root(told(""), Machine([*running, dockerd("--containerd=/run/other/containerd.sock")])) == (
        "/data/other"
    )
    files: dict[str, str | None] = {"/etc/docker/daemon.json": '{"containerd": "/run/other/containerd.sock"}'}
    assert containerd_root(told(""), Machine([*running, dockerd()], files)) == "/data/other"


def test_of_several_engines_it_is_the_one_with_that_data_root() -> None:
    one = containerd("--config", OWN_SETTINGS, process_id=21, parent=31)
    other = containerd("--config", "/run/b/containerd.toml", process_id=22, parent=32)
    engines = [dockerd("--data-root=/data/a", process_id=31), dockerd("--data-root=/data/b", process_id=32)]
    machine = Machine([one, other, *engines], {OWN_SETTINGS: None, "/run/b/containerd.toml": None})
    assert containerd_root(told("", "/data/b"), machine) == "/data/b/containerd/daemon"


@pytest.mark.parametrize(
    "machine",
    [
        Machine([]),
        Machine([dockerd()]),
        Machine([containerd("--address", "/run/other.sock")]),
        Machine([containerd("--config", "/root/mine.toml")], {"/root/mine.toml": None}),
        Machine([containerd()], {"/etc/containerd/config.toml": "this is no [toml"}),
        Machine([containerd(), containerd(process_id=21)]),
    ],
)
def test_what_cannot_be_known_is_not_guessed(machine: Machine) -> None:
    assert containerd_root(told(), machine) == ""


ENGINE = dockerd("--data-root=/data/a", process_id=31)
OWN_CONTAINERD = containerd("--config", OWN_SETTINGS, process_id=21, parent=31)
OTHER = dockerd("--data-root=/data/b", process_id=32)
OTHERS_CONTAINERD = containerd("--config", "/run/b/containerd.toml", process_id=22, parent=32)


@pytest.mark.parametrize(
    ("running", "shared"),
    [
        ([containerd(), ENGINE], False),
        ([containerd(), ENGINE, OTHER], True),
        ([containerd(), ENGINE, OTHER, OTHERS_CONTAINERD], False),
        ([containerd(), ENGINE, OWN_CONTAINERD, OTHER], False),
        ([containerd(), OTHER, dockerd("--data-root=/data/c", process_id=33)], True),
        ([containerd()], True),
    ],
)
def test_a_containerd_that_another_engine_may_use_is_shared(running: list[Program], *, shared: bool) -> None:
    assert may_be_shared(told("", "/data/a"), Machine(running)) == shared


def test_processes_of_this_machine_are_those_with_these_names() -> None:
    assert {each.name for each in ProcessesHere().programs()} <= {"containerd", "dockerd"}
    assert ProcessesHere().text("/proc/1/nothing") == ""
    assert ProcessesHere().text("/proc") is None
