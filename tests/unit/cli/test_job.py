"""What a job left in files, told as Markdown: ``ci summary``, ``ci comment``, and the files themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.cli.simulated_ports import BROKEN, make_world

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def figures(likely: int | None, grade: str = "exact") -> dict[str, object]:
    return {"low": likely, "likely": likely, "high": likely, "grade": grade if likely is not None else "unknown"}


def forecast(file: Path, **image_bytes: int | None) -> str:
    services = [
        {
            "service": name,
            "image_bytes": figures(size),
            "disk_bytes": figures(None if size is None else 2 * size),
            "transient_bytes": figures(0),
        }
        for name, size in image_bytes.items()
    ]
    whole = sum(size or 0 for size in image_bytes.values())
    stack = {
        "name": "shop",
        "image_bytes": figures(whole),
        "disk_bytes": figures(2 * whole),
        "filesystems": [{"role": "data-root", "one_after_the_other_bytes": figures(3 * whole, "learned")}],
    }
    fits = [{"mount": "/", "available_bytes": 7, "reserve_bytes": 5, "fit": "may not fit", "missing_bytes": 3}]
    document = {"format": 1, "document": "forecast", "stack": stack, "services": services, "fits": fits}
    file.write_text(json.dumps(document))
    return str(file)


def summary(world: World, capsys: Captured, *arguments: str) -> str:
    assert world.run("ci", "summary", *arguments) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def events(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_run_is_shown_and_written_as_events_at_once(world: World, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "events.jsonl"

    assert world.run("build", "--events", str(file)) == 0
    shown = capsys.readouterr()
    assert "web.build" in shown.err
    assert not shown.out
    told = events(file)
    assert (told[0]["event"], told[-1]["event"]) == ("run-started", "run-finished")
    assert any(each["event"] == "disk-sampled" for each in told)
    assert [each["at_s"] for each in told] == sorted(each["at_s"] for each in told)


def test_a_refused_run_writes_why_in_place_of_an_earlier_ones_events(world: World, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    assert world.run("build", "--events", str(file)) == 0

    assert world.run("deploy", "--events", str(file), "--keep-free", "13999999999B") == 3
    (only,) = events(file)
    assert (only["event"], only["exit_code"]) == ("error", 3)


def test_a_file_of_events_that_cannot_be_written_ends_the_run_before_it_begins(
    world: World, tmp_path: Path, capsys: Captured
) -> None:
    assert world.run("build", "--events", str(tmp_path / "nowhere" / "events.jsonl")) == 2
    assert "--events" in capsys.readouterr().err
    assert not any("web" in reference for image in world.simulator.facts.images() for reference in image.references)


def test_a_job_is_summarised_with_forecast_beside_measured(world: World, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "events.jsonl"
    outputs = tmp_path / "outputs"
    outputs.write_text("earlier=1\n")
    assert world.run("build", "--events", str(file)) == 0
    capsys.readouterr()

    text = summary(
        world,
        capsys,
        *("--events", str(file), "--outputs", str(outputs)),
        *("--forecast", forecast(tmp_path / "forecast.json", web=213_000_007, db=None)),
    )

    assert "## Tonnage: <code>shop</code>" in text
    web, db = (row for row in text.splitlines() if row.startswith("| <code>"))
    assert web.startswith("| <code>web</code> | 213 MB (exact) |")
    assert "| 213 MB | 0 B |" in web
    assert web.endswith("| done |")
    assert db == "| <code>db</code> | unknown | unknown |  |  |  |  |"
    assert "639 MB (learned) forecast, 213 MB measured." in text
    assert "may not fit, 3 B are missing; 7 B were available, reserve 5 B" in text
    assert "xychart-beta" in text
    assert outputs.read_text() == "earlier=1\npeak-bytes=213000007\nfreed-bytes=\nforecast-bytes=639000021\n"


def test_a_failure_is_told_without_being_read_as_markup(world: World, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "events.jsonl"
    world.recipe(BROKEN)
    assert world.run("build", "--events", str(file)) == 10
    lines = file.read_text().splitlines()
    end = json.loads(lines[-1])
    end["what"] = "![x](http://example.org/x) | <img src=x> *a* @somebody\n# b"
    file.write_text("\n".join([*lines[:-1], json.dumps(end)]) + "\n")
    capsys.readouterr()

    text = summary(world, capsys, "--events", str(file))

    for mark in ("![", "](", "<img", "*a*", "@somebody", "\n# b"):
        assert mark not in text
    assert "| failed |" in text


def test_a_job_that_was_killed_in_the_middle_of_a_line_is_summarised(
    world: World, tmp_path: Path, capsys: Captured
) -> None:
    file = tmp_path / "events.jsonl"
    assert world.run("build", "--events", str(file)) == 0
    whole = file.read_text()
    capsys.readouterr()

    for length in range(1, len(whole), 997):
        file.write_text(whole[:length])
        summary(world, capsys, "--events", str(file))
    file.write_text("no json\n" + whole)
    assert world.run("ci", "summary", "--events", str(file)) == 2
    assert f"{file}:1" in capsys.readouterr().err


def test_nothing_at_all_is_summarised_as_that(world: World, tmp_path: Path, capsys: Captured) -> None:
    text = summary(world, capsys, "--forecast", str(tmp_path / "none"), "--reclaim", str(tmp_path / "none"))

    assert "Nothing was forecast, reclaimed, built or deployed" in text


@pytest.mark.parametrize("content", ["[]", "{", '{"document": "plan"}', '{"document": "forecast"}', "\x00"])
def test_a_file_of_something_else_is_refused(world: World, tmp_path: Path, capsys: Captured, content: str) -> None:
    file = tmp_path / "forecast.json"
    file.write_text(content)

    assert world.run("ci", "summary", "--forecast", str(file)) == 2
    assert str(file) in capsys.readouterr().err


def test_a_failed_forecast_is_none(world: World, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "forecast.json"
    file.write_text('{"format": 1, "document": "error", "exit_code": 2}')

    assert "Nothing was forecast" in summary(world, capsys, "--forecast", str(file))
    assert world.run("ci", "comment", "--forecast", str(file)) == 2
    assert "tonnage forecast --json" in capsys.readouterr().err


def test_what_was_reclaimed_is_told(world: World, tmp_path: Path, capsys: Captured) -> None:
    file = tmp_path / "reclaim.json"
    assert world.run("reclaim", "--until", "13999999999B", "--json") == 4
    file.write_text(capsys.readouterr().out)

    text = summary(world, capsys, "--reclaim", str(file))
    assert "freed 0 B" in text
    assert "(target 14.0 GB)" in text
    assert world.run("ci", "summary", "--reclaim", str(file), "--json") == 0
    assert json.loads(capsys.readouterr().out)["freed_bytes"] == 0


def test_the_change_of_every_service_is_printed(world: World, tmp_path: Path, capsys: Captured) -> None:
    base = forecast(tmp_path / "base.json", web=300_000_007, gone=11, same=17)
    here = forecast(tmp_path / "here.json", web=260_000_003, new=13, same=17)

    assert world.run("ci", "comment", "--forecast", here, "--base", base) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "<!-- tonnage: sizes of shop -->"
    assert "| <code>web</code> | 300 MB (exact) | 260 MB (exact) | -40.0 MB | -80.0 MB |" in rows
    assert "| <code>same</code> | 17 B (exact) | 17 B (exact) | none | none |" in rows
    assert "| <code>new</code> |  | 13 B (exact) | new | new |" in rows
    assert "| <code>gone</code> | 11 B (exact) |  | gone | gone |" in rows


def test_a_repository_that_is_none_is_refused(world: World, tmp_path: Path, capsys: Captured) -> None:
    here = forecast(tmp_path / "here.json", web=1)

    for name in ("", "no-slash", "a/b/c", "a/b?x"):
        assert world.run("ci", "comment", "--forecast", here, "--pull-request", "17", "--repository", name) == 2
        assert "OWNER/NAME" in capsys.readouterr().err
