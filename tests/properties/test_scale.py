"""Work grows with what there is to work on: twice as much of it makes at most twice as many calls.

Calls are counted and not seconds, so that a busy machine changes nothing. Seconds are printed by ``bench/scale.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.calls import calls_of
from tests.unit.decide import observed

from tonnage.decide.reclaim import subset_search
from tonnage.decide.reclaim.choice import decide
from tonnage.decide.reclaim.engine_candidates import engine_findings
from tonnage.model.inventory import CacheRecord, Layer
from tonnage.model.reclaim.candidate import Roots

if TYPE_CHECKING:
    from collections.abc import Callable

    from tonnage.model.inventory import Image, Inventory

# Sorting and heaps take a little more than twice as long for twice as much.
TWICE = 2.2
LAYER_BYTES = 1_003_571


def growth(work: Callable[[int], Callable[[], object]], size: int) -> float:
    """Return how many times as many calls twice the size makes; what is imported or made once is called before."""
    work(3)()
    once, twice = (calls_of(work(count)) for count in (size, 2 * size))
    return twice / once


def _image(number: int) -> Image:
    names = [*(f"shared {number % 5} {each}" for each in range(3)), *(f"own {number} {each}" for each in range(3))]
    layers = tuple(Layer(chain_id=name, diff_id=name, size_bytes=LAYER_BYTES, made_by=f"RUN {name}") for name in names)
    image = observed.image(number, f"host.example.org/app{number}:1", unique_bytes=3 * LAYER_BYTES)
    return replace(image, layers=layers)


def _inventory(images: int, records: int, store: str) -> Inventory:
    cache = tuple(
        CacheRecord(
            record_id=f"record{number}",
            kind="regular",
            description=f"mount / from exec own {number // 6} {number % 3}",
            size_bytes=LAYER_BYTES + number,
            in_use=False,
            shared=number % 2 == 0,
            parents=(f"record{number - 1}",) if number % 6 else (),
        )
        for number in range(records)
    )
    there = observed.inventory(images=tuple(map(_image, range(images))))
    return replace(there, cache=cache, engine=replace(there.engine, image_store=store))


def _reclaiming(images: int, records: int, store: str) -> Callable[[], object]:
    there = _inventory(images, records, store)
    # Half of all there is: the search has to go a long way.
    target_bytes = (3 * images + records // 2) * LAYER_BYTES // 2
    needs = Roots(now_s=1_800_000_000.0)
    return lambda: decide(engine_findings(there, needs), available_bytes=0, target_bytes=target_bytes)


@pytest.fixture
def no_exact_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the search that ends at a limit of its own: to there it grows faster."""
    monkeypatch.setattr(subset_search, "MOST_LOOKED_AT", 0)


@pytest.mark.usefixtures("no_exact_search")
@pytest.mark.parametrize("store", ["classic", "containerd"])
def test_reclaiming_grows_with_the_images(store: str) -> None:
    assert growth(lambda size: _reclaiming(size, 0, store), 150) < TWICE


@pytest.mark.usefixtures("no_exact_search")
@pytest.mark.parametrize("store", ["classic", "containerd"])
def test_reclaiming_grows_with_the_records_of_the_build_cache(store: str) -> None:
    assert growth(lambda size: _reclaiming(20, size, store), 150) < TWICE
