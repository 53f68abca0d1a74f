"""A builder in a container: what it keeps in its volume, what is loaded into the engine, and where its cache goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tonnage.forecast.costs.build_costs import BLOB_DISK, LAYER_DISK, forecast_service
from tonnage.forecast.costs.done_layers import DoneLayers
from tonnage.forecast.costs.totals import without_unpacking
from tonnage.model.forecast.estimate import EXPORTED, EngineKind, exactly
from tonnage.model.forecast.sized_effects import (
    BaseLayerBytes,
    BaseLayers,
    BuildWork,
    CacheExport,
    SizedEffect,
    StageWork,
    StepWork,
    WrittenBytes,
)

if TYPE_CHECKING:
    from tonnage.model.forecast.estimate import ServiceForecast

BASE_BYTES, BASE_BLOB, MADE_BYTES, MADE_BLOB = 70_000_013, 30_000_007, 40_000_003, 39_000_019
BASE = BaseLayers(
    name="example.org/base:1",
    layers=(
        BaseLayerBytes(
            chain_id="base", image=exactly(BASE_BYTES), disk=exactly(BASE_BYTES), compressed=exactly(BASE_BLOB),
            present=True,
        ),
    ),
)  # fmt: skip


def made(*, base: BaseLayers = BASE, steps: bool = True, exports: tuple[CacheExport, ...] = ()) -> BuildWork:
    written = WrittenBytes(
        name="/big", place="/big", image=exactly(MADE_BYTES), disk=exactly(MADE_BYTES), compressed=exactly(MADE_BLOB)
    )
    step = StepWork(line=2, text="RUN make", identity="make", effects=(SizedEffect(writes=(written,)),))
    stage = StageWork(index=0, base=base, steps=(step,) if steps else ())
    return BuildWork(service="web", stages=(stage,), target=0, exports=exports)


def roles(found: ServiceForecast) -> dict[str, int]:
    sums: dict[str, int] = {}
    for step in found.steps:
        for holding in step.holdings:
            if not holding.present:
                sums[holding.role] = sums.get(holding.role, 0) + holding.kept.likely_bytes
    return sums


SMALL = 4 * LAYER_DISK.likely_bytes + 100_000


def test_the_builder_pulls_a_base_for_itself_although_the_engine_has_it() -> None:
    found = forecast_service(made(), EngineKind.CONTAINER)
    builders = BASE_BYTES + BASE_BLOB + MADE_BYTES + MADE_BLOB
    # The engine has the base, so only what was made is loaded; the archive on the way holds both.
    assert found.disk.likely_bytes == pytest.approx(builders + MADE_BYTES, abs=SMALL)
    assert found.transient.likely_bytes == pytest.approx(BASE_BLOB + MADE_BLOB, abs=SMALL)
    assert found.download.likely_bytes == BASE_BLOB
    assert set(roles(found)) == {"data-root"}


def test_a_base_that_the_builder_has_is_not_pulled_again() -> None:
    found = forecast_service(made(base=replace(BASE, beside=True)), EngineKind.CONTAINER)
    assert found.disk.likely_bytes == pytest.approx(2 * MADE_BYTES + MADE_BLOB, abs=SMALL)
    assert found.download.likely_bytes == 0


def test_a_result_in_containerd_is_kept_packed_and_unpacked_where_that_lies() -> None:
    found = roles(forecast_service(made(), EngineKind.CONTAINER_CONTAINERD))
    assert found["data-root"] == pytest.approx(BASE_BYTES + BASE_BLOB + MADE_BYTES + MADE_BLOB, abs=SMALL)
    assert found["containerd"] == pytest.approx(MADE_BYTES + MADE_BLOB, abs=SMALL)


def test_what_the_builder_pushes_itself_is_not_loaded() -> None:
    found = without_unpacking(forecast_service(made(), EngineKind.CONTAINER))
    assert found.disk.likely_bytes == pytest.approx(BASE_BYTES + BASE_BLOB + MADE_BYTES + MADE_BLOB, abs=SMALL)
    assert not any("load the image" in step.text for step in found.steps)


@pytest.mark.parametrize(
    ("beside", "alone"),
    [
        (EngineKind.CONTAINER, EngineKind.BUILDKIT),
        (EngineKind.CONTAINER_CONTAINERD, EngineKind.CONTAINERD),
    ],
)
def test_an_image_that_is_only_pulled_is_the_engines_alone(beside: EngineKind, alone: EngineKind) -> None:
    lacking = replace(BASE, layers=tuple(replace(layer, present=False) for layer in BASE.layers))
    work = made(base=lacking, steps=False)
    assert forecast_service(work, beside) == forecast_service(work, alone)


LOCAL = CacheExport(directory="/srv/cache", whole=False, text="type=local /srv/cache")
AWAY = CacheExport(directory="", whole=False, text="type=gha")


def test_a_directory_keeps_the_compressed_layers_of_the_image() -> None:
    for engine in (EngineKind.CONTAINER, EngineKind.CONTAINERD):
        found = roles(forecast_service(made(exports=(LOCAL,)), engine))
        present = 0 if engine is EngineKind.CONTAINERD else BASE_BLOB
        assert found[EXPORTED] == present + MADE_BLOB + BLOB_DISK.likely_bytes


def test_what_the_engine_has_built_already_is_counted_in_the_high_figure_alone() -> None:
    once = forecast_service(made(exports=(LOCAL,)), EngineKind.CONTAINERD)
    key = next(step.key for step in once.steps if step.text == "RUN make")
    [export] = [
        step
        for step in forecast_service(made(exports=(LOCAL,)), EngineKind.CONTAINERD, DoneLayers(frozenset({key}))).steps
        if step.role == EXPORTED
    ]
    assert (export.disk.low_bytes, export.disk.likely_bytes) == (0, 0)
    assert export.disk.high_bytes == BASE_BLOB + MADE_BLOB + BLOB_DISK.high_bytes


def test_a_stage_that_is_no_image_is_exported_only_with_all_stages() -> None:
    other = StageWork(
        index=0,
        base=None,
        steps=made().stages[0].steps,
    )
    copies = StepWork(line=9, text="RUN other", identity="other")
    image = StageWork(index=1, base=BASE, steps=(copies,))
    # What the image adds has a blob too, of nothing but its heads.
    each = BLOB_DISK.likely_bytes
    for whole, expected in ((False, each), (True, MADE_BLOB + 2 * each)):
        work = BuildWork(service="web", stages=(other, image), target=1, exports=(replace(LOCAL, whole=whole),))
        found = roles(forecast_service(work, EngineKind.CONTAINERD))
        assert found.get(EXPORTED, 0) == expected


def test_what_is_sent_away_is_said_and_not_kept() -> None:
    found = forecast_service(made(exports=(AWAY,)), EngineKind.CONTAINER)
    assert found.disk == forecast_service(made(), EngineKind.CONTAINER).disk
    assert found.notes == ("cache_to type=gha: up to 69.0 MB are sent, and nothing of them stays here",)
