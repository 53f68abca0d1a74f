from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import Index, serving

from tonnage.errors import CannotFetchError
from tonnage.forecast.gather.single_flight import SingleFlight
from tonnage.model.forecast.python_lock import ResolveRequest, Target
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from pathlib import Path


def test_who_forecasts_again_without_a_network_knows_what_was_found_out_before(tmp_path: Path) -> None:
    target = Target(python="3.11", platform="x86_64-manylinux_2_28")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    answers = SingleFlight()
    with serving() as server:
        offered = Index(server)
        offered.wheel("hull", "1.0")
        request = ResolveRequest(requirements=("hull",), index_url=offered.url)
        with RealLookups(environment, tmp_path / "one", answers=answers) as first:
            lock = first.resolve(request, target)
            inside = first.contents(lock, request)
    with RealLookups(environment, tmp_path / "other", offline=True, answers=answers) as second:
        assert second.resolve(request, target) == lock
        assert second.contents(lock, request) == inside
    with (
        RealLookups(environment, tmp_path / "third", offline=True) as third,
        pytest.raises(CannotFetchError),
    ):
        third.resolve(request, target)
