"""Installs whose index cannot be reached: bounded by what is known elsewhere, and remembered for what comes later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.forecast.gather.conftest import BESIDE, DRIVER, LARGE, NEW

from tonnage.forecast.costs.usual_sizes import heaviest
from tonnage.model.forecast.estimate import Grade

if TYPE_CHECKING:
    from tests.unit.adapters.file_server import Index
    from tests.unit.forecast.gather.conftest import Forecast

NOBODY = "http://127.0.0.1:9/whl/cu121"
"""Nobody listens there, which takes seconds to find out."""


@pytest.fixture
def refusing(indexes: tuple[Index, Index]) -> str:
    """Return the address of an index that gives nothing."""
    for name in ("torch", "reader", "beside"):
        indexes[0].server.add(f"/whl/cu121/{name}/", b"", status=403)
        indexes[0].server.add(f"/whl/cpu/{name}/", b"", status=403)
    return f"{indexes[0].server.address}/whl/cu121"


@pytest.mark.parametrize(
    "install",
    [
        f"--extra-index-url {NOBODY} torch==2.3.1",
        "--extra-index-url REFUSING torch==2.3.1+cu121",
        "--index-url REFUSING torch==2.3.1",
        "-f REFUSING/torch/ torch==2.3.1+cu121",
    ],
)
def test_a_build_of_an_index_that_cannot_be_reached_is_bounded_by_the_usual_one(
    forecast: Forecast, refusing: str, install: str
) -> None:
    found = forecast(f"RUN pip install --no-cache-dir {install.replace('REFUSING', refusing)}")
    last = found.steps[-1].image
    assert found.failures
    assert not found.broken
    assert last.grade is Grade.UNKNOWN
    assert last.low_bytes == 0
    assert last.likely_bytes == pytest.approx(LARGE + DRIVER, rel=0.01)
    assert last.high_bytes >= 500_000_000


def test_what_is_known_to_be_heavy_is_bounded_by_its_usual_size_where_nobody_tells_more(
    forecast: Forecast, refusing: str
) -> None:
    most = heaviest(["torch"])
    assert most > 5_000_000_000
    for install in (
        f"--index-url {refusing} torch==9.9",
        f"'torch @ {refusing}/torch-2.3.1-cp311-cp311-linux_x86_64.whl'",
    ):
        found = forecast(f"RUN pip install --no-cache-dir {install}")
        assert found.steps[-1].image.high_bytes >= most
        assert found.steps[-1].image.low_bytes == 0


def test_a_build_for_the_processor_alone_is_bounded_by_less(forecast: Forecast, refusing: str) -> None:
    found = forecast(f"RUN pip install --no-cache-dir --index-url {refusing.replace('cu121', 'cpu')} torch==9.9")
    assert 1_000_000_000 < found.steps[-1].image.high_bytes < 2_000_000_000


@pytest.mark.parametrize("asked", ["torch==2.3.1", "torch"])
def test_what_was_not_resolved_satisfies_what_is_installed_later(forecast: Forecast, refusing: str, asked: str) -> None:
    found = forecast(f"RUN pip install --index-url {refusing} {asked}\nRUN pip install --no-cache-dir beside")
    assert found.steps[-1].image.likely_bytes == pytest.approx(BESIDE + NEW, rel=0.01)


@pytest.mark.parametrize("asked", ["torch==2.3.1", "torch"])
def test_another_version_of_it_comes_all_the_same(forecast: Forecast, refusing: str, asked: str) -> None:
    found = forecast(f"RUN pip install --index-url {refusing} {asked}\nRUN pip install --no-cache-dir torch==2.15.0")
    assert found.steps[-1].image.high_bytes >= LARGE


def test_names_that_may_be_private_are_asked_of_no_other_index(
    indexes: tuple[Index, Index], forecast: Forecast, refusing: str
) -> None:
    server = indexes[0].server
    server.asked.clear()
    forecast(f"RUN pip install --index-url {refusing} reader beside==1.0 torch==2.3.1")
    asked = {path for path, _ in server.asked}
    assert f"{indexes[0].path}/torch/" in asked
    assert not {f"{indexes[0].path}/reader/", f"{indexes[0].path}/beside/"} & asked
