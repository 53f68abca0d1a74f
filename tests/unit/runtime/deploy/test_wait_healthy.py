from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tonnage.errors import EngineUnreachableError, NotHealthyError, StepFailedError
from tonnage.model.deploy.plan import Prove
from tonnage.model.inventory import Container
from tonnage.model.stack import ProbeSpec
from tonnage.runtime.deploy.wait_healthy import prove, prove_together

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.adapters.interface import Cancel
    from tonnage.model.compose_labels import StackOrigin
    from tonnage.model.inventory import CacheRecord, Engine, Filesystem, Image, Volume
    from tonnage.model.network import Network

WEB = Container(container_id="c1", name="hello-web-1", image_id="sha256:1", project="hello", service="web", number=1)


@dataclass
class Clockwork:
    """A clock that only goes on when somebody waits."""

    now_s: float = 5000.0
    on_wait: Callable[[float], None] = field(default=lambda _: None)

    def time(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, cancel: Cancel, seconds: float) -> bool:
        self.now_s += seconds
        self.on_wait(self.now_s - 5000.0)
        return cancel.is_set()


@dataclass
class Machine:
    """Containers as a function of the seconds since the proof began."""

    clock: Clockwork
    script: Callable[[float], list[Container]]
    answer: Callable[[float], int | str] = field(default=lambda _: 200)
    printed: str | None = "first\nlast\n"
    asked: list[tuple[str, int, str]] = field(default_factory=list)

    def containers(self, project: str = "") -> tuple[Container, ...]:
        return tuple(c for c in self.script(self.clock.now_s - 5000.0) if c.project == project)

    def container(self, name_or_id: str) -> Container | None:
        found = self.script(self.clock.now_s - 5000.0)
        return next((c for c in found if name_or_id in {c.name, c.container_id}), None)

    def pulled(self, within_s: float) -> tuple[str, ...]:
        raise NotImplementedError

    def logs(self, container: str, lines: int) -> str:
        if self.printed is None:
            raise EngineUnreachableError("gone")
        return f"{container}:{lines}:{self.printed}"

    def http_status(self, container: Container, port: int, path: str, timeout_s: float) -> int | str:
        assert timeout_s > 0
        self.asked.append((container.name, port, path))
        return self.answer(self.clock.now_s - 5000.0)

    def engine(self) -> Engine:
        raise NotImplementedError

    def filesystems(self) -> tuple[Filesystem, ...]:
        raise NotImplementedError

    def images(self) -> tuple[Image, ...]:
        raise NotImplementedError

    def cache(self) -> tuple[CacheRecord, ...]:
        raise NotImplementedError

    def volumes(self) -> tuple[Volume, ...]:
        raise NotImplementedError

    def networks(self) -> tuple[Network, ...]:
        raise NotImplementedError

    def config_hashes(self, origin: StackOrigin) -> dict[str, str]:
        raise NotImplementedError


@dataclass
class Heard:
    texts: list[str] = field(default_factory=list)

    def at(self, text: str) -> None:
        self.texts.append(text)

    def log(self, line: str) -> None:
        raise NotImplementedError


def proven(machine: Machine, action: Prove, *, cancel: threading.Event | None = None) -> list[str]:
    """Prove service ``web`` of stack ``hello`` and return the progress that was told."""
    heard = Heard()
    prove(
        machine,
        project="hello",
        service="web",
        action=action,
        progress=heard,
        cancel=cancel or threading.Event(),
        clock=machine.clock,
    )
    return heard.texts


def test_it_returns_when_the_service_stayed_up() -> None:
    machine = Machine(Clockwork(), lambda _: [WEB])

    assert proven(machine, Prove(stability_s=3.0)) == ["healthy, stays up", "healthy"]
    assert machine.clock.now_s - 5000.0 == 3.0


def test_it_tells_where_it_is_only_when_that_changes() -> None:
    def script(elapsed_s: float) -> list[Container]:
        return [] if elapsed_s < 1 else [replace(WEB, health="starting" if elapsed_s < 4 else "healthy")]

    machine = Machine(Clockwork(), script, lambda elapsed_s: 200 if elapsed_s >= 6 else "connection refused")

    assert proven(machine, Prove(probe=ProbeSpec(port=8080, path="/up"))) == [
        "not there yet",
        "healthcheck: starting",
        "probe: connection refused",
        "healthy, stays up",
        "healthy",
    ]
    assert set(machine.asked) == {("hello-web-1", 8080, "/up")}


