"""Whole commands that change nothing, on the simulated engine."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest
from tests.simulator.recipe import Behaviour, Recipe
from tests.unit.cli.simulated_ports import BETTER, GOOD, make_world

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]


def test_a_plan_is_shown_to_people_and_changes_nothing(world: World, capsys: Captured) -> None:
    assert world.run("plan") == 0

    told = capsys.readouterr()
    assert told.err == ""
    assert "web.build" in told.out
    assert world.simulator.facts.containers() == ()
    assert not (world.directory / "state").exists()


def test_a_refused_plan_ends_with_3_and_is_one_json_document(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path, size_bytes=1_000_000_007)

    assert world.run("plan", "--json") == 3

    document = json.loads(capsys.readouterr().out)
    assert document["document"] == "plan"
    assert document["refusal"]["what"]


def test_a_refused_plan_gives_its_reason_once(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path, size_bytes=1_000_000_007)

    assert world.run("plan") == 3

    told = capsys.readouterr()
    assert told.out.count("must remain") == 1
    assert told.err == "error: /var/lib/docker is already below the reserve\n(refused: it cannot fit, exit code 3)\n"


def test_a_plan_ends_with_11_where_something_is_to_be_done_if_asked(world: World, capsys: Captured) -> None:
    assert world.run("plan", "--detailed-exitcode") == 11
    assert capsys.readouterr().err == ""
    assert world.run("deploy") == 0
    assert world.run("plan", "--detailed-exitcode") == 0
    assert "nothing to do, 2 unchanged" in capsys.readouterr().out


def test_a_plan_knows_how_long_it_takes_from_the_run_before(world: World, capsys: Captured) -> None:
    assert world.run("deploy") == 0
    world.recipe(BETTER)
    capsys.readouterr()
    assert world.run("plan", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["seconds"] == pytest.approx(sum(document["times"].values()))
    assert document["times"]["web.prove"] == 4.0
    assert document["summary"] == {"build": 1, "switch": 1}
    assert world.run("deploy") == 0
    assert ", ~10 s, " in capsys.readouterr().err


def test_a_report_lists_runs_and_shows_one_of_them(world: World, capsys: Captured) -> None:
    assert world.run("deploy") == 0
    world.recipe(BETTER)
    assert world.run("deploy") == 0
    capsys.readouterr()

    assert world.run("report") == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed[:3]] == ["run", "1", "2"]
    assert world.run("report", "--run", "1") == 0
    assert capsys.readouterr().out.startswith("run 1: deploy hello, ")
    assert world.run("report", "--last", "1") == 0
    assert capsys.readouterr().out.startswith("run 2: deploy hello, ")
    assert world.run("report", "--json") == 0
    assert [run["run_id"] for run in json.loads(capsys.readouterr().out)["runs"]] == [2]


def test_a_report_of_what_is_not_there_says_so(world: World, capsys: Captured) -> None:
    assert world.run("report", "-p", "nope") == 0
    assert capsys.readouterr().out == "no runs yet\n"
    assert world.run("deploy") == 0
    capsys.readouterr()
    assert world.run("report", "-p", "nope") == 0
    assert capsys.readouterr().out == "no runs of this stack yet; there are runs of hello\n"
    assert world.run("report", "19") == 2
    assert "tonnage report --run 19" in capsys.readouterr().err
    assert world.run("report", "--run", "19") == 2
    assert "The last one is run 1." in capsys.readouterr().err
    assert world.run("report", "--run", "1", "--last", "2") == 2


def test_settings_tell_the_paths_of_directories(world: World, capsys: Captured) -> None:
    assert world.run("doctor", "--settings", "--json") == 0
    told = {each["key"]: each["value"] for each in json.loads(capsys.readouterr().out)["settings"]}
    assert told["state-dir"] == str(world.directory / "state")
    assert told["cache-dir"].endswith("/tonnage")


def test_a_saved_plan_is_for_its_owner_only(world: World) -> None:
    file = world.directory / "plan.json"

    assert world.run("plan", "--out", str(file)) == 0

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "swordfish" in file.read_text()


def test_a_plan_that_cannot_be_saved_ends_with_2(world: World, capsys: Captured) -> None:
    assert world.run("plan", "--out", str(world.directory / "nowhere" / "plan.json")) == 2
    assert "No such file or directory" in capsys.readouterr().err


def test_push_belongs_to_build(world: World) -> None:
    assert world.run("plan", "--push") == 2
    assert world.run("plan", "--build", "--push") == 0


def test_verify_says_which_service_is_healthy_and_ends_with_0(world: World, capsys: Captured) -> None:
    world.run("deploy")
    capsys.readouterr()

    assert world.run("verify", "--json") == 0

    document = json.loads(capsys.readouterr().out)
    assert [(each["service"], each["healthy"]) for each in document["services"]] == [("db", True), ("web", True)]


def test_verify_ends_with_5_when_a_service_is_not_there(world: World, capsys: Captured) -> None:
    world.run("deploy", "db")
    capsys.readouterr()

    assert world.run("verify") == 5

    told = capsys.readouterr()
    assert "1 of 2 services not healthy: web" in told.err
    assert (told.out + told.err).count("It has no container.") == 1


def test_verify_ends_with_5_when_a_service_that_nothing_checks_was_just_restarted(
    tmp_path: Path, capsys: Captured
) -> None:
    world = make_world(tmp_path, compose="services: {web: {build: ./web, restart: always}}\n")
    world.recipe(Recipe(instructions=GOOD.instructions, behaviour=Behaviour(exits_after_s=20.0, exit_code=1)))
    world.run("deploy")
    assert world.run("verify") == 0
    world.simulator.clock.sleep(30.0)
    capsys.readouterr()

    assert world.run("verify") == 5

    told = capsys.readouterr()
    assert "web-1 does not stay up: it was restarted once, " in told.out + told.err


def test_verify_of_one_service_asks_only_that_one(world: World) -> None:
    world.run("deploy", "db")

    assert world.run("verify", "db") == 0


def test_status_shows_disk_line_and_services(world: World, capsys: Captured) -> None:
    world.run("deploy")
    capsys.readouterr()

    assert world.run("status", "--json", "--keep-free", "1234567891B") == 0

    document = json.loads(capsys.readouterr().out)
    assert document["filesystems"][0]["reserve_bytes"] == 1_234_567_891
    assert [each["service"] for each in document["services"]] == ["db", "web"]
    assert document["services"][1]["health"] == "healthy"


def test_status_without_a_compose_file_shows_the_engine(world: World, capsys: Captured) -> None:
    (world.directory / "compose.yaml").unlink()

    assert world.run("status") == 0

    told = capsys.readouterr().out
    assert "engine 20.10.24" in told
    assert "stack" not in told


def test_containers_of_a_service_that_is_in_no_file_are_named_with_what_removes_them(
    world: World, capsys: Captured
) -> None:
    file = world.directory / "compose.yaml"
    world.run("deploy")
    capsys.readouterr()
    assert world.run("status") == 0
    assert "--remove-orphans" not in capsys.readouterr().out
    file.write_text(file.read_text().replace("  db:", "  other:").replace("[db]", "[other]"))

    assert world.run("status") == 0
    told = capsys.readouterr().out
    assert "in no file of the stack any more\n  db" in told
    assert "\n  tonnage deploy --remove-orphans" in told
    assert world.run("status", "web") == 0
    assert "--remove-orphans" not in capsys.readouterr().out
    world.run("status", "--json")
    (orphan,) = json.loads(capsys.readouterr().out)["orphans"]
    assert (orphan["service"], orphan["state"]) == ("db", "running")

    assert world.run("doctor", "--json") == 0
    (check,) = (each for each in json.loads(capsys.readouterr().out)["checks"] if each["name"] == "orphans")
    assert check["state"] == "warning"
    assert orphan["container"] in check["found"]
    assert check["todo"].endswith("\n  tonnage deploy --remove-orphans")


def test_a_broken_compose_file_is_told_by_status_too(world: World, capsys: Captured) -> None:
    (world.directory / "compose.yaml").write_text("services: [\n")

    assert world.run("status") == 2
    assert "compose.yaml:" in capsys.readouterr().err


def test_an_engine_that_does_not_answer_ends_with_6(world: World, capsys: Captured) -> None:
    world.ports.reachable = False

    for command in ("plan", "deploy", "build", "rollback", "verify", "status", "doctor", "watch"):
        assert world.run(command, "-H", "unix:///nowhere.sock") == 6
    assert "there is no engine at unix:///nowhere.sock" in capsys.readouterr().err


def test_doctor_ends_with_the_code_of_the_first_check_that_failed(world: World, capsys: Captured) -> None:
    world.ports.can_build = False

    assert world.run("doctor", "--json") == 7

    states = {check["name"]: check["state"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert states == {
        "stack": "ok",
        "needed": "ok",
        "engine": "ok",
        "platform": "ok",
        "disk": "ok",
        "guard": "warning",
        "garbage collection": "ok",
        "builder": "failed",
        "compose": "ok",
        "journal": "ok",
        "rehearse": "warning",
    }


def test_a_machine_that_only_cannot_rehearse_is_well(world: World) -> None:
    assert world.run("doctor") == 0


def test_what_doctor_found_is_not_said_again_at_its_end(world: World, capsys: Captured) -> None:
    world.ports.reachable = False
    world.run("doctor")
    captured = capsys.readouterr()
    assert (captured.out + captured.err).count("Start it.") == 1


def test_a_note_on_the_stack_is_printed_once_in_a_deploy(world: World, capsys: Captured) -> None:
    compose = next(world.directory.glob("*compose*.y*ml"))
    compose.write_text(
        compose.read_text().replace("services:\n", "services:\n  more:\n    image: x\n    profiles: [extra]\n")
    )
    assert world.run("deploy") == 0
    captured = capsys.readouterr()
    assert (captured.out + captured.err).count("more is not active: enable it with --profile extra") == 1


def test_doctor_shows_each_setting_with_its_origin(world: World, capsys: Captured) -> None:
    assert world.run("doctor", "--settings", "--keep-free", "2GB") == 0

    told = capsys.readouterr().out
    assert "flag (--keep-free)" in told
    assert "default" in told


def test_report_without_a_journal_says_so_and_creates_none(world: World, capsys: Captured) -> None:
    assert world.run("report") == 0
    assert "no runs yet" in capsys.readouterr().out
    assert not (world.directory / "state").exists()


def test_a_rehearsal_needs_a_size(world: World, capsys: Captured) -> None:
    assert world.run("rehearse") == 2
    assert "--disk" in capsys.readouterr().err


def test_a_rehearsal_on_a_machine_that_cannot_ends_with_7(world: World) -> None:
    assert world.run("rehearse", "--disk", "3GB") == 7


def test_a_kept_rehearsal_is_removed_by_name(world: World) -> None:
    assert world.run("rehearse", "--remove", "r1a2b3c") == 0
    assert world.ports.removed == ["r1a2b3c"]


def test_remove_stands_alone(world: World) -> None:
    assert world.run("rehearse", "--remove", "r1a2b3c", "--disk", "3GB") == 2
