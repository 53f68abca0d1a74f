"""Pages and charts by command: where they are written, and in which characters."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]


def test_report_writes_a_page_of_the_runs_for_its_owner(world: World, capsys: Captured) -> None:
    world.run("deploy")
    capsys.readouterr()
    file = world.directory / "report.html"

    assert world.run("report", "--html", str(file)) == 0

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"written: {file}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    page = file.read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "web.build" in page
    assert "Only the figures around each step" not in page
    assert "swordfish" not in page


def test_a_page_shows_the_run_that_was_named(world: World, capsys: Captured) -> None:
    world.run("deploy")
    world.run("deploy")
    capsys.readouterr()

    assert world.run("report", "--html", "-", "--run", "1") == 0
    first = capsys.readouterr().out
    assert "Run 1: deploy" in first
    assert "Run 2: deploy" not in first
    assert "Nothing had to be done." not in first
    assert "<p>1 run. " in first

    assert world.run("report", "--html", "-") == 0
    latest = capsys.readouterr().out
    assert "Run 2: deploy" in latest
    assert "Nothing had to be done." in latest
    assert world.run("report", "--html", "-", "--run", "77") == 2


def test_a_page_goes_to_standard_output(world: World, capsys: Captured) -> None:
    assert world.run("report", "--html", "-") == 0

    told = capsys.readouterr()
    assert told.out.startswith("<!DOCTYPE html>")
    assert "No runs yet" in told.out
    assert told.err == ""


def test_json_goes_beside_a_page(world: World, capsys: Captured) -> None:
    world.run("deploy")
    capsys.readouterr()

    assert world.run("report", "--json", "--html", str(world.directory / "report.html")) == 0

    assert json.loads(capsys.readouterr().out)["document"] == "runs"
    assert "</html>" in (world.directory / "report.html").read_text()


def test_forecast_writes_a_page(world: World, capsys: Captured) -> None:
    file = world.directory / "forecast.html"

    assert world.run("forecast", "--html", str(file)) == 0

    assert capsys.readouterr().out == ""
    page = file.read_text()
    assert "Does it fit" in page
    assert "Made by tonnage forecast --html" in page


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("report", "--json", "--html", "-"), "--html needs a file"),
        (("report", "--html", ""), "--html is empty"),
        (("report", "--accuracy", "--html", "x.html"), "leave --accuracy out"),
        (("report", "--run", "1", "--last", "2", "--html", "x.html"), "leave --last out"),
        (("forecast", "--explain", "web", "--html", "x.html"), "leave --explain out"),
        (("report", "--html", "nowhere/x.html"), "nowhere/x.html cannot be written"),
    ],
)
def test_what_does_not_go_with_a_page_is_refused(
    world: World, capsys: Captured, arguments: tuple[str, ...], said: str
) -> None:
    assert world.run(*arguments) == 2
    told = capsys.readouterr()
    assert said in told.out + told.err
    assert not (world.directory / "x.html").exists()


@pytest.mark.parametrize("variable", ["LC_ALL", "LANG"])
def test_the_locale_c_gets_plain_characters(world: World, capsys: Captured, variable: str) -> None:
    world.ports.environment = {**world.ports.environment, variable: "C"}

    assert world.run("status") == 0

    assert capsys.readouterr().out.isascii()


def test_other_locales_get_the_better_ones(world: World, capsys: Captured) -> None:
    world.ports.environment = {**world.ports.environment, "LANG": "de_DE.UTF-8"}

    assert world.run("status") == 0

    assert not capsys.readouterr().out.isascii()
