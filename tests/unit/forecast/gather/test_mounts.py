from __future__ import annotations

from typing import TYPE_CHECKING

from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.stack import BuildSpec, Service
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from pathlib import Path

LARGE_BYTES = 7_000_003


def test_a_tmpfs_may_bring_the_whole_context_to_the_builder(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(LARGE_BYTES))
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\nRUN --mount=type=tmpfs,target=/t true\n")
    build = BuildSpec(context=str(tmp_path), dockerfile=str(tmp_path / "Dockerfile"))
    with RealLookups({}, tmp_path / "cache", offline=True) as lookups:
        [found] = forecast_services([Service(name="web", image="web", build=build)], ForecastContext(), lookups)

    assert found.image.high_bytes < LARGE_BYTES
    assert found.disk.low_bytes < LARGE_BYTES < found.disk.high_bytes
