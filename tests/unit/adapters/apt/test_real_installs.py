"""What a real build keeps of an ``apt-get install``, beside what was forecast of it in two ways."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tonnage.adapters.apt.lists import AptLists
from tonnage.adapters.docker.base_images import EngineImages
from tonnage.adapters.docker.facts import DockerFacts
from tonnage.adapters.docker.image_transfer import ImageStore
from tonnage.adapters.docker.throwaway_container import LABEL, EngineProbe
from tonnage.adapters.web.client import Web
from tonnage.adapters.web.disk_cache import DiskCache
from tonnage.errors import CannotFetchError
from tonnage.forecast.costs.apt.costs import apt_forecast, choose, probed_forecast

if TYPE_CHECKING:
    from tests.real_engine import RealEngine

    from tonnage.model.forecast.debian_package import AptForecast

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SCRIPT = Path(__file__).resolve().parents[4] / "script" / "base-image"
BASE = "python:3.11-slim"
PACKAGES = ("curl", "libgomp1")


def installed_bytes(engine: RealEngine, directory: Path, then: str = "") -> int:
    """Build an image that installs the packages; return the bytes of the layer."""
    install = f"apt-get update && apt-get install -y --no-install-recommends {' '.join(PACKAGES)}{then}"
    (directory / "Dockerfile").write_text(f"FROM {BASE}\nRUN {install}\n")
    api: Any = engine.client.api
    said = list(api.build(path=str(directory), tag="installed", rm=True, decode=True))
    assert not [line for line in said if "error" in line], said[-5:]
    return int(api.history("installed")[0]["Size"])


def whole(forecast: AptForecast) -> tuple[int, int, int]:
    total = forecast.image + forecast.lists + forecast.caches + forecast.debs
    return total.low_bytes, total.likely_bytes, total.high_bytes


def test_what_apt_brings_is_forecast_by_lists_and_by_the_image_itself(engine: RealEngine, tmp_path: Path) -> None:
    made = subprocess.run(["bash", str(SCRIPT)], check=True, capture_output=True, text=True).stdout.strip()
    ImageStore(engine.connection).take_file(BASE, Path(made))
    facts = DockerFacts(engine.connection)
    images = EngineImages(engine.connection, facts.images(), containerd=facts.images_root())
    base = images.base_image(BASE, "linux/amd64")
    assert base is not None
    assert base.python == "3.11"
    assert base.distribution is not None
    assert (base.distribution.name, base.distribution.suite) == ("debian", "bookworm")
    assert base.apt is not None
    with Web(os.environ) as web:
        lists = AptLists(web, DiskCache(tmp_path / "kept"))
        try:
            index = lists.index(base.apt.sources, base.apt.architecture)
        except CannotFetchError as error:
            pytest.skip(f"needs the package lists of the base image: {error}")
    by_lists = apt_forecast(choose(index, PACKAGES, base.apt, recommends=False), index.lists(), base.apt)

    probe = EngineProbe(engine.connection)
    probed = probe.apt(base.image_id, PACKAGES, recommends=False)
    by_image = probed_forecast(probed, base.apt)
    with pytest.raises(CannotFetchError, match="cannot say what it would install"):
        probe.apt(base.image_id, ("there-is-none-of-this-name",))
    assert not engine.client.containers.list(all=True, filters={"label": LABEL})

    assert {each.name for each in by_image.packages} == {each.name for each in by_lists.packages}
    assert by_image.debs == by_lists.debs
    built = tmp_path / "built"
    built.mkdir()
    kept = installed_bytes(engine, built)
    cleaned = installed_bytes(engine, built, " && apt-get clean && rm -rf /var/lib/apt/lists/*")
    for forecast in (by_lists, by_image):
        low, likely, high = whole(forecast)
        assert low <= kept <= high
        assert abs(likely - kept) <= kept * 0.02
        assert forecast.image.low_bytes <= cleaned <= forecast.image.high_bytes
