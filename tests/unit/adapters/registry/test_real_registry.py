"""A real registry on the loopback: what an engine pushed is read back without pulling."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from tests.docker_registry import free_address, needs_registry, registry

from tonnage.adapters.docker.facts import DockerFacts
from tonnage.adapters.registry.images import ImageRegistry
from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.errors import CannotFetchError
from tonnage.model.forecast.base_image import ReadFrom

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real_engine import RealEngine

pytestmark = [pytest.mark.engine, needs_registry]
# The same in the engine's network and in this one, where others may use any that is fixed.
ADDRESS = free_address()
REFERENCE = f"{ADDRESS}/fleet/base:1.7"
DOCKERFILE = """\
FROM busybox
RUN dd if=/dev/zero of=/zeros bs=1000 count=3001
ENV PYTHON_VERSION=3.12.7
WORKDIR /srv
USER user
"""


def test_what_an_engine_pushed_is_read_back_without_pulling(engine: RealEngine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    api: Any = engine.client.api
    list(api.build(path=str(tmp_path), tag=REFERENCE, rm=True, decode=True))
    with registry(tmp_path, ADDRESS, engine.netns):
        pushed = list(api.push(REFERENCE, stream=True, decode=True))
    assert not [line for line in pushed if "error" in line]
    facts = DockerFacts(engine.connection)
    image = next(image for image in facts.images() if REFERENCE in image.references)

    kept = DiskCache(tmp_path / "kept")
    with registry(tmp_path, ADDRESS, ""), Web(os.environ) as web:
        found = ImageRegistry(web, kept, environment={}).base_image(REFERENCE, "linux/amd64")
        with pytest.raises(CannotFetchError, match=r"there is no image fleet/base:2\.0"):
            ImageRegistry(web, kept, environment={}).base_image(f"{ADDRESS}/fleet/base:2.0", "linux/amd64")
        assert web.fetched_bytes < 20_000

    assert found.chain == image.chain
    # In containerd an image is its index, with its blobs, and a registry is asked for one platform.
    if facts.engine().image_store == "classic":
        assert found.image_id == image.image_id
        assert found.image.low_bytes <= image.size_bytes <= found.image.high_bytes
    assert found.layers[1].image.low_bytes <= 3_001_000 <= found.layers[1].image.high_bytes
    assert found.layers[1].source == "the end of its gzip stream"
    assert found.config.user == "user"
    assert found.config.working_directory == "/srv"
    assert found.python == "3.12.7"
    assert found.origin is ReadFrom.REGISTRY

    with Web(os.environ, offline=True) as web:
        fresh = ImageRegistry(web, kept, environment={}).base_image(REFERENCE, "linux/amd64")
        again = ImageRegistry(web, kept, environment={}, tag_holds_s=-1.0).base_image(REFERENCE, "linux/amd64")
    assert fresh.layers == again.layers == found.layers
    assert fresh.notes == ()
    assert again.origin is ReadFrom.CACHE
    assert "fleet/base:1.7 is what it was a moment ago" in again.notes[0]
