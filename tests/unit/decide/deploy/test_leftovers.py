"""What earlier runs left is recognised, and only what is provably this service's own goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.unit.builders import context, names
from tests.unit.decide.observed import container, image, inventory, service, stack, version

from tonnage.decide.deploy.leftovers import came_back_steps, leftover_steps, superseded_steps
from tonnage.model.deploy.plan import RemoveContainer, RemoveImage, Untag
from tonnage.model.deploy.policy import Policy
from tonnage.model.inventory import Inputs

if TYPE_CHECKING:
    from tonnage.decide.deploy.service_context import ServiceContext
    from tonnage.model.inventory import Container, Image

WEB = service()
STACK = stack(WEB, service("db"))
OWN, CANDIDATE = "shop-web:latest", "localhost/tonnage/shop/web:candidate"
PREVIOUS, WITHDRAWN = "localhost/tonnage/shop/web:previous", "localhost/tonnage/shop/web:withdrawn"
INPUTS = (Inputs(service="web", digest="i9"),)
RUNS = image(1, OWN, inputs="i1")
MINE = container(WEB, RUNS)
KEEP_NOTHING = Policy(keep_free_bytes=0, keep_previous=False)


def case(*images: Image, others: tuple[Container, ...] = (), policy: Policy | None = None) -> ServiceContext:
    """Return ``web``, which runs and whose sources changed, with further images and containers."""
    seen = inventory(images=(RUNS, *images), containers=(MINE, *others), inputs=INPUTS)
    return context(STACK, WEB, seen, versions=(version(STACK, WEB, RUNS, "i1"),), policy=policy)


def foreign(runs: Image, state: str = "running") -> Container:
    """Return a container that is not this service's own."""
    return container(service("db"), runs, container_id="c-else", name="else-1", state=state)


def test_where_nothing_was_left_there_is_nothing_to_do() -> None:
    assert leftover_steps(case()) == []


def test_a_container_that_was_left_beside_the_running_one_goes_by_its_id_and_no_other() -> None:
    left = container(WEB, RUNS, container_id="c-left", name="shop-web-candidate", one_off=True)
    other = container(WEB, RUNS, container_id="c-job", name="shop-web-run-1", one_off=True)
    [only] = leftover_steps(case(others=(other, left)))
    assert only.name == "web.remove-leftover"
    assert only.action == RemoveContainer(container="c-left")


@pytest.mark.parametrize(("name", "step"), [(CANDIDATE, "remove-candidate"), (WITHDRAWN, "remove-withdrawn")])
def test_an_image_that_only_an_earlier_run_names_goes_with_that_name(name: str, step: str) -> None:
    left = image(2, name, inputs="i2")
    [only] = leftover_steps(case(left))
    assert only.name == f"web.{step}"
    assert only.action == RemoveImage(image=left.image_id, references=(name,), with_cache=True)


def test_an_image_that_has_another_name_as_well_only_loses_ours() -> None:
    [only] = leftover_steps(case(image(2, WITHDRAWN, "theirs:1", inputs="i2")))
    assert only.name == "web.untag-withdrawn"
    assert only.action == Untag(reference=WITHDRAWN)


@pytest.mark.parametrize("name", [CANDIDATE, WITHDRAWN])
def test_an_image_that_is_what_a_build_would_make_stays_to_be_used(name: str) -> None:
    assert leftover_steps(case(image(2, name, inputs="i9"))) == []


@pytest.mark.parametrize("inputs", ["i9", "i2"], ids=["is switched to", "is built anew"])
def test_the_name_of_a_candidate_stays_when_this_run_needs_it(inputs: str) -> None:
    assert leftover_steps(case(image(2, CANDIDATE, "theirs:1", inputs=inputs))) == []


def test_the_name_of_a_candidate_goes_once_it_has_the_services_own() -> None:
    switched = replace(RUNS, references=(OWN, CANDIDATE), labels={**RUNS.labels, "tonnage.inputs": "i9"})
    seen = inventory(images=(switched,), containers=(MINE,), inputs=INPUTS)
    assert names(leftover_steps(context(STACK, WEB, seen))) == ["untag-candidate"]


def test_a_candidate_that_the_container_left_beside_was_made_from_goes_after_that_container() -> None:
    left = image(2, CANDIDATE, inputs="i2")
    beside = container(WEB, left, container_id="c-left", name="shop-web-candidate", one_off=True)
    steps = leftover_steps(case(left, others=(beside,)))
    assert names(steps) == ["remove-leftover", "remove-candidate"]


@pytest.mark.parametrize("state", ["running", "exited"])
def test_a_candidate_that_another_container_was_made_from_stays(state: str) -> None:
    left = image(2, CANDIDATE, inputs="i2")
    beside = container(WEB, left, container_id="c-left", name="shop-web-candidate", one_off=True)
    assert names(leftover_steps(case(left, others=(beside, foreign(left, state=state))))) == ["remove-leftover"]


# -- images that lost their last name


def test_an_image_of_the_service_that_lost_its_last_name_goes_once_another_one_is_kept() -> None:
    one, two = image(2, inputs="i2"), image(3, inputs="i3")
    kept = image(4, PREVIOUS, inputs="i4")
    steps = leftover_steps(case(one, two, kept))
    assert names(steps) == ["remove-nameless-1", "remove-nameless-2"]
    assert [step.action for step in steps] == [
        RemoveImage(image=each.image_id, references=(), with_cache=True) for each in (one, two)
    ]


def test_it_stays_while_none_is_kept_because_it_may_be_the_only_one_to_go_back_to() -> None:
    assert leftover_steps(case(image(2, inputs="i2"))) == []


