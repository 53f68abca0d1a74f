"""Intent: an example stack whose disk is too small because of another stack's old images gets rid of these, and starts.

Steps: fill a disk with images of a stack that is gone; deploy an example with a reserve that does not fit beside them.
State checked: exit code, the steps that reclaimed, which images are left, available bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.real_engine import busybox_archive
from tests.scenarios.random_engines import MIB, available, layer, load
from tests.scenarios.vision_stack import (
    BASE,
    SERVICES,
    base_image,
    make_weights,
    vision_stack,
    why_there_is_no_base_image,
)

from tonnage.model.deploy.run import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.real_engine import RealEngine
    from tests.scenarios.driving import Project

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.long("a whole example takes minutes, and test_reclaim_ways.py fills a disk with less"),
]
HELLO = Path(__file__).resolve().parents[2] / "examples" / "hello" / "compose.yaml"


def deploy_among_others(real: RealEngine, project: Project, file: Path) -> set[str]:
    """Deploy a stack onto a disk that images of another one fill but for 100 MiB; return the images that are left."""
    api: Any = real.client.api
    for _ in api.load_image(Path(base_image()).read_bytes()):
        pass
    assert api.inspect_image(BASE)
    theirs = {f"theirs-{number}:1" for number in range(5)}
    for number, image in enumerate(sorted(theirs)):
        load(real, image, [busybox_archive(), layer(80 + number, 150 * MIB)])
    reserve_bytes = available(real) - 100 * MIB
    ended = project.tonnage("deploy", "-f", str(file), "--keep-free", f"{reserve_bytes}B")
    assert ended.exit_code == 0, ended.stderr
    [run] = project.runs()
    assert run.outcome is Outcome.DONE
    assert [step.name for step in run.steps if step.name.endswith(".reclaim")]
    left = {name for image in real.client.images.list() for name in image.tags}
    assert not theirs <= left
    assert available(real) >= reserve_bytes
    return left


def test_hello_makes_room_for_itself_among_images_of_a_stack_that_is_gone(
    engine_factory: Callable[[int], RealEngine], project_on: Callable[[RealEngine], Project]
) -> None:
    if reason := why_there_is_no_base_image():
        pytest.skip(reason)
    real = engine_factory(2_000_000_011)
    assert "hello/model:latest" in deploy_among_others(real, project_on(real), HELLO)


def test_the_vision_stack_makes_room_for_itself_as_well(
    engine_factory: Callable[[int], RealEngine], project_on: Callable[[RealEngine], Project], tmp_path: Path
) -> None:
    if reason := why_there_is_no_base_image():
        pytest.skip(reason)
    real = engine_factory(2_000_000_011)
    with vision_stack(tmp_path / "example") as stack:
        make_weights(stack.weights, "onnx")
        left = deploy_among_others(real, project_on(real), stack.directory / "docker-compose.yml")
    assert {f"vision/{service}:onnx" for service in SERVICES} <= left
