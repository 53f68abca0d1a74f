from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contract.world import BASE, NEVER, available_bytes, build, come_back, named
from tests.simulator import Heard, Instruction, Recipe

from tonnage.errors import StepFailedError

if TYPE_CHECKING:
    from tests.contract.world import World

FIRST = Instruction(text="first", kept_bytes=5_000_011, seconds=0.1)
ONE_COPY = pytest.mark.only_on("in containerd a layer lies there up to three times", store="classic")


@ONE_COPY
def test_a_build_leaves_records_in_the_cache_that_stand_on_one_another(world: World) -> None:
    second = Instruction(text="second", kept_bytes=3_000_017, seconds=0.1)
    build(world, "a", Recipe(instructions=(FIRST, second)), "contract/a:1")
    records = {record.size_bytes: record for record in world.facts.cache()}
    assert records[3_000_017].parents == (records[5_000_011].record_id,)
    assert records[5_000_011].shared
    assert not records[5_000_011].in_use


def test_removed_cache_records_are_gone_and_the_image_stays(world: World) -> None:
    build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:1")
    world.acts.remove_cache([record.record_id for record in world.facts.cache()])
    assert world.facts.cache() == ()
    assert named(world, "contract/a:1") is not None


@ONE_COPY
def test_only_the_records_that_were_named_are_removed(world: World) -> None:
    second = Instruction(text="second", kept_bytes=3_000_017, seconds=0.1)
    build(world, "a", Recipe(instructions=(FIRST, second)), "contract/a:1")
    world.acts.remove_cache([record.record_id for record in world.facts.cache() if record.size_bytes == 3_000_017])
    sizes = {record.size_bytes for record in world.facts.cache()}
    assert 3_000_017 not in sizes
    assert 5_000_011 in sizes


@ONE_COPY
def test_records_go_in_one_act_in_whatever_order_they_are_named_and_those_that_are_gone_are_passed_over(
    world: World,
) -> None:
    second, third = (
        Instruction(text=name, kept_bytes=size, seconds=0.1) for name, size in (("second", 3_000_017), ("third", 2_009))
    )
    build(world, "a", Recipe(instructions=(FIRST, second, third)), "contract/a:1")
    ids = {record.size_bytes: record.record_id for record in world.facts.cache()}
    named_ids = [ids[size] for size in (5_000_011, 2_009, 3_000_017)]
    world.acts.remove_cache(["nothing-of-that-id", *named_ids])
    assert not {5_000_011, 3_000_017, 2_009} & {record.size_bytes for record in world.facts.cache()}
    world.acts.remove_cache(named_ids)
    assert not set(named_ids) & {record.record_id for record in world.facts.cache()}


@ONE_COPY
def test_a_record_on_which_another_stands_is_not_removed(world: World) -> None:
    second = Instruction(text="second", kept_bytes=3_000_017, seconds=0.1)
    build(world, "a", Recipe(instructions=(FIRST, second)), "contract/a:1")
    world.acts.remove_cache([record.record_id for record in world.facts.cache() if record.size_bytes == 5_000_011])
    assert {3_000_017, 5_000_011} <= {record.size_bytes for record in world.facts.cache()}


def test_a_build_says_where_it_is_and_what_its_commands_print(world: World) -> None:
    heard = Heard()
    loud = Instruction(text="loud", prints=("forty-three",), seconds=0.1)
    spec = world.spec("a", Recipe(instructions=(FIRST, loud)))
    world.acts.build(spec, "contract/a:1", {}, progress=heard, cancel=NEVER)
    assert any("2/2" in place or "3/3" in place for place in heard.places)
    assert any("forty-three" in line for line in heard.lines)


def test_a_failing_build_moves_no_name_leaves_no_image_and_shows_its_log(world: World) -> None:
    old = build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:1")
    failing = Instruction(text="failing", prints=("forty-seven",), fails=True, seconds=0.1)
    spec = world.spec("a", Recipe(instructions=(FIRST, failing)))
    with pytest.raises(StepFailedError) as failure:
        world.acts.build(spec, "contract/a:1", {}, progress=Heard(), cancel=NEVER)
    assert "forty-seven" in failure.value.log
    still = named(world, "contract/a:1")
    assert still is not None
    assert still.image_id == old.image_id
    assert len(world.facts.images()) == 2


def test_a_failing_build_gives_back_what_it_had_written(world: World) -> None:
    before_bytes = available_bytes(world)
    failing = Instruction(text="failing", kept_bytes=20_000_003, fails=True, seconds=0.1)
    with pytest.raises(StepFailedError):
        build(world, "a", Recipe(instructions=(failing,)), "contract/a:1")
    assert come_back(world, before_bytes)


def test_a_build_on_a_base_that_nobody_has_fails_and_names_it(world: World) -> None:
    with pytest.raises(StepFailedError) as failure:
        build(world, "a", Recipe(base="localhost:9/contract/no-such-base:1", instructions=(FIRST,)), "contract/a:1")
    assert "no-such-base" in f"{failure.value}{failure.value.log}"


def test_a_build_that_fills_the_disk_says_so_and_the_bytes_come_back(world: World) -> None:
    world.leave(150_000_001)
    disk = world.facts.filesystems()[0]
    before_bytes = available_bytes(world)
    greedy = Instruction(
        text="greedy", kept_bytes=disk.available_bytes + disk.reserved_bytes + 100_000_007, seconds=0.1
    )
    with pytest.raises(StepFailedError) as failure:
        build(world, "a", Recipe(instructions=(FIRST, greedy)), "contract/a:1")
    assert "no space left on device" in f"{failure.value}{failure.value.log}".lower()
    assert named(world, "contract/a:1") is None
    assert world.facts.engine().engine_id
    assert come_back(world, before_bytes - 5_000_011)
    assert named(world, BASE) is not None


def test_a_cancelled_build_stops_soon_and_leaves_no_image(world: World) -> None:
    long = Instruction(text="long", kept_bytes=20_000_003, seconds=60.0)
    spec = world.spec("a", Recipe(instructions=(long,)))
    before_bytes = available_bytes(world)
    with pytest.raises(StepFailedError):
        world.acts.build(spec, "contract/a:1", {}, progress=Heard(), cancel=world.cancel_in(1.5))
    assert named(world, "contract/a:1") is None
    assert come_back(world, before_bytes)


def test_an_image_that_is_only_pushed_is_built_under_its_name_with_its_layers(world: World) -> None:
    spec = world.spec("a", Recipe(instructions=(FIRST,)))
    image_id = world.acts.build(spec, "contract/a:1", {}, progress=Heard(), cancel=NEVER, packed=True)

    found = named(world, "contract/a:1")
    assert found is not None
    assert found.image_id == image_id
    assert build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:2").chain == found.chain
