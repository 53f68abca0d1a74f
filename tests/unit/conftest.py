"""What tests of several layers stand on: a world without an engine, and a server that answers on the loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.adapters.file_server import serving
from tests.unit.cli.simulated_ports import make_world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.adapters.file_server import FileServer
    from tests.unit.cli.simulated_ports import World


@pytest.fixture(autouse=True)
def no_other_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """See no reclaim that goes on in the background of this machine, such as that of another test."""
    monkeypatch.setattr("tonnage.runtime.reclaim.background.shared_directory", lambda: tmp_path)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A server on the loopback."""
    with serving() as running:
        yield running
