"""What the name of an image tells of its Python and its system, and settings of installers that are not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tonnage.forecast.costs.base_layers import distribution_named, python_named, target_of
from tonnage.model.forecast.estimate import Grade

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.forecast.gather.conftest import Forecast


@pytest.mark.parametrize(
    ("image", "python", "platform"),
    [
        ("python:3.12-alpine", "3.12", "x86_64-unknown-linux-musl"),
        ("python:3.9-slim-bullseye", "3.9", "x86_64-manylinux_2_31"),
        ("example.org/nvidia/cuda:12.1.0-cudnn8-runtime-ubuntu22.04", "3.10", "x86_64-manylinux_2_35"),
        ("ubuntu:24.04", "3.12", "x86_64-manylinux_2_39"),
        ("debian:bookworm-slim", "3.11", "x86_64-manylinux_2_36"),
        ("debian:13", "3.13", "x86_64-manylinux_2_41"),
        ("node:20-bookworm", "3.11", "x86_64-manylinux_2_36"),
        ("alpine:3.20", "3.12", "x86_64-unknown-linux-musl"),
        ("example.org/uv:python3.12-bookworm-slim", "3.12", "x86_64-manylinux_2_36"),
        ("example.org/airflow:2.9.1-python3.11", "3.11", "x86_64-manylinux_2_36"),
        ("rocm/pytorch:rocm6.0_ubuntu22.04_py3.9_pytorch_2.1", "3.9", "x86_64-manylinux_2_36"),
    ],
)
def test_the_name_of_an_image_tells_its_python(image: str, python: str, platform: str) -> None:
    target = target_of(python_named(image), "linux/amd64", distribution_named(image))
    assert target is not None
    assert (target.python, target.platform) == (python, platform)


@pytest.mark.parametrize("image", ["jupyter/base-notebook:ubuntu-22.04", "example.org/miniforge:24.1-jammy", "scratch"])
def test_an_image_that_may_have_another_python_than_its_system_tells_none(image: str) -> None:
    assert target_of(python_named(image), "linux/amd64", distribution_named(image)) is None


@pytest.mark.parametrize(
    ("lines", "grade"),
    [
        ("RUN --mount=type=secret,id=x,target=/etc/pip.conf pip install --no-cache-dir reader", Grade.DECLARED),
        (
            "ENV PIP_CONFIG_FILE=/c\nRUN --mount=type=secret,id=x,target=/c pip install --no-cache-dir reader",
            Grade.DECLARED,
        ),
        ("COPY pip.conf /etc/pip.conf\nRUN pip install --no-cache-dir reader", Grade.DECLARED),
        ("COPY uv.toml /etc/uv/uv.toml\nRUN uv pip install --system --no-cache reader", Grade.DECLARED),
        ("COPY uv.toml /etc/uv/uv.toml\nRUN pip install --no-cache-dir reader", Grade.EXACT),
        ("RUN --mount=type=secret,id=x,target=/root/.netrc pip install --no-cache-dir reader", Grade.EXACT),
    ],
)
def test_versions_are_declared_where_settings_are_not_read(
    forecast: Forecast, tmp_path: Path, lines: str, grade: Grade
) -> None:
    for name in ("pip.conf", "uv.toml"):
        (tmp_path / name).write_text("")
    found = forecast(lines)
    last = found.steps[-1]
    assert last.image.grade is grade
    assert (2 * last.image.low_bytes < last.image.likely_bytes * 1.1) == (grade is Grade.DECLARED)
    assert any("is not read" in note for note in found.notes) == (grade is Grade.DECLARED)


def test_browsers_are_bounded_by_their_number(forecast: Forecast) -> None:
    one = forecast("RUN playwright install --with-deps chromium").steps[-1].image
    every = forecast("RUN playwright install").steps[-1].image
    assert one.high_bytes == 1_600_000_000
    assert every.high_bytes == 2_100_000_000
