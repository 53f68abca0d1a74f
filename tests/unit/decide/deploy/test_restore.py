"""The way back leads to the version that was good, under its own image and name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.builders import configured, context, names, of_project, switch
from tests.unit.decide.observed import container, image, inventory, service, stack, version

from tonnage.decide.deploy.restore import restore_steps, switch_to, way_back
from tonnage.decide.deploy.versions import read_record, record_labels
from tonnage.model.deploy.image_names import version_name
from tonnage.model.deploy.plan import Keep, Prove, Switch
from tonnage.model.inventory import Inputs

if TYPE_CHECKING:
    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.deploy.plan import Version
    from tonnage.model.inventory import Container, Image
    from tonnage.model.stack import Service

WEB, DB = service(), service("db", build=None, image="postgres:16")
STACK = stack(WEB, DB)
THEN = {"name": "shop", "services": {"web": {"image": "as it was"}}}
OWN = "shop-web:latest"
RUNS, GOOD, OLDER = image(1, OWN, inputs="i1"), image(2, inputs="i2"), image(3, inputs="i3")

MARKED = replace(RUNS, references=(*RUNS.references, "localhost/tonnage/shop/web:candidate"))


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


def test_what_runs_is_a_known_version_when_image_and_configuration_are_its() -> None:
    recorded = good(RUNS)
    found = case(recorded).runs
    assert found is not None
    assert found.version == recorded
    assert case(good(GOOD)).runs is None
    assert case(good(RUNS, config="another")).runs is None
    assert case(good(RUNS, of=DB)).runs is None


def test_what_another_machine_proved_is_known_by_the_names_that_it_gave() -> None:
    then = good(RUNS)
    name = version_name(3, then.config_digest)
    named = replace(RUNS, references=(OWN, name.reference("shop", "web")))
    assert case(images=(named, GOOD)).runs is not None
    assert case(images=(MARKED, GOOD)).never_proven
    assert not case(images=(RUNS, GOOD)).never_proven
    assert not case(images=(named, GOOD)).never_proven
    # How it was configured stands beside it, so that it runs again as it did.
    told = replace(of_project(then, THEN), prove=Prove(stability_s=7.0))
    record = replace(image(103, replace(name, is_record=True).reference("shop", "web")), labels=record_labels(told))
    restore, prove, keep = way_back(case(images=(named, GOOD, record)))
    assert restore.action == switch(THEN, RUNS.image_id, "shop-web")
    assert prove.action == told.prove
    # Its new containers are written down as those of the same version.
    assert isinstance(keep.action, Keep)
    assert keep.action.reference == name.reference("shop", "web")


def test_names_go_before_the_journal() -> None:
    gone = version_name(3, good(RUNS).config_digest)
    named = replace(RUNS, references=(OWN, replace(gone, withdrawn=True).reference("shop", "web")))
    assert case(good(RUNS), images=(named,)).runs is None


def test_a_record_that_cannot_be_understood_is_none() -> None:
    for labels in (
        {},
        {"tonnage.version.0": "no base64 !"},
        {"tonnage.version.0": "eJw"},
        {"tonnage.version.0": "AAAA"},
    ):
        assert read_record(labels) is None
    large = of_project(good(RUNS), {"services": {"web": {"image": "x", "text": [str(n) for n in range(40_000)]}}})
    assert len(record_labels(large)) > 1
    assert read_record(record_labels(large)) == large


# -- the way back


def test_what_runs_is_what_it_goes_back_to_also_when_nobody_proved_it() -> None:
    restore, _ = way_back(case(good(GOOD)))
    assert isinstance(restore.action, Switch)
    assert (restore.action.image, restore.action.image_name) == (RUNS.image_id, "shop-web")
    assert "its own is not known" in restore.cause


@pytest.mark.parametrize("state", [{"state": "restarting"}, {"health": "unhealthy"}, {"health": "starting"}])
def test_from_what_was_never_proven_and_is_not_healthy_it_goes_back_to_the_last_good_version(
    state: dict[str, str],
) -> None:
    fails = container(WEB, RUNS, **state)
    restore, _ = way_back(case(good(OLDER), good(GOOD), images=(MARKED, GOOD, OLDER), runs=fails))
    assert isinstance(restore.action, Switch)
    assert restore.action.image == GOOD.image_id
    # One whose image is gone is passed over.
    restore, _ = way_back(case(good(OLDER), good(GOOD), images=(MARKED, OLDER), runs=fails))
    assert isinstance(restore.action, Switch)
    assert restore.action.image == OLDER.image_id
    by_others = container(WEB, RUNS, config="", **state)
    restore, _ = way_back(case(good(GOOD), runs=by_others))
    assert isinstance(restore.action, Switch)
    assert restore.action.image == RUNS.image_id


def test_a_version_that_was_built_runs_again_by_its_image_under_its_name() -> None:
    back = of_project(good(GOOD), THEN)
    assert switch_to(case(), back) == switch(THEN, GOOD.image_id, "shop-web")


def of_db(*images: Image, runs: Image, config: str = "", reference: str = "") -> ServiceContext:
    seen = inventory(images=images, containers=(container(DB, runs, config=config, image_reference=reference),))
    return context(STACK, DB, seen)


def test_a_version_that_was_pulled_runs_again_by_the_id_of_its_image_whatever_its_name_names_now() -> None:
    moved, kept = image(5, "postgres:16"), image(4, "localhost/tonnage/shop/db:v1-aaaaaaaaaaaa")
    then = {"name": "shop", "services": {"db": {"image": "postgres:16", "environment": {"A": "then"}}, "web": {}}}
    back = of_project(version(STACK, DB, kept), then)
    action = switch_to(of_db(moved, kept, runs=kept), back)
    assert configured(action, "db") == {"image": kept.image_id, "environment": {"A": "then"}}
    assert (action.image, action.image_name, action.project["services"]["web"]) == ("", "", {})
    assert then["services"]["db"]["image"] == "postgres:16"  # type: ignore[index]


def test_it_runs_again_by_its_name_where_that_is_its_still_and_nothing_moves_it() -> None:
    there = image(4, "postgres:16")
    back = of_project(version(STACK, DB, there), {"services": {"db": {"image": "postgres:16"}}})
    assert configured(switch_to(of_db(there, runs=there), back), "db")["image"] == "postgres:16"


def test_a_restored_version_is_proven_as_it_was_proven_then() -> None:
    back = replace(good(GOOD), prove=Prove(stability_s=7.0, replicas=2))
    steps = restore_steps(case(), back)
    assert names(steps) == ["restore", "prove-restored"]
    assert [step.action for step in steps] == [switch_to(case(), back), back.prove]
    assert [step.version for step in steps] == [None, None]
    assert {step.service for step in steps} == {"web"}


def test_an_image_that_was_pulled_and_that_nobody_recorded_runs_again_by_its_id() -> None:
    old, new = image(4, "postgres:15"), image(5, "postgres:16")
    for kept in (old, replace(old, references=())):
        restore, _ = way_back(of_db(kept, new, runs=old, reference="postgres:15"))
        assert isinstance(restore.action, Switch)
        assert (restore.action.image, restore.action.image_name) == ("", "")
        assert configured(restore.action, "db")["image"] == old.image_id


@pytest.mark.parametrize(("told", "name"), [("postgres:15", "postgres:15"), ("", "postgres:16")])
def test_where_its_image_is_gone_its_name_is_all_there_is_which_is_said(told: str, name: str) -> None:
    restore, _ = way_back(of_db(image(5, "postgres:16"), runs=image(4), reference=told))
    assert isinstance(restore.action, Switch)
    assert configured(restore.action, "db")["image"] == name
    assert f"is gone from this engine, so what {name} names now has to run" in restore.cause
