"""Fixtures for the vision services: weights made once, and each service in process with a client."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import make_test_weights
import nas_service
import pytest
import rtmpose_service
import yolo_service
from fastapi.testclient import TestClient
from serving.app import create_app
from serving.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Start = Callable[..., TestClient]

SERVICES = {service.name: service for service in (yolo_service.SERVICE, rtmpose_service.SERVICE, nas_service.SERVICE)}


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with all weights for ONNX Runtime and their manifest."""
    directory = tmp_path_factory.mktemp("weights")
    assert make_test_weights.main(["--into", str(directory), "--backend", "onnx"]) == 0
    return directory


@pytest.fixture(scope="session")
def usual(weights: Path) -> Iterator[Mapping[str, TestClient]]:
    """All services with their default settings, which tests share."""
    with ExitStack() as running:
        yield {
            name: running.enter_context(TestClient(create_app(SERVICES[name], Settings(weights_dir=weights))))
            for name in SERVICES
        }


@pytest.fixture
def start(weights: Path, usual: Mapping[str, TestClient]) -> Iterator[Start]:
    """Start a service in process: its name, and settings that differ from the default ones."""
    with ExitStack() as running:

        def start_one(name: str, **settings: object) -> TestClient:
            if not settings:
                return usual[name]
            chosen = Settings(**{"weights_dir": weights, **settings})  # type: ignore[arg-type]
            return running.enter_context(TestClient(create_app(SERVICES[name], chosen)))

        yield start_one
