"""What builds that nobody measured left on an engine, from its images and records to the first forecast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.forecasts.stacks import FactImage, FactLookups, Facts
from tests.unit.decide.observed import inventory

from tonnage.forecast.costs.seen_builds import seen_builds
from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.forecast.estimate import Grade
from tonnage.model.inventory import CacheRecord, Image, Layer
from tonnage.model.stack import BuildSpec, Service

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.forecast.estimate import InstructionForecast

FACTS = Facts(images={"debian:bookworm": FactImage(layers=[120_000_007])})
BYTES = 31_000_003
DOCKERFILE = """\
FROM debian:bookworm AS made
RUN --mount=type=tmpfs,target=/x make -C /src \\
    all
FROM debian:bookworm
ARG A=1
COPY . /src
RUN sh /src/install.sh $A
COPY --from=made --chown=1:1 /srv /opt/srv
"""


def image(*made_by: str) -> Image:
    layers = tuple(
        Layer(chain_id=f"c{number}", diff_id=f"d{number}", size_bytes=BYTES + number, made_by=text)
        for number, text in enumerate(made_by)
    )
    return Image(
        image_id="sha256:1", references=("web:latest",), layers=layers, size_bytes=1, unique_bytes=1, shared_bytes=0
    )


def record(description: str, size_bytes: int = BYTES, name: str = "r") -> CacheRecord:
    return CacheRecord(
        record_id=name, kind="regular", description=description, size_bytes=size_bytes, in_use=False, shared=False
    )


class Forecasts:
    """Forecasts one service with what an engine has."""

    def __init__(self, directory: Path) -> None:
        (directory / "Dockerfile").write_text(DOCKERFILE)
        spec = BuildSpec(context=str(directory), dockerfile=str(directory / "Dockerfile"))
        self.service = Service(name="web", image="web", build=spec)
        self.cache = directory / "cache"

    def of(self, *images: Image, records: tuple[CacheRecord, ...] = ()) -> dict[str, InstructionForecast]:
        seen = seen_builds(replace(inventory(images=images), cache=records), [self.service])
        with FactLookups(FACTS, self.cache) as lookups:
            [found] = forecast_services([self.service], ForecastContext(seen=seen), lookups)
        return {" ".join(step.text.split()[:2]): step for step in found.steps}


@pytest.fixture
def forecasts(tmp_path: Path) -> Forecasts:
    """Forecasts of one Dockerfile."""
    return Forecasts(tmp_path)


@pytest.mark.parametrize(
    "told",
    [
        "RUN |1 A=1 /bin/sh -c sh /src/install.sh $A # buildkit",
        "|1 A=1 /bin/sh -c sh /src/install.sh $A",
        "RUN /bin/bash -o pipefail -c sh  /src/install.sh   $A # buildkit",
    ],
)
def test_what_the_image_tells_of_a_command_is_learned_at_once(forecasts: Forecasts, told: str) -> None:
    step = forecasts.of(image(told))["RUN sh"]
    assert (step.image.grade, step.image.likely_bytes) == (Grade.LEARNED, BYTES)
    assert step.image.low_bytes < BYTES < step.image.high_bytes
    assert "from the image that is here" in step.contributors[0].source


def test_other_words_and_no_image_teach_nothing(forecasts: Forecasts) -> None:
    for told in ("RUN /bin/sh -c sh /src/install.sh # buildkit", "/bin/sh -c #(nop) COPY file:1 in /src ", "CMD x"):
        assert forecasts.of(image(told))["RUN sh"].image.grade is Grade.UNKNOWN
    assert forecasts.of()["RUN sh"].image.grade is Grade.UNKNOWN


def test_files_that_were_copied_from_another_stage_are_told_by_the_image(forecasts: Forecasts) -> None:
    step = forecasts.of(image("COPY /srv /opt/srv # buildkit"))["COPY --from=made"]
    assert step.image.likely_bytes == BYTES


@pytest.mark.parametrize(
    "told", ["mount / from exec /bin/sh -c make -C /src     all", "[made 2/2] RUN make -C /src all"]
)
def test_a_stage_that_only_gave_files_is_told_by_the_builders_records(forecasts: Forecasts, told: str) -> None:
    own = image("RUN |1 A=1 /bin/sh -c sh /src/install.sh $A # buildkit")
    step = forecasts.of(own, records=(record(told),))["RUN --mount=type=tmpfs,target=/x"]
    assert (step.disk.grade, step.contributors[0].disk.likely_bytes > BYTES) == (Grade.LEARNED, True)


def test_a_record_without_an_image_of_the_service_is_a_guess(forecasts: Forecasts) -> None:
    step = forecasts.of(records=(record("[made 2/2] RUN make -C /src all"),))["RUN --mount=type=tmpfs,target=/x"]
    assert step.disk.grade is Grade.UNKNOWN
    assert BYTES <= step.disk.likely_bytes < 2 * BYTES


def test_records_that_differ_are_a_guess(forecasts: Forecasts) -> None:
    own = image("RUN |1 A=1 /bin/sh -c sh /src/install.sh $A # buildkit")
    two = (record("[made 2/2] RUN make -C /src all"), record("[made 2/2] RUN make -C /src all", 7 * BYTES, "s"))
    assert forecasts.of(own, records=two)["RUN --mount=type=tmpfs,target=/x"].disk.grade is Grade.UNKNOWN
