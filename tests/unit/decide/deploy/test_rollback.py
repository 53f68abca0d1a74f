"""Back to the last good version before the one that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.decide.observed import container, image, inventory, service, stack, version

from tonnage.decide.deploy.changes import config_digest
from tonnage.decide.deploy.rollback import plan_rollback
from tonnage.errors import UsageError
from tonnage.model.deploy.image_names import VersionName, version_name
from tonnage.model.deploy.plan import Keep, RemoveImage, Rename, Switch, Tag
from tonnage.model.deploy.policy import Policy
from tonnage.model.deploy.run import History
from tonnage.model.stack import ServiceSettings

if TYPE_CHECKING:
    from tonnage.model.deploy.plan import Plan, Version
    from tonnage.model.inventory import Image

WEB = service()
EARLIER = service(config={"environment": {"NAME": "earlier"}})
SHOP = stack(WEB)
OLD = image(1, "localhost/tonnage/shop/web:other", inputs="one")
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
    assert [step.name for step in made.steps] == [
        "web.withdraw-what-runs",
        "web.switch",
        "web.prove",
        "web.good",
    ]
    switch = made.steps[1].action
    assert isinstance(switch, Switch)
    assert (switch.image, switch.image_name) == (OLD.image_id, "shop-web")
    assert switch.project == FIRST.project
    assert made.steps[3].withdraw == (SECOND,)
    assert made.steps[3].version == replace(FIRST, number=2)


def test_a_rollback_that_fails_brings_back_what_ran() -> None:
    restore = plan(FIRST, SECOND).steps[1].on_failure[0].action
    assert isinstance(restore, Switch)
    assert (restore.image, restore.project) == (NEW.image_id, SECOND.project)


def test_what_has_ended_is_gone_back_from_as_what_runs_is() -> None:
    ended = container(WEB, NEW, state="exited")

    def planned(*versions: Version) -> Plan:
        seen = inventory(images=(OLD, NEW), containers=(ended,))
        return plan_rollback(SHOP, seen, Policy(), History(versions=versions))

    made = planned(FIRST, SECOND)
    switch = next(step.action for step in made.steps if step.name == "web.switch")
    assert isinstance(switch, Switch)
    assert (switch.image, switch.project) == (OLD.image_id, FIRST.project)
    assert next(step.withdraw for step in made.steps if step.name == "web.good") == (SECOND,)
    # With nothing before it, it is better than nothing.
    switch = next(step.action for step in planned(SECOND).steps if step.name == "web.switch")
    assert isinstance(switch, Switch)
    assert switch.image == NEW.image_id


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
    assert made.steps[-1].withdraw == (SECOND,)
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
    restore = plan(FIRST, second, images=(OLD, built_by_hand)).steps[1].on_failure[0].action
    assert isinstance(restore, Switch)
    assert restore.image == built_by_hand.image_id


def test_a_migration_is_run_again_only_by_who_names_it() -> None:
    job = replace(WEB, settings=ServiceSettings(one_shot=True))
    seen = inventory(images=(OLD, NEW), containers=(container(job, NEW, state="exited", exit_code=0),))
    known = History(versions=(FIRST, SECOND))

    def planned(*services: str) -> Plan:
        return plan_rollback(stack(job), seen, Policy(), known, services)

    made = planned()
    assert made.steps == ()
    assert made.unchanged[0].reason.endswith("would run once more: tonnage rollback web does that")
    assert [step.name for step in planned("web").steps if isinstance(step.action, Switch)] == ["web.switch"]


# -- versions by their names


def named(number: int, of: Image, *more: str, withdrawn: bool = False) -> Image:
    """Return an image that has the name of a version of ``web``."""
    name = replace(version_name(number, config_digest(WEB)), withdrawn=withdrawn)
    return replace(of, references=(*of.references, *more, name.reference("shop", "web")))


def rollback_to(to: str, *images: Image, runs: Image) -> Plan:
    seen = inventory(images=images, containers=(container(WEB, runs),))
    return plan_rollback(SHOP, seen, Policy(), History(), (), to)


THREE = tuple(named(number, image(number, inputs=f"i{number}")) for number in (1, 2, 3))


@pytest.mark.parametrize("to", ["v1", "1", " v1 "])
def test_a_version_that_is_named_is_gone_back_to_and_all_newer_ones_were_rolled_away_from(to: str) -> None:
    made = rollback_to(to, *THREE, runs=THREE[2])
    switch = next(step.action for step in made.steps if isinstance(step.action, Switch))
    assert switch.image == THREE[0].image_id
    [rename] = [step.action for step in made.steps if isinstance(step.action, Rename)]
    assert [new.rpartition(":")[2].partition("-")[::2] for _, new in rename.names] == [
        ("withdrawn", f"v{number}-{config_digest(WEB)[:12]}") for number in (2, 3)
    ]
    [kept] = [step.action.reference for step in made.steps if isinstance(step.action, Keep)]
    assert kept.rpartition(":")[2].startswith("v4-")


def test_what_is_rolled_away_from_is_named_so_before_anything_moves_and_gets_its_name_back_with_it() -> None:
    first, *_ = made = rollback_to("", *THREE, runs=THREE[2]).steps
    assert isinstance(first.action, Rename)
    for step in made:
        if isinstance(step.action, Switch):
            undone = step.on_failure[-1].action
            assert isinstance(undone, Rename)
            assert undone.names == tuple((new, old) for old, new in first.action.names)


def test_a_rollback_that_was_killed_after_its_switch_is_finished_and_goes_no_further() -> None:
    one, two, three = THREE
    away = named(3, replace(three, references=()), withdrawn=True)
    made = rollback_to("", one, two, away, runs=two)
    assert [step.name for step in made.steps] == ["web.prove", "web.good", "web.forget-v2"]
    assert made.steps[1].version is not None
    assert made.steps[1].version.number == 4


@pytest.mark.parametrize("state", ["running", "created"])
def test_a_container_that_a_killed_rollback_left_half_replaced_is_made_anew(state: str) -> None:
    one, two, three = THREE
    away = named(3, replace(three, references=()), withdrawn=True)
    half = container(
        WEB,
        two,
        state=state,
        name="0123456789ab_shop-web-1",
        labels={"tonnage.config": config_digest(WEB), "com.docker.compose.replace": "web-1"},
    )
    seen = inventory(images=(one, two, away), containers=(half,))
    made = plan_rollback(SHOP, seen, Policy(), History())
    [switch] = [step.action for step in made.steps if isinstance(step.action, Switch)]
    assert (switch.image, switch.recreate) == (two.image_id, True)


def test_a_rollback_that_was_killed_before_its_switch_goes_where_it_would_have_gone() -> None:
    one, two, three = THREE
    away = named(3, replace(three, references=()), withdrawn=True)
    made = rollback_to("", one, two, away, runs=away)
    switch = next(step.action for step in made.steps if isinstance(step.action, Switch))
    assert switch.image == two.image_id
    assert not any(isinstance(step.action, Tag) for step in made.steps)


def test_a_rollback_that_was_killed_in_its_last_step_is_not_done_twice() -> None:
    one, two, three = THREE
    away = named(3, replace(three, references=()), withdrawn=True)
    again = named(4, replace(two, references=()))
    seen = inventory(images=(one, again, away), containers=(container(WEB, again),))
    killed = History(gone_back=frozenset({"web"}))
    made = plan_rollback(SHOP, seen, Policy(), killed, ("web",))
    assert made.steps == ()
    assert made.unchanged[0].reason == "it went back to v4 in the run before"
    assert plan_rollback(SHOP, seen, Policy(), History(), ("web",)).steps


def test_a_rollback_whose_engine_ended_while_it_gave_the_new_name_is_finished_and_goes_no_further() -> None:
    one, two, three = THREE
    away = named(3, replace(three, references=()), withdrawn=True)
    made = rollback_to("", one, named(4, two), away, runs=two)
    assert [step.name for step in made.steps] == ["web.prove", "web.good", "web.forget-v4"]
    assert len(next(step.action.references for step in made.steps if isinstance(step.action, RemoveImage))) == 2


@pytest.mark.parametrize("to", ["v9", "0", "web", "", "v1x", "-1"])
def test_a_version_that_is_none_is_refused(to: str) -> None:
    if to:
        with pytest.raises(UsageError, match="there is no version"):
            rollback_to(to, *THREE, runs=THREE[2])


def test_what_runs_already_is_left_alone() -> None:
    made = rollback_to("v3", *THREE, runs=THREE[2])
    assert made.steps == ()
    assert made.unchanged[0].reason == "it runs v3 already"


def test_what_was_rolled_away_from_may_be_named() -> None:
    gone = named(4, image(4, inputs="i4"), withdrawn=True)
    made = rollback_to("v4", *THREE, gone, runs=THREE[2])
    assert any(isinstance(step.action, Switch) and step.action.image == gone.image_id for step in made.steps)


def test_after_a_rollback_there_is_nothing_left_to_go_back_to_but_what_is_older() -> None:
    two = named(2, image(2, inputs="i2"), withdrawn=True)
    again = named(3, image(1, inputs="i1"))
    made = plan_rollback(SHOP, inventory(images=(again, two), containers=(container(WEB, again),)), Policy(), History())
    assert made.unchanged[0].reason == "no earlier good version is known"


def test_a_version_whose_configuration_is_not_known_runs_again_as_is_written_now_which_is_said() -> None:
    plain = replace(image(1), references=(VersionName(1).reference("shop", "web"),))
    now = named(2, image(2, "shop-web:latest", inputs="i2"))
    made = rollback_to("", plain, now, runs=now)
    switch = made.steps[1]
    assert switch.cause == "rollback to v1, with the present configuration: its own is not known"
    assert isinstance(switch.action, Switch)
    assert (switch.action.image, switch.action.image_name) == (plain.image_id, "shop-web")
    # Of the same image there is nothing to go back to then.
    both = replace(now, references=(*now.references, *plain.references))
    assert rollback_to("", both, runs=both).steps == ()