def test_only_the_services_own_containers_are_looked_at() -> None:
    dead = replace(WEB, state="exited", exit_code=1)
    others = [
        replace(dead, container_id="x1", service="db"),
        replace(dead, container_id="x2", project="other"),
        replace(dead, container_id="x3", one_off=True),
    ]

    assert proven(Machine(Clockwork(), lambda _: [WEB, *others]), Prove())[-1] == "healthy"


def test_a_named_container_is_looked_at_alone() -> None:
    beside = replace(WEB, container_id="c7", name="hello-web-new", one_off=True)
    sick = replace(WEB, health="unhealthy")
    machine = Machine(Clockwork(), lambda _: [sick, beside])

    assert proven(machine, Prove(container_name="hello-web-new"))[-1] == "healthy"
    with pytest.raises(NotHealthyError, match="web is not healthy"):
        proven(machine, Prove(container_name="hello-web-1"))


def test_every_replica_is_asked() -> None:
    machine = Machine(Clockwork(), lambda _: [WEB, replace(WEB, container_id="c2", name="hello-web-2", number=2)])
    proven(machine, Prove(replicas=2, probe=ProbeSpec(port=81)))

    assert set(machine.asked) == {("hello-web-1", 81, "/"), ("hello-web-2", 81, "/")}


def test_a_container_that_does_not_run_is_not_asked() -> None:
    def script(elapsed_s: float) -> list[Container]:
        return [replace(WEB, state="created" if elapsed_s < 2 else "running")]

    machine = Machine(Clockwork(), script)
    proven(machine, Prove(stability_s=0.0, probe=ProbeSpec(port=81)))

    assert len(machine.asked) == 1


def test_what_is_not_healthy_is_told_with_the_last_lines_of_the_container() -> None:
    machine = Machine(Clockwork(), lambda elapsed_s: [WEB if elapsed_s < 1 else replace(WEB, restart_count=1)])

    with pytest.raises(NotHealthyError) as caught:
        proven(machine, Prove())

    assert caught.value.exit_code == 5
    assert caught.value.why == "hello-web-1 does not stay up: it was restarted 1 time within 1.0 s."
    assert caught.value.log == "hello-web-1:20:first\nlast\n"


def test_a_log_that_cannot_be_had_does_not_hide_the_failure() -> None:
    machine = Machine(Clockwork(), lambda _: [replace(WEB, health="unhealthy")], printed=None)

    with pytest.raises(NotHealthyError) as caught:
        proven(machine, Prove())

    assert caught.value.log == ""


def test_when_the_time_is_up_it_is_not_healthy() -> None:
    clock = Clockwork()

    with pytest.raises(NotHealthyError) as caught:
        proven(Machine(clock, lambda _: []), Prove(timeout_s=7.0))

    assert caught.value.why == "After 7.0 s: 0 of 1 containers are there."
    assert clock.now_s - 5000.0 == 7.0


def test_a_cancel_ends_the_waiting() -> None:
    cancel = threading.Event()
    clock = Clockwork(on_wait=lambda elapsed_s: cancel.set() if elapsed_s >= 2 else None)

    with pytest.raises(StepFailedError, match="stopped") as caught:
        proven(Machine(clock, lambda _: [replace(WEB, health="starting")]), Prove(), cancel=cancel)

    assert not isinstance(caught.value, NotHealthyError)
    assert caught.value.why == "Until then: the healthcheck of hello-web-1 says starting."
    assert clock.now_s - 5000.0 == 2.0


def test_services_are_proven_at_the_same_time_with_one_look_for_all() -> None:
    looks: list[float] = []

    def script(elapsed_s: float) -> list[Container]:
        looks.append(elapsed_s)
        health = "healthy" if elapsed_s >= 2 else "starting"
        return [WEB, *(replace(WEB, container_id=f"a{n}", service=f"app{n}", health=health) for n in range(30))]

    machine = Machine(Clockwork(), script)
    probe = ProbeSpec(port=80, path="/")
    actions = {"web": Prove(stability_s=1.0, probe=probe), "gone": Prove(stability_s=1.0, timeout_s=2.0)}
    actions |= {f"app{n}": Prove(stability_s=1.0, probe=probe) for n in range(30)}
    found = prove_together(
        machine, project="hello", actions=actions, progress=Heard(), cancel=threading.Event(), clock=machine.clock
    )

    assert {service for service, error in found.items() if error is not None} == {"gone"}
    assert machine.clock.now_s - 5000.0 == 3.0
    assert len(looks) == 13
