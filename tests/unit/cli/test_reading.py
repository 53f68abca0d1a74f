from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.unit.runtime.test_read_with_compose import REMOTE, WEB, Compose, form

if TYPE_CHECKING:
    import pytest
    from tests.unit.cli.simulated_ports import World

    Captured = pytest.CaptureFixture[str]


def reading(world: World, capsys: Captured) -> list[dict[str, Any]]:
    capsys.readouterr()
    world.run("doctor", "--json")
    checks = json.loads(capsys.readouterr().out.splitlines()[0])["checks"]
    return [{key: each[key] for key in ("state", "found", "todo")} for each in checks if each["name"] == "reading"]


def test_doctor_tells_where_the_built_in_reader_differs_from_compose(world: World, capsys: Captured) -> None:
    file = world.directory / "compose.yaml"
    file.write_text(f"name: n\n{WEB}")
    assert reading(world, capsys) == []
    same = Compose(form(web={"image": "a", "networks": {"default": None}}))
    same.form["networks"] = {"default": {"name": "n_default"}}
    world.ports.reads = same
    assert reading(world, capsys) == []

    labels = {f"l{number}": "x" for number in range(12)}
    same.form["services"]["web"] |= {"user": "5", "labels": labels}
    same.yaml = "services:\n  web: {}\n"
    (told,) = reading(world, capsys)

    assert told["state"] == "warning"
    assert told["found"] == "the built-in reader differs from Compose in 2 values; Compose is followed"
    first, second = told["todo"].splitlines()
    assert first.startswith(f"{file}:3: services.web.labels: Compose reads {{")
    assert first.endswith("..., the built-in reader nothing")
    assert second == f'{file}:3: services.web.user: Compose reads "5", the built-in reader nothing'
    same.form["volumes"] = {f"v{number}": {"name": "v"} for number in range(12)}
    same.form["networks"] |= {f"v{number}": {"name": "v"} for number in range(12)}
    assert reading(world, capsys)[0]["todo"].splitlines()[-1] == "and 5 more"


def test_doctor_tells_what_the_built_in_reader_cannot_follow(world: World, capsys: Captured) -> None:
    file = world.directory / "compose.yaml"
    file.write_text(f"{REMOTE}{WEB}")
    world.ports.reads = Compose(form(), "services:\n  web: {}\n")

    (told,) = reading(world, capsys)

    assert told["state"] == "warning"
    assert told["found"].startswith(f"only Compose follows these files: {file}:1: the file oci://example.org/stack")
