from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.unit.decide.reports.test_diagnosis import RUN, STEP

from tonnage.decide.reports.log_patterns import read_log
from tonnage.decide.reports.log_place import machine_elsewhere, run_of_log
from tonnage.decide.reports.machine_figures import Machine, service_of
from tonnage.model.reports.symptom import Here, LogOrigin

HERE = Here(hostname="workshop.example.org")
FULL = "cp: error writing 'x': No space left on device"


def _elsewhere(*lines: str, here: Here = HERE) -> str:
    return machine_elsewhere(read_log(lines), here)


def test_a_log_of_this_machine_s_journal_is_of_here() -> None:
    assert _elsewhere(f"Nov  2 09:18:21 workshop dockerd[811]: {FULL}") == ""
    assert _elsewhere(f"Nov  2 09:18:21 build07 dockerd[811]: {FULL}") == "the machine build07"


def test_on_a_runner_its_own_log_is_of_here() -> None:
    line = f"2026-11-02T09:18:21.7712450Z {FULL}"

    assert _elsewhere(line) == "the GitHub runner"
    assert _elsewhere(line, here=replace(HERE, runner="the GitHub runner")) == ""


def test_a_home_that_is_not_here_is_of_another_machine() -> None:
    line = "cp: error writing '/home/ada/x': No space left on device"

    assert _elsewhere(line, here=replace(HERE, absent=frozenset({"/home/ada/x"}))) == "another machine"
    assert _elsewhere(line) == ""
    assert _elsewhere(f"#9 1.0 {line}", here=replace(HERE, absent=frozenset({"/home/ada/x"}))) == ""


@pytest.mark.parametrize(
    ("begin_s", "end_s", "written_s", "services", "fits"),
    [
        (10.0, 80.0, None, frozenset(), True),
        (10.0, 80.0, None, frozenset({"web"}), True),
        (10.0, 80.0, None, frozenset({"api"}), False),
        (5_000.0, 5_100.0, None, frozenset(), False),
        (None, None, 100.0, frozenset(), True),
        (None, None, 9_000.0, frozenset(), False),
        (None, None, None, frozenset(), False),
    ],
)
def test_a_run_fits_by_its_time_and_its_service(
    begin_s: float | None, end_s: float | None, written_s: float | None, services: frozenset[str], *, fits: bool
) -> None:
    run = replace(RUN, steps=(STEP,))
    found = run_of_log([run], LogOrigin(begin_s=begin_s, end_s=end_s), written_s, services)

    assert (found is run) is fits


def test_a_name_in_front_of_a_line_is_that_of_its_service() -> None:
    log = read_log(["shop-web-1  | OSError: [Errno 28] No space left on device"])

    assert service_of(log.symptoms[0], Machine(services=("web", "db")), log.origin) == "web"


def test_a_stage_is_no_service() -> None:
    log = read_log(["#5 [builder 2/3] RUN tar", "#5 1.0 tar: x: Cannot write: No space left on device"])

    assert service_of(log.symptoms[0], Machine(services=("web", "db")), log.origin) == ""
    assert service_of(log.symptoms[0], Machine(services=("builder",)), log.origin) == "builder"
