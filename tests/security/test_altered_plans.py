"""A plan file that somebody altered is refused, whatever they altered, and the engine is left alone.

Whoever can write a whole plan file can also make its sum right, so everything that would be done is compared as well.
"""

from __future__ import annotations

import copy
import hashlib
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.cli.simulated_ports import make_world

from tonnage.decide.deploy.staleness import why_stale
from tonnage.escapes import is_visible
from tonnage.views.json.saved_plan import read_plan, was_changed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.cli.simulated_ports import World

Captured = pytest.CaptureFixture[str]
Place = tuple[str | int, ...]
# What is expected is no part of what is done: what was expected now decides.
FORECASTS = {"kept", "transient", "available_after", "available_lowest", "instructions"}
OTHERS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**63),
    st.text(max_size=9),
    st.just([]),
    st.just({}),
    st.just("/etc"),
)


def leaves(value: object, place: Place = ()) -> Iterator[Place]:
    """Yield where each value of a document stands that holds no others."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if not inner or not value:
        yield place
        return
    for key, each in inner:
        yield from leaves(each, (*place, key))


def at(document: Any, place: Place) -> Any:  # noqa: ANN401 - a document
    for key in place:
        document = document[key]
    return document


def changed(document: Any, place: Place, value: object) -> Any:  # noqa: ANN401 - a document
    copied = copy.deepcopy(document)
    at(copied, place[:-1])[place[-1]] = value
    return copied


def signed(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document whose sum is right."""
    rest = {key: value for key, value in document.items() if key != "sum"}
    told = hashlib.sha256(msgspec.json.encode(rest, order="deterministic")).hexdigest()
    return {**rest, "sum": told}


def planned(world: World) -> tuple[Path, dict[str, Any]]:
    file = world.directory / "plan.json"
    assert world.run("plan", "--out", str(file)) == 0
    return file, json.loads(file.read_text())


@cache
def a_plan() -> dict[str, Any]:
    with TemporaryDirectory() as directory:
        return planned(make_world(Path(directory)))[1]


def state(world: World) -> object:
    simulator = world.simulator
    return (
        simulator.facts.containers(), simulator.facts.images(), simulator.disk.available_bytes, tuple(simulator.log),
        tuple(simulator.pushed),
    )  # fmt: skip


def test_every_part_of_a_plan_file_is_looked_at() -> None:
    kinds = {place[:2] for place in leaves(a_plan())}
    assert ("sum",) in kinds
    assert {("plan", name) for name in ("steps", "policy", "fingerprint", "engine_id", "reserve_bytes")} <= kinds
    assert signed(a_plan()) == a_plan()


@pytest.mark.parametrize("command", [("deploy", "--plan"), ("reclaim", "--yes", "--for")], ids=["deploy", "reclaim"])
@settings(max_examples=20)
@given(data=st.data())
def test_a_plan_with_any_value_altered_is_refused_and_the_engine_left_alone(
    command: tuple[str, ...], data: st.DataObject
) -> None:
    with TemporaryDirectory() as directory:
        world = make_world(Path(directory))
        file, document = planned(world)
        place = data.draw(st.sampled_from(sorted(leaves(document), key=str)))
        before = at(document, place)
        other = data.draw(OTHERS.filter(lambda value: (type(value), value) != (type(before), before)))
        file.write_text(json.dumps(changed(document, place, other)))
        untouched = state(world)

        assert world.run(*command, str(file)) in {2, 8}
        assert state(world) == untouched


def test_a_figure_that_decides_nothing_is_no_longer_what_was_written(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path)
    file, document = planned(world)
    document["plan"]["available_bytes"] += 1
    file.write_text(json.dumps(document))
    untouched = state(world)
    capsys.readouterr()

    assert world.run("deploy", "--plan", str(file)) == 8
    assert "The file was changed since it was written" in capsys.readouterr().err
    assert world.run("reclaim", "--yes", "--for", str(file)) == 2
    assert state(world) == untouched


@settings(max_examples=120)
@given(data=st.data())
def test_whatever_would_be_done_otherwise_is_named_although_sum_and_fingerprint_are_right(data: st.DataObject) -> None:
    document = a_plan()
    steps = [place for place in leaves(document) if place[:2] == ("plan", "steps") and not FORECASTS & set(place)]
    place = data.draw(st.sampled_from(sorted(steps, key=str)))
    before = at(document, place)
    other = data.draw(st.one_of(OTHERS, st.text(), st.floats(allow_nan=False)))
    try:
        altered = read_plan(json.dumps(changed(document, place, other)))
    except Exception:  # noqa: BLE001 - it is refused before it is compared
        return
    fresh = read_plan(json.dumps(document))
    why = why_stale(altered, fresh)
    same = msgspec.json.encode(altered) == msgspec.json.encode(fresh)
    assert bool(why) != same, (place, before, other)
    assert is_visible(why)


