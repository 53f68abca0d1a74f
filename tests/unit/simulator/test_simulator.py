from __future__ import annotations

import threading

import pytest
from tests.simulator import Behaviour, Faults, Heard, Instruction, PowerCutError, Recipe, Simulator, VirtualEvent

from tonnage.errors import EngineUnreachableError, StepFailedError

NEVER = threading.Event()


def build(engine: Simulator, recipe: Recipe, name: str = "a:1", context: str = "/src/a") -> str:
    return engine.acts.build(engine.describe(context, recipe), name, {}, progress=Heard(), cancel=NEVER)


def test_the_lowest_point_of_a_build_is_its_transient_peak() -> None:
    engine = Simulator(10_000_019)
    before = engine.facts.filesystems()[0].available_bytes
    build(engine, Recipe(instructions=(Instruction(text="RUN a", kept_bytes=1_000_003, transient_bytes=2_000_003),)))
    assert engine.disk.lowest_bytes == before - 3_000_006
    assert engine.disk.available_bytes == before - 1_000_003


def test_a_build_may_use_the_reserve_but_nobody_calls_it_available() -> None:
    engine = Simulator(10_000_019, reserved_bytes=3_000_017)
    assert engine.disk.available_bytes == engine.disk.free_bytes - 3_000_017
    build(engine, Recipe(instructions=(Instruction(text="RUN a", kept_bytes=7_000_003),)))
    assert engine.disk.available_bytes == 0


def test_layers_in_another_order_are_stored_twice() -> None:
    engine = Simulator()
    before = engine.disk.free_bytes
    engine.add_image("x:1", (("p", 101), ("q", 103)))
    engine.add_image("x:2", (("p", 101), ("q", 103), ("r", 107)))
    assert before - engine.disk.free_bytes == 101 + 103 + 107
    engine.add_image("x:3", (("q", 103), ("p", 101)))
    assert before - engine.disk.free_bytes == 2 * (101 + 103) + 107


def test_an_injected_failure_changes_nothing_and_a_power_cut_is_no_ordinary_failure() -> None:
    engine = Simulator(faults=Faults(fail=frozenset({1}), die_after=frozenset({2}), unreachable_from=3))
    with pytest.raises(StepFailedError):
        engine.acts.tag("busybox:latest", "a:1")
    assert engine.facts.images()[0].references == ("busybox:latest",)
    with pytest.raises(PowerCutError):
        engine.acts.tag("busybox:latest", "a:1")
    assert engine.facts.images()[0].references == ("a:1", "busybox:latest")
    with pytest.raises(EngineUnreachableError):
        engine.acts.untag("a:1")
    assert engine.log == ["tag busybox:latest a:1", "tag busybox:latest a:1", "untag a:1"]


def test_a_neighbour_can_eat_the_disk_under_a_build() -> None:
    engine = Simulator(10_000_019, faults=Faults(eaten={1: 7_000_003}))
    with pytest.raises(StepFailedError, match="No space left on device"):
        build(engine, Recipe(instructions=(Instruction(text="RUN a", kept_bytes=2_000_003),)))
    assert engine.facts.images()[0].references == ("busybox:latest",)


def test_a_build_is_cancelled_in_the_middle_of_virtual_time() -> None:
    engine = Simulator()
    spec = engine.describe("/src/a", Recipe(instructions=(Instruction(text="RUN a", kept_bytes=97, seconds=60.0),)))
    with pytest.raises(StepFailedError):
        engine.acts.build(spec, "a:1", {}, progress=Heard(), cancel=VirtualEvent(engine.clock, at_s=30.0))
    assert 30 <= engine.clock.monotonic() < 60


def test_a_crash_loop_counts_its_restarts_with_growing_delays() -> None:
    engine = Simulator()
    container = engine.add_container("c", "busybox:latest")
    container.behaviour = Behaviour(exits_after_s=1.0, exit_code=7)
    container.restart = "always"
    engine.clock.sleep(1.05)
    assert engine.facts.containers()[0].state == "restarting"
    engine.clock.sleep(2.3)
    assert engine.facts.containers()[0].restart_count == 2
    engine.clock.sleep(3600.0)
    assert 50 < engine.facts.containers()[0].restart_count < 70
