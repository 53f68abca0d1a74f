"""Whole commands that change something, on the simulated engine: exit codes, output, state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.simulated_ports import BETTER, BROKEN, SICK, make_world

from tonnage.runtime.lock import StackLock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]


def running(world: World) -> dict[str, str]:
    return {each.name: each.image_id for each in world.simulator.facts.containers("hello") if each.state == "running"}


def test_a_deploy_brings_every_service_up_and_ends_with_0(world: World, capsys: Captured) -> None:
    assert world.run("deploy") == 0

    services = {each.service for each in world.simulator.facts.containers("hello")}
    assert services == {"db", "web"}
    told = capsys.readouterr()
    assert told.out == ""
    assert "deploy hello done" in told.err
    assert "web.build" in told.err


def test_the_report_of_a_deploy_puts_forecast_beside_measured(world: World, capsys: Captured) -> None:
    world.run("deploy")

    lines = [line for line in capsys.readouterr().err.splitlines() if line.lstrip().startswith("web.build  ")]
    assert lines
    assert "unknown" in lines[-1]
    assert "213 MB" in lines[-1]


def test_a_second_deploy_changes_nothing(world: World, capsys: Captured) -> None:
    world.run("deploy")
    before = running(world)

    assert world.run("deploy") == 0

    assert running(world) == before
    assert "deploy hello: nothing to do" in capsys.readouterr().err


def test_only_the_named_service_is_deployed(world: World) -> None:
    assert world.run("deploy", "db") == 0

    assert {each.service for each in world.simulator.facts.containers("hello")} == {"db"}


def test_a_service_that_is_not_healthy_ends_with_5_and_shows_its_log(world: World, capsys: Captured) -> None:
    world.run("deploy")
    before = running(world)
    world.recipe(SICK)
    capsys.readouterr()

    assert world.run("deploy") == 5

    assert running(world) == before
    assert "    | cannot load the model" in capsys.readouterr().err


def test_a_failed_build_ends_with_10(world: World, capsys: Captured) -> None:
    world.recipe(BROKEN)

    assert world.run("deploy") == 10
    assert "error: " in capsys.readouterr().err


def test_a_disk_that_is_below_its_line_already_is_refused_with_3_and_nothing_is_touched(
    tmp_path: Path, capsys: Captured
) -> None:
    world = make_world(tmp_path, size_bytes=1_000_000_007)
    before = world.simulator.facts.images()

    assert world.run("deploy") == 3

    assert world.simulator.facts.images() == before
    assert world.simulator.facts.containers() == ()
    assert "(refused: it cannot fit, exit code 3)" in capsys.readouterr().err


def test_a_missing_program_ends_with_7_before_anything_is_touched(world: World) -> None:
    world.ports.can_compose = False

    assert world.run("deploy") == 7
    assert world.simulator.facts.containers() == ()
    assert world.run("build") == 0

    world.ports.can_build = False
    world.recipe(BETTER)
    assert world.run("build") == 7


def test_a_held_lock_ends_with_9_and_names_who_holds_it(world: World, capsys: Captured) -> None:
    engine = world.simulator.facts.engine()
    with StackLock(engine.engine_id, "hello", directory=world.directory, command="tonnage deploy --there"):
        assert world.run("deploy") == 9

    assert "tonnage deploy --there" in capsys.readouterr().err
    assert world.simulator.facts.containers() == ()


def test_the_lock_is_free_again_after_a_failed_run(world: World) -> None:
    world.recipe(BROKEN)
    world.run("deploy")

    engine = world.simulator.facts.engine()
    with StackLock(engine.engine_id, "hello", directory=world.directory):
        pass


def test_a_saved_plan_is_carried_out_exactly(world: World) -> None:
    file = str(world.directory / "plan.json")
    assert world.run("plan", "web", "--out", file) == 0

    assert world.run("deploy", "--plan", file) == 0

    assert {each.service for each in world.simulator.facts.containers("hello")} == {"db", "web"}


def test_a_saved_plan_keeps_the_settings_it_was_made_under(world: World) -> None:
    file = str(world.directory / "plan.json")
    world.run("plan", "--keep-free", "1234567891B", "--no-cleanup-after", "--out", file)

    assert world.run("deploy", "--plan", file) == 0


def test_a_stale_plan_ends_with_8_and_nothing_is_touched(world: World, capsys: Captured) -> None:
    file = str(world.directory / "plan.json")
    world.run("plan", "--out", file)
    world.recipe(BETTER)

    assert world.run("deploy", "--plan", file) == 8

    assert world.simulator.facts.containers() == ()
    assert "tonnage plan --out" in capsys.readouterr().err


def test_a_plan_file_brings_its_own_services(world: World) -> None:
    file = str(world.directory / "plan.json")
    world.run("plan", "--out", file)

    assert world.run("deploy", "--plan", file, "web") == 2


def test_a_build_keeps_the_image_unless_it_was_asked_to_remove_it(world: World) -> None:
    assert world.run("build") == 0
    assert any("hello-web:latest" in image.references for image in world.simulator.facts.images())

    assert world.run("build", "--push", "--cleanup-after") == 0
    assert not any("hello-web:latest" in image.references for image in world.simulator.facts.images())
    assert world.simulator.pushed in (["hello-web:latest"], ["hello-web"])


def test_a_rollback_goes_back_to_the_version_before_even_when_the_build_is_broken_now(world: World) -> None:
    world.run("deploy")
    first = running(world)
    world.recipe(BETTER)
    world.run("deploy")
    (world.directory / "web" / "Dockerfile").unlink()
    assert running(world) != first

    assert world.run("rollback") == 0

    assert set(running(world).values()) == set(first.values())


def test_json_lines_begin_with_the_run_and_end_with_its_result(world: World, capsys: Captured) -> None:
    assert world.run("deploy", "--json") == 0

    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["event"] == "run-started"
    assert events[-1]["event"] == "run-finished"
    assert events[-1]["outcome"] == "done"
    assert {event["format"] for event in events} == {1}


def test_json_lines_of_a_failed_run_end_with_the_error(world: World, capsys: Captured) -> None:
    world.recipe(SICK)

    assert world.run("deploy", "--json") == 5

    *_, result, error = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (result["event"], result["outcome"]) == ("run-finished", "failed")
    assert (error["event"], error["exit_code"]) == ("error", 5)
    assert "cannot load the model" in error["log"]


def test_no_value_of_an_environment_variable_is_ever_printed(world: World, capsys: Captured) -> None:
    for arguments in (("plan",), ("plan", "--json"), ("deploy", "--json"), ("report", "--json"), ("status", "--json")):
        world.run(*arguments)

    told = capsys.readouterr()
    assert "swordfish" not in told.out + told.err


def test_the_report_shows_the_last_runs_the_latest_last(world: World, capsys: Captured) -> None:
    world.run("deploy")
    world.recipe(BETTER)
    world.run("deploy")
    capsys.readouterr()

    assert world.run("report", "--last", "2", "--json") == 0

    document = json.loads(capsys.readouterr().out)
    assert [run["run_id"] for run in document["runs"]] == [1, 2]
    assert document["runs"][1]["steps"][0]["name"] == "web.build"


def test_the_report_of_one_service_leaves_the_others_out(world: World, capsys: Captured) -> None:
    world.run("deploy")
    capsys.readouterr()

    world.run("report", "db")

    told = capsys.readouterr().out
    assert "db.prove" in told
    assert "web.build" not in told
