from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contract.world import (
    BASE,
    NEVER,
    SLACK_BYTES,
    available_bytes,
    build,
    image_of,
    named,
    up,
)
from tests.simulator import Heard, Instruction, Recipe

from tonnage.errors import StepFailedError

if TYPE_CHECKING:
    from tests.contract.world import World

FIRST = Instruction(text="first", kept_bytes=7_000_003, seconds=0.1)
SECOND = Instruction(text="second", kept_bytes=3_000_017, seconds=0.1)
OTHER = Instruction(text="other", kept_bytes=2_000_029, seconds=0.1)
ONE_COPY = pytest.mark.only_on("in containerd a layer lies there up to three times", store="classic")
KEEPS_NAMELESS = pytest.mark.only_on("in containerd an image is its name and what was attached to it", store="classic")


@ONE_COPY
def test_a_build_appears_with_its_name_its_labels_and_its_chain_on_the_base(world: World) -> None:
    image = build(world, "a", Recipe(instructions=(FIRST, SECOND)), "contract/a:1", {"tonnage.inputs": "d1"})
    base = named(world, BASE)
    assert base is not None
    assert image.references == ("contract/a:1",)
    assert image.labels["tonnage.inputs"] == "d1"
    assert image.chain[:-2] == base.chain
    assert len(set(image.chain)) == len(image.chain)
    assert [layer.size_bytes for layer in image.layers[-2:]] in ([7_000_003, 3_000_017], [None, None])
    assert image.size_bytes == base.size_bytes + 7_000_003 + 3_000_017


@ONE_COPY
def test_two_images_share_the_layers_they_have_in_common_and_tell_their_unique_bytes(world: World) -> None:
    one = build(world, "a", Recipe(instructions=(FIRST, SECOND)), "contract/a:1")
    before_bytes = available_bytes(world)
    two = build(world, "b", Recipe(instructions=(FIRST, OTHER)), "contract/b:1")
    one = image_of(world, one.image_id)
    assert one.chain[:-1] == two.chain[:-1]
    assert one.chain[-1] != two.chain[-1]
    assert (one.unique_bytes, two.unique_bytes) == (3_000_017, 2_000_029)
    assert one.shared_bytes == one.size_bytes - 3_000_017
    assert before_bytes - available_bytes(world) == pytest.approx(2_000_029, abs=SLACK_BYTES)


@KEEPS_NAMELESS
def test_a_name_moves_when_it_is_built_anew_and_the_old_image_stays_without_one(world: World) -> None:
    old = build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:1")
    new = build(world, "a", Recipe(instructions=(SECOND,)), "contract/a:1")
    assert old.image_id != new.image_id
    assert image_of(world, old.image_id).references == ()
    assert image_of(world, new.image_id).references == ("contract/a:1",)


@KEEPS_NAMELESS
def test_building_the_same_again_is_answered_from_the_cache_with_the_same_image(world: World) -> None:
    recipe = Recipe(instructions=(FIRST,))
    old = build(world, "a", recipe, "contract/a:1")
    assert build(world, "a", recipe, "contract/a:1").image_id == old.image_id


def test_a_tag_gives_a_further_name_and_moves_one_that_was_taken(world: World) -> None:
    one = build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:1")
    two = build(world, "b", Recipe(instructions=(SECOND,)), "contract/b:1")
    world.acts.tag(one.image_id, "contract/kept:1")
    assert set(image_of(world, one.image_id).references) == {"contract/a:1", "contract/kept:1"}
    world.acts.tag("contract/b:1", "contract/kept:1")
    assert image_of(world, one.image_id).references == ("contract/a:1",)
    assert set(image_of(world, two.image_id).references) == {"contract/b:1", "contract/kept:1"}


def test_a_tag_of_an_image_that_is_not_there_fails(world: World) -> None:
    with pytest.raises(StepFailedError, match="contract/nothing"):
        world.acts.tag("contract/nothing:1", "contract/a:1")


def test_a_name_without_a_tag_is_the_latest(world: World) -> None:
    image = build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:1")
    world.acts.tag("contract/a:1", "contract/kept")
    assert set(image_of(world, image.image_id).references) == {"contract/a:1", "contract/kept:latest"}
    world.acts.untag("contract/kept")
    assert image_of(world, image.image_id).references == ("contract/a:1",)


def test_untag_takes_one_name_and_leaves_the_others(world: World) -> None:
    image = build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:1")
    world.acts.tag(image.image_id, "contract/a:2")
    world.acts.untag("contract/a:1")
    assert image_of(world, image.image_id).references == ("contract/a:2",)


@KEEPS_NAMELESS
def test_untag_of_the_last_name_keeps_the_image(world: World) -> None:
    image = build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:1")
    world.acts.untag("contract/a:1")
    kept = image_of(world, image.image_id)
    assert kept.references == ()
    assert kept.chain == image.chain
    assert len(world.facts.images()) == 2


