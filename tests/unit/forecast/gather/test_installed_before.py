"""What an earlier instruction installed: it satisfies, is replaced, removed, and copied from stage to stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.forecast.gather.conftest import BESIDE, DRIVER, LARGE, NEW, OLD, SMALL

if TYPE_CHECKING:
    from tests.unit.forecast.gather.conftest import Forecast

    from tonnage.model.forecast.estimate import ServiceForecast


def costs(found: ServiceForecast) -> list[int]:
    """Return what each RUN leaves."""
    assert not found.failures
    return [step.image.likely_bytes for step in found.steps if step.text.startswith("RUN")]


def test_a_build_of_another_index_satisfies_what_is_installed_later(forecast: Forecast) -> None:
    for between in ("\nRUN ", " && "):
        found = forecast(f"RUN pip install --no-cache-dir torch==2.3.1 SMALL{between}pip install --no-cache-dir beside")
        assert sum(costs(found)) == pytest.approx(SMALL + BESIDE + NEW, rel=0.01)
        assert found.transient.likely_bytes < DRIVER


def test_what_does_not_satisfy_is_replaced(forecast: Forecast) -> None:
    found = forecast("RUN pip install torch==2.3.1 SMALL\nRUN pip install demanding")
    assert costs(found)[1] == pytest.approx(LARGE + DRIVER + BESIDE, rel=0.01)


def test_the_version_that_is_replaced_in_the_same_instruction_is_only_needed_on_the_way(forecast: Forecast) -> None:
    [together] = costs(forecast("RUN pip install --no-cache-dir reader==1.0 && pip install --no-cache-dir reader==2.0"))
    apart = costs(forecast("RUN pip install --no-cache-dir reader==1.0\nRUN pip install --no-cache-dir reader==2.0"))
    assert together == pytest.approx(NEW, rel=0.01)
    assert apart == [pytest.approx(OLD, rel=0.01), pytest.approx(NEW, rel=0.01)]


def test_an_upgrade_renews_what_is_named_and_keeps_what_that_needs(forecast: Forecast) -> None:
    found = costs(
        forecast("RUN pip install torch==2.3.1 SMALL\nRUN pip install reader==1.0\nRUN pip install -U beside reader")
    )
    assert found[2] == pytest.approx(BESIDE + NEW, rel=0.01)


@pytest.mark.parametrize("command", ["pip uninstall -y driver", "python -m pip uninstall -y driver"])
def test_what_is_uninstalled_in_the_same_instruction_goes_off_and_later_it_does_not(
    forecast: Forecast, command: str
) -> None:
    [together] = costs(forecast(f"RUN pip install --no-cache-dir torch==2.3.1 && {command}"))
    later = costs(forecast(f"RUN pip install --no-cache-dir torch==2.3.1\nRUN {command}\nRUN pip install driver"))
    assert together == pytest.approx(LARGE, rel=0.01)
    assert later[0] == pytest.approx(LARGE + DRIVER, rel=0.01)
    assert later[2] == pytest.approx(DRIVER, rel=0.01)


INSTALL = "RUN pip install --no-cache-dir driver"


@pytest.mark.parametrize(
    ("lines", "written"),
    [
        # What one user has is not there for root, and what root has is there for all.
        (f"USER app\n{INSTALL}\nUSER root\n{INSTALL}", [DRIVER, DRIVER]),
        (f"USER app\n{INSTALL}\n{INSTALL}", [DRIVER, 0]),
        (f"{INSTALL}\nUSER app\n{INSTALL}", [DRIVER, 0]),
        (f"{INSTALL} --user\n{INSTALL}", [DRIVER, 0]),
        (f"{INSTALL}\n{INSTALL} --user", [DRIVER, 0]),
        (f"{INSTALL} --user\nUSER app\n{INSTALL}", [DRIVER, DRIVER]),
        (f"USER app\n{INSTALL}\nUSER root\nRUN chown -R root /home/app", [DRIVER, DRIVER]),
        (f"{INSTALL} --target /deps\nENV PYTHONPATH=/deps\n{INSTALL}", [DRIVER, 0]),
        (f"USER app\nENV VIRTUAL_ENV=/v PATH=/v/bin:/bin\n{INSTALL}\nUSER root\n{INSTALL}", [DRIVER, 0]),
    ],
)
def test_what_a_user_who_is_not_root_installs_lies_in_his_home(
    forecast: Forecast, lines: str, written: list[int]
) -> None:
    found = forecast(f"ENV PYTHONDONTWRITEBYTECODE=1\n{lines}")
    assert costs(found) == [pytest.approx(each, rel=0.01) for each in written]


def test_who_was_given_the_directory_of_all_installs_there(forecast: Forecast) -> None:
    lines = f"RUN chown -R app /usr/local\nUSER app\n{INSTALL}\nUSER root\n{INSTALL}"
    assert costs(forecast(f"ENV PYTHONDONTWRITEBYTECODE=1\n{lines}"))[2] == 0


def test_an_uninstall_that_may_not_happen_takes_nothing_off(forecast: Forecast) -> None:
    [found] = costs(
        forecast("RUN pip install --no-cache-dir torch==2.3.1 && (test -f /x && pip uninstall -y driver; true)")
    )
    assert found == pytest.approx(LARGE + DRIVER, rel=0.01)


def test_what_may_be_installed_already_may_be_installed_once_more(forecast: Forecast) -> None:
    found = forecast(
        "RUN if [ -f /x ]; then pip install --no-cache-dir reader==2.0; fi\nRUN pip install --no-cache-dir reader==2.0"
    )
    last = found.steps[-1].image
    assert last.low_bytes == 0
    assert last.high_bytes >= NEW


def test_what_another_stage_installed_satisfies_where_it_is_copied_to(forecast: Forecast) -> None:
    made = "RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir torch==2.3.1 SMALL\n"
    for name, into in (("/opt/venv", "/opt/venv"), ("/opt", "/opt/")):
        there = "FROM scratch\nENV PYTHONDONTWRITEBYTECODE=1\n"
        found = forecast(
            f"{made}{there}COPY --from=0 {name} {into}\nRUN /opt/venv/bin/pip install --no-cache-dir beside"
        )
        assert found.steps[-1].image.likely_bytes == pytest.approx(BESIDE + NEW, rel=0.01)


def test_an_environment_that_is_removed_satisfies_nothing(forecast: Forecast) -> None:
    made = "RUN python -m venv /v && /v/bin/pip install --no-cache-dir reader==2.0\n"
    found = forecast(f"{made}RUN rm -rf /v && python -m venv /v && /v/bin/pip install --no-cache-dir reader==2.0")
    assert found.steps[-1].image.likely_bytes > NEW


@pytest.mark.parametrize("command", ["install --no-cache-dir reader==2.0", "uninstall -y reader"])
def test_pip_copies_what_it_uninstalls_of_an_earlier_layer_until_it_is_done(forecast: Forecast, command: str) -> None:
    old = "RUN pip install --no-cache-dir reader==1.0"
    later, together, by_uv = (
        forecast(lines).steps[-1].transient.likely_bytes
        for lines in (
            f"{old}\nRUN pip {command}",
            f"{old} && pip {command}",
            f"{old}\nRUN uv pip {command.replace('-dir', '').replace('-y', '--system')}",
        )
    )
    assert later == pytest.approx(OLD, rel=0.05)
    assert together == pytest.approx(OLD, rel=0.05)
    assert by_uv < OLD // 2


@pytest.mark.parametrize(
    ("again", "aside"),
    [("--force-reinstall", OLD), ("--ignore-installed", 0), ("-I", 0), ("PIP_FORCE_REINSTALL=1", OLD)],
)
def test_the_same_version_once_more_lies_there_twice_only_on_the_way(
    forecast: Forecast, again: str, aside: int
) -> None:
    install = "pip install --no-cache-dir reader==1.0"
    once_more = f"{again} {install}" if "=" in again else f"{install} {again}"
    apart, together = forecast(f"RUN {install}\nRUN {once_more}"), forecast(f"RUN {install} && {once_more}")
    assert costs(apart) == [pytest.approx(OLD, rel=0.01)] * 2
    assert costs(together) == [pytest.approx(OLD, rel=0.01)]
    wheel = forecast(f"RUN {install}").steps[-1].transient.likely_bytes
    for found in (apart, together):
        assert found.steps[-1].transient.likely_bytes == pytest.approx(wheel + aside, rel=0.05, abs=100_000)


def test_what_came_twice_is_moved_once_before_it_is_uninstalled(forecast: Forecast) -> None:
    install = "RUN pip install --no-cache-dir reader==1.0"
    found = forecast(f"{install}\n{install} -I\nRUN pip uninstall -y reader")
    assert found.steps[-1].transient.likely_bytes == pytest.approx(OLD, rel=0.05)


@pytest.mark.parametrize(
    ("install", "place"),
    [
        ("USER app\nRUN pip install --user --no-cache-dir --no-compile reader==1.0", "/home/app/.local"),
        ("ENV HOME=/srv/home PIP_USER=1\nRUN pip install --no-cache-dir --no-compile reader==1.0", "/srv/home"),
        ("ENV PYTHONUSERBASE=/opt/base\nRUN pip install --user --no-cache-dir --no-compile reader==1.0", "/opt/base"),
    ],
)
def test_what_is_installed_for_one_user_lies_in_his_home(forecast: Forecast, install: str, place: str) -> None:
    [_, owned] = costs(forecast(f"{install}\nUSER root\nRUN chown -R 5 {place}"))

    assert owned == pytest.approx(OLD, rel=0.01)
