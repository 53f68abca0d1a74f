from __future__ import annotations

import pytest

from tonnage.decide.reports.known_engines import engine_named, pushes_packed, runner_image
from tonnage.errors import UsageError
from tonnage.model.forecast.estimate import EngineKind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("docker-20.10", EngineKind.BUILDKIT),
        ("docker-28", EngineKind.BUILDKIT),
        ("docker-28.0.4", EngineKind.BUILDKIT),
        ("docker-28-containerd", EngineKind.CONTAINERD),
        ("docker-29", EngineKind.CONTAINERD),
        ("docker-29.4.2", EngineKind.CONTAINERD),
        ("docker-29-classic", EngineKind.BUILDKIT),
        ("docker-31", EngineKind.CONTAINERD),
        ("classic", EngineKind.CLASSIC),
        ("container", EngineKind.CONTAINER),
    ],
)
def test_a_name_says_how_an_engine_builds_and_keeps_images(name: str, kind: EngineKind) -> None:
    assert engine_named(name).kind is kind


@pytest.mark.parametrize(
    "name", ["", "docker", "docker-", "docker-2", "docker-1.13", "docker-29.x", "29", "docker-29-overlay2", "podman"]
)
def test_another_name_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        engine_named(name)
    assert "docker-29" in caught.value.todo
    assert "containerd" in caught.value.todo


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("docker-29", True),
        ("docker-29.0", True),
        ("docker-29.0.0", False),
        ("docker-29.0.1", True),
        ("docker-29-classic", False),
        ("docker-28-containerd", False),
        ("containerd", False),
    ],
)
def test_images_are_pushed_without_being_unpacked_since_29_0_1(name: str, packed: bool) -> None:  # noqa: FBT001 - a case
    engine = engine_named(name)
    assert pushes_packed(engine.kind, engine.version) is packed


def test_a_runner_has_the_engine_of_its_image() -> None:
    here = runner_image(["ubuntu-24.04"])
    assert here is not None
    assert (here.engine.kind, here.engine.version, here.successor) == (
        EngineKind.BUILDKIT, (28, 0, 4), "ubuntu-26.04",
    )  # fmt: skip
    after = runner_image([here.successor])
    assert after is not None
    assert (after.engine.kind, after.engine.version, after.successor) == (EngineKind.CONTAINERD, (29, 4, 2), "")


def test_of_a_runner_of_ones_own_nothing_is_known() -> None:
    assert runner_image(["self-hosted", "linux"]) is None


def test_a_runner_without_an_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="ubuntu-slim has no engine"):
        runner_image(["ubuntu-slim"])
