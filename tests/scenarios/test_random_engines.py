"""Intent: whatever lies on an engine, nothing that is needed goes, and as many bytes come free as were promised.

Steps: fill an engine at random; reclaim some bytes, or everything that may go.
State checked: images with their contents, containers that start, volumes, available bytes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from tests.real_engine import BUSYBOX
from tests.scenarios.random_engines import MIB, peopled, reclaim_on

from tonnage.model.reclaim.candidate import Root, Roots

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.real_engine import RealEngine

    from tonnage.model.reclaim.outcome import Removal

pytestmark = [pytest.mark.engine, pytest.mark.each_engine]
FEW, MANY = 2, 50
NEARLY = 0.01
"""The share by which what comes free may differ from what was promised."""
_WRITTEN_MEANWHILE = 192 * 1024
"""The engine's databases grow by up to 80 kB at the removal of a record, seen with Docker 28.5."""
_NOT_YOUNG_S = 3_600.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("seed", range(MANY if metafunc.config.getoption("--long") else FEW))


def test_nothing_needed_goes_and_bytes_come_as_promised(engine: RealEngine, tmp_path: Path, seed: int) -> None:
    place = peopled(engine, seed, tmp_path)
    needed = place.chance.choice([*place.images, BUSYBOX])
    if needed in place.images:
        place.kept_images.add(needed)
    names = {name for each in engine.client.images.list() if each.id in place.kept_images for name in each.tags}
    needs = Roots(images=(Root(needed, "a test needs it"),), now_s=time.time() + _NOT_YOUNG_S)
    missing_bytes = place.chance.choice((None, place.chance.randint(1, 25) * MIB))

    choice, done = reclaim_on(engine, needs, missing_bytes)

    assert [f"{each.candidate.name}: {each.error}" for each in done.removals if each.error] == []
    promised = sum(each.promised_bytes for each in done.removals)
    came = done.available_bytes - choice.available_bytes
    assert abs(came - promised) <= NEARLY * promised + _WRITTEN_MEANWHILE, _wrong(done.removals)
    missed = done.target_bytes - done.available_bytes
    assert choice.short_bytes or missed <= _WRITTEN_MEANWHILE
    assert place.lost() == []
    assert names <= {name for each in engine.client.images.list() for name in each.tags}


def _wrong(removals: Sequence[Removal]) -> str:
    """Tell the removals of which other bytes came free than were promised, the most wrong one first."""
    wrong = sorted(removals, key=lambda each: -abs(each.promised_bytes - each.freed_bytes))[:5]
    return "\n".join(f"{each.candidate.name}: {each.promised_bytes}, came {each.freed_bytes}" for each in wrong)
