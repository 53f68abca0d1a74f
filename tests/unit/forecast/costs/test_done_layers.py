from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.forecast.gather.test_services import service

from tonnage.forecast.costs.done_layers import DoneLayers, done_layers
from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.deploy.run import BuiltLayer
from tonnage.model.inventory import CacheRecord, Engine, Image, Inventory
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.forecast.estimate import ServiceForecast
    from tonnage.model.stack import BuildSpec

RUN = "RUN head -c 52000003 /dev/urandom > /big"
FIRST = f"FROM scratch AS made\n{RUN}\nFROM scratch\nCOPY --from=made /big /big\nRUN head -c 3000017 /dev/zero > /own\n"
LAYER = 52_000_003


class Written(RealLookups):
    """Reads one Dockerfile everywhere."""

    def __init__(self, cache: Path, text: str) -> None:
        super().__init__({}, cache, offline=True)
        self._text = text

    def dockerfile(self, spec: BuildSpec) -> str:
        del spec
        return self._text


def forecast(directory: Path, text: str, done: DoneLayers) -> ServiceForecast:
    with Written(directory / "cache", text) as lookups:
        [found] = forecast_services([service("web", directory)], ForecastContext(), lookups, done=done)
    return found


def of_first_build(directory: Path, *, stage_is_there: bool) -> DoneLayers:
    steps = forecast(directory, FIRST, DoneLayers()).steps
    stage = {step.key for step in steps if step.text == RUN}
    image = {step.key for step in steps if step.key} - stage
    return (
        DoneLayers(frozenset(image | stage), frozenset())
        if stage_is_there
        else DoneLayers(frozenset(image), frozenset(stage))
    )


@pytest.mark.parametrize(
    ("change", "again_bytes", "with_stage_bytes"),
    [
        # Nothing that takes from the stage is done again.
        (("/own", "/mine"), 3_000_017, 3_000_017),
        (("3000017", "0"), 0, 0),
        # What takes from it is: of a stage that has gone everything is made anew.
        (("/big\nRUN", "/large\nRUN"), LAYER + 3_000_017, 2 * LAYER + 3_000_017),
        (
            ("FROM scratch\nCOPY", "FROM scratch\nCOPY --from=made /big /first\nCOPY"),
            2 * LAYER + 3_000_017,
            3 * LAYER + 3_000_017,
        ),
    ],
)
def test_a_stage_that_went_from_the_cache_is_built_again_where_it_is_needed(
    tmp_path: Path, change: tuple[str, str], again_bytes: int, with_stage_bytes: int
) -> None:
    changed = FIRST.replace(*change)
    there, gone = (
        forecast(tmp_path, changed, of_first_build(tmp_path, stage_is_there=each)).disk for each in (True, False)
    )

    # With what BuildKit notes of the stage that is copied from.
    assert there.likely_bytes == pytest.approx(again_bytes, abs=700_000)
    assert gone.likely_bytes == pytest.approx(with_stage_bytes, abs=700_000)
    assert forecast(tmp_path, FIRST, of_first_build(tmp_path, stage_is_there=False)).disk.high_bytes == 0


def cached(description: str) -> Inventory:
    record = CacheRecord(
        record_id="1", kind="regular", description=description, size_bytes=1, in_use=False, shared=False
    )
    image = Image(image_id="sha256:1", references=(), layers=(), size_bytes=1, unique_bytes=1, shared_bytes=0)
    engine = Engine(
        engine_id="ABCD",
        endpoint="unix:///x",
        version="28.5.2",
        api_version="1.51",
        storage_driver="overlay2",
        image_store="classic",
        data_root="/d",
    )
    return Inventory(engine=engine, filesystems=(), images=(image,), cache=(record,))


@pytest.mark.parametrize(
    ("description", "text"),
    [
        ("mount / from exec /bin/sh -c head -c 52000003 /dev/urandom > /big", RUN),
        ("[made 1/1] RUN head -c 52000003 /dev/urandom > /big", RUN),
        ("[made 2/3] COPY one /srv/", "COPY --chown=7 one /srv/"),
        ("mount / from exec /bin/sh -c make  all", "RUN --mount=type=cache,target=/c make all"),
    ],
)
def test_a_layer_of_a_stage_is_there_as_long_as_the_build_cache_says_where_it_comes_from(
    description: str, text: str
) -> None:
    stage = BuiltLayer("made:1", "sha256:1", text, in_image=False)
    image = BuiltLayer("made:2", "sha256:1", "COPY two /srv/")
    removed = BuiltLayer("made:3", "sha256:2", text)

    assert done_layers((stage, image, removed), cached(description)).there == {"made:1", "made:2"}
    other = done_layers((stage, image, removed), cached("mount / from exec /bin/sh -c true"))
    assert other.there == {"made:2"}
    assert other.gone == {"made:1"}
