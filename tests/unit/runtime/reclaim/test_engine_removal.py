"""Things of an engine go by their ids, each looked at once more right before."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.simulator import Heard, Instruction, Recipe
from tests.simulator.deploying import DIRECTORY
from tests.simulator.facts import SimulatedFacts
from tests.unit.builders import Happening, candidate, harbour, raises

from tonnage.errors import StepFailedError
from tonnage.runtime.lock import StackLock
from tonnage.runtime.reclaim.engine_removal import EngineRemoval, remove_free_records

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator.deploying import Harbour
    from tests.simulator.store import StoredImage

    from tonnage.model.inventory import CacheRecord, Image
    from tonnage.model.reclaim.candidate import Candidate


@pytest.fixture
def place(tmp_path: Path) -> Harbour:
    """Return an engine with nothing on it but a base."""
    return harbour(tmp_path)


def removal_of(place: Harbour) -> EngineRemoval:
    return EngineRemoval(place.engine.facts, place.engine.acts, Heard())


def remove(place: Harbour, one: Candidate) -> None:
    removal_of(place).remove(one)


def as_seen(image: StoredImage, *names: str) -> Candidate:
    """Return an image as it was found some time ago, with the names that it had then."""
    return candidate("image", image.image_id, names=names)


def build(place: Harbour, name: str, *sizes: int) -> StoredImage:
    """Build an image of commands that write so many bytes."""
    instructions = tuple(Instruction(text=f"RUN {size}", kept_bytes=size) for size in sizes)
    spec = place.engine.describe(f"{DIRECTORY}/{name}", Recipe(instructions=instructions))
    image_id = place.engine.acts.build(spec, name, {}, progress=Heard(), cancel=threading.Event())
    return place.engine.store.images[image_id]


def sizes(place: Harbour) -> list[int]:
    """Return the bytes of the records in the build cache."""
    return sorted(record.size_bytes for record in place.engine.facts.cache() if record.size_bytes)


def record_of(place: Harbour, size_bytes: int) -> str:
    return next(record.record_id for record in place.engine.facts.cache() if record.size_bytes == size_bytes)


# -- images


def test_an_image_that_another_run_needs_by_now_stays(place: Harbour, tmp_path: Path) -> None:
    image = place.engine.add_image("old:1", (("old", 1_009),))
    mine = StackLock("engine", "(reclaim)", directory=tmp_path)
    removal = EngineRemoval(place.engine.facts, place.engine.acts, Heard(), mine)
    with (
        StackLock("engine", "shop", directory=tmp_path, command="tonnage deploy", images=("docker.io/library/old:1",)),
        pytest.raises(StepFailedError, match=r"stays: the run of stack shop .*: tonnage deploy\) needs it by now"),
    ):
        removal.remove(as_seen(image, "old:1"))
    assert image.image_id in place.engine.store.images
    removal.remove(as_seen(image, "old:1"))
    assert image.image_id not in place.engine.store.images


def test_an_image_goes_with_the_names_that_it_had(place: Harbour) -> None:
    image = place.engine.add_image("old:1", (("old", 1_009),))
    place.engine.acts.tag("old:1", "old:2")
    remove(place, as_seen(image, "old:1", "old:2"))
    assert set(place.engine.store.names) == {"busybox:latest"}
    assert image.image_id not in place.engine.store.images


@pytest.mark.parametrize("running", [True, False])
def test_an_image_that_a_container_uses_by_now_stays_as_it_is(
    place: Harbour,
    running: bool,  # noqa: FBT001
) -> None:
    image = place.engine.add_image("old:1", (("old", 1_009),))
    place.engine.add_container("newcomer", "old:1", running=running)
    with pytest.raises(StepFailedError, match="the container newcomer uses it by now"):
        remove(place, as_seen(image, "old:1"))
    assert place.engine.store.names_of(image.image_id) == ("old:1",)
    assert place.engine.log == []


def test_an_image_that_was_given_another_name_meanwhile_stays_with_all_its_names(place: Harbour) -> None:
    image = place.engine.add_image("old:1", (("old", 1_009),))
    place.engine.store.names["kept:1"] = image.image_id
    with pytest.raises(StepFailedError, match="it was given the name kept:1 meanwhile"):
        remove(place, as_seen(image, "old:1"))
    assert place.engine.store.names_of(image.image_id) == ("kept:1", "old:1")
    assert place.engine.log == []


def test_an_image_that_was_pulled_anew_by_its_digest_meanwhile_stays(place: Harbour) -> None:
    image = place.engine.add_image("old:1", (("old", 1_009),))

    class Pulled(SimulatedFacts):
        """Tells a repository digest, which a simulated engine has none of."""

        def images(self) -> tuple[Image, ...]:
            return tuple(replace(each, digests=("old@sha256:77",)) for each in super().images())

    place.engine.facts = Pulled(place.engine)
    with pytest.raises(StepFailedError, match="it was given the name old@sha256:77 meanwhile"):
        remove(place, as_seen(image, "old:1"))
    remove(place, as_seen(image, "old:1", "old@sha256:77"))
    assert image.image_id not in place.engine.store.images


def test_what_is_gone_already_is_no_failure(place: Harbour) -> None:
    image = place.engine.add_image("old:1", (("old", 1_009),))
    place.engine.acts.remove_image(image.image_id, ("old:1",))
    removal = removal_of(place)
    removal.remove(as_seen(image, "old:1"))
    removal.remove(candidate("container", "nobody"))
    assert removal.give_names_back() == ()
    assert place.engine.log == [f"remove-image {image.image_id}"]


def test_with_an_image_goes_the_cache_behind_it_and_not_that_behind_others(place: Harbour) -> None:
    image = build(place, "old:1", 1_009, 1_013)
    build(place, "kept:1", 1_019)
    remove(place, as_seen(image, "old:1"))
    assert sizes(place) == [1_019]


def test_cache_that_stood_behind_no_image_is_another_candidates(place: Harbour) -> None:
    free = build(place, "free:1", 1_021)
    place.engine.acts.remove_image(free.image_id, ("free:1",))
    image = build(place, "old:1", 1_009)
    remove(place, as_seen(image, "old:1"))
    assert sizes(place) == [1_021]


def test_cache_that_two_images_shared_goes_with_the_second_of_them(place: Harbour) -> None:
    one, two = build(place, "one:1", 5_003, 1_009), build(place, "two:1", 5_003, 1_013)
    removal = removal_of(place)
    removal.remove(as_seen(one, "one:1"))
    assert sizes(place) == [1_013, 5_003]
    removal.remove(as_seen(two, "two:1"))
    assert sizes(place) == []


def test_an_image_that_the_engine_refuses_to_remove_takes_no_cache_with_it(place: Harbour) -> None:
    image = build(place, "old:1", 1_009)
    place.engine.faults = Happening(on={"remove-image": raises(StepFailedError("a step of another one"))})
    with pytest.raises(StepFailedError):
        remove(place, as_seen(image, "old:1"))
    assert sizes(place) == [1_009]


# -- cache


def test_of_the_cache_only_the_record_that_is_meant_goes(place: Harbour) -> None:
    image = build(place, "old:1", 1_009, 1_013)
    place.engine.acts.remove_image(image.image_id, ("old:1",))
    remove(place, candidate("cache", record_of(place, 1_013)))
    assert sizes(place) == [1_009]


def test_a_record_on_which_another_one_stands_waits_for_it(place: Harbour) -> None:
    image = build(place, "old:1", 1_009, 1_013)
    place.engine.acts.remove_image(image.image_id, ("old:1",))
    under, over = record_of(place, 1_009), record_of(place, 1_013)
    with pytest.raises(StepFailedError, match=f"the cache record {under} stays"):
        remove(place, candidate("cache", under))
    assert sizes(place) == [1_009, 1_013]
    remove(place, candidate("cache", over))
    remove(place, candidate("cache", under))
    assert sizes(place) == []


def test_what_a_removed_image_left_goes_once_nothing_stands_on_it_any_more(place: Harbour) -> None:
    one, two = build(place, "old:1", 1_009), build(place, "free:1", 1_009, 1_013)
    place.engine.acts.remove_image(two.image_id, ("free:1",))
    over = record_of(place, 1_013)
    removal = removal_of(place)
    removal.remove(as_seen(one, "old:1"))
    assert sizes(place) == [1_009, 1_013]
    removal.remove(candidate("cache", over))
    assert sizes(place) == []


def test_a_record_that_is_used_or_has_an_image_by_now_stays(place: Harbour) -> None:
    build(place, "kept:1", 1_009)
    image = build(place, "old:1", 1_013)
    place.engine.acts.remove_image(image.image_id, ("old:1",))
    busy = record_of(place, 1_013)

    class Building(SimulatedFacts):
        """Tells that a build uses the record, which a simulated engine never does."""

        def cache(self) -> tuple[CacheRecord, ...]:
            return tuple(replace(each, in_use=each.record_id == busy) for each in super().cache())

    with pytest.raises(StepFailedError, match="stays"):
        remove(place, candidate("cache", record_of(place, 1_009)))
    place.engine.facts = Building(place.engine)
    with pytest.raises(StepFailedError, match="stays"):
        remove(place, candidate("cache", busy))
    assert sizes(place) == [1_009, 1_013]


def test_a_record_that_the_engine_lists_after_its_removal_was_not_removed(place: Harbour) -> None:
    image = build(place, "old:1", 1_009, 1_013)
    place.engine.acts.remove_image(image.image_id, ("old:1",))
    under = record_of(place, 1_009)
    place.engine.store.stuck = {record_of(place, 1_013)}
    for _ in range(2):
        with pytest.raises(StepFailedError, match="The engine still lists it"):
            remove(place, candidate("cache", record_of(place, 1_013)))
    # Nothing came of it once: the engine is not asked for ever.
    assert place.engine.log.count("remove-cache 1") == 2
    place.engine.store.stuck = set()
    remove(place, candidate("cache", record_of(place, 1_013)))
    remove(place, candidate("cache", under))
    assert sizes(place) == []


def test_records_go_on_being_removed_while_some_of_them_go(place: Harbour) -> None:
    image = build(place, "old:1", 1_009, 1_013)
    place.engine.acts.remove_image(image.image_id, ("old:1",))
    stuck = record_of(place, 1_009)
    place.engine.store.stuck = {stuck}
    left = remove_free_records(place.engine.facts, place.engine.acts, Heard(), lambda _record: True)
    assert stuck in {record.record_id for record in left}
    assert sizes(place) == [1_009]


# -- containers, logs, volumes


def test_a_container_that_has_ended_goes_and_its_volumes_stay(place: Harbour) -> None:
    container = place.engine.add_container("ended", "busybox:latest", running=False)
    place.engine.add_volume("anonymous", 5_003)
    container.anonymous_volumes = ("anonymous",)
    remove(place, candidate("container", container.container_id))
    assert place.engine.living() == []
    assert set(place.engine.volumes) == {"anonymous"}


@pytest.mark.parametrize("state", ["running", "paused", "created"])
def test_a_container_that_has_not_ended_stays_and_is_never_stopped_for_it(place: Harbour, state: str) -> None:
    container = place.engine.add_container("busy", "busybox:latest")
    container.state = state
    with pytest.raises(StepFailedError, match=f"the container busy stays: it is {state} by now"):
        remove(place, candidate("container", container.container_id))
    assert container.state == state
    assert place.engine.log == []


def test_a_log_is_emptied_and_its_container_stays(place: Harbour) -> None:
    engine = place.engine
    loud, other = (engine.add_container(name, "busybox:latest") for name in ("loud", "other"))
    for each in (loud, other):
        engine.disk.write(f"log {each.container_id}", 6_000_011)
    remove(place, candidate("container-log", loud.container_id))
    assert [engine.disk.owned_bytes(f"log {each.container_id}") for each in (loud, other)] == [0, 6_000_011]
    assert [each.state for each in engine.living()] == ["running", "running"]


def test_a_volume_goes_only_when_no_container_mounts_it(place: Harbour) -> None:
    place.engine.add_volume("free", 5_003)
    place.engine.add_volume("mounted", 5_009)
    place.engine.add_container("db", "busybox:latest", running=False).volumes = ("mounted",)
    remove(place, candidate("volume", "free"))
    with pytest.raises(StepFailedError, match="in use"):
        remove(place, candidate("volume", "mounted"))
    assert set(place.engine.volumes) == {"mounted"}


# -- names that were lost


def losing(place: Harbour, name: str, to: str = "") -> None:
    """Let a name be lost, or move to another image, while an image is removed."""

    def lose() -> None:
        held = place.engine.store.names
        if to:
            held[name] = place.engine.store.names[to]
        else:
            held.pop(name, None)

    place.engine.faults = Happening(on={"remove-image": lose})


def test_the_name_of_an_image_that_stays_is_given_back_when_it_was_lost(place: Harbour) -> None:
    kept = place.engine.add_image("kept:1", (("kept", 1_013),))
    old = place.engine.add_image("old:1", (("old", 1_009),))
    removal = removal_of(place)
    losing(place, "kept:1")
    removal.remove(as_seen(old, "old:1"))
    assert removal.give_names_back() == (f"kept:1 was lost and has been given back to {kept.image_id[:19]}",)
    assert place.engine.store.names["kept:1"] == kept.image_id
    assert set(place.engine.store.names) == {"busybox:latest", "kept:1"}


def test_a_name_that_was_moved_by_somebody_is_left_where_it_is(place: Harbour) -> None:
    place.engine.add_image("kept:1", (("kept", 1_013),))
    newer = place.engine.add_image("newer:1", (("newer", 1_019),))
    old = place.engine.add_image("old:1", (("old", 1_009),))
    removal = removal_of(place)
    losing(place, "kept:1", to="newer:1")
    removal.remove(as_seen(old, "old:1"))
    assert removal.give_names_back() == ()
    assert place.engine.store.names["kept:1"] == newer.image_id


def test_an_image_that_somebody_else_removed_meanwhile_has_no_name_to_be_given_back(place: Harbour) -> None:
    theirs = place.engine.add_image("theirs:1", (("theirs", 1_013),))
    old = place.engine.add_image("old:1", (("old", 1_009),))
    removal = removal_of(place)
    removal.remove(as_seen(old, "old:1"))
    place.engine.acts.remove_image(theirs.image_id, ("theirs:1",))
    assert removal.give_names_back() == ()


def test_an_image_that_was_removed_and_is_there_again_is_not_given_its_old_name(place: Harbour) -> None:
    old = place.engine.add_image("old:1", (("old", 1_009),))
    removal = removal_of(place)
    removal.remove(as_seen(old, "old:1"))
    assert place.engine.add_image("", (("old", 1_009),)).image_id == old.image_id
    assert removal.give_names_back() == ()


def test_names_are_compared_with_those_before_the_first_removal(place: Harbour) -> None:
    kept = place.engine.add_image("kept:1", (("kept", 1_013),))
    olds = [place.engine.add_image(f"old:{number}", ((f"old {number}", 1_009 + number),)) for number in (1, 2)]
    removal = removal_of(place)
    losing(place, "kept:1")
    for number, old in enumerate(olds, start=1):
        removal.remove(as_seen(old, f"old:{number}"))
    removal.give_names_back()
    assert place.engine.store.names["kept:1"] == kept.image_id


def test_a_name_that_cannot_be_given_back_is_told_and_the_next_one_is_tried(place: Harbour) -> None:
    for number in (1, 2):
        place.engine.add_image(f"kept:{number}", ((f"kept {number}", 1_013 + number),))
    old = place.engine.add_image("old:1", (("old", 1_009),))
    removal = removal_of(place)

    def lose() -> None:
        for number in (1, 2):
            place.engine.store.names.pop(f"kept:{number}")

    place.engine.faults = Happening(on={"remove-image": lose})
    removal.remove(as_seen(old, "old:1"))
    place.engine.faults = Happening(fail=frozenset({2}))
    first, second = removal.give_names_back()
    assert first.startswith("kept:1 was lost and could not be given back to ")
    assert second.startswith("kept:2 was lost and has been given back to ")


def test_without_a_removed_image_no_name_is_looked_at(place: Harbour) -> None:
    place.engine.add_image("kept:1", (("kept", 1_013),))
    removal = removal_of(place)
    removal.remove(candidate("volume", "nothing"))
    place.engine.store.names.pop("kept:1")
    assert removal.give_names_back() == ()
