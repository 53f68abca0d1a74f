from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.simulator import Simulator
from tests.unit.cli.simulated_ports import EmptyMachine

from tonnage.flows.guard.ballast_gauge import with_ballast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tonnage.model.deploy.event import Event

HELD_BYTES = 140_000_003


class Machine(EmptyMachine):
    def __init__(self, gauge: Told) -> None:
        self.gauge = gauge
        self.held_bytes = HELD_BYTES
        self.made: list[str] = []

    def drop_ballast(self, data_root: str) -> int:
        assert data_root
        given, self.held_bytes = self.held_bytes, 0
        self.gauge.now["/var/lib/docker"] += given
        return given

    def make_ballast(self, data_root: str, keeps_bytes: int) -> int:
        del keeps_bytes
        self.made.append(data_root)
        return 0


class Told:
    def __init__(self) -> None:
        self.now = {"/var/lib/docker": 17_000_000, "/tmp": 5}

    def available(self) -> Mapping[str, int]:
        return dict(self.now)

    def inodes(self) -> Mapping[str, int]:
        return {}

    def close(self) -> None:
        raise AssertionError


def test_it_is_given_back_when_the_disk_is_full_and_never_told_as_available() -> None:
    facts, told, events = Simulator(10**9).facts, Told(), list["Event"]()
    machine = Machine(told)
    disks = [replace(facts.filesystems()[0], ballast_bytes=HELD_BYTES)]
    gauge = with_ballast(told, machine, facts.engine(), disks, events.append)
    assert gauge is not None
    assert gauge.available() == told.now
    assert machine.held_bytes
    told.now["/var/lib/docker"] = 15_000_000
    assert gauge.available() == {"/var/lib/docker": 15_000_000, "/tmp": 5}
    assert told.now["/var/lib/docker"] == 15_000_000 + HELD_BYTES
    assert gauge.available()["/var/lib/docker"] == 15_000_000
    told.now["/var/lib/docker"] = 7
    assert gauge.available()["/var/lib/docker"] == 0
    assert len(events) == 1
    assert not machine.made
    gauge.close()
    assert machine.made == [facts.engine().data_root]


def test_without_one_nothing_is_in_between() -> None:
    facts, told, events = Simulator(10**9).facts, Told(), list["Event"]()
    assert with_ballast(told, Machine(told), facts.engine(), facts.filesystems(), events.append) is None
