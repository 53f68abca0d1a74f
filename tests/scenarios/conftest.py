"""A project of its own for every scenario, and an engine that is found as it was left."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest
from tests.scenarios.driving import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.real_engine import RealEngine


@pytest.fixture
def project_on(tmp_path: Path) -> Iterator[Callable[[RealEngine], Project]]:
    """Make a project on an engine; what it started is ended with the test."""
    made: list[Project] = []

    def make(engine: RealEngine) -> Project:
        # Its name stands in the commands of every build, so that the processes of one test are known from all others.
        name = f"fleet-{secrets.token_hex(3)}"
        directory = tmp_path / name
        directory.mkdir()
        made.append(Project(real=engine, directory=directory, name=name, state=tmp_path / f"state-{name}"))
        return made[-1]

    yield make
    for project in made:
        project.close()


@pytest.fixture
def project(engine: RealEngine, project_on: Callable[[RealEngine], Project]) -> Project:
    """Return an empty project on the engine of the session."""
    return project_on(engine)
