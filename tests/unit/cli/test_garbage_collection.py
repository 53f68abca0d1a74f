from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.unit.cli.simulated_ports import make_world

from tonnage.flows.garbage_collection import collection_report
from tonnage.flows.looks import Snapshot
from tonnage.model.builder import BuilderBeside
from tonnage.model.inventory import Filesystem, Inventory
from tonnage.model.reclaim.garbage_collection import CollectionRule
from tonnage.model.stack import Stack
from tonnage.views.text.garbage_collection import collection_check
from tonnage.wiring.forecast_lookups import RealLookups

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.simulated_ports import World

    from tonnage.adapters.interface import EngineFacts

Captured = pytest.CaptureFixture[str]
COMPOSE = """\
name: hull
services:
  web: {build: ./web}
  api: {build: {context: ./web, target: small}}
"""
DOCKERFILE = """\
FROM scratch AS big
COPY big /big
FROM scratch AS small
COPY --from=big /big /other
FROM scratch
COPY --from=big /big /big
"""
SIZE_BYTES = 20_000_000_017


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A stack of two services that use the same stage of 600 MB."""
    found = make_world(tmp_path, compose=COMPOSE, size_bytes=SIZE_BYTES)
    (tmp_path / "web" / "Dockerfile").write_text(DOCKERFILE)
    with (tmp_path / "web" / "big").open("wb") as file:
        file.truncate(600_000_000)

    def look_up(facts: EngineFacts | None, offline: bool) -> RealLookups:  # noqa: FBT001 - called so
        del facts
        return RealLookups({}, tmp_path / "cache", offline=offline)

    found.ports.looks_up = look_up
    return found


def engine(world: World, version: str) -> None:
    world.simulator.identity = replace(world.simulator.identity, version=version)


def doctor(world: World, capsys: Captured, *arguments: str) -> tuple[dict[str, Any], dict[str, Any]]:
    capsys.readouterr()
    assert world.run("doctor", "--json", *arguments) == 0
    document = json.loads(capsys.readouterr().out)
    check = next(each for each in document["checks"] if each["name"] == "garbage collection")
    return check, document["garbage_collection"]


def test_an_engine_that_collects_nothing_says_so(world: World, capsys: Captured) -> None:
    engine(world, "27.5.1")

    check, found = doctor(world, capsys)
    assert check["state"] == "ok"
    assert check["found"].startswith("none: unused build cache grows until you remove it")
    assert found["rules"] == []


def test_the_limits_are_told_in_bytes_for_this_disk_and_beside_the_reserve(world: World, capsys: Captured) -> None:
    engine(world, "29.4.2")

    check, found = doctor(world, capsys)
    assert check["state"] == "ok"
    assert check["found"] == (
        "unused build cache is removed, oldest first, once it is above 15.0 GB or less than 4.00 GB of"
        f" {world.simulator.disk.mount} are free; 2.00 GB of it always stay (known for Docker 29.4.2)"
    )
    assert check["todo"].startswith("It begins at 4.00 GB available, and the reserve is 1.00 GB:")
    assert [rule["min_free_bytes"] for rule in found["rules"]] == [0, 4 * 10**9, 4 * 10**9, 4 * 10**9]
    assert found["unknown"] == []


def test_a_reserve_above_the_limit_collides_with_nothing(world: World, capsys: Captured) -> None:
    engine(world, "29.4.2")

    check, _ = doctor(world, capsys, "--keep-free", "5GB")
    assert check["todo"] == ""


def test_what_the_plan_still_needs_is_told_when_it_would_go(world: World, capsys: Captured) -> None:
    world.ports.told_rules = (CollectionRule(reserved_bytes=400_000_007),)

    check, found = doctor(world, capsys)
    assert check["state"] == "warning"
    assert check["found"] == "at most 400 MB of unused build cache stay (reported by the builder of Docker 20.10.24)"
    first, last = found["losses"]
    assert {first["after"], last["after"]} == {"api", "web"}
    assert first["needed_by"] == [last["after"]]
    # The stage, and the sources of its COPY.
    assert 790_000_000 < first["removed_bytes"] < 810_000_000
    assert last["needed_by"] == []
    assert f"what {last['after']}, built later, would find (forecast)" in check["todo"]
    assert check["todo"].endswith("\n  tonnage doctor --builder-gc")


def test_what_is_written_in_the_configuration_counts_where_no_builder_tells(world: World, capsys: Captured) -> None:
    written = {"builder": {"gc": {"enabled": True, "defaultKeepStorage": "400000007"}}}
    (world.directory / "daemon.json").write_text(json.dumps(written))

    check, found = doctor(world, capsys)
    assert check["state"] == "warning"
    assert found["rules"][-1]["reserved_bytes"] == 400_000_007
    # A builder that is too old to tell rules tells none.
    world.ports.told_rules = ()
    assert doctor(world, capsys)[1]["rules"] == found["rules"]


@pytest.mark.parametrize("version", ["26.1.5", "28.5.2"])
def test_a_block_that_suits_the_stack_is_written_on_request_and_ends_the_warning(
    world: World, capsys: Captured, version: str
) -> None:
    engine(world, version)
    path = world.directory / "daemon.json"
    path.write_text('{"data-root": "/srv/docker", "builder": {"gc": {"enabled": true, "defaultKeepStorage": "7MB"}}}')
    path.chmod(0o640)
    assert doctor(world, capsys)[0]["state"] == "warning"

    assert world.run("doctor", "--builder-gc") == 0
    shown = capsys.readouterr()
    assert "7MB" in path.read_text()
    assert world.run("doctor", "--builder-gc", "--write") == 0
    assert "systemctl restart docker" in capsys.readouterr().err
    after = json.loads(path.read_text())
    assert after["data-root"] == "/srv/docker"
    assert {"builder": after["builder"]} == json.loads(shown.out)
    assert path.stat().st_mode & 0o777 == 0o640
    assert doctor(world, capsys)[0]["state"] == "ok"

    assert world.run("doctor", "--builder-gc", "--write", "--json") == 0
    assert json.loads(capsys.readouterr().out)["state"] == "current"


def test_another_file_can_be_named_and_is_made_where_it_is_not(world: World, capsys: Captured) -> None:
    named = world.directory / "etc" / "other.json"

    assert world.run("doctor", "--builder-gc", "--write", "--daemon-json", str(named)) == 0
    assert json.loads(named.read_text())["builder"]["gc"]["enabled"] is True
    assert f"{named}: written" in capsys.readouterr().err


def test_the_limits_of_a_selected_builder_are_its_own(world: World, capsys: Captured) -> None:
    beside = BuilderBeside(name="apart", container="buildx_buildkit_apart0", volume="buildx_buildkit_apart0_state")
    world.simulator.identity = replace(world.simulator.identity, version="29.4.2", builder=beside)
    # What the engine itself is told is not the builder's.
    (world.directory / "daemon.json").write_text('{"builder": {"gc": {"defaultKeepStorage": "7MB"}}}')

    check, found = doctor(world, capsys)
    assert check["found"].startswith("unknown: the builder apart reports its limits only while it runs")
    assert found["builder"] == "apart"
    assert found["rules"] == []

    world.ports.told_rules = (CollectionRule(reserved_bytes=400_000_007),)
    check, _ = doctor(world, capsys)
    assert check["found"].endswith("(reported by the builder apart)")
    assert "--builder-gc" not in check["todo"]
    assert world.run("doctor", "--builder-gc", "--write") == 2
    assert "the builder apart does not read the engine's configuration" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_configuration_that_cannot_be_read_is_not_overwritten(world: World, capsys: Captured, text: str) -> None:
    path = world.directory / "daemon.json"
    path.write_text(text)

    assert world.run("doctor", "--builder-gc", "--write") == 2
    assert path.read_text() == text
    assert str(path) in capsys.readouterr().err
    # Looking at the engine needs no such file.
    assert doctor(world, capsys)[0]["state"] == "ok"


def test_limits_are_not_made_of_what_nobody_knows(world: World, capsys: Captured) -> None:
    (world.directory / "web" / "Dockerfile").write_text("FROM example.org/nothing:7\nRUN make\n")

    assert world.run("doctor", "--builder-gc") == 2
    assert "what the builds of" in capsys.readouterr().err


def test_a_cache_on_a_filesystem_that_is_not_measured_is_told(world: World) -> None:
    disks = (
        Filesystem(mount="/containerd", roles=("containerd",), size_bytes=8_000_000_017, available_bytes=7),
        Filesystem(mount="/data", roles=("data-root",), size_bytes=SIZE_BYTES, available_bytes=SIZE_BYTES),
    )
    engine_here = replace(world.simulator.identity, version="28.5.2", image_store="containerd")
    seen = Snapshot(
        inventory=Inventory(engine=engine_here, filesystems=disks), reserves={"/containerd": 11, "/data": 5 * 10**9}
    )
    nothing = Stack(name="", directory="/", files=(), services=())

    check = collection_check(collection_report(world.ports, "", seen, nothing, None))
    assert check.state == "warning"
    assert "less than 4.00 GB of /data are free" in check.found
    assert check.todo.startswith("It measures /data, and the cache is on /containerd: it never sees that one fill.")


def test_writing_belongs_to_the_block(world: World) -> None:
    assert world.run("doctor", "--write") == 2
    assert world.run("doctor", "--daemon-json", "x") == 2
