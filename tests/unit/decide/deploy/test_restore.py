"""The way back leads to the version that was good, under its own image and name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from tests.unit.builders import configured, context, names, of_project, switch
from tests.unit.decide.observed import container, image, inventory, service, stack, version

from tonnage.decide.deploy.restore import (
    good_before,
    recorded_version,
    restore_image_steps,
    restore_steps,
    switch_to,
)
from tonnage.model.deploy.plan import Prove, Switch
from tonnage.model.inventory import Inputs

if TYPE_CHECKING:
    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Version
    from tonnage.model.inventory import Container, Image
    from tonnage.model.stack import Service

WEB, DB = service(), service("db", build=None, image="postgres:16")
STACK = stack(WEB, DB)
THEN = {"name": "shop", "services": {"web": {"image": "as it was"}}}
OWN, PREVIOUS = "shop-web:latest", "localhost/tonnage/shop/web:previous"
RUNS, GOOD, OLDER = image(1, OWN, inputs="i1"), image(2, PREVIOUS, inputs="i2"), image(3, inputs="i3")


def case(*versions: Version, images: tuple[Image, ...] = (RUNS, GOOD), runs: Container | None = None) -> ServiceContext:
    """Return ``web``, which runs the first image."""
    seen = inventory(
        images=images, containers=(runs or container(WEB, RUNS),), inputs=(Inputs(service="web", digest="i9"),)
    )
    return context(STACK, WEB, seen, versions=versions)


def good(runs: Image, *, of: Service = WEB, config: str = "") -> Version:
    found = version(STACK, of, runs, "i1")
    return replace(found, config_digest=config) if config else found


# -- which version runs


def test_what_runs_is_a_recorded_version_when_image_and_configuration_are_its() -> None:
    recorded = good(RUNS)
    assert recorded_version(case(recorded), container(WEB, RUNS)) == recorded
    assert recorded_version(case(good(GOOD)), container(WEB, RUNS)) is None
    assert recorded_version(case(good(RUNS, config="another")), container(WEB, RUNS)) is None
    assert recorded_version(case(good(RUNS, of=DB)), container(WEB, RUNS)) is None


def test_of_a_version_that_was_recorded_twice_the_latest_record_counts() -> None:
    first, last = good(RUNS), replace(good(RUNS), prove=Prove(stability_s=7.0))
    assert recorded_version(case(first, last), container(WEB, RUNS)) is last


# -- the good one before what was never proven


def test_before_what_was_never_proven_was_the_last_good_version() -> None:
    assert good_before(case(good(OLDER), good(GOOD), images=(RUNS, GOOD, OLDER))) == good(GOOD)


def test_a_good_version_whose_image_is_gone_is_passed_over() -> None:
    assert good_before(case(good(OLDER), good(GOOD), images=(RUNS, OLDER))) == good(OLDER)
    assert good_before(case(good(GOOD), images=(RUNS,))) is None


def test_what_is_known_to_be_good_has_nothing_to_go_back_behind() -> None:
    assert good_before(case(good(GOOD), good(RUNS))) is None
    assert good_before(case(good(RUNS), good(GOOD))) is None


def test_what_was_started_by_other_means_was_wanted_so() -> None:
    assert good_before(case(good(GOOD), runs=container(WEB, RUNS, labels={}))) is None


def test_where_nothing_runs_or_nothing_is_known_nothing_was_good_before() -> None:
    assert good_before(case(good(GOOD), runs=container(WEB, RUNS, state="exited"))) is None
    assert good_before(case()) is None
    assert good_before(case(good(GOOD, of=DB))) is None


# -- the steps


def test_a_version_that_was_built_runs_again_by_its_image_under_its_name() -> None:
    back = of_project(good(GOOD), THEN)
    assert switch_to(back) == switch(THEN, GOOD.image_id, "shop-web")


def test_a_version_that_was_pulled_runs_again_by_its_name_alone() -> None:
    back = replace(of_project(good(GOOD), THEN), inputs_digest="")
    assert switch_to(back) == switch(THEN)


def test_a_restored_version_is_proven_as_it_was_proven_then() -> None:
    back = replace(good(GOOD), prove=Prove(stability_s=7.0, replicas=2))
    steps = restore_steps(case(), back)
    assert names(steps) == ["restore", "prove-restored"]
    assert [step.action for step in steps] == [switch_to(back), back.prove]
    assert [step.version for step in steps] == [None, None]
    assert {step.service for step in steps} == {"web"}


def test_an_image_that_nobody_recorded_runs_again_by_its_id_with_the_present_configuration() -> None:
    restore, prove = restore_image_steps(case(), container(WEB, RUNS))
    assert isinstance(restore.action, Switch)
    assert (restore.action.image, restore.action.image_name) == (RUNS.image_id, "shop-web")
    web = configured(restore.action, "web")
    assert (web["image"], web["environment"]) == ("shop-web", {"NAME": "web"})
    assert isinstance(prove.action, Prove)


def test_an_image_that_was_pulled_runs_again_by_the_name_that_the_container_had() -> None:
    old = container(DB, image(4, "postgres:15"), image_reference="postgres:15")
    seen = inventory(images=(image(4, "postgres:15"), image(5, "postgres:16")), containers=(old,))
    restore, _ = restore_image_steps(context(STACK, DB, seen), old)
    assert isinstance(restore.action, Switch)
    # Its own name, and none is moved: the new one may be another release of the same thing.
    assert (restore.action.image, restore.action.image_name) == ("", "")
    assert configured(restore.action, "db")["image"] == "postgres:15"


def test_where_that_name_is_not_told_it_is_the_services_own() -> None:
    old = container(DB, image(4, "postgres:15"))
    seen = inventory(images=(image(4, "postgres:15"), image(5, "postgres:16")), containers=(old,))
    restore, _ = restore_image_steps(context(STACK, DB, seen), old)
    assert isinstance(restore.action, Switch)
    assert configured(restore.action, "db")["image"] == "postgres:16"
