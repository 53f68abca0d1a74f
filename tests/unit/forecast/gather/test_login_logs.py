"""Logs of logins, which some systems make longer for an account of a high number: what the forecast knows of them.

Source: shadow 4.8 of Debian 11 makes ``/var/log/lastlog`` longer, where that is there; 4.13 of Debian 12, measured,
does not, as pull request 558 of shadow says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.forecasts.stacks import FactImage, FactLookups, Facts

from tonnage.forecast.gather.context import ForecastContext
from tonnage.forecast.gather.services import forecast_services
from tonnage.model.forecast.base_image import Distribution
from tonnage.model.forecast.estimate import Grade
from tonnage.model.stack import BuildSpec, Service

if TYPE_CHECKING:
    from pathlib import Path

    from tonnage.model.forecast.estimate import InstructionForecast

HIGH = 3_000_000
LOGS_BYTES = HIGH * 324


def last(directory: Path, system: str, *lines: str) -> InstructionForecast:
    (directory / "Dockerfile").write_text("\n".join(("FROM x/base", *lines, "")))
    facts = Facts(images={"x/base": FactImage(layers=[70_000_003], system=system)})
    spec = BuildSpec(context=str(directory), dockerfile=str(directory / "Dockerfile"))
    with FactLookups(facts, directory / "cache") as lookups:
        [found] = forecast_services([Service(name="web", image="web", build=spec)], ForecastContext(), lookups)
    assert not found.broken
    return found.steps[-1]


@pytest.mark.parametrize(
    ("system", "likely_bytes", "high_bytes"),
    [
        ("debian 11", LOGS_BYTES, LOGS_BYTES),
        ("ubuntu 22.04", LOGS_BYTES, LOGS_BYTES),
        ("debian 12", 0, 0),
        ("debian 13", 0, 0),
        ("ubuntu 24.04", 0, 0),
        ("alpine 3.20", 0, 0),
        ("almalinux 9", 0, LOGS_BYTES),
        ("debian", 0, LOGS_BYTES),
        ("", 0, LOGS_BYTES),
    ],
)
def test_what_an_account_of_a_high_number_takes_follows_from_the_system(
    tmp_path: Path, system: str, likely_bytes: int, high_bytes: int
) -> None:
    usual = last(tmp_path, system, "RUN useradd app")
    found = last(tmp_path, system, f"RUN useradd -u {HIGH} app")

    assert found.image.likely_bytes == usual.image.likely_bytes + likely_bytes
    assert found.image.high_bytes == usual.image.high_bytes + high_bytes
    assert (found.image.low_bytes, found.image.grade) == (0, Grade.DECLARED)
    # Holes need not be on the disk.
    assert found.disk.likely_bytes == usual.disk.likely_bytes


def test_a_number_that_is_not_known_is_assumed_where_there_are_such_logs(tmp_path: Path) -> None:
    lines = ("ARG NUMBER", "RUN useradd -u $NUMBER app")

    assert last(tmp_path, "debian 11", *lines).image.grade is Grade.UNKNOWN
    assert last(tmp_path, "debian 13", *lines).image.high_bytes <= 1_000_000


def test_a_later_account_copies_the_logs_that_an_earlier_one_made(tmp_path: Path) -> None:
    found = last(tmp_path, "debian 11", f"RUN useradd -u {HIGH} one", "RUN useradd -u 1000 two")

    assert found.image.high_bytes > LOGS_BYTES


def test_two_accounts_of_one_instruction_make_the_logs_as_long_as_the_higher_number_needs(tmp_path: Path) -> None:
    found = last(tmp_path, "debian 11", f"RUN useradd -u 1000 one && useradd -u {HIGH} two && useradd -u 70000 three")

    assert LOGS_BYTES <= found.image.likely_bytes < LOGS_BYTES + 1_000_000


@pytest.mark.parametrize(
    ("name", "version", "keeps"),
    [("debian", "10", True), ("debian", "14", False), ("ubuntu", "26.04", False), ("fedora", "40", None)],
)
def test_which_systems_keep_such_logs(name: str, version: str, *, keeps: bool | None) -> None:
    assert Distribution(name=name, version=version).keeps_logins is keeps
