"""Builds that stand on the image of another service of the same stack: what it weighs counts once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.errors import UsageError
from tonnage.forecast.costs.build_costs import IMAGE_DISK
from tonnage.forecast.costs.totals import forecast_stack
from tonnage.forecast.gather.build import refuse_circles
from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.forecast.estimate import EngineKind
from tonnage.model.stack import BuildSpec, Service
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.forecast.estimate import ServiceForecast

BASE = "FROM scratch\nENV LIKES=plums\nWORKDIR /srv\nCOPY large .\nONBUILD COPY kept /kept\n"
LARGE_BYTES = 7_000_003


@pytest.fixture
def lookups(tmp_path: Path) -> RealLookups:
    return RealLookups({}, tmp_path / "cache", offline=True)


def service(root: Path, name: str, dockerfile: str, image: str = "", **files: bytes) -> Service:
    directory = root / name
    directory.mkdir()
    (directory / "Dockerfile").write_text(dockerfile)
    for file, content in files.items():
        (directory / file).write_bytes(content)
    build = BuildSpec(context=str(directory), dockerfile=str(directory / "Dockerfile"))
    return Service(name=name, image=image or f"shop/{name}", build=build)


def forecast(lookups: RealLookups, *services: Service) -> tuple[ServiceForecast, ...]:
    around = ForecastContext(builders=tuple(each for each in services if each.build is not None))
    return forecast_services(services, around, lookups)


@pytest.mark.parametrize("name", ["shop/base", "shop/base:latest", "docker.io/shop/base"])
def test_a_build_goes_on_where_that_of_another_service_ends(tmp_path: Path, lookups: RealLookups, name: str) -> None:
    base = service(tmp_path, "base", BASE, large=b"x" * LARGE_BYTES)
    web = service(tmp_path, "web", f"FROM {name}\nCOPY own $LIKES\n", own=b"y" * 1_009, kept=b"z" * 503)

    below, above = forecast(lookups, base, web)
    whole = forecast_stack("shop", EngineKind.BUILDKIT, (below, above))

    assert not above.failures
    assert below.image.likely_bytes == LARGE_BYTES
    assert above.image.likely_bytes == LARGE_BYTES + 1_009 + 503
    assert whole.image.likely_bytes == above.image.likely_bytes
    # Two images have two configurations, and nothing else twice.
    assert whole.disk.likely_bytes == above.disk.likely_bytes + IMAGE_DISK.likely_bytes
    assert [step.text for step in above.steps][-2:] == ["COPY kept /kept", "COPY own plums"]


def test_files_are_copied_out_of_another_service(tmp_path: Path, lookups: RealLookups) -> None:
    base = service(tmp_path, "base", BASE, large=b"x" * LARGE_BYTES)
    web = service(tmp_path, "web", "FROM scratch\nCOPY --from=shop/base /srv/large /\n")

    below, above = forecast(lookups, base, web)
    whole = forecast_stack("shop", EngineKind.BUILDKIT, (below, above))

    assert above.image.likely_bytes == LARGE_BYTES
    assert whole.image.likely_bytes == 2 * LARGE_BYTES
    # Only what a layer takes beside its files is not counted.
    assert whole.image.grade == "exact"
    assert whole.disk.high_bytes - whole.disk.low_bytes < LARGE_BYTES


def test_an_image_that_another_service_builds_is_not_pulled(tmp_path: Path, lookups: RealLookups) -> None:
    base = service(tmp_path, "base", BASE, large=b"x" * LARGE_BYTES)
    worker = Service(name="worker", image="shop/base")

    below, above = forecast(lookups, base, worker)

    assert (above.service, above.failures) == ("worker", ())
    assert above.image == below.image
    assert forecast_stack("shop", EngineKind.BUILDKIT, (below, above)).disk == below.disk


def test_an_image_that_is_named_like_its_base_is_built_on_the_one_outside(tmp_path: Path, lookups: RealLookups) -> None:
    own = service(tmp_path, "own", "FROM shop/own\nCOPY large /\n", large=b"x" * LARGE_BYTES)

    [found] = forecast(lookups, own)

    assert "the image shop/own" in found.failures[0]
    assert found.image.high_bytes > LARGE_BYTES


def test_services_on_each_other_are_refused_with_the_line(tmp_path: Path, lookups: RealLookups) -> None:
    first = service(tmp_path, "first", "FROM shop/third\n")
    second = service(tmp_path, "second", "FROM shop/first\n")
    third = service(tmp_path, "third", "# a\nFROM scratch\nCOPY --from=shop/second / /\n")
    around = ForecastContext(builders=(first, second, third))

    with pytest.raises(UsageError) as refused:
        refuse_circles(around, lookups)

    assert "first -> third -> second -> first" in refused.value.what
    assert refused.value.place == f"{tmp_path}/second/Dockerfile:1"
    assert all("in a circle" in found.failures[0] for found in forecast(lookups, first, second, third))
