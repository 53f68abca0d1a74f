"""What lint says of choices, of what a change costs, and of what has no price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.cli.test_forecast import index, told, world
from tests.unit.cli.test_lint import wasting

__all__ = ["index", "wasting", "world"]

if TYPE_CHECKING:
    from tests.unit.adapters.file_server import Index
    from tests.unit.cli.simulated_ports import World

    Captured = pytest.CaptureFixture[str]

PIP = "RUN pip install --no-cache-dir -r requirements.txt\n"


def of_rules(capsys: Captured) -> dict[str, Any]:
    return {each["rule"]: each for each in told(capsys)["findings"]}


def test_a_choice_is_told_from_its_figure_on_or_by_name(wasting: World, capsys: Captured) -> None:
    (wasting.directory / "web" / "Dockerfile").write_text(f"FROM python:3.11-slim\nCOPY requirements.txt .\n{PIP}")
    assert wasting.run("lint", "--json") == 0
    assert not {"bytecode", "wheel-leftovers", "pip-peak"} & set(of_rules(capsys))
    assert wasting.run("lint", "--no-prices", "--json") == 0
    assert not {"bytecode", "wheel-leftovers", "pip-peak"} & set(of_rules(capsys))
    assert wasting.run("lint", "--json", "--fix=pip-peak", "--dry-run") == 0
    peak = of_rules(capsys)["pip-peak"]
    # The pull of the base image is the worst moment of this build, and no install is.
    assert (peak["price_bytes"], peak["peak_bytes"]) == (None, None)
    assert peak["unpriced"] == "frees nothing, by the forecast of this stack"


def test_a_choice_has_its_price_and_is_in_no_sum(wasting: World, index: Index, capsys: Captured) -> None:
    (wasting.directory / "web" / "Dockerfile").write_text(f"FROM python:3.11-slim\nCOPY requirements.txt .\n{PIP}")
    index.wheel("upper", "4.0", files={"upper/tests/data.bin": bytes(60_000_000)})
    assert wasting.run("lint", "--json") == 0
    document = told(capsys)
    left = next(
        each for each in document["findings"] if (each["rule"], each["services"]) == ("wheel-leftovers", ["web"])
    )
    assert left["price_bytes"]["likely"] == pytest.approx(60_000_000, rel=0.01)
    # What nobody calls waste is in no sum.
    assert document["removable_bytes"] is None or document["removable_bytes"]["likely"] < 1_000_000


def test_what_one_change_costs_is_told_before_and_after(wasting: World, index: Index, capsys: Captured) -> None:
    index.wheel("torch", "2.3.1", files={"torch/lib.so": bytes(250_000_000)})
    web = wasting.directory / "web"
    (web / "requirements.txt").write_text("torch==2.3.1\nupper\n")
    (web / "Dockerfile").write_text(f"FROM python:3.11-slim\nWORKDIR /srv\nCOPY requirements.txt .\n{PIP}COPY . .\n")
    assert wasting.run("lint", "--json") == 0
    split = of_rules(capsys)["split-install"]
    assert split["change_bytes"]["now"]["likely"] == pytest.approx(250_000_000, rel=0.01)
    assert split["change_bytes"]["then"]["likely"] < 1_000_000
    assert split["price_bytes"] is None
    assert wasting.run("lint") == 0
    assert "(less for each change)" in capsys.readouterr().out


def test_why_something_has_no_price_is_said_once_for_each_reason(wasting: World, capsys: Captured) -> None:
    (wasting.directory / "elsewhere").mkdir()
    (wasting.directory / "elsewhere" / "Dockerfile").write_text("FROM debian\nRUN apt-get update\n")
    compose = next(wasting.directory.glob("*compose*.y*ml"))
    compose.write_text(compose.read_text().replace("healthcheck: {test: [CMD, 'true']}", "init: true"))
    assert wasting.run("lint", "--json") == 0
    why = {each["rule"]: each["unpriced"] for each in told(capsys)["findings"]}
    assert why["no-health-check"] == "there is no automatic fix to forecast"
    assert why["apt-lists"] == "no service of a stack is built from the file"
    assert wasting.run("lint") == 0
    shown = capsys.readouterr().out
    assert shown.count("2 without a saving: there is no automatic fix") == 1


def test_a_cache_that_no_server_allows_is_told_without_bytes(wasting: World, capsys: Captured) -> None:
    assert wasting.run("lint", "--json") == 0
    cache = of_rules(capsys)["pip-cache"]
    assert cache["price_bytes"] is None
    assert cache["unpriced"].startswith("the servers that were asked let pip keep nothing")
    assert wasting.run("lint") == 0
    shown = capsys.readouterr().out
    assert " 0 B" not in shown
    assert "let pip keep nothing" in shown
