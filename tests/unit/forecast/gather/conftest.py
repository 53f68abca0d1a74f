"""Forecasts of Dockerfiles whose packages are offered by an index of their own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import Index, serving

from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.stack import BuildSpec, Service
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tonnage.model.forecast.estimate import ServiceForecast

    Forecast = Callable[[str], ServiceForecast]

SMALL, LARGE, DRIVER, BESIDE, OLD, NEW = 2_000_003, 61_000_001, 90_000_017, 1_000_003, 7_000_003, 11_000_027


def wheel(index: Index, name: str, version: str, size: int, *requires: str, folder: str = "") -> None:
    index.wheel(
        name, version, requires=requires, files={f"{folder or name}/data.bin": os.urandom(1_009) * (size // 1_009)}
    )


@pytest.fixture(scope="session")
def indexes() -> Iterator[tuple[Index, Index]]:
    """The index that everybody asks, and one of small builds."""
    with serving() as server:
        usual, small = Index(server), Index(server, path="/small")
        wheel(usual, "torch", "2.3.1", LARGE, "driver")
        wheel(usual, "torch", "2.15.0", LARGE, "driver")
        wheel(usual, "driver", "12.1", DRIVER)
        wheel(usual, "beside", "1.0", BESIDE, "torch>=1.11", "reader")
        wheel(usual, "demanding", "1.0", BESIDE, "torch>=2.5")
        wheel(usual, "reader", "1.0", OLD)
        wheel(usual, "reader", "2.0", NEW)
        wheel(small, "torch", "2.3.1+cpu", SMALL)
        yield usual, small


def forecasting(usual: str, directory: Path, small: str = "") -> Forecast:
    """Return what forecasts a Dockerfile on ``scratch`` whose packages an index offers, by its address."""

    class Written(RealLookups):
        def dockerfile(self, spec: BuildSpec) -> str:
            return spec.dockerfile_inline

    def run(lines: str) -> ServiceForecast:
        environment = {"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull, "UV_DEFAULT_INDEX": usual}
        text = f"FROM scratch\n{lines}".replace("SMALL", f"--index-url {small}")
        spec = BuildSpec(context=str(directory), dockerfile="x", dockerfile_inline=text)
        with Written(environment | {"PIP_INDEX_URL": usual}, directory / "cache") as lookups:
            [found] = forecast_services(
                [Service(name="web", image="web", build=spec)], ForecastContext(python="3.11"), lookups
            )
        return found

    return run


@pytest.fixture
def forecast(indexes: tuple[Index, Index], tmp_path: Path) -> Forecast:
    """Forecast a Dockerfile in which ``SMALL`` is the address of the index of small builds."""
    run = forecasting(indexes[0].url, tmp_path, indexes[1].url)
    return lambda lines: run(f"ENV PYTHONDONTWRITEBYTECODE=1\n{lines}")
