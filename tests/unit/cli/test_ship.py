from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.docs.valid_forms import validate

from tonnage.errors import UsageError
from tonnage.flows.ship.stack import full_name
from tonnage.model.stack import Service

if TYPE_CHECKING:
    from tests.unit.cli.simulated_ports import World

WEB = "hello-web:latest"
TO = ("ship", "--to", "ssh://there", "--keep-free", "0B")


@pytest.fixture
def built(world: World) -> World:
    world.ports.ship_engines.here.contents = {WEB: [b"a" * 700_001, b"b" * 30_001], "busybox:latest": [b"c" * 10_007]}
    return world


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(built: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert built.run(*TO, "--dry-run") == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "ship hello to ssh://there"
    assert shown[2].split()[:4] == [WEB, "2", "of", "2"]
    assert "9.00 GB available" in shown[3]
    assert built.ports.ship_engines.there.images == {}


def test_only_what_is_built_is_sent_unless_it_is_named(built: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert built.run(*TO) == 0
    assert set(built.ports.ship_engines.there.images) == {WEB}
    assert capsys.readouterr().out.startswith(f"{WEB}: ")
    assert built.run(*TO, "db") == 0
    assert set(built.ports.ship_engines.there.images) == {WEB, "busybox:latest"}


def test_its_form_is_as_documented(built: World, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ((*TO, "--dry-run", "--json"), (*TO, "--json"), (*TO, "--json")):
        assert built.run(*arguments) == 0
        form = json.loads(capsys.readouterr().out)
        validate(form)
    [image] = form["images"]
    assert (form["done"], image["up_to_date"], image["measured_wire_bytes"]) == (True, True, 0)


def test_what_does_not_fit_ends_with_3_and_the_form_tells_how_much_is_missing(
    built: World, capsys: pytest.CaptureFixture[str]
) -> None:
    built.ports.ship_engines.there.available_bytes = 1_000_000
    assert built.run(*TO, "--dry-run", "--json", "--keep-free", "900kB") == 3
    assert json.loads(capsys.readouterr().out)["missing_bytes"] > 600_000
    assert built.run(*TO, "--keep-free", "900kB") == 3
    assert built.ports.ship_engines.there.came_bytes == 0
    assert "short" in capsys.readouterr().err


def test_an_image_that_is_not_here_is_named_with_its_service(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.run(*TO) == UsageError.exit_code
    said = capsys.readouterr().err
    assert f"web: there is no image {WEB} here" in said
    assert "tonnage build web" in said


@pytest.mark.parametrize("to", ["", "  ", "-oProxyCommand=x"])
def test_what_names_no_engine_is_refused(built: World, to: str) -> None:
    assert built.run("ship", f"--to={to}") == UsageError.exit_code


def test_a_name_without_a_tag_is_that_of_the_newest() -> None:
    names = {"a": "a:latest", "a:1": "a:1", "h:5000/a": "h:5000/a:latest", "a@sha256:1": "a@sha256:1"}
    assert {name: full_name(Service(name="x", image=name)) for name in names} == names
