"""Locks that are volumes: on an engine in memory, and on a real one that is reached over the network."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import docker.errors
import pytest

from tonnage.adapters.docker.leases.volume_lock import LABEL, VolumeLock
from tonnage.errors import LockHeldError, StepFailedError
from tonnage.runtime.lock import StackLock

if TYPE_CHECKING:
    from pathlib import Path

    from docker import APIClient
    from tests.real_engine import RealEngine

BEGINNING = "tonnage-0123456789abcdef-"
WEB, DB = f"{BEGINNING}web.lock", f"{BEGINNING}db.lock"


class Volumes:
    """The volumes of an engine as its interface tells them; its clock is an hour ahead."""

    def __init__(self) -> None:
        self.there: dict[str, dict[str, Any]] = {}
        self.later_s = 3600.0
        self.refuses = False

    def time(self) -> str:
        return datetime.fromtimestamp(time.time() + self.later_s, UTC).isoformat()

    def create_volume(self, name: str, labels: dict[str, str]) -> dict[str, Any]:
        if self.refuses:
            raise docker.errors.APIError("authorization denied by plugin")
        self.there.setdefault(name, {"Name": name, "Labels": labels, "CreatedAt": self.time()[:19] + "Z"})
        return self.there[name]

    def volumes(self, filters: dict[str, str]) -> dict[str, Any]:
        found = [each for each in self.there.values() if filters["label"] in (each["Labels"] or {})]
        return {"Volumes": found or None}

    def remove_volume(self, name: str) -> None:
        if self.there.pop(name, None) is None:
            raise docker.errors.NotFound("no such volume")

    def info(self) -> dict[str, Any]:
        return {"SystemTime": self.time()}


def lock(engine: Volumes, **rest: float) -> VolumeLock:
    return VolumeLock(cast("APIClient", engine), "tcp://engine.example.org:2376", **rest)


def test_who_comes_second_is_told_of_the_first_and_gets_it_when_that_ended() -> None:
    engine = Volumes()
    first, second = lock(engine), lock(engine)
    assert first.acquire(WEB, BEGINNING, "first") is None
    assert second.acquire(WEB, BEGINNING, "second") == "first"
    assert len(engine.there) == 1
    first.release()
    assert not engine.there
    assert second.acquire(WEB, BEGINNING, "second") is None
    second.release()
    second.release()
    assert not engine.there


def test_runs_of_other_stacks_know_what_each_may_still_write() -> None:
    engine = Volumes()
    web, db = lock(engine), lock(engine)
    assert web.acquire(WEB, BEGINNING, "web: 0") is None
    assert db.acquire(DB, BEGINNING, "db: 0") is None
    assert web.write("web: 7") == ("db: 0",)
    assert db.write("db: 5") == ("web: 7",)
    assert len(engine.there) == 2
    assert lock(engine).texts("", BEGINNING) in {("web: 7", "db: 5"), ("db: 5", "web: 7")}
    assert lock(engine).texts("", "tonnage-another-") == ()
    assert web.write("web: 3") == ("db: 5",)
    assert lock(engine).texts(DB, BEGINNING) == ("web: 3",)
    web.release()
    db.release()
    assert not engine.there


def test_of_many_that_begin_at_once_one_gets_it_at_most() -> None:
    engine = Volumes()
    locks = [lock(engine) for _ in range(6)]
    got: list[VolumeLock] = []
    ready = threading.Barrier(len(locks))

    def take(each: VolumeLock) -> None:
        ready.wait()
        if each.acquire(WEB, BEGINNING, "x") is None:
            got.append(each)

    threads = [threading.Thread(target=take, args=(each,)) for each in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) <= 1
    for each in got:
        each.release()
    assert not engine.there
    assert locks[0].acquire(WEB, BEGINNING, "x") is None
    locks[0].release()


def test_a_run_that_gives_no_sign_is_gone_and_what_it_left_is_removed() -> None:
    engine = Volumes()
    dead, alive, next_one = lock(engine), lock(engine), lock(engine)
    assert dead.acquire(WEB, BEGINNING, "dead") is None
    assert alive.acquire(DB, BEGINNING, "alive") is None
    # It was killed: no further sign comes.
    dead._stop.set()
    engine.later_s += 100.0
    alive.write("alive")
    assert next_one.acquire(WEB, BEGINNING, "next") is None
    assert next_one.texts(WEB, BEGINNING) == ("alive",)
    assert sorted(each["Labels"]["tonnage.run.text"] for each in engine.there.values()) == ["alive", "next"]
    alive.release()
    next_one.release()


def test_a_run_gives_signs_and_makes_its_volume_again_when_somebody_removed_it() -> None:
    engine = Volumes()
    held = lock(engine, lease_s=0.2)
    assert held.acquire(WEB, BEGINNING, "held") is None
    (first,) = engine.there
    until_s = time.monotonic() + 10
    while first in engine.there or not engine.there:
        assert time.monotonic() < until_s
        time.sleep(0.01)
    engine.there.clear()
    while not engine.there:
        assert time.monotonic() < until_s
        time.sleep(0.01)
    held.release()
    assert not engine.there


def test_volumes_that_are_no_signs_of_runs_are_left_alone() -> None:
    engine = Volumes()
    engine.create_volume("data", {LABEL: WEB})
    engine.create_volume(f"{WEB}.0123456789abcdef.1", {LABEL: DB})
    held = lock(engine)
    assert held.acquire(WEB, BEGINNING, "x") is None
    held.release()
    assert set(engine.there) == {"data", f"{WEB}.0123456789abcdef.1"}


def test_an_engine_that_lets_nobody_make_volumes_says_so() -> None:
    engine = Volumes()
    engine.refuses = True
    with pytest.raises(StepFailedError, match="tell other runs of this one"):
        lock(engine).acquire(WEB, BEGINNING, "x")


def test_a_run_by_the_socket_and_one_over_the_network_keep_each_other_out(tmp_path: Path) -> None:
    engine = Volumes()

    def by_socket(stack: str = "web") -> StackLock:
        return StackLock("an engine", stack, directory=tmp_path / "there", signs=lock(engine).held_by)

    def by_tcp(machine: str) -> StackLock:
        directory = tmp_path / machine
        return StackLock("an engine", "web", directory=directory, remote=lock(engine), here_too=True)

    for name in ("there", "elsewhere"):
        (tmp_path / name).mkdir()
    with by_tcp("elsewhere"):
        with pytest.raises(LockHeldError), by_socket():
            pass
        with by_socket("db"):
            pass
        assert not list((tmp_path / "there").iterdir())
    assert not engine.there
    with by_socket():
        with pytest.raises(LockHeldError), by_tcp("there"):
            pass
        assert not engine.there
    with by_tcp("there"), pytest.raises(LockHeldError), by_socket():
        pass
    with by_socket():
        pass
    assert not [*(tmp_path / "there").iterdir(), *(tmp_path / "elsewhere").iterdir()]


@pytest.mark.engine
@pytest.mark.each_engine
def test_on_a_real_engine_the_second_is_refused_and_nothing_is_left(engine: RealEngine) -> None:
    api, engine_id = engine.client.api, "an engine"
    before = {each["Name"] for each in api.volumes()["Volumes"] or ()}

    def held(stack: str) -> StackLock:
        return StackLock(engine_id, stack, "tcp://here", remote=VolumeLock(api, "tcp://here"), images=("one:1",))

    with held("web") as web, held("db") as db:
        with pytest.raises(LockHeldError, match="another run holds the lock of stack web"), held("web"):
            pass
        assert web.claim(7_000_000_001, 0)
        assert not db.claim(1, 0)
        (other,) = db.others()
        assert (other.stack, other.claimed_bytes, other.images) == ("web", 7_000_000_001, ("one:1",))
        by_socket = StackLock(engine_id, "web", signs=VolumeLock(engine.client.api, "unix://here").held_by)
        with pytest.raises(LockHeldError, match="another run holds the lock of stack web"), by_socket:
            pass
    with by_socket:
        pass
    assert {each["Name"] for each in api.volumes()["Volumes"] or ()} == before
