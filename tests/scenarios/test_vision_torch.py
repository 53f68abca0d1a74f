"""Intent: with torch and CUDA's libraries the reference stack gives the same right answers, on a disk of 14 GB.

It downloads 2.9 GB, so it runs on demand only: with TONNAGE_TEST_TORCH=1. No GPU is needed: this torch also works on
the CPU.

Steps: build, let the torch that was built make the weights, deploy, ask with the stack's own client.
State checked: answers, images, available bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rectangles import KEYPOINTS
from tests.scenarios.vision_answers import assert_right
from tests.scenarios.vision_stack import BASE, SERVICES, base_image, vision_stack, why_there_is_no_base_image
from tests.scenarios.watching import available_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.real_engine import RealEngine

ASKED = "TONNAGE_TEST_TORCH"
pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(os.environ.get(ASKED) != "1", reason=f"downloads 2.9 GB: only with {ASKED}=1"),
]

DISK_BYTES = 14_000_000_000
ALONE = ("-f", "docker-compose.yml")


def test_with_torch_the_answers_are_the_same(engine_factory: Callable[[int], RealEngine], tmp_path: Path) -> None:
    assert not why_there_is_no_base_image()
    engine = engine_factory(DISK_BYTES)
    with open(base_image(), "rb") as archive:  # noqa: PTH123 - a path as text
        engine.client.images.load(archive)
    with vision_stack(tmp_path) as stack:
        stack.endpoint, stack.address = engine.endpoint, engine.address
        built = stack.tonnage("build", *ALONE, within_s=2400, BACKEND="torch")
        assert built.exit_code == 0, built.stderr
        engine.client.containers.run(
            "vision/yolo-nas:torch",
            ["python", "/weights/make_test_weights.py", "--backend=torch"],
            user="root",
            volumes={str(stack.weights): {"bind": "/weights", "mode": "rw"}},
            remove=True,
        )
        deployed = stack.tonnage("deploy", *ALONE, within_s=600, BACKEND="torch")
        assert deployed.exit_code == 0, deployed.stderr
        for service in SERVICES:
            status, told = stack.ask(f"/{service}/healthz")
            assert (status, told["backend"]) == (200, "torch")
        image = tmp_path / "image.png"
        done = subprocess.run(
            [sys.executable, stack.directory / "make_test_image.py", image], check=True, capture_output=True, text=True
        )
        assert_right(stack.predict(image, tmp_path / "drawn.png"), json.loads(done.stdout), KEYPOINTS)
    layers = [engine.client.images.get(f"vision/{service}:torch").attrs["RootFS"]["Layers"] for service in SERVICES]
    assert len({tuple(each[:4]) for each in layers}) == 1
    assert engine.client.images.get(BASE).attrs["RootFS"]["Layers"] == layers[0][:1]
    assert available_bytes(engine.mount) > DISK_BYTES // 2
