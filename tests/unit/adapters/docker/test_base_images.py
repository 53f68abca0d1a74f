"""Images of a real engine, looked into without starting them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tonnage.adapters.context.copied_files import tree_of
from tonnage.adapters.docker.base_images import EngineImages
from tonnage.adapters.docker.facts import DockerFacts
from tonnage.model.forecast.base_image import Distribution, ReadFrom

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real_engine import RealEngine

pytestmark = [pytest.mark.engine, pytest.mark.each_engine]

DOCKERFILE = """\
FROM busybox
RUN mkdir -p /usr/bin /srv && dd if=/dev/zero of=/srv/zeros bs=1000 count=101 && touch /usr/bin/python3.12
RUN ln -s python3.12 /usr/bin/python3 && rm /srv/zeros && dd if=/dev/zero of=/srv/ones bs=1000 count=7
RUN printf 'ID=debian\\nVERSION_ID="13"\\nVERSION_CODENAME=trixie\\n' > /etc/os-release
ENV PATH=/usr/bin:/bin PYTHON_VERSION=3.12.8
ONBUILD RUN true
SHELL ["/bin/sh", "-e", "-c"]
LABEL a=b
"""


def test_an_image_of_the_engine_is_looked_into(engine: RealEngine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    api: Any = engine.client.api
    said = list(api.build(path=str(tmp_path), tag="example/base:3.12", rm=True, decode=True))
    assert not [line for line in said if "error" in line], said
    facts = DockerFacts(engine.connection)
    observed = facts.images()
    images = EngineImages(engine.connection, observed, containerd=facts.images_root())
    found = images.base_image("example/base:3.12", "linux/amd64")
    assert found is not None
    assert found.local
    assert found.origin is ReadFrom.ENGINE
    assert found.python == "3.12.8"
    assert found.distribution == Distribution(name="debian", version="13", suite="trixie")
    assert found.apt is None
    assert found.config.onbuild == ("RUN true",)
    assert found.config.shell == ("/bin/sh", "-e", "-c")
    assert found.labels == {"a": "b"}
    busybox = images.base_image("busybox", "linux/amd64")
    assert busybox is not None
    assert found.chain[: len(busybox.chain)] == busybox.chain
    assert found.image.likely_bytes == next(
        each.size_bytes for each in observed if "example/base:3.12" in each.references
    )
    assert not api.containers(all=True)


def test_the_files_of_an_image_can_be_weighed(engine: RealEngine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    api: Any = engine.client.api
    list(api.build(path=str(tmp_path), tag="example/base:3.12", rm=True, decode=True))
    facts = DockerFacts(engine.connection)
    images = EngineImages(engine.connection, facts.images(), containerd=facts.images_root())
    root = images.files("example/base:3.12")
    assert root is not None
    assert tree_of(root.entries("/srv")).image.likely_bytes == 7_000


def test_an_image_that_is_not_there_or_not_for_the_platform_is_none(engine: RealEngine) -> None:
    facts = DockerFacts(engine.connection)
    images = EngineImages(engine.connection, facts.images(), containerd=facts.images_root())
    assert images.base_image("example/none", "linux/amd64") is None
    assert images.base_image("busybox", "linux/s390x") is None
    assert images.files("example/none") is None


def test_an_engine_tells_which_registries_are_spoken_to_plainly(engine: RealEngine) -> None:
    settings = DockerFacts(engine.connection).registries()
    assert "127.0.0.0/8" in settings.insecure
    assert settings.mirrors == ()
