from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.outside import make_world

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.outside import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)