@pytest.mark.parametrize(
    "other",
    [
        image(2),
        image(2, inputs="i2", of="db"),
        replace(image(2, inputs="i2"), labels={"tonnage.stack": "theirs", "tonnage.service": "web"}),
        replace(image(2, inputs="i2"), digests=("web@sha256:77",)),
        image(2, "theirs:1", inputs="i2"),
    ],
    ids=["nobody's", "another service's", "another stack's", "pulled by its digest", "named"],
)
def test_a_nameless_image_that_is_not_provably_the_services_own_stays(other: Image) -> None:
    assert leftover_steps(case(other, image(4, PREVIOUS, inputs="i4"))) == []


@pytest.mark.parametrize("state", ["running", "exited"])
def test_a_nameless_image_that_a_container_was_made_from_stays(state: str) -> None:
    used = image(2, inputs="i2")
    assert leftover_steps(case(used, image(4, PREVIOUS, inputs="i4"), others=(foreign(used, state=state),))) == []


# -- a version that came back


def test_the_image_that_was_rolled_away_from_loses_that_name_when_it_is_deployed_again() -> None:
    back = image(2, WITHDRAWN, inputs="i9")
    [only] = came_back_steps(case(back))
    assert only.action == Untag(reference=WITHDRAWN)
    assert came_back_steps(case(image(2, WITHDRAWN, inputs="i2"), image(3, CANDIDATE, inputs="i9"))) == []
    assert came_back_steps(case(image(2, WITHDRAWN, inputs="i2"))) == []


# -- what the switch superseded


def test_where_the_previous_version_is_kept_only_the_one_before_it_goes() -> None:
    oldest = image(4, PREVIOUS, inputs="i4")
    [only] = superseded_steps(case(oldest))
    assert only.name == "web.remove-oldest"
    # By then its name is the newer one's.
    assert only.action == RemoveImage(image=oldest.image_id, references=(), with_cache=True)
    assert superseded_steps(case()) == []


def test_where_none_is_kept_the_image_that_ran_goes() -> None:
    [only] = superseded_steps(case(policy=KEEP_NOTHING))
    assert only.name == "web.remove-superseded"
    assert only.action == RemoveImage(image=RUNS.image_id, references=(), with_cache=True)


def test_an_image_that_ran_and_was_kept_goes_with_the_name_that_kept_it() -> None:
    kept = replace(RUNS, references=(OWN, PREVIOUS))
    seen = inventory(images=(kept,), containers=(MINE,), inputs=INPUTS)
    [only] = superseded_steps(context(STACK, WEB, seen, policy=KEEP_NOTHING))
    assert only.action == RemoveImage(image=RUNS.image_id, references=(PREVIOUS,), with_cache=True)


@pytest.mark.parametrize(
    "runs",
    [replace(RUNS, references=(OWN, "theirs:1")), replace(RUNS, digests=("web@sha256:77",))],
    ids=["named by somebody", "pulled by its digest"],
)
def test_an_image_that_ran_and_is_not_provably_ours_alone_stays(runs: Image) -> None:
    seen = inventory(images=(runs,), containers=(MINE,), inputs=INPUTS)
    assert superseded_steps(context(STACK, WEB, seen, policy=KEEP_NOTHING)) == []


def test_an_image_that_ran_and_that_a_container_of_somebody_else_was_made_from_stays() -> None:
    assert superseded_steps(case(others=(foreign(RUNS, state="exited"),), policy=KEEP_NOTHING)) == []


def test_an_oldest_version_that_somebody_named_or_uses_stays() -> None:
    oldest = image(4, PREVIOUS, inputs="i4")
    assert superseded_steps(case(replace(oldest, references=(PREVIOUS, "theirs:1")))) == []
    assert superseded_steps(case(oldest, others=(foreign(oldest),))) == []


def test_a_version_that_ran_but_was_never_proven_goes_and_the_good_one_before_it_stays() -> None:
    good = image(4, PREVIOUS, inputs="i4")
    seen = inventory(images=(RUNS, good), containers=(MINE,), inputs=INPUTS)
    unproven = context(STACK, WEB, seen, versions=(version(STACK, WEB, good, "i4"),))
    [only] = superseded_steps(unproven)
    assert only.name == "web.remove-unproven"
    assert only.action == RemoveImage(image=RUNS.image_id, references=(), with_cache=True)


def test_an_image_that_runs_on_is_not_superseded() -> None:
    same = replace(RUNS, labels={**RUNS.labels, "tonnage.inputs": "i9"})
    seen = inventory(images=(same,), containers=(container(WEB, same, config="old"),), inputs=INPUTS)
    assert superseded_steps(context(STACK, WEB, seen, policy=KEEP_NOTHING)) == []


def test_images_that_were_pulled_are_nobodys_to_remove() -> None:
    db = service("db", build=None, image="postgres:16")
    old = image(2, "postgres:15")
    seen = inventory(images=(old, image(3, "postgres:16")), containers=(container(db, old),))
    assert superseded_steps(context(stack(db), db, seen, policy=KEEP_NOTHING)) == []


def test_an_image_that_a_pull_left_without_a_name_stays_too() -> None:
    db = service("db", build=None, image="postgres:16")
    old = image(2)
    seen = inventory(images=(old, image(3, "postgres:16")), containers=(container(db, old),))
    assert superseded_steps(context(stack(db), db, seen, policy=KEEP_NOTHING)) == []


def test_a_first_version_supersedes_nothing() -> None:
    assert superseded_steps(context(STACK, WEB, inventory(inputs=INPUTS), policy=KEEP_NOTHING)) == []
