"""Whose project it is: by directory, by repository, and by what runs; and what is in no file any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.decide.observed import container, image, inventory, service, stack, version

from tonnage.decide.deploy.orphans import check_ports
from tonnage.decide.deploy.ownership import adopt_steps
from tonnage.decide.deploy.planning import plan_deploy
from tonnage.decide.deploy.versions import record_labels
from tonnage.errors import UsageError
from tonnage.model.compose_labels import CONFIG_HASH, DIRECTORY
from tonnage.model.deploy.image_names import adopted_reference, version_name, why_ours_stays
from tonnage.model.deploy.plan import Adopt, RemoveService
from tonnage.model.deploy.policy import Policy
from tonnage.model.deploy.run import History
from tonnage.model.stack import Port

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Step
    from tonnage.model.inventory import Image, Inventory
    from tonnage.model.stack import Stack

WEB = service(build=None, image="web:1", config={"image": "web:1", "environment": {"OWNER": "bob"}})
RUNS = image(1, "web:1")
STACK = stack(WEB)
ELSEWHERE = "/home/alice/shop"


def seen(*images: Image, place: str = ELSEWHERE, written: str = "alice's") -> Inventory:
    """Return what runs: ``web`` from a directory, with what Compose wrote of its configuration."""
    runs = container(WEB, RUNS, config="", labels={DIRECTORY: place, CONFIG_HASH: written})
    found = inventory(images=(RUNS, *images), containers=(runs,))
    return replace(found, config_hashes={"web": "bob's"})


def steps(what: Inventory, of: Stack = STACK, *, adopt: bool = False) -> list[Step]:
    return adopt_steps(of, what, adopt=adopt)


def test_another_stack_of_the_same_name_is_refused_with_both_places_unless_it_is_adopted() -> None:
    with pytest.raises(UsageError) as caught:
        steps(seen())
    assert ELSEWHERE in caught.value.why
    assert STACK.directory in caught.value.why
    [step] = steps(seen(), adopt=True)
    name = adopted_reference("shop", STACK.directory)
    assert step.action == Adopt(reference=name)
    # Remembered on the engine, for this directory alone; and no reclaim takes it.
    assert steps(seen(image(7, name))) == []
    assert why_ours_stays(name)
    with pytest.raises(UsageError):
        steps(seen(image(7, name)), replace(STACK, directory="/home/carol/shop"))


@pytest.mark.parametrize("place", [STACK.directory, f"{STACK.directory}/"])
def test_its_own_directory_is_its_own_and_on_another_machine_the_one_there(place: str) -> None:
    assert steps(seen(place=place)) == []
    assert steps(seen(place="/opt/shop"), replace(STACK, place="/opt/shop")) == []
    with pytest.raises(UsageError):
        steps(seen(place=place), replace(STACK, place="/opt/shop"))


def test_another_checkout_is_told_by_its_repository_or_by_having_nothing_to_change() -> None:
    assert steps(seen(), replace(STACK, same_places=frozenset({ELSEWHERE}))) == []
    assert steps(seen(written="bob's")) == []
    name = replace(version_name(1, "c" * 12), is_record=True).reference("shop", "web")
    told = replace(version(STACK, WEB, RUNS), origin="the repository")
    record = replace(image(8, name), labels=record_labels(told))
    assert steps(seen(record), replace(STACK, origin="the repository")) == []
    for origin in ("", "another"):
        with pytest.raises(UsageError):
            steps(seen(record), replace(STACK, origin=origin))


def test_a_service_that_is_not_written_here_makes_it_another_stack() -> None:
    found = seen(written="bob's")
    other = container(service("other"), RUNS, labels={DIRECTORY: ELSEWHERE})
    found = replace(found, containers=(*found.containers, other))
    with pytest.raises(UsageError):
        steps(found)
    assert steps(found, replace(STACK, inactive=("other",))) == []


# -- what is in no file any more

OLD = service("old", build=None, image="web:1")


def planned(
    policy: Policy, *, published: str = "", inactive: tuple[str, ...] = ()
) -> tuple[list[Step], tuple[str, ...]]:
    mine = replace(WEB, ports=(Port(target=80, published=published),) if published else ())
    left = container(OLD, RUNS, labels={}, published=(("", 8017, "tcp"),))
    found = inventory(images=(RUNS,), containers=(left,))
    plan = plan_deploy(replace(stack(mine), inactive=inactive), found, policy, History())
    return list(plan.steps), plan.notes


def test_what_is_in_no_file_any_more_is_named_and_goes_only_when_that_is_asked_for() -> None:
    made, notes = planned(Policy(keep_free_bytes=0))
    assert [note for note in notes if "old is in no file of the stack any more" in note and "shop-old-1" in note]
    assert not [step for step in made if step.service == "old"]
    made, notes = planned(Policy(keep_free_bytes=0, remove_orphans=True))
    assert made[-1].action == RemoveService(project="shop")
    assert made[-1].service == "old"
    assert not [note for note in notes if "in no file" in note]


def test_a_service_with_other_profiles_is_in_a_file() -> None:
    for removes in (False, True):
        made, notes = planned(Policy(keep_free_bytes=0, remove_orphans=removes), inactive=("old",))
        assert not [note for note in notes if "in no file" in note]
        assert not [step for step in made if step.service == "old"]


def test_one_that_holds_a_port_that_is_needed_is_told_as_such_or_goes_first() -> None:
    with pytest.raises(UsageError) as caught:
        planned(Policy(keep_free_bytes=0), published="8017")
    assert "whose service old is in no file any more" in caught.value.why
    assert "--remove-orphans" in caught.value.todo
    made, _ = planned(Policy(keep_free_bytes=0, remove_orphans=True), published="8017")
    assert made[0].name == "old.remove-orphan"
    assert "8017" in made[0].cause
    check_ports(stack(WEB), inventory(images=(RUNS,)), {"web"})
