"""A server that sends a page in place of a wheel: it asks to sign in, say. What is known of the wheel bounds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import Index, serving
from tests.unit.forecast.gather.conftest import forecasting

from tonnage.model.forecast.estimate import Grade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = b"<!DOCTYPE html><html><body>Sign in to go on</body></html>"
WHEEL = "page-1.0-py3-none-any.whl"


@pytest.fixture(params=[True, False], ids=["sizes", "no sizes"])
def index(request: pytest.FixtureRequest) -> Iterator[Index]:
    with serving() as server:
        made = Index(server, sizes=request.param)
        made.wheel("reader", "1.0", files={"reader/data.bin": b"x" * 100_003})
        made.wheel("page", "1.0")
        server.add(f"/files{made.path}/{WHEEL}", PAGE, headers={"Content-Type": "text/html"})
        yield made


@pytest.mark.parametrize(
    "command",
    [
        "pip install --no-cache-dir page reader",
        "pip install --no-cache-dir --no-deps page==1.0 reader",
        "pip install --no-cache-dir 'page @ URL' reader",
        "uv pip install --system --no-cache page reader",
        "pip download -d /w page reader",
    ],
)
def test_a_page_in_place_of_a_wheel_is_a_bound_and_no_crash(index: Index, tmp_path: Path, command: str) -> None:
    url = f"{index.server.address}/files{index.path}/{WHEEL}"
    found = forecasting(index.url, tmp_path)(f"RUN {command.replace('URL', url)}")
    last = found.steps[-1].image
    assert last.high_bytes >= 100_003
    assert last.grade is not Grade.EXACT
    [page] = [each for each in found.steps[-1].contributors if "page" in each.name][:1]
    assert page.disk.grade is Grade.UNKNOWN or "download" in command
