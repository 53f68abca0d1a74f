from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
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
