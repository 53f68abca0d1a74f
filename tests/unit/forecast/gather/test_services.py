from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.forecast.estimate import EngineKind
from tonnage.model.stack import BuildSpec, Service
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from pathlib import Path


class Waiting(RealLookups):
    """Reads one Dockerfile at once, waits before another one, and fails at a third."""

    def __init__(self, cache: Path) -> None:
        super().__init__({}, cache, offline=True)
        self.go_on = threading.Event()

    def dockerfile(self, spec: BuildSpec) -> str:
        if "slow" in spec.context:
            self.go_on.wait(600)
        if "odd" in spec.context:
            raise ZeroDivisionError("by a defect")
        return "FROM scratch\nRUN true\n"


def service(name: str, directory: Path) -> Service:
    (directory / name).mkdir(exist_ok=True)
    return Service(name=name, image=name, build=BuildSpec(context=str(directory / name), dockerfile="x"))


def test_what_takes_too_long_is_given_up_and_the_others_are_forecast(tmp_path: Path) -> None:
    lookups = Waiting(tmp_path / "cache")
    services = [service("slow", tmp_path), service("web", tmp_path)]
    # What is imported by the first forecast only must not count.
    forecast_services(services[1:], ForecastContext(), lookups)
    slow, web = forecast_services(services, ForecastContext(assume_bytes=104_729), lookups, within_s=2.0)
    lookups.go_on.set()

    assert (slow.service, slow.found_out) == ("slow", False)
    assert "took too long" in slow.failures[0]
    assert slow.disk.high_bytes == 104_729
    assert web.found_out
    assert not web.failures


def test_a_signal_ends_it(tmp_path: Path) -> None:
    lookups = Waiting(tmp_path / "cache")
    cancel = threading.Event()
    cancel.set()

    [slow] = forecast_services([service("slow", tmp_path)], ForecastContext(), lookups, cancel=cancel)
    lookups.go_on.set()

    assert not slow.found_out


def test_a_defect_keeps_nobody_from_a_forecast_of_the_others(tmp_path: Path) -> None:
    lookups = Waiting(tmp_path / "cache")

    odd, web = forecast_services([service("odd", tmp_path), service("web", tmp_path)], ForecastContext(), lookups)

    assert "ZeroDivisionError" in odd.failures[0]
    assert web.found_out


def test_why_a_dockerfile_cannot_be_read_is_told_in_sentences(tmp_path: Path) -> None:
    with RealLookups({}, tmp_path / "cache", offline=True) as lookups:
        [web] = forecast_services([service("web", tmp_path)], ForecastContext(), lookups)

    assert "cannot be read. No such file or directory. Write it" in web.failures[0]


class Written(RealLookups):
    """Reads the same Dockerfile everywhere."""

    def dockerfile(self, spec: BuildSpec) -> str:
        del spec
        return (
            "FROM scratch AS made\nRUN head -c 7000003 /dev/urandom >/made\n"
            "FROM scratch\nCOPY --from=made /made /made\nRUN head -c 50000017 /dev/urandom >/big\n"
        )


def test_in_containerd_a_built_layer_lies_there_as_snapshot_as_blob_and_unpacked_for_the_image(tmp_path: Path) -> None:
    [classic], [there] = (
        forecast_services(
            [service("web", tmp_path)], ForecastContext(engine=engine), Written({}, tmp_path / "cache", offline=True)
        )
        for engine in (EngineKind.BUILDKIT, EngineKind.CONTAINERD)
    )
    layer, stage = 50_000_017, 7_000_003
    assert classic.disk.likely_bytes == pytest.approx(layer + 2 * stage, rel=0.01)
    assert there.disk.likely_bytes == pytest.approx(3 * layer + 4 * stage, rel=0.01)
    assert there.image.likely_bytes == pytest.approx(2 * classic.image.likely_bytes, rel=0.01)
    assert {holding.role for step in there.steps for holding in step.holdings} == {"containerd"}


def test_what_is_assumed_of_a_service_lies_where_images_do(tmp_path: Path) -> None:
    for engine, role in ((EngineKind.BUILDKIT, "data-root"), (EngineKind.CONTAINERD, "containerd")):
        [odd] = forecast_services(
            [service("odd", tmp_path)], ForecastContext(engine=engine), Waiting(tmp_path / "cache")
        )
        assert [holding.role for holding in odd.steps[0].holdings] == [role]


def test_what_a_builder_is_told_to_attach_is_counted_where_there_is_a_place_for_it(tmp_path: Path) -> None:
    plain = service("web", tmp_path)
    assert plain.build is not None
    told = {
        "as it is": plain,
        "nothing": replace(plain, build=replace(plain.build, provenance="false", sbom="false")),
        "how it was built": replace(plain, build=replace(plain.build, provenance="mode=max")),
        "what is in it": replace(plain, build=replace(plain.build, sbom="generator=example.org/scanner:1")),
        "by the usual program": replace(plain, build=replace(plain.build, sbom="true")),
    }
    found = {
        (engine, name): forecast_services(
            [each], ForecastContext(engine=engine, assume_bytes=104_729), Written({}, tmp_path / "cache", offline=True)
        )[0]
        for engine in (EngineKind.BUILDKIT, EngineKind.CONTAINERD)
        for name, each in told.items()
    }
    assert len({found[EngineKind.BUILDKIT, name].disk for name in told}) == 1
    there = {name: found[EngineKind.CONTAINERD, name] for name in told}
    assert there["nothing"].disk == there["as it is"].disk
    assert 0 < there["how it was built"].disk.high_bytes - there["as it is"].disk.high_bytes < 300_000
    last = there["what is in it"].steps[-1]
    assert last.text == "list what is in the image with example.org/scanner:1"
    # No registry could be asked how large that program is.
    assert last.disk.high_bytes >= 104_729
    assert there["what is in it"].failures
    assert there["by the usual program"].steps[-1].text.endswith(" docker/buildkit-syft-scanner:stable-1")
    assert there["what is in it"].image.likely_bytes == there["as it is"].image.likely_bytes + 1_000_000
