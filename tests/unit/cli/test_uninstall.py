"""Leaving, on the simulated engine: it is shown first, and nothing goes that is not ours or is used."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.cli.simulated_ports import BETTER, EmptyMachine

from tonnage.model.deploy.image_names import is_ours
from tonnage.model.deploy.run import OtherRun

if TYPE_CHECKING:
    from tests.simulator.acts import SimulatedActs
    from tests.simulator.facts import SimulatedFacts
    from tests.unit.cli.simulated_ports import World

    from tonnage.adapters.interface import Cancel
    from tonnage.model.inventory import Image
    from tonnage.model.reclaim.candidate import Candidate

Captured = pytest.CaptureFixture[str]


@dataclass
class Removing(EmptyMachine):
    """A machine whose directories go."""

    below: Path

    def remove_place(self, candidate: Candidate, cancel: Cancel) -> None:
        del cancel
        for path in candidate.paths:
            assert Path(path).is_relative_to(self.below)
            shutil.rmtree(path)


@pytest.fixture
def used(world: World, capsys: Captured) -> World:
    """A stack that was deployed twice: it runs, and an earlier version is kept."""
    cache = world.directory / "cache"
    cache.mkdir(mode=0o700)
    (cache / "resolved.json").write_text("x" * 5000)
    world.ports.environment = {**world.ports.environment, "TONNAGE_CACHE_DIR": str(cache)}
    world.ports.machine = Removing(world.directory)
    world.run("deploy")
    world.recipe(BETTER)
    world.run("deploy")
    capsys.readouterr()
    return world


def names(world: World) -> set[str]:
    return {name for image in world.simulator.facts.images() for name in image.references}


def ours(world: World) -> set[str]:
    return {name for name in names(world) if is_ours(name)}


def test_what_is_ours_is_shown_and_stays(used: World, capsys: Captured) -> None:
    before = names(used)
    assert used.run("uninstall") == 0

    told = capsys.readouterr().out
    assert names(used) == before
    for name in ours(used):
        assert name in told
    assert str(used.directory / "cache") in told
    assert "removed only with --journal" in told
    assert "nothing was removed; add --yes" in told
    assert (used.directory / "cache").is_dir()


def test_what_is_ours_goes_and_services_run_on(used: World, capsys: Captured) -> None:
    running = used.simulator.facts.containers("hello")
    theirs = names(used) - ours(used)
    kept = next(
        image for image in used.simulator.facts.images() if image.references and all(map(is_ours, image.references))
    )
    assert used.run("uninstall", "--yes") == 0

    told = capsys.readouterr().out
    assert ours(used) == set()
    assert names(used) == theirs
    assert used.simulator.facts.containers("hello") == running
    assert kept.image_id not in {image.image_id for image in used.simulator.facts.images()}
    assert not (used.directory / "cache").exists()
    assert (used.directory / "state").is_dir()
    assert "pipx uninstall tonnage" in told
    assert used.run("uninstall") == 0
    assert "Tonnage made nothing that is left on the engine" in capsys.readouterr().out


def test_the_journal_goes_on_request(used: World) -> None:
    assert used.run("uninstall", "--yes", "--journal") == 0
    assert not (used.directory / "state").exists()


def test_an_image_that_only_we_name_and_a_container_uses_stays(used: World, capsys: Captured) -> None:
    [container] = used.simulator.facts.containers("hello")[-1:]
    image = next(each for each in used.simulator.facts.images() if each.image_id == container.image_id)
    for name in image.references:
        if not is_ours(name):
            used.simulator.acts.untag(name)
    held = {name for name in image.references if is_ours(name)}
    assert held

    assert used.run("uninstall", "--yes", "--json") == 0

    document: Any = json.loads(capsys.readouterr().out)
    stays = [each for each in document["traces"] if each["state"] == "stays" and each["kind"] == "image"]
    assert [each["reason"] for each in stays] == [f"the container {container.name} uses it"]
    assert ours(used) == held
    assert used.simulator.facts.containers("hello")[-1] == container


def test_while_a_run_goes_on_nothing_is_removed(used: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    other = OtherRun(stack="shop", pid=7, user="anna", command="tonnage deploy")
    monkeypatch.setattr("tonnage.runtime.lock.StackLock.others", lambda _self: (other,))
    before = names(used)
    assert used.run("uninstall", "--yes") == 9
    assert names(used) == before
    assert "tonnage deploy" in capsys.readouterr().err


def test_what_the_engine_refuses_is_told_and_the_rest_goes(
    used: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tonnage.errors import StepFailedError  # noqa: PLC0415 - only here

    acts = type(used.simulator.acts)
    remove = acts.remove_image
    refused: list[str] = []

    def remove_all_but_one(self: SimulatedActs, image_id: str, names: tuple[str, ...] = ()) -> None:
        if not refused or image_id in refused:
            refused.append(image_id)
            raise StepFailedError("image has dependent child images")
        remove(self, image_id, names)

    monkeypatch.setattr(acts, "remove_image", remove_all_but_one)
    assert used.run("uninstall", "--yes", "--json") == 10

    document: Any = json.loads(capsys.readouterr().out)
    states = [each["state"] for each in document["traces"]]
    assert states.count("failed") == 1
    assert "removed" in states
    assert not (used.directory / "cache").exists()


def test_without_an_engine_what_is_here_goes(used: World, capsys: Captured) -> None:
    used.ports.reachable = False
    assert used.run("uninstall") == 0
    assert "no engine answers" in capsys.readouterr().out
    assert used.run("uninstall", "-H", "unix:///nowhere.sock") == 6
    assert used.run("uninstall", "--yes") == 0
    assert not (used.directory / "cache").exists()


def test_a_name_that_became_the_last_one_meanwhile_stays(used: World, capsys: Captured) -> None:
    facts = used.simulator.facts
    shared = next(image for image in facts.images() if {is_ours(name) for name in image.references} == {True, False})
    looked = 0
    listed = type(facts).images

    def images(self: SimulatedFacts) -> tuple[Image, ...]:
        nonlocal looked
        looked += 1
        if looked == 2:
            for name in shared.references:
                if not is_ours(name):
                    used.simulator.acts.untag(name)
        return listed(self)

    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(type(facts), "images", images)
        assert used.run("uninstall", "--yes") == 10
    assert "has no other" in capsys.readouterr().out
    assert shared.image_id in {image.image_id for image in facts.images()}


def test_a_unit_of_the_guard_is_named_with_what_removes_it(
    used: World, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tonnage.flows.guard.unit.DIRECTORY", str(used.directory))
    (used.directory / "tonnage-guard.service").write_text("")
    monkeypatch.setattr("tonnage.flows.guard.unit.NAME", "tonnage-guard.service")
    assert used.run("uninstall", "--yes", "--json") == 0
    document: Any = json.loads(capsys.readouterr().out)
    [guard] = [each for each in document["traces"] if each["kind"] == "guard"]
    assert (guard["state"], guard["reason"].startswith("tonnage guard --uninstall --yes")) == ("stays", True)
    assert (used.directory / "tonnage-guard.service").exists()
