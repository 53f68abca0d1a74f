"""Room for builds that wait, on the simulated engine: what nobody needs goes, and is not looked for twice."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.unit.flows.test_deploy import planned

from tonnage.errors import EngineUnreachableError
from tonnage.flows.guard.making_room import RoomMaking
from tonnage.flows.requests import StackFlags
from tonnage.flows.stack import read_wanted
from tonnage.model.deploy.image_names import LABEL_STACK
from tonnage.runtime.ledger import ALONE

if TYPE_CHECKING:
    import pytest
    from tests.unit.cli.simulated_ports import World

    from tonnage.model.deploy.event import Event

UNUSED_BYTES = 300_000_007
NEVER = threading.Event()


def making_room(world: World, told: list[Event]) -> RoomMaking:
    stack = read_wanted(world.ports, StackFlags()).stack
    simulator = world.simulator
    simulator.add_image("unused:1", (("unused", UNUSED_BYTES),), labels={LABEL_STACK: "another"})
    return RoomMaking(world.ports, simulator.facts, simulator.acts, planned(world), stack, ALONE, told.append)


def test_what_nobody_needs_goes_and_what_the_plan_needs_stays(world: World) -> None:
    told: list[Event] = []
    room = making_room(world, told)
    assert room(100_000_000, NEVER) == UNUSED_BYTES
    assert set(world.simulator.store.names) == {"busybox:latest"}
    assert room(100_000_000, NEVER) == 0
    assert "removed the image unused:1" in str(told)


def test_what_was_found_out_before_need_not_be_read_when_there_is_no_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tonnage.flows.guard import making_room as module  # noqa: PLC0415

    def reads(_facts: object) -> None:
        raise AssertionError

    room = making_room(world, [])
    room.prepare()
    monkeypatch.setattr(module, "observe", reads)
    assert room(100_000_000, NEVER) == UNUSED_BYTES


def test_what_cannot_be_found_out_is_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from tonnage.flows.guard import making_room as module  # noqa: PLC0415

    def fails(_facts: object) -> None:
        raise EngineUnreachableError("the engine is busy")

    told: list[Event] = []
    room = making_room(world, told)
    with monkeypatch.context() as busy:
        busy.setattr(module, "observe", fails)
        room.prepare()
        assert room(100_000_000, NEVER) == 0
        assert "the engine is busy" in str(told)
    assert room(100_000_000, NEVER) == UNUSED_BYTES
