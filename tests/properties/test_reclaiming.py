"""What holds on every engine: nothing needed goes, what comes free is what was said, no more goes than must."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.properties.engines import peopled
from tests.simulator import Heard, VirtualEvent

from tonnage.decide.reclaim.choice import decide, decide_everything
from tonnage.decide.reclaim.engine_candidates import engine_findings
from tonnage.runtime.deploy.observe import observe
from tonnage.runtime.reclaim.engine_removal import EngineRemoval
from tonnage.runtime.reclaim.executor import carry_out

if TYPE_CHECKING:
    from tests.properties.engines import Peopled

    from tonnage.model.reclaim.outcome import ReclaimChoice, Reclaimed

# What 1,000 engines were run with for the record; every commit runs fewer.
ENGINES = int(os.environ.get("TONNAGE_TEST_ENGINES", "100"))
often = settings(max_examples=ENGINES)


def choose_on(place: Peopled, missing_bytes: int | None) -> ReclaimChoice:
    """Look at an engine and decide; None is everything."""
    seen = observe(place.simulator.facts)
    # On the simulated disk a layer takes nothing besides its contents.
    seen = replace(seen, engine=replace(seen.engine, storage_driver="simulated"))
    findings = engine_findings(seen, place.needs)
    available_bytes = place.simulator.disk.available_bytes
    if missing_bytes is None:
        return decide_everything(findings, available_bytes=available_bytes)
    return decide(findings, available_bytes=available_bytes, target_bytes=available_bytes + missing_bytes)


def carry_out_on(place: Peopled, choice: ReclaimChoice) -> Reclaimed:
    """Remove what was chosen."""
    engine = place.simulator
    removal = EngineRemoval(engine.facts, engine.acts, Heard())
    done = carry_out(
        choice,
        available=lambda: engine.disk.available_bytes,
        remove=removal.remove,
        on_begin=lambda _candidate: None,
        on_end=lambda _removal: None,
        cancel=VirtualEvent(engine.clock),
        clock=engine.clock,
    )
    assert removal.give_names_back() == ()
    return done


@often
@given(peopled(), st.one_of(st.none(), st.integers(0, 90_000_011)))
def test_nothing_that_is_needed_is_ever_removed_and_bytes_come_as_promised(
    place: Peopled, missing_bytes: int | None
) -> None:
    engine = place.simulator
    names_before = {name: held for name, held in engine.store.names.items() if held in place.images}
    before_bytes = engine.disk.available_bytes
    choice = choose_on(place, missing_bytes)
    done = carry_out_on(place, choice)

    assert set(place.images) <= set(engine.store.images)
    assert names_before.items() <= engine.store.names.items()
    assert place.containers <= set(engine.containers)
    assert place.volumes <= set(engine.volumes)
    for container in place.running:
        image = engine.store.find(container.image_id)
        assert image is not None
        assert all(engine.disk.owned_bytes(f"layer {layer.chain_id}") == layer.size_bytes for layer in image.layers)

    assert [each.error for each in done.removals] == [None] * len(done.removals)
    came_bytes = engine.disk.available_bytes - before_bytes
    assert came_bytes == done.available_bytes - before_bytes
    assert came_bytes == sum(each.promised_bytes for each in done.removals)
    if choice.short_bytes:
        assert came_bytes == choice.freed_bytes
    else:
        assert done.enough
    assert done.missing_bytes == 0


@often
@given(peopled(), st.integers(1, 90_000_011))
def test_of_what_was_removed_nothing_could_have_been_left(place: Peopled, missing_bytes: int) -> None:
    choice = choose_on(place, missing_bytes)
    done = carry_out_on(place, choice)
    if not done.enough or not done.removals:
        return
    beyond_bytes = done.available_bytes - done.target_bytes
    assert beyond_bytes < max(each.promised_bytes for each in done.removals)
    assert done.spared == ()