def bind_mount(document: dict[str, Any]) -> Place:
    (switch,) = [each for each in document["plan"]["steps"] if each["name"] == "web.switch"]
    switch["action"]["project"]["services"]["web"]["volumes"] = [{"type": "bind", "source": "/etc", "target": "/host"}]
    return "web.switch", "action.project.services.web.volumes"


def other_command(document: dict[str, Any]) -> Place:
    (switch,) = [each for each in document["plan"]["steps"] if each["name"] == "db.switch"]
    switch["action"]["project"]["services"]["db"]["command"] = ["sh", "-c", "evil"]
    return "db.switch", "action.project.services.db.command"


def undone_otherwise(document: dict[str, Any]) -> Place:
    step = next(each for each in document["plan"]["steps"] if each.get("on_failure"))
    step["on_failure"] = [{**step["on_failure"][0], "action": {"type": "remove-container", "container": "shop-db-1"}}]
    return step["name"], "on_failure[0].action"


def one_step_more(document: dict[str, Any]) -> Place:
    action = {"type": "remove-image", "image": "busybox:latest", "references": ["busybox:latest"]}
    document["plan"]["steps"].append({"name": "x.rm", "action": action, "cause": "", "changes": ""})
    return "only the file has the step x.rm", ""


def one_step_less(document: dict[str, Any]) -> Place:
    name = document["plan"]["steps"].pop()["name"]
    return f"only the plan of now has the step {name}", ""


def another_build(document: dict[str, Any]) -> Place:
    (build,) = [each for each in document["plan"]["steps"] if each["name"] == "web.build"]
    build["action"]["spec"]["context"] = "/etc"
    return "web.build", "action.spec.context"


@pytest.mark.parametrize(
    "alter", [bind_mount, other_command, undone_otherwise, one_step_more, one_step_less, another_build]
)
def test_a_step_that_was_put_in_by_somebody_who_knows_everything_is_named_and_not_done(
    tmp_path: Path,
    capsys: Captured,
    alter: Any,  # noqa: ANN401 - one of those above
) -> None:
    world = make_world(tmp_path)
    file, document = planned(world)
    words = alter(document)
    file.write_text(json.dumps(signed(document)))
    assert not was_changed(file.read_text())
    untouched = state(world)
    capsys.readouterr()

    assert world.run("deploy", "--plan", str(file)) == 8
    told = capsys.readouterr().err
    for word in words:
        assert str(word) in told
    assert "/etc" not in told
    assert f"\n  tonnage plan --out {file}\n" in told
    assert state(world) == untouched


def test_a_value_of_a_stranger_is_told_as_text(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path)
    file, document = planned(world)
    document["plan"]["steps"][0]["cause"] = "\x1b]0;x\x07\n::error::\u202e" + "a" * 500
    file.write_text(json.dumps(signed(document)))
    capsys.readouterr()

    assert world.run("deploy", "--plan", str(file)) == 8
    told = capsys.readouterr().err
    assert "cause: '\\x1b]0;x\\x07\\n::error::\\u202eaa" in told
    assert "a" * 200 not in told


def test_a_plan_for_something_that_is_never_saved_is_refused(tmp_path: Path, capsys: Captured) -> None:
    world = make_world(tmp_path)
    file, document = planned(world)
    for purpose in ("rollback", "reclaim"):
        document["plan"]["purpose"] = purpose
        file.write_text(json.dumps(signed(document)))
        assert world.run("deploy", "--plan", str(file)) == 2
        assert "this is not the plan of a deploy or a build" in capsys.readouterr().err


def test_what_is_carried_out_is_the_plan_of_now(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    file, document = planned(world)
    for step in document["plan"]["steps"]:
        for name in FORECASTS - {"instructions"}:
            step[name] = {"low_bytes": 1, "likely_bytes": 1, "high_bytes": 1, "grade": "exact"}
    file.write_text(json.dumps(signed(document)))

    assert world.run("deploy", "--plan", str(file), "--events", str(tmp_path / "events.jsonl")) == 0
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    (started,) = [each for each in events if each["event"] == "run-started"]
    assert '"likely_bytes": 1,' not in json.dumps(started["plan"])