def test_untag_of_a_name_that_nothing_has_does_nothing(world: World) -> None:
    world.acts.untag("contract/nothing:1")
    assert [image.references for image in world.facts.images()] == [(BASE,)]


def test_an_image_that_still_has_a_name_is_not_removed(world: World) -> None:
    image = build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:1")
    with pytest.raises(StepFailedError):
        world.acts.remove_image(image.image_id)
    assert image_of(world, image.image_id).references == ("contract/a:1",)


@KEEPS_NAMELESS
def test_an_image_that_a_running_or_stopped_container_uses_is_not_removed(world: World) -> None:
    image = build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:1")
    container = up(world, "web", web={"image": "contract/a:1"})
    world.acts.untag("contract/a:1")
    with pytest.raises(StepFailedError):
        world.acts.remove_image(image.image_id)
    assert image_of(world, image.image_id).references == ()
    world.acts.remove_container(container.container_id)
    world.acts.remove_image(image.image_id)
    assert [each.references for each in world.facts.images()] == [(BASE,)]


def test_an_image_that_a_container_uses_keeps_every_name_that_was_to_go_with_it(world: World) -> None:
    image = build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:1")
    up(world, "web", web={"image": "contract/a:1"})
    names = ("contract/a:1", "contract/a:2", "contract/b:1")
    for name in names[1:]:
        world.acts.tag(image.image_id, name)
    with pytest.raises(StepFailedError):
        world.acts.remove_image(image.image_id, names)
    assert set(image_of(world, image.image_id).references) == set(names)


def test_an_image_on_which_another_one_stands_goes_and_leaves_that_one_whole(world: World) -> None:
    lower = build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:1")
    upper = build(world, "b", Recipe(base="contract/a:1", instructions=(SECOND,)), "contract/b:1")
    world.acts.remove_image(lower.image_id, ("contract/a:1",))
    left = image_of(world, upper.image_id)
    assert (left.references, left.chain) == (("contract/b:1",), upper.chain)
    assert named(world, "contract/a:1") is None


def test_removing_an_image_that_is_gone_does_nothing(world: World) -> None:
    image = build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:1")
    for _ in range(2):
        world.acts.remove_image(image.image_id, ("contract/a:1",))
    assert [each.references for each in world.facts.images()] == [(BASE,)]


def test_an_image_goes_with_all_of_its_names_when_they_are_said(world: World) -> None:
    image = build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:1")
    for name in ("contract/a:2", "contract/b:1"):
        world.acts.tag(image.image_id, name)
    with pytest.raises(StepFailedError):
        world.acts.remove_image(image.image_id, ("contract/a:1", "contract/a:2"))
    assert len(image_of(world, image.image_id).references) == 3
    world.acts.remove_image(image.image_id, ("contract/a:1", "contract/a:2", "contract/b:1"))
    assert [each.references for each in world.facts.images()] == [(BASE,)]


@ONE_COPY
def test_removing_an_image_frees_its_unique_bytes_once_the_build_cache_lets_go_of_them(world: World) -> None:
    image = build(world, "a", Recipe(instructions=(FIRST, SECOND)), "contract/a:1")
    held_bytes = available_bytes(world)
    world.acts.remove_cache([record.record_id for record in world.facts.cache()])
    assert available_bytes(world) - held_bytes == pytest.approx(0, abs=SLACK_BYTES)
    world.acts.untag("contract/a:1")
    world.acts.remove_image(image.image_id)
    assert available_bytes(world) - held_bytes == pytest.approx(10_000_020, abs=SLACK_BYTES)


@ONE_COPY
def test_the_build_cache_keeps_the_bytes_of_a_removed_image(world: World) -> None:
    image = build(world, "a", Recipe(instructions=(FIRST,)), "contract/a:1")
    held_bytes = available_bytes(world)
    world.acts.untag("contract/a:1")
    world.acts.remove_image(image.image_id)
    assert available_bytes(world) - held_bytes == pytest.approx(0, abs=SLACK_BYTES)
    world.acts.remove_cache([record.record_id for record in world.facts.cache()])
    assert available_bytes(world) - held_bytes == pytest.approx(7_000_003, abs=SLACK_BYTES)


def test_a_pull_of_what_does_not_exist_fails_and_names_it(world: World) -> None:
    with pytest.raises(StepFailedError, match="nothing-of-that-name"):
        world.acts.pull("localhost:9/contract/nothing-of-that-name:1", progress=Heard(), cancel=NEVER)


def test_a_push_of_what_does_not_exist_fails_and_names_it(world: World) -> None:
    with pytest.raises(StepFailedError, match="nothing-of-that-name"):
        world.acts.push("localhost:9/contract/nothing-of-that-name:1", progress=Heard(), cancel=NEVER)
