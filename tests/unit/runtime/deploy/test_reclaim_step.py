"""The step of a plan that reclaims: the things that stand in it, until there is enough, and no others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.simulator import Heard
from tests.simulator.facts import SimulatedFacts
from tests.unit.builders import Happening, candidate, harbour, plan, raises, removes

from tonnage.errors import EngineUnreachableError, StepFailedError
from tonnage.runtime.deploy.reclaim_step import reclaim_for_plan
from tonnage.runtime.reclaim.engine_removal import EngineRemoval

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator.deploying import Harbour

    from tonnage.model.deploy.plan import Reclaim
    from tonnage.model.inventory import Filesystem
    from tonnage.model.reclaim.candidate import Candidate


def things(place: Harbour, *sizes: int) -> list[Candidate]:
    """Put images there that nothing uses, and return them as a plan names them."""
    found = []
    for number, size_bytes in enumerate(sizes, start=1):
        name = f"unused:{number}"
        image = place.engine.add_image(name, ((f"contents {number}", size_bytes),))
        found.append(candidate("image", image.image_id, size_bytes, names=(name,)))
    return found


def reclaim(place: Harbour, action: Reclaim, cancel: threading.Event | None = None) -> Heard:
    """Reclaim and return what was said."""
    heard = Heard()
    reclaim_for_plan(
        action,
        plan(place),
        EngineRemoval(place.engine.facts, place.engine.acts, heard),
        facts=place.engine.facts,
        progress=heard,
        cancel=cancel or threading.Event(),
        clock=place.engine.clock,
    )
    return heard


def there(place: Harbour) -> list[str]:
    """Return the names of what is still there."""
    return sorted(name for name in place.engine.store.names if name.startswith("unused"))


def test_things_go_in_their_order_until_there_is_enough_and_the_rest_stays(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    one, two, three = things(place, 1_000_003, 1_000_033, 1_000_037)
    until_bytes = place.engine.disk.available_bytes + 2_000_000
    heard = reclaim(place, removes(two, one, three, until_bytes=until_bytes))
    assert there(place) == ["unused:3"]
    assert heard.places == [f"image {two.name}", f"image {one.name}"]
    assert heard.lines == [
        f"image {two.name}: freed 1.00 MB (expected 1.00 MB)",
        f"image {one.name}: freed 1.00 MB (expected 1.00 MB)",
    ]


def test_nothing_goes_when_there_is_enough_by_then(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    items = things(place, 1_000_003, 1_000_033)
    reclaim(place, removes(*items, until_bytes=place.engine.disk.available_bytes))
    assert there(place) == ["unused:1", "unused:2"]


def test_what_is_used_by_then_stays_is_told_and_the_rest_goes(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    one, two = things(place, 1_000_003, 1_000_033)
    place.engine.add_container("somebody", "unused:1", running=False)
    heard = reclaim(place, removes(one, two, until_bytes=place.engine.disk.available_bytes + 500_000))
    assert there(place) == ["unused:1"]
    assert heard.lines[0] == (
        f"skipped image {one.name}: the image {one.name} stays: the container somebody uses it by now"
    )


def test_what_was_given_another_name_since_the_plan_stays(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    one, two = things(place, 1_000_003, 1_000_033)
    place.engine.acts.tag("unused:1", "kept:1")
    reclaim(place, removes(one, two, until_bytes=place.engine.disk.available_bytes + 500_000))
    assert set(place.engine.store.names) == {"busybox:latest", "kept:1", "unused:1"}


def test_when_too_little_comes_free_the_step_is_done_all_the_same(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    [one] = things(place, 1_000_003)
    reclaim(place, removes(one, until_bytes=place.engine.disk.size_bytes))
    assert there(place) == []


def test_a_stop_ends_it_after_the_removal_that_goes_on(tmp_path: Path) -> None:
    place, cancel = harbour(tmp_path), threading.Event()
    items = things(place, 1_000_003, 1_000_033)
    place.engine.faults = Happening(on={"remove-image": cancel.set})
    with pytest.raises(StepFailedError, match="reclaiming was stopped") as failure:
        reclaim(place, removes(*items, until_bytes=place.engine.disk.size_bytes), cancel)
    assert there(place) == ["unused:2"]
    assert failure.value.why == "1 things were removed before."


def test_an_engine_that_stops_answering_ends_the_step_with_that(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    items = things(place, 1_000_003, 1_000_033)
    place.engine.faults = Happening(on={"remove-image": raises(EngineUnreachableError("gone"))})
    with pytest.raises(EngineUnreachableError):
        reclaim(place, removes(*items, until_bytes=place.engine.disk.size_bytes))
    assert len(place.engine.log) == 1


def test_a_removal_that_fails_does_not_fail_the_step(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    one, two = things(place, 1_000_003, 1_000_033)
    place.engine.faults = Happening(fail=frozenset({1}))
    reclaim(place, removes(one, two, until_bytes=place.engine.disk.size_bytes))
    assert there(place) == ["unused:1"]


def test_a_name_that_was_lost_on_the_way_is_given_back_and_told(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    [one] = things(place, 1_000_003)
    kept = place.engine.add_image("kept:1", (("kept", 1_009),))
    place.engine.faults = Happening(on={"remove-image": lambda: place.engine.store.names.pop("kept:1", None)})
    heard = reclaim(place, removes(one, until_bytes=place.engine.disk.size_bytes))
    assert place.engine.store.names["kept:1"] == kept.image_id
    assert heard.lines[-1] == f"kept:1 was lost and has been given back to {kept.image_id[:19]}"


def test_what_is_available_is_read_where_the_plan_says(tmp_path: Path) -> None:
    place = harbour(tmp_path)
    items = things(place, 1_000_003, 1_000_033)

    class TwoDisks(SimulatedFacts):
        """An engine that also writes to a roomy filesystem, which it names first."""

        def filesystems(self) -> tuple[Filesystem, ...]:
            [own] = super().filesystems()
            return (replace(own, mount="/roomy", available_bytes=own.size_bytes), own)

    place.engine.facts = TwoDisks(place.engine)
    reclaim(place, removes(*items, until_bytes=place.engine.disk.available_bytes + 1))
    assert there(place) == ["unused:2"]
