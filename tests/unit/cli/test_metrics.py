"""Metrics of whole commands, on the simulated engine."""

from __future__ import annotations

import re
import stat
import urllib.request
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tonnage.errors import UsageError
from tonnage.flows.machine.metrics import listening_place

if TYPE_CHECKING:
    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]


def names(text: str) -> set[str]:
    return {family.name for family in text_string_to_metric_families(text)}


def test_status_prints_metrics(world: World, capsys: Captured) -> None:
    assert world.run("status", "--prometheus") == 0

    told = capsys.readouterr()
    assert {"tonnage_up", "tonnage_filesystem_avail_bytes", "tonnage_service_running"} <= names(told.out)
    assert told.err == ""


def test_a_text_file_is_readable_by_everybody_and_replaced(world: World, capsys: Captured) -> None:
    directory = world.directory / "collector"
    directory.mkdir()
    (directory / "tonnage.prom").write_text("old")

    assert world.run("status", "--textfile", str(directory)) == 0

    assert capsys.readouterr().out == ""
    [file] = directory.iterdir()
    assert "tonnage_up" in names(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_directory_that_is_not_there_is_told(world: World, capsys: Captured) -> None:
    assert world.run("status", "--textfile", str(world.directory / "nowhere")) == 2
    assert "--collector.textfile.directory" in capsys.readouterr().err
    assert world.run("status", "--json", "--prometheus") == 2
    assert world.run("watch", "--json", "--listen", "0") == 2


def test_watch_serves_what_it_saw_last_also_while_no_engine_answers(
    world: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[tuple[str, str]] = []

    def wait(_cancel: object, seconds: float) -> bool:
        assert seconds == 15.0
        found = re.search(r"metrics at (\S+);", capsys.readouterr().err)
        address = found[1] if found else addresses[-1]
        addresses.append(address)
        request = urllib.request.Request(address, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            answers.append((answer.headers["Content-Type"], answer.read().decode()))
        world.ports.reachable = False
        if len(answers) == 3:
            raise KeyboardInterrupt
        return False

    addresses: list[str] = []
    monkeypatch.setattr(world.ports.clock, "wait", wait)
    monkeypatch.setattr("tonnage.flows.machine.metrics.look", _look_until(world))

    assert world.run("watch", "--listen", "0") == 130

    assert {kind for kind, _ in answers} == {"application/openmetrics-text; version=1.0.0; charset=utf-8"}
    assert all(text.endswith("# EOF\n") for _, text in answers)
    assert ["\ntonnage_up 1\n" in text for _, text in answers] == [True, False, False]
    assert ["\ntonnage_up 0\n" in text for _, text in answers] == [False, True, True]


def _look_until(world: World) -> object:
    from tonnage.errors import EngineUnreachableError  # noqa: PLC0415 - only here
    from tonnage.flows.looks import look  # noqa: PLC0415

    def looked(*arguments: object) -> object:
        if not world.ports.reachable:
            raise EngineUnreachableError("the engine went away")
        return look(*arguments)  # type: ignore[arg-type]

    return looked


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("9723", ("127.0.0.1", 9723)),
        (":9723", ("127.0.0.1", 9723)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:9723", ("::1", 9723)),
    ],
)
def test_metrics_stay_on_this_machine_unless_an_address_is_named(text: str, place: tuple[str, int]) -> None:
    assert listening_place(text) == place


@pytest.mark.parametrize("text", ["", "host:1", "127.0.0.1", "127.0.0.1:70000", "1.2.3.4:-1", "a" * 5000])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not an address and port"):
        listening_place(text)
