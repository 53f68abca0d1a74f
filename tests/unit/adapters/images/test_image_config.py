from __future__ import annotations

import pytest

from tonnage.adapters.images.image_config import distribution, python_version, usual_apt
from tonnage.model.forecast.base_image import Distribution

DEBIAN = "# debian.sh --arch 'amd64' out/ 'trixie' '@1745798400'"
OLD_DEBIAN = "/bin/sh -c #(nop) ADD file:0123 in / "
ALPINE = "ADD alpine-minirootfs-3.20.3-x86_64.tar.gz / # buildkit"


@pytest.mark.parametrize(
    ("reference", "environment", "history", "version"),
    [
        ("registry.example.org/web:1", {"PYTHON_VERSION": "3.12.7"}, (), "3.12.7"),
        ("web", {"PYTHON_VERSION": "3.13.0rc2"}, (), "3.13.0"),
        ("web", {}, ("ENV PYTHON_VERSION=3.10.4", "ENV PYTHON_VERSION=3.11.9"), "3.11.9"),
        ("python:3.11-slim", {}, (), "3.11"),
        ("registry.example.org/mirror/python:3.9.18-bookworm", {}, (), "3.9.18"),
        ("python:latest", {}, (), ""),
        ("python:3", {}, (), ""),
        ("node:3.11", {}, (), ""),
    ],
)
def test_a_python_leaves_traces(
    reference: str, environment: dict[str, str], history: tuple[str, ...], version: str
) -> None:
    assert python_version(reference, environment, history) == version


@pytest.mark.parametrize(
    ("reference", "labels", "history", "system"),
    [
        ("web", {}, (DEBIAN,), Distribution(name="debian", version="13", suite="trixie")),
        ("web", {}, (ALPINE,), Distribution(name="alpine", version="3.20")),
        ("python:3.11-slim-bookworm", {}, (OLD_DEBIAN,), Distribution(name="debian", version="12", suite="bookworm")),
        ("python:3.12-alpine3.19", {}, (), Distribution(name="alpine", version="3.19")),
        ("python:3.12-alpine", {}, (), Distribution(name="alpine")),
        ("alpine:3.18", {}, (), Distribution(name="alpine", version="3.18")),
        ("debian:12", {}, (), Distribution(name="debian", version="12", suite="bookworm")),
        ("ubuntu:24.04", {}, (), Distribution(name="ubuntu", version="24.04", suite="noble")),
        (
            "example/cuda:12.4.1-runtime-ubuntu22.04",
            {},
            (),
            Distribution(name="ubuntu", version="22.04", suite="jammy"),
        ),
        (
            "web",
            {"org.opencontainers.image.ref.name": "ubuntu", "org.opencontainers.image.version": "22.04"},
            (),
            Distribution(name="ubuntu", version="22.04", suite="jammy"),
        ),
        ("python:3.11-slim", {}, (), None),
        ("web:1", {}, (), None),
    ],
)
def test_a_system_leaves_traces(
    reference: str, labels: dict[str, str], history: tuple[str, ...], system: Distribution | None
) -> None:
    assert distribution(reference, labels, history) == system


def test_only_systems_with_apt_have_a_usual_apt() -> None:
    debian = usual_apt(Distribution(name="debian", suite="bookworm"))
    assert debian is not None
    assert not debian.keeps_debs
    assert usual_apt(Distribution(name="alpine")) is None
    assert usual_apt(None) is None
    assert Distribution(name="alpine").musl
