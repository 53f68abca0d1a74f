"""Back to the last good version before the one that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.decide.observed import container, image, inventory, service, stack, version

from tonnage.decide.deploy.rollback import plan_rollback
from tonnage.errors import UsageError
from tonnage.model.deploy.plan import Switch
from tonnage.model.deploy.policy import Policy
from tonnage.model.deploy.run import History

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan

WEB = service()
EARLIER = service(config={"environment": {"NAME": "earlier"}})
SHOP = stack(WEB)
OLD = image(1, "localhost/tonnage/shop/web:previous", inputs="one")
NEW = image(2, "shop-web:latest", inputs="two")
FIRST = version(stack(EARLIER), EARLIER, OLD, "one")
SECOND = version(SHOP, WEB, NEW, "two")


def plan(
    *versions: object, images: tuple[object, ...] = (OLD, NEW), running: bool = True, services: tuple[str, ...] = ()
) -> Plan:
    containers = (container(WEB, NEW),) if running else ()
    seen = inventory(images=images, containers=containers)  # type: ignore[arg-type]
    return plan_rollback(SHOP, seen, Policy(), History(versions=versions), services)  # type: ignore[arg-type]


def test_the_image_and_the_configuration_of_the_version_before_come_back() -> None:
    made = plan(FIRST, SECOND)
    assert [step.name for step in made.steps] == ["web.keep-withdrawn", "web.switch", "web.prove"]
    switch = made.steps[1].action
    assert isinstance(switch, Switch)
    assert (switch.image, switch.image_name) == (OLD.image_id, "shop-web")
    assert switch.project == FIRST.project
    assert made.steps[2].withdraw == SECOND


def test_a_rollback_that_fails_brings_back_what_ran() -> None:
    restore = plan(FIRST, SECOND).steps[1].on_failure[0].action
    assert isinstance(restore, Switch)
    assert (restore.image, restore.project) == (NEW.image_id, SECOND.project)


def test_without_an_earlier_version_nothing_happens_and_the_reason_is_given() -> None:
    made = plan(SECOND)
    assert made.steps == ()
    assert made.unchanged[0].reason == "no earlier good version is known"


def test_a_service_that_was_named_and_cannot_go_back_is_an_error() -> None:
    with pytest.raises(UsageError, match="web cannot be rolled back: no earlier good version is known"):
        plan(SECOND, services=("web",))
    assert plan(FIRST, SECOND, services=("web",)).steps


def test_an_earlier_version_without_its_image_is_not_gone_back_to() -> None:
    made = plan(FIRST, SECOND, images=(NEW,))
    assert made.steps == ()
    assert made.unchanged[0].reason == "the images of its earlier versions are gone"


def test_the_same_version_recorded_twice_counts_once() -> None:
    made = plan(FIRST, SECOND, SECOND)
    assert made.steps[-1].withdraw == SECOND
    switch = made.steps[1].action
    assert isinstance(switch, Switch)
    assert switch.image == OLD.image_id


def test_a_service_that_does_not_run_goes_back_to_its_latest_good_version() -> None:
    switch = next(step.action for step in plan(FIRST, running=False).steps if step.name == "web.switch")
    assert isinstance(switch, Switch)
    assert switch.image == OLD.image_id


def test_an_earlier_version_whose_image_is_gone_comes_back_with_one_of_the_same_content() -> None:
    first = replace(FIRST, content_digest="same")
    built_by_hand = replace(image(3), content_digest="same")
    made = plan(first, SECOND, images=(built_by_hand, NEW))
    switch = next(step.action for step in made.steps if step.name == "web.switch")
    assert isinstance(switch, Switch)
    assert (switch.image, switch.project) == (built_by_hand.image_id, FIRST.project)
    # What has the same content and runs already is nothing to go back to.
    same = replace(FIRST, content_digest="same", config_digest=SECOND.config_digest)
    assert plan(same, SECOND, images=(replace(NEW, content_digest="same"),)).steps == ()


def test_what_ran_is_brought_back_with_an_image_of_the_same_content_when_its_own_is_gone() -> None:
    second = replace(SECOND, content_digest="same")
    built_by_hand = replace(image(3, "shop-web:latest"), content_digest="same")
    restore = plan(FIRST, second, images=(OLD, built_by_hand)).steps[-1].on_failure[0].action
    assert isinstance(restore, Switch)
    assert restore.image == built_by_hand.image_id
