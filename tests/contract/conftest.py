"""The worlds that the contract suite runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contract.world import SimulatedWorld

if TYPE_CHECKING:
    from tests.contract.world import World


@pytest.fixture(params=["simulator"])
def world() -> World:
    """Return an engine with ``busybox:latest`` and nothing else on it."""
    return SimulatedWorld()
